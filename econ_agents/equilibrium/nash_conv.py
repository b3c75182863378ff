"""NashConv, the distance of a policy from equilibrium, estimated by letting agents deviate.

::

    NashConv = sum_i  max_{e'_i} [ u_i(e'_i, e_{-i}) - u_i(e) ]

is 0 exactly in a Nash equilibrium. Estimating it on a sample of questions takes three precautions:

- *Common random numbers*: every deviation is played on the same questions with the same seeds as
  the policy, and compared question by question.
- *Cross-fitting*: the best of many deviations is also the luckiest, so that measuring it on the
  questions it was chosen on shows gains in pure noise. The questions are split in halves; each half
  measures the deviation that the other half chose, and the two are averaged.
- *Staying is a deviation too*: if nothing looks better on the choosing half, the agent keeps to the
  policy, and its gain is exactly 0.

In expectation the estimate can only be too low: a deviation chosen by luck gains less than the best
one (possibly below 0), and deviations outside the search are not tried. The estimate therefore
comes with ``in_sample``, the gain of the same deviations on the questions they were chosen on,
which is too high in expectation. With more questions both approach the largest gain among the moves
tried; if they lie far apart, there were too few questions. An interval from 0 to 0 means that no
deviation looked better than the policy.
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
"""Least number of questions: two per half, since an interval needs two measured gains."""
NASH_FILE = "nash.json"
"""Name of the file in a run's folder that holds measurements."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentGain:
    """Gain of one agent when it alone deviates from the policy."""

    agent: int
    gain: Interval
    """Gain on the questions that did not choose the deviation; below 0 if the choice was luck."""
    in_sample: float
    """Gain on the questions that chose the deviation: >= 0, too high in expectation."""
    moves: tuple[Move | None, Move | None]
    """Move that each half of the questions chose; None to stay with the policy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NashConv:
    """Estimate of NashConv, with the gains and the sample it is computed from."""

    value: float
    """Sum of the agents' measured gains. A value below 0 is noise around 0."""
    interval: Interval
    """Interval of ``value``: a 95% bootstrap over questions, for the moves that were chosen."""
    clipped: float
    """Sum of the agents' positive gains, for display. Noise makes it too high near 0."""
    in_sample: float
    """Sum of the agents' in-sample gains, too high in expectation: the upper end of the bracket."""
    agents: tuple[AgentGain, ...]
    questions: int
    """Number of questions that were measured."""
    failed: int
    """Number of questions dropped because the policy or a chosen deviation came to no result."""
    method: str

    def to_json(self) -> dict[str, Any]:
        """Return all fields as plain data for ``json.dump``."""
        return asdict(self)


def estimate_nash_conv(
    play: DeviationPlay, *, n_agents: int, seeds: Sequence[int], search: Search, seed: int = 0
) -> NashConv:
    """Estimate how much the agents gain by deviating from a policy, each alone.

    All questions are played at most ``n_agents * (candidates + refinements * neighbours) + 1``
    times; a move that a half needs twice is played once.

    Args:
        play: plays the policy; see :func:`econ_agents.equilibrium.payoffs.play_teams`.
        n_agents: number of agents.
        seeds: seeds of the questions, all different.
        search: the search over moves.
        seed: seed of the split into halves and of the bootstrap.

    Raises:
        ValueError: there are fewer than ``FEWEST_QUESTIONS`` seeds, a seed is repeated, or the
            payoffs have the wrong shape.
        TooFewResults: almost no episode came to a result.
    """
    halves = [_Half(play, part, n_agents) for part in _split(seeds, seed)]
    found = [_deviate(agent, halves, search) for agent in range(n_agents)]
    gains = np.column_stack([choice.gains for choice in found])
    gains = gains[np.isfinite(gains).all(axis=1)]
    if len(gains) < 2:
        raise TooFewResults(
            f"{len(seeds) - len(gains)} of {len(seeds)} questions came to no result: nothing can "
            "be measured; find out why episodes fail, or play more questions"
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
    """Moves that the two halves chose for one agent, and their gains on the other half."""

    moves: tuple[Move | None, Move | None]
    in_sample: float
    gains: Values
    """Gain on every question of both halves; NaN for dropped ones."""


class _Half:
    """One half of the questions, on which every deviation is played once."""

    def __init__(self, play: DeviationPlay, seeds: Sequence[int], n_agents: int) -> None:
        self._play = play
        self._seeds = seeds
        self._shape = (len(seeds), n_agents)
        self._policy = self._played(None)
        self._gains: dict[Deviation, Values] = {}

    def gains(self, agent: int, move: Move | None) -> Values:
        """Gain of the agent by the move on every question; NaN where an episode failed."""
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
        """Find the agent's best move on this half and its mean gain; None and 0 for staying."""
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
    """Let each half choose the agent's move, and measure that move on the other half."""
    first, second = halves
    first_move, first_gain = first.choose(agent, search)
    second_move, second_gain = second.choose(agent, search)
    return _Choice(
        moves=(first_move, second_move),
        in_sample=(first_gain + second_gain) / 2,
        gains=np.concatenate([first.gains(agent, second_move), second.gains(agent, first_move)]),
    )


def _split(seeds: Sequence[int], seed: int) -> tuple[list[int], list[int]]:
    """Split the seeds in two halves at random, as their order may follow the kinds of questions."""
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
    """Mean over the questions that came to a result; minus infinity if there are none."""
    present = gains[np.isfinite(gains)]
    return float(present.mean()) if len(present) else -np.inf
