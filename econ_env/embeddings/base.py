"""What an embedder is."""

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
    """Turns texts into unit vectors. Equal texts give equal vectors."""

    name: str
    """The name that :func:`econ_env.embeddings.load_embedder` knows, for logs and results."""

    @property
    def dim(self) -> int:
        """Length of every vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Rows:
        """One unit vector per text, in order. May be called from any thread."""
        ...


class TextEncoder(Protocol):
    """The model inside an embedder: no cache, no locks, one call at a time."""

    @property
    def dim(self) -> int:
        """Length of every vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Rows:
        """One unit vector per text, in order. The texts differ from each other."""
        ...
