"""Every text is computed once, and a remembered vector is the computed one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.embeddings import CachedEmbedder, Embedder, Rows


class CountingEncoder:
    """Gives every text a unit vector of its own and remembers what it was asked."""

    dim = 3

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.busy = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Rows:
        assert self.busy.acquire(blocking=False), "two calls at once"
        try:
            self.asked.append(list(texts))
            return np.array([vector_of(text) for text in texts], dtype=np.float32)
        finally:
            self.busy.release()


class SlowEncoder(CountingEncoder):
    """Takes long enough for other threads to come in between."""

    def encode(self, texts: Sequence[str]) -> Rows:
        time.sleep(0.01)
        return super().encode(texts)


def vector_of(text: str) -> list[float]:
    angle = float(text)
    return [float(np.cos(angle)), float(np.sin(angle)), 0.0]


def expected(texts: Sequence[str]) -> Rows:
    return np.array([vector_of(text) for text in texts], dtype=np.float32).reshape(-1, 3)


TEXTS = [str(number) for number in range(8)]


@given(
    batches=st.lists(st.lists(st.sampled_from(TEXTS), max_size=8), max_size=10),
    capacity=st.integers(1, 6),
)
def test_any_sequence_of_batches_gives_the_vectors_of_the_encoder(
    batches: list[list[str]], capacity: int
) -> None:
    embedder = CachedEmbedder("counting", CountingEncoder(), capacity=capacity)
    for batch in batches:
        rows = embedder.embed(batch)
        assert rows.dtype == np.float32
        assert np.array_equal(rows, expected(batch))


def test_a_text_is_computed_once_within_and_across_batches() -> None:
    encoder = CountingEncoder()
    embedder = CachedEmbedder("counting", encoder)
    embedder.embed(["1", "2", "1"])
    embedder.embed(["2", "1"])
    embedder.embed(["3", "1", "3"])
    assert encoder.asked == [["1", "2"], ["3"]]


def test_the_text_that_was_not_used_for_longest_is_forgotten() -> None:
    encoder = CountingEncoder()
    embedder = CachedEmbedder("counting", encoder, capacity=2)
    for batch in (["1"], ["2"], ["1"], ["3"], ["1"], ["2"]):
        embedder.embed(batch)
    assert encoder.asked == [["1"], ["2"], ["3"], ["2"]]


def test_a_text_used_beside_a_new_one_counts_as_used() -> None:
    encoder = CountingEncoder()
    embedder = CachedEmbedder("counting", encoder, capacity=2)
    for batch in (["1"], ["2"], ["1", "3"], ["1"]):
        embedder.embed(batch)
    assert encoder.asked == [["1"], ["2"], ["3"]]


def test_changing_a_result_changes_nothing_remembered() -> None:
    embedder = CachedEmbedder("counting", CountingEncoder())
    for _ in range(3):
        rows = embedder.embed(["1", "2"])
        assert np.array_equal(rows, expected(["1", "2"]))
        rows[:] = 0


def test_no_texts_give_no_rows() -> None:
    assert CachedEmbedder("counting", CountingEncoder()).embed([]).shape == (0, 3)


def test_threads_share_one_computation_per_text() -> None:
    encoder = SlowEncoder()
    embedder = CachedEmbedder("counting", encoder)
    batches = [[TEXTS[(start + step) % 8] for step in range(5)] for start in range(64)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(embedder.embed, batches))
    for batch, rows in zip(batches, results, strict=True):
        assert np.array_equal(rows, expected(batch))
    assert sorted(text for texts in encoder.asked for text in texts) == TEXTS


def test_a_failed_computation_leaves_the_embedder_usable() -> None:
    embedder = CachedEmbedder("counting", CountingEncoder())
    with pytest.raises(ValueError, match="could not convert"):
        embedder.embed(["1", "no number"])
    assert np.array_equal(embedder.embed(["1"]), expected(["1"]))


def test_it_is_an_embedder() -> None:
    embedder = CachedEmbedder("counting", CountingEncoder())
    assert isinstance(embedder, Embedder)
    assert (embedder.name, embedder.dim) == ("counting", 3)


def test_a_capacity_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        CachedEmbedder("counting", CountingEncoder(), capacity=0)


def test_the_cached_texts_are_bounded_in_bytes() -> None:
    encoder = CountingEncoder()
    embedder = CachedEmbedder("counting", encoder, max_bytes=2_500)
    texts = [f"{number}." + "0" * 1_000 for number in range(3)]
    huge = "7." + "0" * 5_000
    for text in (*texts, huge, texts[2], texts[1], texts[0], huge):
        assert np.array_equal(embedder.embed([text]), expected([text]))
    assert [text for batch in encoder.asked for text in batch] == [*texts, huge, texts[0], huge]
