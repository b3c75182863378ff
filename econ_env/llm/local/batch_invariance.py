"""Checks on this machine that a row's logits do not depend on the rest of the batch.

The order in which a matrix product sums a row may depend on the number of rows. That is a property
of the processor and its kernels, and is not guaranteed. The order is constant in float32 with
MKL on AVX-512 (from 16 rows on), and not on AVX2. So it is measured, with the model itself.

This module imports torch; import it only where a model runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from econ_env.llm.local.decode_loop import DecodeLoop

_LENGTHS = (7, 40, 75, 200)
"""Lengths of the prompts tried. From 192 on, attention handles queries in larger groups."""

_SIZES = (17, 20, 27, 32, 48, 64)
"""Batch sizes tried: multiples of the block sizes of kernels, and sizes between them."""

_STEPS = 2
"""Tokens fed after each prompt, so that the keys and values of earlier tokens are used as well."""


def rows_stand_alone(loop: DecodeLoop, *, vocabulary: int, context_limit: int | None) -> bool:
    """Return True if logits are equal to the last bit, alone and in batches of several sizes.

    Takes 0.2 to 0.8 s of one core with 2 million parameters. No difference in these shapes is
    evidence for the other shapes, not proof.

    Args:
        loop: the model's decode loop; the model has the number format in question, on a CPU.
        vocabulary: ids below it are tried.
        context_limit: prompts are cut to fit it.
    """
    longest = max(_LENGTHS) if context_limit is None else context_limit - _STEPS
    random = np.random.default_rng(0)
    prompts = [
        tuple(random.integers(vocabulary, size=min(length, longest)).tolist())
        for length in _LENGTHS
    ]
    fed = random.integers(vocabulary, size=(len(prompts), _STEPS))
    alone = [
        _logits(loop, [prompt], fed[[i]], np.zeros(loop.row_floor, dtype=np.int64))[:, 0]
        for i, prompt in enumerate(prompts)
    ]
    for size in _SIZES:
        member = np.arange(size) % len(prompts)
        together = _logits(loop, prompts, fed, member)
        if any(not torch.equal(together[:, i], alone[m]) for i, m in enumerate(member.tolist())):
            return False
    return True


@torch.inference_mode()
def _logits(
    loop: DecodeLoop,
    prompts: Sequence[tuple[int, ...]],
    fed: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    member: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> torch.Tensor:
    """Return logits (1 + steps, rows, vocabulary), where row i is prompt ``member[i]``.

    ``fed`` (prompts, steps) holds the tokens that follow each prompt.
    """
    cache, mask, logits = loop.prefill(prompts)
    at = torch.from_numpy(member)
    cache.batch_select_indices(at)
    mask = mask[at]
    steps = [logits[at]]
    for column in torch.from_numpy(fed)[at].T:
        mask = torch.cat([mask, mask.new_ones((len(member), 1))], dim=1)
        steps.append(loop.forward(column[:, None], mask, cache))
    return torch.stack(steps)
