"""Simulated executors are right as often as they should be, and err as they should."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.llm.simulated.skill import (
    PULL,
    SKILLS,
    Array,
    accuracy,
    draw_outcome,
    outcome_probabilities,
    sharing,
    skill_of,
)
from econ_env.questions.simulated import CORRECT, KINDS, MISCONCEPTION, OUTCOMES
from econ_env.sampling_action import SamplingBounds

PROFILES = st.integers(0, 7)
KIND = st.integers(0, len(KINDS) - 1)
TEMPERATURE = st.floats(0.0, 3.0)
PENALTY = st.floats(0.5, 2.0)


@given(profile=PROFILES, kind=KIND, temperature=TEMPERATURE, penalty=PENALTY)
def test_outcome_probabilities_are_a_distribution(
    profile: int, kind: int, temperature: float, penalty: float
) -> None:
    probabilities = _probabilities(profile, kind, temperature, penalty)
    assert probabilities.shape == (OUTCOMES,)
    assert np.all((probabilities >= 0) & (probabilities <= 1))
    assert probabilities.sum() == pytest.approx(1)


@given(
    profile=PROFILES,
    kind=KIND,
    temperature=TEMPERATURE,
    penalty=PENALTY,
    last=st.none() | st.integers(0, OUTCOMES - 1),
)
def test_drawn_outcomes_have_these_probabilities_after_the_pull_of_the_last_commitment(
    profile: int, kind: int, temperature: float, penalty: float, last: int | None
) -> None:
    draws = 2000
    counts = np.zeros(OUTCOMES)
    for k in range(draws):
        outcome = draw_outcome(
            skill_of(profile), kind, temperature, penalty, last=last, uniform=(k + 0.5) / draws
        )
        counts[outcome] += 1
    expected = _probabilities(profile, kind, temperature, penalty)
    if last is not None:
        expected = (1 - PULL) * expected + PULL * np.eye(OUTCOMES)[last]
    # Equidistant numbers hit every interval up to one at each of its ends.
    np.testing.assert_allclose(counts / draws, expected, atol=2.01 / draws)


def test_accuracy_peaks_inside_the_box_at_another_place_for_every_profile_and_kind() -> None:
    box = SamplingBounds()
    t, p = np.meshgrid(
        np.linspace(box.temperature_min, box.temperature_max, 201),
        np.linspace(box.repetition_penalty_min, box.repetition_penalty_max, 141),
        indexing="ij",
    )
    peaks = {}
    for profile, skill in enumerate(SKILLS):
        for kind in range(len(KINDS)):
            heights = accuracy(skill, kind, t, p)
            i, j = np.unravel_index(int(heights.argmax()), heights.shape)
            assert 0 < i < 200
            assert 0 < j < 140
            assert (t[i, j], p[i, j]) == pytest.approx(
                (skill.temperature[kind], skill.repetition_penalty[kind])
            )
            peaks[profile, kind] = (round(t[i, j], 2), round(p[i, j], 2))
    for kind in range(len(KINDS)):
        assert len({peaks[profile, kind] for profile in range(len(SKILLS))}) == len(SKILLS)
    for profile in range(len(SKILLS)):
        assert len({peaks[profile, kind] for kind in range(len(KINDS))}) == len(KINDS)


def test_every_profile_is_the_specialist_of_one_kind() -> None:
    best = [max(range(len(SKILLS)), key=lambda k: SKILLS[k].peak[kind]) for kind in range(3)]
    assert sorted(best) == [0, 1, 2]


def test_sharing_falls_with_temperature_from_nearly_always_to_nearly_never() -> None:
    values = [sharing(t / 100) for t in range(10, 201)]
    assert all(cold > hot for cold, hot in pairwise(values))
    assert values[0] > 0.99
    assert values[-1] < 0.01


def test_hot_errors_are_spread_evenly_over_the_slips() -> None:
    slips = _probabilities(0, 1, 1.9, 1.0)[MISCONCEPTION + 1 :]
    assert np.ptp(slips) < 1e-12
    assert slips.sum() == pytest.approx(1 - accuracy(SKILLS[0], 1, 1.9, 1.0), abs=1e-3)


def test_profile_numbers_beyond_the_table_start_over() -> None:
    assert skill_of(4) is SKILLS[1]
    assert CORRECT == 0


def _probabilities(profile: int, kind: int, temperature: float, penalty: float) -> Array:
    return outcome_probabilities(skill_of(profile), kind, np.array(temperature), np.array(penalty))
