"""Random streams derived from one seed. Nothing in this package uses a global random state."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive_seed(*parts: int | str) -> int:
    """Derive a seed in [0, 2**31) that depends only on ``parts``.

    Call it as ``derive_seed(run_seed, "episode", number)``. Since the parts hold the purpose and
    the number, a resumed run draws what an uninterrupted one would have drawn, on any machine and
    in any process. A number and its text count as the same part.
    """
    text = "\x1f".join(map(str, parts))
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=4).digest()
    return int.from_bytes(digest, "big") & 0x7FFFFFFF


def numpy_generator(*parts: int | str) -> np.random.Generator:
    """Make a NumPy generator at the start of the stream of ``parts``; see :func:`derive_seed`."""
    return np.random.default_rng(derive_seed(*parts))


def torch_generator(*parts: int | str) -> torch.Generator:
    """Make a torch generator, on the CPU, at the start of the stream of ``parts``."""
    import torch

    return torch.Generator().manual_seed(derive_seed(*parts))
