"""One seed in, every random stream out. Nothing in this package uses a global random state."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive_seed(*parts: int | str) -> int:
    """A seed in [0, 2**31) that depends on all ``parts`` and on nothing else.

    It is called as ``derive_seed(run_seed, "episode", number)``: the purpose and the number stand
    in the parts, so that a resumed run draws what an uninterrupted one would have drawn, on any
    machine and in any process. A number and its text are the same part.
    """
    text = "\x1f".join(map(str, parts))
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=4).digest()
    return int.from_bytes(digest, "big") & 0x7FFFFFFF


def numpy_generator(*parts: int | str) -> np.random.Generator:
    """NumPy's generator at the beginning of the stream of ``parts``; see :func:`derive_seed`."""
    return np.random.default_rng(derive_seed(*parts))


def torch_generator(*parts: int | str) -> torch.Generator:
    """Torch's generator, on the CPU, at the beginning of the stream of ``parts``."""
    import torch

    return torch.Generator().manual_seed(derive_seed(*parts))
