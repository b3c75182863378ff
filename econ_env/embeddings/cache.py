"""An embedder that computes every text once.

Questions, strategies and common answers recur in every episode, and the executors of a team often
give equal responses. So texts are looked up first, and only new ones reach the model.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from sys import getsizeof

import numpy as np

from econ_env.embeddings.base import Rows, TextEncoder

CAPACITY = 32_768
"""Default number of cached texts: 8 MB of vectors with 64 dimensions, 128 MB with 1,024."""
MAX_BYTES = 64 * 2**20
"""Default limit on the memory of the cached texts, in bytes; a usual text has 500."""


class CachedEmbedder:
    """A :class:`TextEncoder` with a cache of the most recently used texts. Thread-safe.

    The cache is bounded in number and in bytes, since models may write texts of any length.

    Args:
        name: the embedder's name.
        encoder: encoder of the texts that are not cached.
        capacity: maximum number of cached texts, >= 1.
        max_bytes: maximum size of all cached texts, >= 1; a larger one alone is not cached.
    """

    def __init__(
        self,
        name: str,
        encoder: TextEncoder,
        *,
        capacity: int = CAPACITY,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if min(capacity, max_bytes) < 1:
            raise ValueError(
                f"capacity and max_bytes must be at least 1, not {capacity} and {max_bytes}"
            )
        self.name = name
        self._encoder = encoder
        self._capacity, self._max_bytes = capacity, max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        # Row in _rows of every cached text, the least recently used text first.
        self._slots: OrderedDict[str, int] = OrderedDict()
        self._free: list[int] = []
        """Rows of texts that were dropped."""
        self._rows: Rows = np.empty((0, 0), dtype=np.float32)

    @property
    def dim(self) -> int:
        """Length of every vector."""
        return self._encoder.dim

    def embed(self, texts: Sequence[str]) -> Rows:
        """Return unit vectors of ``texts``, a new array of shape (len(texts), dim), float32."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        with self._lock:
            if not all(map(self._slots.__contains__, texts)):
                return self._embed_new(texts)
            slots = [self._slots[text] for text in texts]
            for text in texts:
                self._slots.move_to_end(text)
            return self._rows.take(slots, axis=0)

    def _embed_new(self, texts: Sequence[str]) -> Rows:
        """Embed ``texts``, some of which are not cached. The caller holds the lock."""
        new = [text for text in dict.fromkeys(texts) if text not in self._slots]
        vectors = self._encoder.encode(new)
        position = {text: index for index, text in enumerate(new)}
        result = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(result, texts, strict=True):
            row[:] = vectors[position[text]] if text in position else self._rows[self._slots[text]]
        # Storing comes last: it may evict texts of this batch.
        for text in texts:
            if text in self._slots:
                self._slots.move_to_end(text)
        for text in new:
            self._store(text, vectors[position[text]])
        return result

    def _store(self, text: str, vector: Rows) -> None:
        if not len(self._rows):
            # Allocated with the first text, because the dimension may require loading the model.
            # The operating system provides memory for these rows only when they are written.
            self._rows = np.empty((self._capacity, len(vector)), dtype=np.float32)
        if getsizeof(text) > self._max_bytes:
            return
        self._bytes += getsizeof(text)
        while len(self._slots) >= self._capacity or self._bytes > self._max_bytes:
            oldest, freed = self._slots.popitem(last=False)
            self._bytes -= getsizeof(oldest)
            self._free.append(freed)
        slot = self._free.pop() if self._free else len(self._slots)
        self._slots[text] = slot
        self._rows[slot] = vector
