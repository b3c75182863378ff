"""Embeddings by hashing: no model, no download, about 50 microseconds a text.

They serve tests, the simulator and the bundled models. Two texts are close if they share words,
numbers and pairs of neighbouring tokens; meaning plays no role. Unlike most sentence embeddings,
they distinguish numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from econ_env.embeddings.base import Rows

_Hashes = npt.NDArray[np.uint64]

DIM = 64
"""Number of dimensions, one per bit of a 64-bit hash."""
NUMBER_WEIGHT = 3.0
"""Weight of a number; a word has 1. Solutions differ mostly in their numbers."""

_TOKEN = re.compile(r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|[^\W_0-9]+|[-+*/=<>%$^]")
_MULTIPLIERS = tuple(
    np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)
)
_SHIFTS = tuple(np.array([30, 27, 31], dtype=np.uint64))
_CHUNK = 8192  # features at a time, so that a huge text needs little memory


class HashingEncoder:
    r"""Words, numbers and pairs of neighbouring tokens, hashed and projected to 64 dimensions.

    The features of a text are its tokens (words in lower case; numbers in plain form, so that
    ``1,000.0`` is ``1000``; signs of arithmetic) and its pairs of neighbouring tokens. Every
    feature f has a fixed 64-bit hash, read as a vector h_f of -1 and 1, and

        phi(text) = v / ||v||,  v = sum over features f of weight_f * h_f,

    weight 3 for a number, 1 for everything else: a random projection of the bag of features, in
    which unrelated features are orthogonal up to noise of 1/8. The hash does not depend on the
    process or the machine. A text without tokens counts as one token, so the empty text has a
    fixed unit vector too.
    """

    @property
    def dim(self) -> int:
        """Length of every vector: 64."""
        return DIM

    def encode(self, texts: Sequence[str]) -> Rows:
        """Return unit vectors, shape (len(texts), 64)."""
        rows = np.empty((len(texts), DIM), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[:] = _vector(text)
        return rows


def _vector(text: str) -> npt.NDArray[np.float64]:
    tokens = _TOKEN.findall(text.lower()) or [text]
    hashes, weights = zip(*map(_hashed, tokens), strict=True)
    single = np.frombuffer(b"".join(hashes), dtype="<u8").astype(np.uint64, copy=False)
    features = np.concatenate([single, _pairs(single[:-1], single[1:])])
    weight = np.ones(len(features), dtype=np.float32)
    weight[: len(tokens)] = weights
    ones = np.zeros(DIM, dtype=np.float64)
    for start in range(0, len(features), _CHUNK):
        chunk = features[start : start + _CHUNK].astype("<u8", copy=False)
        bits = np.unpackbits(chunk.view(np.uint8)).reshape(-1, DIM)
        ones += weight[start : start + _CHUNK] @ bits.astype(np.float32)
    # n tokens of odd weight and n - 1 pairs of weight 1: the sum of the weights is odd, so every
    # coordinate is odd and v is never zero. All sums are exact, so their order does not matter.
    v: npt.NDArray[np.float64] = 2 * ones - weight.sum(dtype=np.float64)
    return v / np.linalg.norm(v)


_LONGEST_CACHED = 64
"""Length of the longest token whose hash is cached: words and numbers, not walls of letters."""


def _hashed(token: str) -> tuple[bytes, float]:
    return (_cached_token if len(token) <= _LONGEST_CACHED else _token)(token)


def _token(token: str) -> tuple[bytes, float]:
    """Hash and weight of one token."""
    is_number = "0" <= token[:1] <= "9"
    plain = _plain_number(token) if is_number else token
    # Language models may send half a surrogate pair, which strict UTF-8 refuses.
    digest = blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return digest, NUMBER_WEIGHT if is_number else 1.0


_cached_token = lru_cache(maxsize=1 << 16)(_token)
"""The cache of :func:`_token`; it takes at most 20 MB."""


def _plain_number(token: str) -> str:
    whole, _, fraction = token.replace(",", "").partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _pairs(first: _Hashes, second: _Hashes) -> _Hashes:
    """Hashes of ordered pairs: the finaliser of splitmix64 over a sum that is not symmetric."""
    z = first * _MULTIPLIERS[0] + second
    z = (z ^ (z >> _SHIFTS[0])) * _MULTIPLIERS[1]
    z = (z ^ (z >> _SHIFTS[1])) * _MULTIPLIERS[2]
    mixed: _Hashes = z ^ (z >> _SHIFTS[2])
    return mixed
