"""Measurements of the bundled models as a team."""

from __future__ import annotations

import pytest

from tests.support import FlakyModel
from tools.bundled_models.team_measures import measure_team


def test_a_failed_episode_stops_the_measurement_with_its_error() -> None:
    # The simulated model does not know arithmetic problems, so its strategies fail.
    models = [FlakyModel(lambda request: True, f"simulated:{index}") for index in range(3)]
    report = {
        "seed": 0,
        "n_questions": 3,
        "greedy_answers": ["1"] * 3,
        "greedy_no_plan_answers": ["1"] * 3,
    }
    with pytest.raises(RuntimeError, match=r"3 of 3 episodes failed.*the test said so"):
        measure_team([report] * 3, models, models[0])
