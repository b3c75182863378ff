"""Texts as unit vectors, for observations and for the rewards AL and CC.

Three kinds, by name:

- ``"hashing"``: no model and no download, 64 dimensions (:mod:`econ_env.embeddings.hashing`);
- ``"minilm"``: all-MiniLM-L6-v2 from a PyPI package, 384 dimensions, no hub needed;
- a sentence-transformers model, by hub id (``"BAAI/bge-large-en-v1.5"``) or folder.
"""

from __future__ import annotations

import threading
from difflib import get_close_matches
from pathlib import Path

from econ_env.embeddings.base import Embedder, EmbedderError, Rows
from econ_env.embeddings.cache import CachedEmbedder
from econ_env.embeddings.hashing import HashingEncoder
from econ_env.embeddings.neural import (
    DEFAULT_MODEL,
    MiniLmEncoder,
    SentenceEncoder,
    minilm_folder,
)

__all__ = [
    "DEFAULT_MODEL",
    "CachedEmbedder",
    "Embedder",
    "EmbedderError",
    "HashingEncoder",
    "Rows",
    "load_embedder",
]

_lock = threading.Lock()
_loaded: dict[str, Embedder] = {}


def load_embedder(name: str) -> Embedder:
    """The embedder called ``name``: one per process, shared by all environments, with one cache.

    Weights load when the first text is embedded. A missing model is detected here, within a few
    seconds and without loading torch.

    Args:
        name: ``"hashing"``, ``"minilm"``, or a sentence-transformers model as ``owner/model`` or
            as the path of a folder.

    Raises:
        EmbedderError: the name is unknown, or the model is not on this machine and cannot be
            downloaded.
    """
    with _lock:
        if name not in _loaded:
            _loaded[name] = _make(name)
        return _loaded[name]


def _make(name: str) -> Embedder:
    if name == "hashing":
        return CachedEmbedder(name, HashingEncoder())
    if name == "minilm":
        return CachedEmbedder(name, MiniLmEncoder(minilm_folder()))
    if "/" in name or (name and Path(name).is_dir()):
        return CachedEmbedder(name, SentenceEncoder(name))
    near = get_close_matches(name.lower(), ["hashing", "minilm"], n=1)
    if near:
        raise EmbedderError(f"unknown embedder {name!r}. Did you mean {near[0]!r}?")
    raise EmbedderError(
        f'unknown embedder {name!r}: accepted are "hashing", "minilm", a sentence-transformers '
        f'model as "owner/model", for example {DEFAULT_MODEL!r}, and the path of a folder'
    )
