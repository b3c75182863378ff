"""Metrics of a set of episodes, as far as the environment's infos report them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.reward_weighting import COMPONENTS
from econ_agents.environments import TeamSpace

CORRECT, CLOSED = "correct", "decision_closed"
TOKENS = ("prompt_tokens", "completion_tokens")
"""Infos of environments of language models; see ``econ_env.envs.infos``."""


def describe_episodes(episodes: Sequence[Episode], space: TeamSpace) -> dict[str, float]:
    """Means over the episodes that came to a result, by metric name; {} if there are none.

    Names have no namespace. ``reward_mean`` and ``team_reward`` are sums over the steps of an
    episode; ``reward_per_decision``, reward components and ``accuracy`` are means over decisions
    (over steps if the environment does not say when a decision closes); ``tokens`` is per episode.
    ``<part>/<agent>`` is the mean of one coordinate of an action, for example
    ``temperature/executor_0``, in the environment's own units. If the environment does not name
    the coordinates, it is ``action_<k>/<agent>``, in [-1, 1].
    """
    finished = [episode for episode in episodes if not episode.failed]
    if not finished:
        return {}
    infos = finished[0].infos
    found = {
        "reward_mean": _mean([episode.rewards.sum(axis=0).mean() for episode in finished]),
        "reward_per_decision": _reward_per_decision(finished),
        "team_reward": _mean([episode.team_rewards.sum() for episode in finished]),
        "steps": _mean([episode.length for episode in finished]),
    }
    if CORRECT in infos and CLOSED in infos:
        found["accuracy"] = _per_decision(finished, CORRECT)
    for name in COMPONENTS:
        if name in infos and CLOSED in infos:
            found[name] = _per_decision(finished, name)
    if set(TOKENS) <= set(infos):
        found["tokens"] = _mean([tokens_of(episode) for episode in finished])
    actions = np.concatenate([episode.actions for episode in finished])
    for index, agent in enumerate(_words(space.agents)):
        for axis, mean in enumerate(actions[:, index].mean(axis=0).tolist()):
            if space.action_parts is None:
                found[f"action_{axis}/{agent}"] = mean
            else:
                part = space.action_parts[axis]
                found[f"{_word(part.name)}/{agent}"] = part.value_of(mean)
    return found


def _words(agents: Sequence[str]) -> list[str]:
    """Return names of agents as metrics may have them: "agent 0" becomes "agent_0"."""
    words = [_word(agent) for agent in agents]
    return words if len(set(words)) == len(words) else [f"agent_{k}" for k in range(len(words))]


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", text)


def tokens_of(episode: Episode) -> float:
    """Prompt and completion tokens of an episode; its infos count from the reset."""
    return float(sum(episode.infos[name][-1, 0] for name in TOKENS))


def _reward_per_decision(episodes: Sequence[Episode]) -> float:
    """Mean reward of the agents for a decision, or for a step if decisions are not reported."""
    total = sum(float(episode.rewards.mean(axis=1).sum()) for episode in episodes)
    if CLOSED not in episodes[0].infos:
        return total / sum(episode.length for episode in episodes)
    return total / max(sum(float(episode.infos[CLOSED][:, 0].sum()) for episode in episodes), 1.0)


def _per_decision(episodes: Sequence[Episode], name: str) -> float:
    """Mean of an info over decisions and agents; the info is zero in steps that close none."""
    total = sum(float(episode.infos[name].mean(axis=1).sum()) for episode in episodes)
    closed = sum(float(episode.infos[CLOSED][:, 0].sum()) for episode in episodes)
    return total / max(closed, 1.0)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
