"""The replay buffer: episodes to learn from, and batches of decisions drawn from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_metrics import CORRECT
from econ_agents.algorithm.memory import Flags, FloatArray, moments_of, still_moments
from econ_agents.algorithm.reward_weighting import COMPONENTS


@dataclass(frozen=True, kw_only=True)
class Window:
    """Memory and present moment of every executor, as the belief networks read them."""

    moments: Tensor
    """Moments ``(n_agents, batch, length + 1, moment_size)``, the present last."""
    known: Tensor
    """Mask ``(batch, length + 1)``, False where the memory was still empty."""

    def to(self, device: str) -> Window:
        """Copy the window to a device."""
        return Window(moments=self.moments.to(device), known=self.known.to(device))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Decisions to learn from."""

    now: Window
    actions: Tensor
    """Actions ``(n_agents, batch, action_size)``."""
    rewards: Tensor
    """Rewards r_i, ``(n_agents, batch)``."""
    team_rewards: Tensor
    """Team rewards r_tot, ``(batch,)``."""
    components: Tensor | None
    """Reward components ``(n_agents, batch, 3)``, ordered as ``COMPONENTS``; None if unreported."""
    team_components: Tensor | None
    """Components of the team's reward, ``(batch, 3)``: [commitment correct], mean AL, mean CC.
    None if the environment does not report them all."""
    states: Tensor
    """States before the step, ``(batch, state_size)``."""
    then: Window
    """Window after the step."""
    next_states: Tensor
    next_actions: Tensor
    """Actions that were executed after the step, ``(n_agents, batch, action_size)``; zero after an
    episode's last step."""
    same_decision: Tensor
    """Flags ``(batch,)``: 1 if the next step is a later round of the same decision, whose action
    the policy does not choose alone (it is refined or repeated)."""
    terminal: Tensor
    """Flags ``(batch,)``: 1 if the step ended the game, 0 otherwise, also after a time limit."""

    def to(self, device: str) -> Batch:
        """Copy the batch to a device."""
        return Batch(
            now=self.now.to(device),
            actions=self.actions.to(device),
            rewards=self.rewards.to(device),
            team_rewards=self.team_rewards.to(device),
            components=None if self.components is None else self.components.to(device),
            team_components=None
            if self.team_components is None
            else self.team_components.to(device),
            states=self.states.to(device),
            then=self.then.to(device),
            next_states=self.next_states.to(device),
            next_actions=self.next_actions.to(device),
            same_decision=self.same_decision.to(device),
            terminal=self.terminal.to(device),
        )


class EpisodeBuffer:
    """The latest episodes, up to a number of decisions.

    Args:
        capacity: largest number of decisions kept; the oldest episodes are dropped first.
        memory_length: moments before the present in a window.
        round_columns: columns of an observation that are above zero in later rounds of a decision;
            None if every step is a decision of its own.
    """

    def __init__(
        self, *, capacity: int, memory_length: int, round_columns: slice | None = None
    ) -> None:
        self.capacity = capacity
        self.memory_length = memory_length
        self._round = round_columns
        self.episodes: deque[Episode] = deque()
        self._decisions = 0

    def __len__(self) -> int:
        """Number of decisions in the buffer."""
        return self._decisions

    def clear(self) -> None:
        """Remove all episodes."""
        self.episodes.clear()
        self._decisions = 0

    def extend(self, episodes: Iterable[Episode]) -> None:
        """Add episodes, and drop the oldest ones beyond the capacity.

        Raises:
            ValueError: an episode has failed, so that it has no result to learn from.
        """
        for episode in episodes:
            if episode.failed:
                raise ValueError(
                    f"episode {episode.number} failed and cannot be learned from: leave it out"
                )
            self.episodes.append(episode)
            self._decisions += len(episode.actions)
        while self._decisions > self.capacity and len(self.episodes) > 1:
            self._decisions -= len(self.episodes.popleft().actions)

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Draw ``size`` decisions uniformly, with replacement."""
        lengths = np.array([len(episode.actions) for episode in self.episodes])
        ends = lengths.cumsum()
        chosen = rng.integers(ends[-1], size=size)
        numbers = np.searchsorted(ends, chosen, side="right")
        steps = chosen - (ends - lengths)[numbers]
        return self._batch([self.episodes[k] for k in numbers], steps.tolist())

    def _batch(self, episodes: list[Episode], steps: list[int]) -> Batch:
        pairs = list(zip(episodes, steps, strict=True))
        now = [_window(episode, t, self.memory_length) for episode, t in pairs]
        then = [_window(episode, t + 1, self.memory_length) for episode, t in pairs]
        has_components = all(set(COMPONENTS) <= set(episode.infos) for episode in episodes)
        has_team = has_components and all(CORRECT in episode.infos for episode in episodes)
        return Batch(
            now=_stack(now),
            actions=_agents_first([episode.actions[t] for episode, t in pairs]),
            rewards=_agents_first([episode.rewards[t] for episode, t in pairs]),
            team_rewards=_tensor([episode.team_rewards[t] for episode, t in pairs]),
            components=_agents_first([_components(episode.infos, t) for episode, t in pairs])
            if has_components
            else None,
            team_components=_tensor([_team_components(episode.infos, t) for episode, t in pairs])
            if has_team
            else None,
            states=_tensor([episode.states[t] for episode, t in pairs]),
            then=_stack(then),
            next_states=_tensor([episode.states[t + 1] for episode, t in pairs]),
            next_actions=_agents_first(
                [
                    episode.actions[t + 1]
                    if t + 1 < len(episode.actions)
                    else np.zeros_like(episode.actions[t])
                    for episode, t in pairs
                ]
            ),
            same_decision=_tensor([self._goes_on(episode, t) for episode, t in pairs]),
            terminal=_tensor(
                [episode.terminated and t + 1 == len(episode.actions) for episode, t in pairs]
            ),
        )

    def _goes_on(self, episode: Episode, step: int) -> bool:
        """Return True if the step after ``step`` is a later round of the same decision."""
        if self._round is None or step + 1 == len(episode.actions):
            return False
        return bool(episode.observations[step + 1, 0, self._round].max() > 0)


def _window(episode: Episode, step: int, length: int) -> tuple[FloatArray, Flags]:
    """The ``length`` moments before ``step``, then the observation at ``step``, and their mask."""
    present = still_moments(episode.observations[step], episode.actions.shape[-1])[np.newaxis]
    start = max(0, step - length)
    before = moments_of(episode.observations[start:step], episode.actions[start:step])
    missing = length - len(before)
    older = episode.memory[-missing:] if missing else episode.memory[:0]
    empty = np.zeros((missing - len(older), *present.shape[1:]), dtype=np.float32)
    known = np.arange(length + 1) >= len(empty)
    return np.concatenate([empty, older, before, present]), known


def _stack(windows: list[tuple[FloatArray, Flags]]) -> Window:
    moments = np.stack([moments for moments, _ in windows])
    known = np.stack([known for _, known in windows])
    return Window(
        moments=torch.from_numpy(moments.transpose(2, 0, 1, 3).copy()),
        known=torch.from_numpy(known),
    )


def _components(infos: Mapping[str, FloatArray], step: int) -> FloatArray:
    return np.stack([infos[name][step] for name in COMPONENTS], axis=-1)


def _team_components(infos: Mapping[str, FloatArray], step: int) -> FloatArray:
    """[commitment correct], mean AL and mean CC: ``COMPONENTS`` of the team."""
    of_agents: FloatArray = _components(infos, step).mean(axis=0)
    of_agents[COMPONENTS.index("ts")] = infos[CORRECT][step, 0]
    return of_agents


def _agents_first(rows: list[FloatArray]) -> Tensor:
    return torch.from_numpy(np.stack(rows, axis=1).astype(np.float32))


def _tensor(rows: list[FloatArray] | list[bool]) -> Tensor:
    return torch.from_numpy(np.stack(rows).astype(np.float32))
