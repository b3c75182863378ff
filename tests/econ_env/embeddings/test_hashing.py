"""Hashed embeddings: fixed for ever, of length one, close where texts share words and numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from econ_env.embeddings import HashingEncoder, hashing

ENCODER = HashingEncoder()


def cosine(first: str, second: str) -> float:
    rows = ENCODER.encode([first, second])
    return float(rows[0] @ rows[1])


# Any code point, half surrogate pairs included: language models send everything.
any_text = st.text(st.characters(), max_size=60)


@given(any_text)
@example("\ud83d")
def test_every_text_has_a_vector_of_length_one(text: str) -> None:
    rows = ENCODER.encode([text])
    assert rows.shape == (1, ENCODER.dim)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows[0]) == pytest.approx(1, abs=1e-6)


@given(st.lists(any_text, min_size=1, max_size=5))
def test_a_vector_does_not_depend_on_its_batch(texts: list[str]) -> None:
    together = ENCODER.encode(texts)
    for row, text in zip(together, texts, strict=True):
        assert np.array_equal(row, ENCODER.encode([text])[0])


def test_vectors_are_the_same_in_every_process_and_version() -> None:
    # A changed hash would silently change what every trained policy observes.
    rows = ENCODER.encode(["Tom has 3 apples: 3 + 1,000.0 = 1003", ""])
    assert [np.packbits(row > 0).tobytes().hex() for row in rows] == SIGNS


SIGNS = ["8e211981a65b8a00", "e4a6a0577479b2b4"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("1,000", "1000"), ("2.50", "2.5"), ("7.0", "7"), ("007", "7"), ("Tom, ran!", "tom ran")],
)
def test_spellings_of_one_thing_are_equal(first: str, second: str) -> None:
    assert cosine(first, second) == pytest.approx(1)


@pytest.mark.parametrize(
    ("first", "second"),
    [("7", "70"), ("1.5", "15"), ("0", ""), ("tom ran", "ran tom"), ("3 - 2", "3 + 2"), ("!", "?")],
)
def test_different_things_differ(first: str, second: str) -> None:
    assert cosine(first, second) < 0.9


def test_a_wrong_number_is_seen_and_other_words_are_farther() -> None:
    right = r"12 * 7 = 84 ; 84 + 15 = 99 ; \boxed{99}"
    wrong = r"12 * 7 = 84 ; 84 + 15 = 89 ; \boxed{89}"
    other = "the cow jumped over the moon"
    assert cosine(right, other) < 0.4 < cosine(right, wrong) < 0.85


def test_unrelated_texts_are_nearly_orthogonal() -> None:
    words = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(2000)]
    rows = ENCODER.encode([" ".join(words[start : start + 10]) for start in range(0, 2000, 10)])
    cosines = (rows @ rows.T)[np.triu_indices(200, k=1)]
    assert abs(cosines.mean()) < 0.02
    assert cosines.std() == pytest.approx(1 / 8, abs=0.02)


def test_a_huge_text_is_embedded_like_any_other() -> None:
    first, second = "one two three 4 " * 5000, "five six seven 8 " * 5000
    assert cosine(first + second, first + second + "nine") > 0.99
    assert cosine(first, second) < 0.4
    for half in (first, second):
        assert 0.5 < cosine(first + second, half) < 0.9


def test_long_tokens_are_hashed_alike_but_not_kept() -> None:
    before = hashing._cached_token.cache_info().currsize
    walls = [letter * 100_000 for letter in "abc"]
    assert np.array_equal(ENCODER.encode(walls), HashingEncoder().encode(walls))
    assert hashing._cached_token.cache_info().currsize == before
