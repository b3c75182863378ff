"""Metrics of a set of episodes, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from econ_agents.algorithm.episode_metrics import describe_episodes, tokens_of
from econ_agents.environments import TeamSpace
from econ_agents.environments.space import ActionPart
from tests.econ_agents.builders import TEAM, an_episode


def space(**changes: Any) -> TeamSpace:
    sizes: dict[str, Any] = {"observation_size": 5, "action_size": 2, "state_size": 15}
    return TeamSpace(agents=TEAM, layout=None, **sizes, **changes)


def column(*values: float) -> Any:
    """An info that is the same for all three agents."""
    return np.repeat(np.array(values, np.float32)[:, np.newaxis], 3, axis=1)


# One decision of two rounds; then two decisions of one round.
LONG = an_episode(
    0,
    2,
    rewards=np.array([[0, 0, 0], [1, 2, 3]], np.float32),
    team_rewards=np.array([0, 0.5], np.float32),
    infos={
        "decision_closed": column(0, 1),
        "correct": column(0, 1),
        "ts": np.array([[0, 0, 0], [1, 0, 1]], np.float32),
        "prompt_tokens": column(10, 20),
        "completion_tokens": column(1, 2),
    },
)
SHORT = an_episode(
    1,
    2,
    rewards=np.array([[1, 1, 1], [1, 1, 1]], np.float32),
    team_rewards=np.array([0.25, 0.25], np.float32),
    infos={
        "decision_closed": column(1, 1),
        "correct": column(0, 0),
        "ts": np.array([[0, 0, 0], [1, 1, 0]], np.float32),
        "prompt_tokens": column(5, 6),
        "completion_tokens": column(0, 1),
    },
)


def test_rewards_are_sums_over_an_episode_and_components_are_means_over_decisions():
    found = describe_episodes([LONG, SHORT], space())
    assert found["reward_mean"] == 2.0
    assert found["team_reward"] == 0.5
    assert found["steps"] == 2.0
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["ts"] == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)
    assert "al" not in found


def test_tokens_are_those_counted_at_the_end():
    assert (tokens_of(LONG), tokens_of(SHORT)) == (22.0, 7.0)
    assert describe_episodes([LONG, SHORT], space())["tokens"] == 14.5


def test_actions_are_described_by_agent_and_coordinate():
    found = describe_episodes([LONG, SHORT], space())
    actions = np.concatenate([LONG.actions, SHORT.actions])
    for index, agent in enumerate(TEAM):
        for axis in range(2):
            mean = float(actions[:, index, axis].mean())
            assert found[f"action_{axis}/{agent}"] == pytest.approx(mean, abs=1e-6)


def test_actions_have_the_environments_names_and_units_where_it_tells_them():
    parts = (
        ActionPart(name="temperature", low=0.0, high=2.0),
        ActionPart(name="penalty", low=-1.0, high=1.0),
    )
    found = describe_episodes([LONG], space(action_parts=parts))
    means = LONG.actions.mean(axis=0)
    assert found["temperature/anna"] == pytest.approx(float(means[0, 0]) + 1)
    assert found["penalty/cleo"] == pytest.approx(float(means[2, 1]))
    assert not any(name.startswith("action_") for name in found)


@pytest.mark.parametrize(
    ("agents", "named"),
    [
        (("agent 0", "équipe", "b/c"), ["agent_0", "_quipe", "b_c"]),
        (("a b", "a_b", "c"), ["agent_0", "agent_1", "agent_2"]),
    ],
)
def test_any_name_of_an_agent_can_be_logged(agents: tuple[str, ...], named: list[str]):
    found = describe_episodes([LONG], replace(space(), agents=agents))
    assert [name for name in found if name.startswith("action_0/")] == [
        f"action_0/{name}" for name in named
    ]


def test_failed_episodes_are_left_out():
    failed = an_episode(2, 2, infos=LONG.infos, failed=True)
    assert describe_episodes([failed, LONG], space()) == describe_episodes([LONG], space())
    assert describe_episodes([failed], space()) == {}
    assert describe_episodes([], space()) == {}


def test_an_environment_without_infos_has_rewards_and_actions_only():
    found = describe_episodes([an_episode(0, 3)], space())
    assert {name.split("/")[0] for name in found} == {
        "reward_mean",
        "team_reward",
        "reward_per_decision",
        "steps",
        "action_0",
        "action_1",
    }
