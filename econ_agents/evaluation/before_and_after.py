"""Effect of training: the untrained team against the trained one, on the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_metrics import describe_episodes
from econ_agents.environments import TeamSpace
from econ_agents.evaluation.report import Arm, describe_arm, paired_outcomes, score_of
from econ_agents.statistics import Interval, in_points, in_units, paired_difference


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Comparison of the untrained team with the trained one, both with one round per decision."""

    untrained: Arm
    difference: Interval
    """Accuracy (team reward if none is reported) of the trained team minus the untrained one's."""
    actions: dict[str, tuple[float, float]]
    """Mean of every coordinate of every agent's action before and after training, in the units of
    the environment, by names such as ``temperature/executor_0``."""
    bounds: dict[str, tuple[float, float]]
    """Range of every coordinate of an action by its name; {} if the environment names none."""

    def lines(self) -> list[str]:
        """Write the comparison as lines of text."""
        if self.untrained.accuracy is None:
            changed = f"team reward: {in_units(self.difference, signed=True)}"
        else:
            changed = f"accuracy: {in_points(self.difference, signed=True)}"
        lines = [
            f"untrained team, one round: {score_of(self.untrained)}",
            f"trained minus untrained, {changed}",
        ]
        agents = dict.fromkeys(name.partition("/")[2] for name in self.actions)
        for agent in agents:
            moved = (
                f"{name.partition('/')[0].replace('_', ' ')} {before:.2f} -> {after:.2f}"
                for name, (before, after) in self.actions.items()
                if name.partition("/")[2] == agent
            )
            lines.append(f"{agent} learned: {', '.join(moved)}")
        return lines


def what_was_learned(
    untrained: Sequence[Episode], trained: Sequence[Episode], space: TeamSpace, *, seed: int
) -> Learned | None:
    """Compare two lists of episodes on the same questions, in the same order.

    None if fewer than two questions came to a result in both.

    Args:
        untrained: episodes played by the policy that training began with.
        trained: episodes played by the trained policy, in as many rounds.
        space: space of the environment, for the names of agents and coordinates.
        seed: seed of the bootstrap.

    Raises:
        ValueError: the lists differ in length.
    """
    ours, theirs = paired_outcomes(trained, untrained)
    if len(ours) < 2:
        return None
    arm = describe_arm(untrained, seed=seed)
    before, after = describe_episodes(untrained, space), describe_episodes(trained, space)
    return Learned(
        untrained=arm,
        difference=paired_difference(ours, theirs, seed=seed),
        actions={name: (before[name], after[name]) for name in before if "/" in name},
        bounds={part.name: (part.low, part.high) for part in space.action_parts or ()},
    )
