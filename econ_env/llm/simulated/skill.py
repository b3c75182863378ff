"""Probability that a simulated executor is right, and its answers when it is wrong.

Equations, for the executor of skill profile k on a question of kind j, with temperature T and
repetition penalty p::

    accuracy   a = FLOOR + (peak_kj - FLOOR) * exp(-(T - T_kj)^2 / (2 WIDTH_T^2)
                                                   -(p - p_kj)^2 / (2 WIDTH_P^2))
    sharing    s = 1 / (1 + (T / SHARING_T)^SHARING_SLOPE)

    P(correct)             = a
    P(misconception)       = (1 - a) * s               the same wrong answer for all executors
    P(slip x)              = (1 - a) * (1 - s) / m      for each of the m slips x

    with a last commitment that is one of these outcomes, y:
    P'(x) = (1 - PULL) * P(x) + PULL * [x = y]

The accuracy peaks at (T_kj, p_kj), strictly inside the box of actions, at a different point for
every pair of profile and kind. Sharing falls with T: cold executors that are wrong give the same
answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from econ_env.questions.simulated import OUTCOMES, SLIPS

Array = npt.NDArray[np.float64]
Real = TypeVar("Real", float, Array)

FLOOR = 0.05
"""Accuracy far away from the peak."""
WIDTH_T = 0.5
"""Width of the accuracy's peak in T (standard deviation)."""
WIDTH_P = 0.2
"""Width of the accuracy's peak in the repetition penalty (standard deviation)."""
SHARING_T = 0.9
"""Temperature at which half of all wrong answers are the shared misconception."""
SHARING_SLOPE = 16.0
"""Steepness of the fall of sharing with the temperature."""
PULL = 0.2
"""Probability that an executor repeats the last commitment that it was shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Skill:
    """Skills of one executor, per kind of question (in the order of ``KINDS``)."""

    peak: tuple[float, float, float]
    """Highest accuracy, in (0, 1)."""
    temperature: tuple[float, float, float]
    """Temperature of the highest accuracy, T_kj."""
    repetition_penalty: tuple[float, float, float]
    """Repetition penalty of the highest accuracy, p_kj."""


SKILLS: tuple[Skill, ...] = (
    Skill(
        peak=(0.75, 0.65, 0.50),
        temperature=(0.50, 0.35, 1.15),
        repetition_penalty=(1.00, 1.20, 1.10),
    ),
    Skill(
        peak=(0.50, 0.75, 0.65),
        temperature=(1.15, 0.50, 0.35),
        repetition_penalty=(1.10, 1.00, 1.20),
    ),
    Skill(
        peak=(0.65, 0.50, 0.75),
        temperature=(0.35, 1.15, 0.50),
        repetition_penalty=(1.20, 1.10, 1.00),
    ),
)
"""Skill profiles: each is the specialist of one kind. Executor model ``simulated:k`` has profile
k mod 3."""


def skill_of(profile: int) -> Skill:
    """Return the skill profile number ``profile`` >= 0; numbers beyond the table start over."""
    return SKILLS[profile % len(SKILLS)]


def accuracy(skill: Skill, kind: int, temperature: Real, repetition_penalty: Real) -> Real:
    """Return P(correct), for numbers or for arrays of one shape."""
    t = (temperature - skill.temperature[kind]) / WIDTH_T
    p = (repetition_penalty - skill.repetition_penalty[kind]) / WIDTH_P
    # A power and not math.exp: the same line then serves numbers and arrays.
    near: Real = math.e ** (-0.5 * (t * t + p * p))
    return FLOOR + (skill.peak[kind] - FLOOR) * near


def sharing(temperature: Real) -> Real:
    """Return P(the shared misconception | wrong), for T >= 0; it falls with T."""
    odds_of_a_slip: Real = (temperature / SHARING_T) ** SHARING_SLOPE
    return 1.0 / (1.0 + odds_of_a_slip)


def outcome_probabilities(
    skill: Skill, kind: int, temperature: Array, repetition_penalty: Array
) -> Array:
    """Return P(outcome) for action arrays of shape S, without a last commitment: S + (OUTCOMES,).

    The outcomes are in the order of ``SimulatedTask.solutions``.
    """
    a = accuracy(skill, kind, temperature, repetition_penalty)
    s = sharing(temperature)
    probabilities = np.empty((*np.shape(a), OUTCOMES))
    probabilities[..., 0] = a
    probabilities[..., 1] = (1 - a) * s
    probabilities[..., 2:] = ((1 - a) * (1 - s) / SLIPS)[..., None]
    return probabilities


def draw_outcome(
    skill: Skill,
    kind: int,
    temperature: float,
    repetition_penalty: float,
    *,
    last: int | None,
    uniform: float,
) -> int:
    """Return the outcome that one uniform number in [0, 1) selects.

    ``last`` is the outcome of the last commitment, None if there was none.
    """
    if last is not None:
        if uniform < PULL:
            return last
        uniform = (uniform - PULL) / (1 - PULL)
    a = accuracy(skill, kind, temperature, repetition_penalty)
    if uniform < a:
        return 0
    wrong = (uniform - a) / (1 - a)
    s = sharing(temperature)
    if wrong < s:
        return 1
    # min: rounding may push a number just below 1 up to 1.
    return 2 + min(int((wrong - s) / (1 - s) * SLIPS), SLIPS - 1)
