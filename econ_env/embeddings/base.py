"""Interfaces of embedders, and their error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from econ_env.errors import EconError

Rows = npt.NDArray[np.float32]
"""Embeddings, shape (number of texts, dim); every row has length 1."""


class EmbedderError(EconError):
    """An embedder cannot be used: unknown name, missing or altered weights.

    The message says what to do.
    """


@runtime_checkable
class Embedder(Protocol):
    """Converter of texts to unit vectors. Equal texts give equal vectors."""

    name: str
    """Name of the embedder for :func:`econ_env.embeddings.load_embedder`, logs and results."""

    @property
    def dim(self) -> int:
        """Length of every vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Rows:
        """Return one unit vector per text, in order. Any thread may call it."""
        ...


class TextEncoder(Protocol):
    """The model inside an embedder: no cache, no locks, one call at a time."""

    @property
    def dim(self) -> int:
        """Length of every vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Rows:
        """Return one unit vector per text, in order. All texts are different."""
        ...
