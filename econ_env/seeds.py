"""Derivation of every random stream from one seed, without any global random state."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(*parts: int | str) -> int:
    """A seed in [0, 2**31) that depends on all ``parts`` and on nothing else.

    The game calls it as ``derive_seed(env_seed, episode, decision, round, agent, role)``, so two
    runs with one seed send byte-equal requests, on any machine and in any process.
    """
    text = "\x1f".join(map(str, parts))
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=4).digest()
    return int.from_bytes(digest, "big") & 0x7FFFFFFF


def draw_seed(rng: np.random.Generator) -> int:
    """A seed in [0, 2**31), drawn from a generator that a library such as Gymnasium seeded."""
    return int(rng.integers(2**31))
