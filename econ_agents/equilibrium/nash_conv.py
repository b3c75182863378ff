"""How far a policy is from equilibrium: NashConv, measured by letting agents deviate.

::

    NashConv = sum_i  max_{e'_i} [ u_i(e'_i, e_{-i}) - u_i(e) ]

is 0 exactly in a Nash equilibrium. It is estimated on questions, which takes three precautions:

- *Common random numbers*: every deviation is played on the same questions with the same seeds as
  the policy, and compared question by question.
- *Cross-fitting*: the best of many deviations also is the luckiest, so that measuring it where it
  was chosen shows gains in pure noise. The questions are split in halves; each half measures what
  the other half chose, and the two are averaged.
- *Staying is a deviation too*: where nothing looked better on the choosing half, the agent keeps
  to the policy, and its gain there is exactly 0.

What comes out can only be too low in expectation: a deviation chosen by luck gains less than the
best one (below 0, too), and deviations outside the search are not tried. The value therefore comes
with ``in_sample``, the gain of the same deviations where they were chosen, which is too high in
expectation. With more questions the two close in on the largest gain among the moves tried; where
they lie far apart there were too few. An interval from 0 to 0 says that nothing looked better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from econ_agents.equilibrium.deviations import Deviation, Move, Search
from econ_agents.equilibrium.payoffs import DeviationPlay, Payoffs
from econ_agents.seeds import derive_seed, numpy_generator
from econ_agents.statistics import Interval, TooFewResults, mean_interval

Values: TypeAlias = npt.NDArray[np.float64]

FEWEST_QUESTIONS = 4
"""Two per half: an interval needs two measured gains on either side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentGain:
    """What one agent gains by leaving the policy alone."""

    agent: int
    gain: Interval
    """Measured where the deviation was not chosen; below 0 where the choice was luck."""
    in_sample: float
    """The same deviations measured where they were chosen: >= 0, too high in expectation."""
    moves: tuple[Move | None, Move | None]
    """What each half of the questions chose; None: to stay with the policy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NashConv:
    """The estimate, and what it rests on."""

    value: float
    """Sum of the agents' gains as measured. A value below 0 is noise around 0."""
    interval: Interval
    """Of ``value``: a 95% bootstrap over questions, for the moves that were chosen."""
    clipped: float
    """Sum of the agents' positive gains: for display. Noise makes it too high near 0."""
    in_sample: float
    """Sum of the agents' in-sample gains: too high in expectation, the other end of the bracket."""
    agents: tuple[AgentGain, ...]
    questions: int
    """Questions that were measured."""
    failed: int
    """Questions dropped because the policy or a chosen deviation came to no result on them."""
    method: str

    def to_json(self) -> dict[str, Any]:
        """Everything, as what ``json.dump`` takes."""
        return asdict(self)


def estimate_nash_conv(
    play: DeviationPlay, *, n_agents: int, seeds: Sequence[int], search: Search, seed: int = 0
) -> NashConv:
    """Estimate how much the agents gain by leaving a policy, each alone.

    It plays ``n_agents * (candidates + refinements * neighbours) + 1`` times all the questions, at
    most: moves that a half needs twice are played once.

    Args:
        play: of the policy; see :func:`econ_agents.equilibrium.payoffs.play_teams`.
        n_agents: the number of agents.
        seeds: one per question, all different.
        search: which moves are tried.
        seed: of the split into halves and of the bootstrap.

    Raises:
        ValueError: fewer than ``FEWEST_QUESTIONS`` seeds, a repeated one, or payoffs that do not
            fit.
        TooFewResults: hardly an episode came to a result.
    """
    halves = [_Half(play, part, n_agents) for part in _split(seeds, seed)]
    found = [_deviate(agent, halves, search) for agent in range(n_agents)]
    gains = np.column_stack([choice.gains for choice in found])
    gains = gains[np.isfinite(gains).all(axis=1)]
    if len(gains) < 2:
        raise TooFewResults(
            f"{len(seeds) - len(gains)} of {len(seeds)} questions came to no result: nothing can "
            "be measured; see why episodes fail, or play more questions"
        )
    interval = mean_interval(gains.sum(axis=1), seed=derive_seed(seed, "nash"))
    agents = tuple(
        AgentGain(
            agent=agent,
            gain=mean_interval(gains[:, agent], seed=derive_seed(seed, "nash", agent)),
            in_sample=choice.in_sample,
            moves=choice.moves,
        )
        for agent, choice in enumerate(found)
    )
    return NashConv(
        value=interval.mean,
        interval=interval,
        clipped=sum(max(0.0, agent.gain.mean) for agent in agents),
        in_sample=sum(agent.in_sample for agent in agents),
        agents=agents,
        questions=len(gains),
        failed=len(seeds) - len(gains),
        method=f"cross-fitted on two halves; {search}",
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Choice:
    """What the two halves chose for one agent, and what the other half says of it."""

    moves: tuple[Move | None, Move | None]
    in_sample: float
    gains: Values
    """Of every question of both halves; NaN: dropped."""


class _Half:
    """Half of the questions. Every deviation is played on it once."""

    def __init__(self, play: DeviationPlay, seeds: Sequence[int], n_agents: int) -> None:
        self._play = play
        self._seeds = seeds
        self._shape = (len(seeds), n_agents)
        self._policy = self._played(None)
        self._gains: dict[Deviation, Values] = {}

    def gains(self, agent: int, move: Move | None) -> Values:
        """What the agent gains by the move on every question; NaN where a play failed."""
        if move is None:
            return np.where(self._policy.failed, np.nan, 0.0)
        deviation = Deviation(agent=agent, move=move)
        if deviation not in self._gains:
            played = self._played(deviation)
            gain = played.rewards[:, agent] - self._policy.rewards[:, agent]
            gain[played.failed | self._policy.failed] = np.nan
            self._gains[deviation] = gain
        return self._gains[deviation]

    def choose(self, agent: int, search: Search) -> tuple[Move | None, float]:
        """The agent's best move on this half and its mean gain, 0 for staying."""
        move, gain = search.best(lambda move: _mean(self.gains(agent, move)))
        return (move, gain) if gain > 0 else (None, 0.0)

    def _played(self, deviation: Deviation | None) -> Payoffs:
        payoffs = self._play(deviation, self._seeds)
        if payoffs.rewards.shape != self._shape:
            raise ValueError(
                f"play gave rewards of shape {payoffs.rewards.shape} for {len(self._seeds)} seeds; "
                f"(questions, n_agents) is {self._shape}"
            )
        return payoffs


def _deviate(agent: int, halves: Sequence[_Half], search: Search) -> _Choice:
    """Let each half choose the agent's move, and measure it on the other one."""
    first, second = halves
    first_move, first_gain = first.choose(agent, search)
    second_move, second_gain = second.choose(agent, search)
    return _Choice(
        moves=(first_move, second_move),
        in_sample=(first_gain + second_gain) / 2,
        gains=np.concatenate([first.gains(agent, second_move), second.gains(agent, first_move)]),
    )


def _split(seeds: Sequence[int], seed: int) -> tuple[list[int], list[int]]:
    """The seeds in two halves at random: their order may follow the kinds of questions."""
    if len(seeds) < FEWEST_QUESTIONS or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"NashConv needs at least {FEWEST_QUESTIONS} seeds, all different, got {len(seeds)} "
            f"with {len(set(seeds))} different ones"
        )
    order = numpy_generator(seed, "nash split").permutation(len(seeds)).tolist()
    shuffled = [seeds[index] for index in order]
    middle = len(seeds) // 2
    return shuffled[:middle], shuffled[middle:]


def _mean(gains: Values) -> float:
    """The mean over questions that came to a result; below everything where there is none."""
    present = gains[np.isfinite(gains)]
    return float(present.mean()) if len(present) else -np.inf
