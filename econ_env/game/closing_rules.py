"""The settings of the game, and the rules by which a decision closes.

A decision closes for one of four reasons. If several hold at once, the first is reported:

1. ``bne_rounds``: the decision has had its maximum number of rounds,
2. ``commitment_repeated``: the commitment's value equals that of the round before,
3. ``oscillation``: the values go A, B, A,
4. ``no_deviation``: no executor moves away from its action of the round before. This is the
   condition of a Nash equilibrium. It is known before the round is played, so nothing is
   generated again and the standing commitment is final.

All rules look at the rounds of one decision only, so every decision has at least one round. A
commitment without a value (None) equals no other, not even another None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from econ_env.game.coordinator_tree import build_tree, same
from econ_env.game.prompt_fitting import ModelLimits
from econ_env.game.prompts import PromptSet
from econ_env.game.transcript import ClosedBy
from econ_env.sampling_action import SamplingAction, SamplingBounds

CommitmentRule = Literal["coordinator", "guarded", "majority", "checked", "casting_vote"]
"""Rule that decides the value of a commitment. ``coordinator``: a coordinator's own conclusion
always stands (the paper). ``guarded``: an answer on which all members agree stands without a call;
a missing value, or one that no member gave, is replaced by the members' majority. ``majority``: as
``guarded``, but an answer of more than half of the members also stands without a call, so that the
coordinator decides only if they are divided. ``checked``: as ``majority``, but among the sound
responses alone, if there are any: those with an answer that were not cut off and state no false
equation (:mod:`econ_env.grading.arithmetic`). ``casting_vote``: the coordinator does not read the
responses; it answers the question as one more member, and its vote decides between answers with
equally many. It is not asked where all agree, or where an answer is two votes ahead. A team with
it has no groups."""


@dataclass(frozen=True, kw_only=True)
class GameConfig:
    """Settings that all games of an environment share.

    Raises:
        ValueError: a setting is out of range or does not fit the others.
    """

    n_agents: int
    """Number of executors, >= 1."""
    group_size: int | None
    """Maximum size of a group of executors, >= 2; None: one group of all."""
    bne_rounds: int
    """Maximum number of rounds of a decision, >= 1."""
    max_rounds: int
    """Number of decisions of an episode, >= 1."""
    convergence_threshold: float
    """Largest change in either coordinate of the box [-1, 1]^2 that is not a deviation, >= 0."""
    bounds: SamplingBounds
    prompts: PromptSet
    strategy: bool
    """True if the coordinator writes a strategy first, else executors get the question alone."""
    commitment_rule: CommitmentRule
    executor_models: tuple[str, ...]
    """Name of each executor's model."""
    coordinator_model: str
    """Name of the model of every coordinator."""
    limits: Mapping[str, ModelLimits]
    """Limits of each model, by its name."""
    keep_messages: bool
    """True if transcripts keep what the models were asked."""
    extract: Callable[[str], str | None]
    """Function that finds the answer in a response; None if there is none."""
    equivalent: Callable[[str, str], bool]
    """Function that tells if two answers mean the same."""
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
        check_groups(self.commitment_rule, self.n_agents, self.group_size)
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
        if self.prompts.max_tokens.strategy < 1:
            raise ValueError(
                f"a strategy has at least 1 token; the prompt set {self.prompts.name!r} asks for "
                f"{self.prompts.max_tokens.strategy}"
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


def check_groups(rule: CommitmentRule, n_agents: int, group_size: int | None) -> None:
    """Raise ``ValueError`` if there are no such groups, or if the rule does not allow them."""
    tree = build_tree(n_agents, group_size)
    if rule == "casting_vote" and len(tree.nodes) > 1:
        raise ValueError(
            'commitment_rule="casting_vote" is for a team without groups: every coordinator of a '
            "group would give the same answer, and it would count once for each group. Leave "
            "group_size out, or choose another rule"
        )


def period(values: Sequence[str | None], config: GameConfig) -> int:
    """Return how many rounds ago the last of these ``values`` was committed before.

    It is 1 for A, A (the commitment repeats) and 2 for A, B, A (it oscillates), else 0. No longer
    period is looked for, since a decision closes on either.
    """
    for rounds in (1, 2):
        if len(values) > rounds and same(values[-1 - rounds], values[-1], config.equivalent):
            return rounds
    return 0


def closes(values: Sequence[str | None], repeats_after: int, config: GameConfig) -> ClosedBy | None:
    """Return the reason for closing after rounds with these ``values``; None: it goes on.

    Args:
        values: values of the decision's commitments.
        repeats_after: their :func:`period`.
        config: settings of the game.
    """
    if len(values) >= config.bne_rounds:
        return "bne_rounds"
    reasons: dict[int, ClosedBy] = {1: "commitment_repeated", 2: "oscillation"}
    return reasons.get(repeats_after)


def deviates(
    before: Sequence[SamplingAction], now: Sequence[SamplingAction], config: GameConfig
) -> bool:
    """True if an executor moved by more than ``convergence_threshold`` in the box [-1, 1]^2."""
    normalise = config.bounds.normalise
    # Rounding must not turn a move of exactly the threshold into a deviation.
    threshold = config.convergence_threshold + 1e-9
    # Each pair holds one executor's action before and now; both become points of the box, and
    # their two coordinates are compared one by one.
    return any(
        abs(old - new) > threshold
        for pair in zip(before, now, strict=True)
        for old, new in zip(*map(normalise, pair), strict=True)
    )
