"""The decode loop of local models: one batch, prompts once, rows that leave when they are done.

Three things make it faster than ``transformers.generate`` on a team's calls. Executors that share
a prompt share its computation: every distinct prompt runs once, then its keys and values are
copied to the rows. Rows that have finished leave the batch. Keys and values are appended in place
instead of being copied at every step.

A row's logits must not depend on its neighbours, but kernels of matrix products sum in an order
that depends on the number of rows, and attention sums over the padding to the left of a prompt. So
the loop holds the shapes in which kernels are known to keep the order: see :data:`ROW_FLOOR`,
:data:`ALIGNMENT` and :data:`BLOCK`, and ``batch_invariance.py``, which checks it.

This module imports torch and transformers; import it only where a model runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, cache_utils
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from econ_env.llm.local.sampler import DecodeRow, Sampler
from econ_env.llm.types import ModelError

ROW_FLOOR = 16
"""Below float64, a matrix product never has fewer rows than this; missing ones are filled.

Measured with MKL and AVX-512: from 16 rows on, the result of a row is the same, to the last bit,
for any number of rows; below, kernels change and with them the order of the sums.
"""

_HOLDS_NOTHING = getattr(cache_utils, "DummyLayer", None)
"""The layer that keeps no state, as transformers has since 5.23; None before."""

ALIGNMENT = 16
"""Padded widths are multiples of this, so that a row's own padding is fixed modulo 16.

Attention sums lane by lane, 16 numbers at a time. A row keeps its place in the lanes whatever
its neighbours' lengths, and further padding adds exact zeros.
"""

BLOCK = 512
"""Positions that attention on a CPU sums in one go; more are summed block by block.

Beyond it, padding moves a row against the borders of the blocks, so there only prompts of equal
padded width may share a batch.
"""

_COMPACT_BELOW = 0.75
"""Rows leave the batch when less than this part of it still runs: each time costs one copy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedRow:
    """What became of one row."""

    tokens: tuple[int, ...]
    """Every token generated, the one that ended the row included."""
    ended: bool
    """True: an end token came. False: ``max_tokens`` were generated without one."""
    shared: bool
    """True: another row of the batch had the same prompt and paid for it."""
    broken: bool
    """True: the model's logits were not finite; ``tokens`` is what came before."""


def padded_width(prompt: Sequence[int]) -> int:
    """Positions that a prompt takes when it runs alone: the next multiple of the alignment."""
    return -(-len(prompt) // ALIGNMENT) * ALIGNMENT


class AppendingLayer(DynamicLayer):
    """Keys and values of one layer, appended in place into buffers with spare room.

    The loop uses ``update`` and ``batch_select_indices`` only.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._room: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the states of new positions; shapes (rows, heads, positions, width)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        stop = start + key_states.shape[-2]
        if self._room is None or stop > self._room[0].shape[-2]:
            self._room = (
                _with_room(self.keys, key_states, start, stop),
                _with_room(self.values, value_states, start, stop),
            )
        keys, values = self._room
        keys[:, :, start:stop] = key_states
        values[:, :, start:stop] = value_states
        self.keys, self.values = keys[:, :, :stop], values[:, :, :stop]
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep, repeat or reorder the rows."""
        super().batch_select_indices(indices)
        self._room = None


def _with_room(
    states: torch.Tensor | None, new: torch.Tensor, start: int, stop: int
) -> torch.Tensor:
    """A buffer that holds ``states`` and has room for a good many further positions."""
    rows, heads, _, width = new.shape
    buffer = new.new_empty((rows, heads, stop + max(64, stop // 4), width))
    if start and states is not None:
        buffer[:, :, :start] = states
    return buffer


def new_cache(model: PreTrainedModel, *, source: str) -> Cache:
    """An empty cache for ``model``.

    Raises:
        ModelError: the model keeps something other than keys and values per position (a recurrent
            state, say): its rows cannot be padded on the left, nor leave the batch.
    """
    cache = DynamicCache(config=model.config)
    layers: list[Any] = []
    for layer in cache.layers:
        if type(layer) is DynamicLayer:
            layers.append(AppendingLayer())
        elif type(layer) in (DynamicSlidingWindowLayer, _HOLDS_NOTHING):
            layers.append(layer)
        else:
            raise ModelError(
                f"{source!r} ({type(model).__name__}) keeps a {type(layer).__name__} state, which "
                "this loop cannot batch. Use a model with plain attention layers."
            )
    cache.layers = layers
    return cache


class DecodeLoop:
    """Generates rows with one model.

    Args:
        model: a causal model in evaluation mode.
        end_tokens: ids that end a row.
        source: the model's path or id, for messages.

    Raises:
        ModelError: the model keeps a state that rows of a batch cannot share (see
            :func:`new_cache`).
    """

    def __init__(self, model: PreTrainedModel, *, end_tokens: frozenset[int], source: str) -> None:
        self._model = model
        self._end_tokens = np.array(sorted(end_tokens), dtype=np.int64)
        self._source = source
        accepted = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._takes_logits_to_keep = "logits_to_keep" in accepted
        # The name since transformers 5.24, and the one before.
        self._cache_argument = "cache" if "cache" in accepted else "past_key_values"
        new_cache(model, source=source)

    @property
    def row_floor(self) -> int:
        """Least number of rows of a batch; 1 in float64, where what rounding does is too small."""
        return 1 if self._model.dtype == torch.float64 else ROW_FLOOR

    @torch.inference_mode()
    def run(self, rows: Sequence[DecodeRow]) -> list[DecodedRow]:
        """Generate every row, in the order given. All run as one batch."""
        device = self._model.device
        prompts = {prompt: i for i, prompt in enumerate(dict.fromkeys(row.prompt for row in rows))}
        # Batch row -> row of the caller. Rows beyond the caller's only fill the batch.
        owner = np.arange(max(len(rows), self.row_floor)) % len(rows)
        running = np.arange(len(owner)) < len(rows)
        tokens = np.zeros((len(rows), max(row.max_tokens for row in rows)), dtype=np.int64)
        limits = np.array([row.max_tokens for row in rows])
        lengths = np.zeros(len(rows), dtype=np.int64)
        ended, broken = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)

        cache, mask, logits = self.prefill(list(prompts))
        at = torch.tensor([prompts[rows[i].prompt] for i in owner.tolist()], device=device)
        cache.batch_select_indices(at)
        mask, logits = mask[at], logits[at]
        sampler = Sampler([rows[i] for i in owner.tolist()], logits.shape[-1], device)

        for position in range(tokens.shape[1]):
            chosen = sampler.sample(logits, position)
            sound = torch.isfinite(logits.amax(dim=-1)).cpu().numpy()
            drawn = chosen.cpu().numpy()
            unsound = owner[running & ~sound]
            broken[unsound] = True
            running &= sound
            tokens[owner[running], position] = drawn[running]
            lengths[owner[running]] = position + 1
            at_end = running & np.isin(drawn, self._end_tokens)
            ended[owner[at_end]] = True
            running &= ~at_end & (position + 1 < limits[owner])
            if not running.any():
                break
            keep = self._rows_to_keep(running)
            if keep is not None:
                at = torch.from_numpy(keep).to(device)
                cache.batch_select_indices(at)
                sampler.select(at)
                mask, chosen = mask[at], chosen[at]
                owner, running = owner[keep], running[keep]
            mask = torch.cat([mask, mask.new_ones((len(owner), 1))], dim=1)
            logits = self.forward(chosen[:, None], mask, cache)

        first: dict[tuple[int, ...], int] = {}
        return [
            DecodedRow(
                tokens=tuple(tokens[i, : lengths[i]].tolist()),
                ended=bool(ended[i]),
                shared=first.setdefault(row.prompt, i) != i,
                broken=bool(broken[i]),
            )
            for i, row in enumerate(rows)
        ]

    def prefill(
        self, prompts: Sequence[tuple[int, ...]]
    ) -> tuple[Cache, torch.Tensor, torch.Tensor]:
        """Run prompts: cache, mask (prompts, width), logits (prompts, vocabulary) at their ends."""
        width = max(map(padded_width, prompts))
        ids = np.zeros((len(prompts), width), dtype=np.int64)
        mask = np.zeros((len(prompts), width), dtype=np.int64)
        for i, prompt in enumerate(prompts):
            ids[i, width - len(prompt) :] = prompt
            mask[i, width - len(prompt) :] = 1
        device = self._model.device
        cache = new_cache(self._model, source=self._source)
        mask_on_device = torch.from_numpy(mask).to(device)
        # More than the last position, where few prompts would leave the head with few rows.
        keep = -(-self.row_floor // len(prompts))
        logits = self.forward(torch.from_numpy(ids).to(device), mask_on_device, cache, keep=keep)
        return cache, mask_on_device, logits

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, cache: Cache, *, keep: int = 1
    ) -> torch.Tensor:
        """Logits (rows, vocabulary) after the last of ``ids`` (rows, new positions).

        ``mask`` covers all positions so far, the new ones included. The head computes the last
        ``keep`` positions where the model lets it choose.
        """
        extra: dict[str, Any] = {self._cache_argument: cache}
        if self._takes_positions:
            # Padding has no position of its own: the first token of every prompt is at 0.
            positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
            extra["position_ids"] = positions[:, -ids.shape[1] :]
        if self._takes_logits_to_keep:
            extra["logits_to_keep"] = min(keep, ids.shape[1])
        output = self._model(input_ids=ids, attention_mask=mask, use_cache=True, **extra)
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def _rows_to_keep(self, running: NDArray[np.bool_]) -> NDArray[np.int64] | None:
        """Batch rows that stay, running ones first; None: not worth a copy yet."""
        target = max(int(running.sum()), self.row_floor)
        if target >= _COMPACT_BELOW * len(running):
            return None
        return np.argsort(~running, kind="stable")[:target].astype(np.int64)
