"""Memory holds the last moments of each stream, and gives back what a failed episode took."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_agents.algorithm.memory import FloatArray, Memory, moments_of, still_moments
from econ_agents.config.learning import MemorySettings

AGENTS, SEEN, ACTED = 2, 3, 2
MOMENT = SEEN + ACTED + 1


def memory(scope: Any = "stream", length: int = 3, streams: int = 2) -> Memory:
    settings = MemorySettings(length=length, scope=scope)
    return Memory(settings, streams=streams, n_agents=AGENTS, moment_size=MOMENT)


def moment(value: float) -> FloatArray:
    return np.full((AGENTS, MOMENT), value, np.float32)


def remembered(store: Memory, stream: int) -> list[float]:
    return list(map(float, store.moments[stream][store.filled[stream]][:, 0, 0]))


def test_a_moment_is_what_was_seen_what_was_done_and_that_it_was():
    seen = np.arange(6, dtype=np.float32).reshape(AGENTS, SEEN)
    done = np.full((AGENTS, ACTED), 0.5, np.float32)
    assert moments_of(seen, done).tolist() == [[0, 1, 2, 0.5, 0.5, 1], [3, 4, 5, 0.5, 0.5, 1]]
    assert still_moments(seen, ACTED).tolist() == [[0, 1, 2, 0, 0, 0], [3, 4, 5, 0, 0, 0]]


@given(st.lists(st.integers(0, 100), max_size=10), st.integers(0, 4))
def test_the_last_moments_are_kept_oldest_first(values: list[int], length: int):
    store = memory(length=length)
    for value in values:
        store.append(1, moment(value))
    assert remembered(store, 1) == (values[-length:] if length else [])
    assert remembered(store, 0) == []
    # What is known stands at the end, next to the present.
    assert store.filled[1].tolist() == sorted(store.filled[1].tolist())


def test_a_stream_goes_on_over_episodes_and_an_episode_forgets():
    for scope, expected in (("stream", [1.0, 2.0]), ("episode", [])):
        store = memory(scope)
        store.begin(0)
        store.append(0, moment(1))
        store.append(0, moment(2))
        known = store.begin(0)
        assert known[:, 0, 0].tolist() == expected
        assert remembered(store, 0) == expected


@given(
    before=st.lists(st.integers(1, 9), max_size=5),
    failed=st.lists(st.integers(10, 19), max_size=5),
    scope=st.sampled_from(["stream", "episode"]),
)
def test_a_failed_episode_leaves_no_trace(before: list[int], failed: list[int], scope: str):
    store = memory(scope)
    for value in before:
        store.append(0, moment(value))
    known = store.begin(0)
    moments, filled = store.moments.copy(), store.filled.copy()
    for value in failed:
        store.append(0, moment(value))
    store.restore(0, known)
    np.testing.assert_array_equal(store.filled, filled)
    np.testing.assert_array_equal(store.moments, moments)


def test_what_was_known_at_the_beginning_stays_as_it_was():
    store = memory()
    store.append(0, moment(1))
    known = store.begin(0)
    store.append(0, moment(2))
    assert known[:, 0, 0].tolist() == [1.0]


@pytest.mark.parametrize("length", [0, 3])
def test_windows_end_with_the_present(length: int):
    store = memory(length=length)
    store.append(1, moment(1))
    present = np.ones((2, AGENTS, SEEN), np.float32) * np.array([[[5]], [[6]]], np.float32)
    moments, known = store.windows(present)
    assert moments.shape == (2, length + 1, AGENTS, MOMENT)
    np.testing.assert_array_equal(moments[:, -1], still_moments(present, ACTED))
    np.testing.assert_array_equal(moments[:, :-1], store.moments)
    assert known[0].tolist() == [False] * length + [True]
    assert known[1].tolist() == ([False] * (length - 1) + [True] if length else []) + [True]
