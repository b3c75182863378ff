"""The settings of the game, and the rules by which a decision closes.

A decision closes for one of four reasons. Where several hold at once, the first is reported:

1. ``bne_rounds``: as many rounds are played as the decision may have,
2. ``commitment_repeated``: the commitment's value equals that of the round before,
3. ``oscillation``: the values go A, B, A,
4. ``no_deviation``: no executor moves away from its action of the round before. This is the
   condition of a Nash equilibrium. It is known before the round is played, so nothing is
   generated again and the standing commitment is final.

All rules look at rounds of one decision only: every decision is at least one round of its own.
A commitment without a value (None) equals nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from econ_env.game.coordinator_tree import build_tree, same
from econ_env.game.prompt_fitting import ModelLimits
from econ_env.game.prompts import MAX_STRATEGY_TOKENS, PromptSet
from econ_env.game.transcript import ClosedBy
from econ_env.sampling_action import SamplingAction, SamplingBounds

CommitmentRule = Literal["coordinator", "guarded", "majority"]
"""``coordinator``: a coordinator's own conclusion always stands (the paper). ``guarded``: answers
of all members that agree stand without a call; a value that no member gave, or none at all, falls
back to the members' majority. ``majority``: as ``guarded``, and an answer of more than half of the
members stands without a call, so that the coordinator decides only where they are divided."""


@dataclass(frozen=True, kw_only=True)
class GameConfig:
    """Everything that two games have in common; ``ValueError`` says what cannot be played."""

    n_agents: int
    """Number of executors, >= 1."""
    group_size: int | None
    """Largest group of executors, >= 2; None: one group of all."""
    bne_rounds: int
    """Most rounds of a decision, >= 1."""
    max_rounds: int
    """Decisions of an episode, >= 1."""
    convergence_threshold: float
    """Largest change of an action, in either coordinate of the box [-1, 1]^2, that is no move."""
    bounds: SamplingBounds
    prompts: PromptSet
    strategy: bool
    """Whether the coordinator writes a strategy first; False: executors get the question alone."""
    commitment_rule: CommitmentRule
    executor_models: tuple[str, ...]
    """Name of each executor's model."""
    coordinator_model: str
    """Name of the model of every coordinator."""
    limits: Mapping[str, ModelLimits]
    """Per model name."""
    extract: Callable[[str], str | None]
    """The answer in a response, or None."""
    equivalent: Callable[[str, str], bool]
    """Whether two answers mean the same."""
    coordinator_temperature: float = 0.0
    """Temperature of strategies and commitments, >= 0; 0 is greedy decoding."""
    coordinator_repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        for name, number in (
            ("n_agents", self.n_agents),
            ("bne_rounds", self.bne_rounds),
            ("max_rounds", self.max_rounds),
        ):
            if number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        build_tree(self.n_agents, self.group_size)
        if not self.convergence_threshold >= 0:
            raise ValueError(
                f"convergence_threshold must be >= 0, got {self.convergence_threshold}"
            )
        if self.commitment_rule not in get_args(CommitmentRule):
            raise ValueError(
                f"commitment_rule must be one of {', '.join(get_args(CommitmentRule))}, "
                f"got {self.commitment_rule!r}"
            )
        if len(self.executor_models) != self.n_agents:
            raise ValueError(
                f"executor_models must name one model per executor: {self.n_agents} executors, "
                f"{len(self.executor_models)} models"
            )
        if missing := {*self.executor_models, self.coordinator_model} - self.limits.keys():
            raise ValueError(f"limits must have an entry for: {', '.join(sorted(missing))}")
        if not 1 <= self.prompts.max_tokens.strategy <= MAX_STRATEGY_TOKENS:
            raise ValueError(
                f"a strategy has 1 to {MAX_STRATEGY_TOKENS} tokens; the prompt set "
                f"{self.prompts.name!r} asks for {self.prompts.max_tokens.strategy}"
            )
        if not 0 <= self.coordinator_temperature < math.inf:
            raise ValueError(
                f"coordinator_temperature must be finite and >= 0, "
                f"got {self.coordinator_temperature}"
            )
        if not 0 < self.coordinator_repetition_penalty < math.inf:
            raise ValueError(
                f"coordinator_repetition_penalty must be finite and > 0, "
                f"got {self.coordinator_repetition_penalty}"
            )


def closes(values: Sequence[str | None], config: GameConfig) -> ClosedBy | None:
    """Why a decision closes after the rounds that ended with ``values``; None: it goes on."""
    if len(values) >= config.bne_rounds:
        return "bne_rounds"
    if len(values) >= 2 and same(values[-2], values[-1], config.equivalent):
        return "commitment_repeated"
    if len(values) >= 3 and same(values[-3], values[-1], config.equivalent):
        return "oscillation"
    return None


def deviates(
    before: Sequence[SamplingAction], now: Sequence[SamplingAction], config: GameConfig
) -> bool:
    """Whether any executor moved by more than ``convergence_threshold`` in the box [-1, 1]^2."""
    normalise = config.bounds.normalise
    # Rounding must not turn a move of exactly the threshold into a deviation.
    threshold = config.convergence_threshold + 1e-9
    return any(
        abs(old - new) > threshold
        for pair in zip(before, now, strict=True)
        for old, new in zip(*map(normalise, pair), strict=True)
    )
