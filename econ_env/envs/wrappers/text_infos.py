"""Texts in infos, for loggers and for learners that use text."""

from __future__ import annotations

from typing import Any

from econ_env.envs.wrappers.base import GameWrapper, StepResult
from econ_env.game.transcript import Transcript

TEXT_KEYS = ("strategy", "response", "commitment", "reason")
"""Keys that :class:`TextInfos` adds to the infos of every agent at every step."""


class TextInfos(GameWrapper):
    """Add texts to the infos of every step, for loggers and for learners that use text.

    Besides the numbers, an agent's infos get the current texts after the step; a text is empty if
    a failed request left none, and the strategy of a team that plays without one always is:

    ============  ==============================================================================
    strategy      the strategy that its executor was given: that of its group
    response      the full text of its executor's last response
    commitment    the value that the team is committed to
    reason        the reason that the coordinator gave for it
    ============  ==============================================================================

    The infos of ``reset`` are empty: libraries such as TorchRL infer the types of infos from a
    reset and cannot handle texts, but ignore all infos if they find none there.

    Args:
        env: an :class:`~econ_env.envs.parallel.EconParallelEnv`, possibly wrapped already.

    Raises:
        TypeError: ``env`` is another environment.
    """

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode; every agent's infos are empty."""
        observations, infos = super().reset(seed=seed, options=options)
        return observations, {agent: {} for agent in infos}

    def step(self, actions: dict[str, Any]) -> StepResult:
        """Play one round; the infos hold numbers and texts."""
        observations, rewards, terminations, truncations, infos = super().step(actions)
        texts = _texts(self._game.transcript)
        none = dict.fromkeys(TEXT_KEYS, "")
        infos = {agent: {**info, **texts.get(agent, none)} for agent, info in infos.items()}
        return observations, rewards, terminations, truncations, infos


def _texts(transcript: Transcript) -> dict[str, dict[str, str]]:
    """The texts of the last round by agent; {} if no round was played."""
    rounds = list(transcript.rounds())
    if not rounds:
        return {}
    # The team's commitment comes last, after those of groups; it is missing if one of these failed.
    concluded = [record for record in rounds[-1].commitments if record.role == "commit"]
    value, reason = (concluded[0].value, concluded[0].reason) if concluded else (None, "")
    # The global strategy comes first; a team of one group has no other, and some teams have none.
    records = transcript.strategies[1:] or transcript.strategies
    strategies = [record.strategy for record in records]
    return {
        record.agent: {
            "strategy": strategies[record.group] if strategies else "",
            "response": record.text,
            "commitment": value or "",
            "reason": reason,
        }
        for record in rounds[-1].executors
    }
