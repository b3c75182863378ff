"""Rewards of a closed decision, for every executor and for the team.

The reward is the weighted sum of three components (paper, section 3.5), each in [0, R_MAX]:

- TS, task specific: 1 if the executor's own answer equals the gold answer, else 0. It is exact
  and never read from an embedding: sentence embeddings hardly see numbers (the cosine of a wrong
  and a right solution is 0.96 with MiniLM).
- AL, action likelihood: similarity of the executor's response to the commitment.
- CC, collaborative contribution: similarity to the commitment, plus novelty against the others.

A reward reads texts (as embeddings and verdicts) and, through the verdicts, the gold answer. It
never reads temperature, repetition penalty, a clock or a token count: only the text that an action
produced counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

R_MAX = 1.0
"""Upper bound of every component (paper, tables 8 to 13)."""
FIDELITY_WEIGHT = 0.7
"""Default share w of fidelity in CC."""

_TOLERANCE = 1e-6  # error allowed in the sum of the weights: enough for a softmax in float32

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardWeights:
    """The weights alpha of the three components. They are >= 0 and sum to 1 (paper, 3.5).

    Raises:
        ValueError: a weight is negative or not finite, or the sum is not 1.
    """

    al: float = 0.4
    ts: float = 0.4
    cc: float = 0.2

    def __post_init__(self) -> None:
        for name in ("al", "ts", "cc"):
            value = getattr(self, name)
            if not isfinite(value) or value < 0:
                raise ValueError(f"reward weight {name!r} must be finite and >= 0, not {value}")
        total = self.al + self.ts + self.cc
        if abs(total - 1) > _TOLERANCE:
            raise ValueError(
                f"reward weights must sum to 1, but al={self.al}, ts={self.ts}, cc={self.cc} sum "
                f"to {total:.6g}; divide each by this sum"
            )

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> RewardWeights:
        """The weights of ``reset(options={"reward_weights": options})``.

        Args:
            options: all three weights by name, as in ``{"ts": 0.5, "al": 0.3, "cc": 0.2}``.
                None has a default, because the three sum to 1.

        Raises:
            ValueError: a name is unknown or missing, a value is not a number, or the weights are
                not valid.
        """
        names = [field.name for field in fields(cls)]
        unknown = sorted(str(name) for name in options if name not in names)
        missing = [name for name in names if name not in options]
        if unknown or missing:
            raise ValueError(
                f"reward_weights needs exactly {', '.join(names)}; "
                f"unknown: {', '.join(unknown) or 'none'}; missing: {', '.join(missing) or 'none'}"
            )
        for name in names:
            if not isinstance(options[name], Real):
                raise ValueError(f"reward weight {name!r} must be a number, not {options[name]!r}")
        return cls(**{name: float(options[name]) for name in names})

    @classmethod
    def for_questions(cls, options: Any, num_questions: int) -> list[RewardWeights]:
        """The weights of each question, a list of ``num_questions`` entries.

        Args:
            options: the weights by name, for all questions, or a list with such weights for each.
            num_questions: number of questions.

        Raises:
            ValueError: ``options`` is neither of these, or its weights are not valid; see
                :meth:`from_options`.
        """
        if isinstance(options, Mapping):
            return [cls.from_options(options)] * num_questions
        each = list(options) if isinstance(options, Sequence) else []
        if len(each) != num_questions or not all(isinstance(own, Mapping) for own in each):
            raise ValueError(
                'options["reward_weights"] takes the three weights by name, for all questions, or '
                f"a list of {num_questions} of them, one for each; got {options!r}"
            )
        return [cls.from_options(own) for own in each]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TeamRewards:
    """Rewards of a batch of closed decisions. Components are unweighted and in [0, R_MAX]."""

    agents: Array
    """r_i, shape (batch, n_agents): the weighted sum of ``ts``, ``al`` and ``cc``."""
    ts: Array
    """TS of the executors, shape (batch, n_agents); ``al`` and ``cc`` have the same shape."""
    al: Array
    cc: Array
    team: Array
    """r_tot, shape (batch,): the weighted sum of ``team_ts``, ``team_al`` and ``team_cc``."""
    team_ts: Array
    """1 where the commitment is correct, shape (batch,)."""
    team_al: Array
    """Mean of ``al`` over the executors, shape (batch,)."""
    team_cc: Array
    """Mean of ``cc`` over the executors, shape (batch,)."""


def score_decisions(
    *,
    responses: npt.ArrayLike,
    commitments: npt.ArrayLike,
    answered: npt.ArrayLike,
    committed: npt.ArrayLike,
    correct: npt.ArrayLike,
    commitment_correct: npt.ArrayLike,
    weights: RewardWeights,
    fidelity_weight: float = FIDELITY_WEIGHT,
) -> TeamRewards:
    """The rewards of a batch of closed decisions.

    With u_i the response of executor i, C the commitment, s(x, y) = (1 + cos(x, y)) / 2:

    - TS_i = [the answer of executor i is correct]
    - AL_i = s(u_i, C)
    - CC_i = w * s(u_i, C) + (1 - w) * novelty_i, novelty_i = 1 - mean over j != i of s(u_i, u_j)
    - r_i = alpha_TS * TS_i + alpha_AL * AL_i + alpha_CC * CC_i
    - r_tot = alpha_TS * [C is correct] + alpha_AL * mean_i AL_i + alpha_CC * mean_i CC_i

    A response without an answer, or a missing commitment, earns nothing. A response without an
    answer is the paper's ``<INVALID>`` (appendix D.5): all its components are 0, and the novelty
    of the other responses leaves it out. Novelty is 0 if there is no other response to compare
    with. Without a commitment, AL and CC are 0 for all executors.

    Args:
        responses: unit embeddings of the responses, shape (batch, n_agents, dim).
        commitments: unit embeddings of the commitments, shape (batch, dim).
        answered: True where an answer was found in the response, shape (batch, n_agents).
        committed: True where the commitment has a value, shape (batch,).
        correct: True where the answer equals the gold answer, shape (batch, n_agents).
        commitment_correct: True where the commitment's value equals the gold answer, shape
            (batch,).
        weights: the weights alpha.
        fidelity_weight: w, in [0, 1].

    Raises:
        ValueError: the shapes do not fit together, or ``fidelity_weight`` is out of range.
    """
    u = np.asarray(responses, dtype=np.float64)
    c = np.asarray(commitments, dtype=np.float64)
    if u.ndim != 3 or u.shape[1] == 0 or c.shape != (u.shape[0], u.shape[2]):
        raise ValueError(
            "responses must have the shape (batch, n_agents, dim) and commitments (batch, dim), "
            f"not {u.shape} and {c.shape}"
        )
    if not 0 <= fidelity_weight <= 1:
        raise ValueError(f"fidelity_weight must be in [0, 1], not {fidelity_weight}")
    valid = _flags("answered", answered, u.shape[:2])
    concluded = _flags("committed", committed, u.shape[:1])
    right = _flags("correct", correct, u.shape[:2]) & valid
    team_right = _flags("commitment_correct", commitment_correct, u.shape[:1]) & concluded

    ts = np.where(right, R_MAX, 0.0)
    team_ts = np.where(team_right, R_MAX, 0.0)
    counts = valid & concluded[:, np.newaxis]
    fidelity = _similarity(np.matmul(u, c[:, :, np.newaxis])[:, :, 0])
    al = _bounded(fidelity * counts)
    contribution = fidelity_weight * fidelity + (1 - fidelity_weight) * _novelty(u, valid)
    cc = _bounded(contribution * counts)
    team_al, team_cc = al.mean(axis=1), cc.mean(axis=1)
    return TeamRewards(
        agents=weights.ts * ts + weights.al * al + weights.cc * cc,
        ts=ts,
        al=al,
        cc=cc,
        team=weights.ts * team_ts + weights.al * team_al + weights.cc * team_cc,
        team_ts=team_ts,
        team_al=team_al,
        team_cc=team_cc,
    )


def _novelty(u: Array, valid: Flags) -> Array:
    """1 minus the mean similarity to the other valid responses; 0 if there are none."""
    similarity = _similarity(np.matmul(u, u.transpose(0, 2, 1)))
    others = valid[:, np.newaxis, :] & ~np.eye(u.shape[1], dtype=np.bool_)
    count = others.sum(axis=2)
    mean = (similarity * others).sum(axis=2) / np.maximum(count, 1)
    return np.where(count > 0, 1 - mean, 0.0)


def _similarity(cosine: Array) -> Array:
    return (1 + cosine) / 2


def _bounded(component: Array) -> Array:
    return np.clip(component, 0, R_MAX)


def _flags(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> Flags:
    flags = np.asarray(values)
    if flags.dtype != np.bool_ or flags.shape != shape:
        raise ValueError(
            f"{name} must be true or false with the shape {shape}, "
            f"not {flags.dtype} with the shape {flags.shape}"
        )
    return flags
