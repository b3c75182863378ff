"""Five hundred episodes at a server that misbehaves in every way."""

from __future__ import annotations

import pytest

from tests.econ_env.llm.api.soak import MIX, soak
from tests.misbehaving_faults import FATAL, FAULTS

EPISODES = 500


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_soak_loses_no_episode_scores_no_failure_and_leaves_nothing_behind() -> None:
    soaked = soak(EPISODES, batch=100)
    assert soaked.finished + soaked.failed == EPISODES
    assert soaked.wrong == []
    assert soaked.finished > 0.9 * EPISODES
    assert soaked.failed > 0, "some requests are refused for good"
    assert soaked.faults.keys() >= MIX.keys()
    assert not soaked.left_behind
    assert soaked.growth_mib < 32


def test_the_soak_meets_every_fault_that_does_not_end_a_run() -> None:
    assert MIX.keys() == FAULTS.keys() - FATAL.keys() - {"say_key"}
