"""The decode loop of local models: rows enter a batch, get one token per step, and leave when done.

Three things make it faster than ``transformers.generate`` for the calls of a team. Executors that
share a prompt share its computation: every distinct prompt is computed once, then its keys and
values are copied to the rows. Finished rows leave the batch, and waiting rows enter beside the
running ones (:mod:`econ_env.llm.local.scheduler`). Keys and values are appended in place instead of
being copied at every step (:mod:`econ_env.llm.local.kv_cache`).

All rows end at the newest position, so a row that enters is padded on the left, like any shorter
prompt, and the rows that run are padded if it is longer.

A row's logits must not depend on its neighbours, but kernels of matrix products sum in an order
that depends on the number of rows, and attention sums over the padding to the left of a prompt. So
the loop uses only shapes in which kernels are known to keep the order: see :data:`ROW_FLOOR`,
:data:`ALIGNMENT` and :data:`BLOCK`, and ``batch_invariance.py``, which checks it.

The loop is kept on purpose beside ``transformers.generate``, which computes a shared prompt again
for every row, keeps finished rows, and does not promise that a row's tokens are independent of its
neighbours. Recordings and resumed runs depend on that promise.

This module imports torch and transformers; import it only where a model runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from econ_env.llm.local.grammar import Constraint
from econ_env.llm.local.kv_cache import AppendingLayer, join, new_cache, trim
from econ_env.llm.local.sampler import DecodeRow, Sampler
from econ_env.llm.local.wide_sampler import WIDE, WideSampler

ROW_FLOOR = 16
"""Smallest number of rows of a matrix product below float64; missing rows are filled up.

Measured with MKL and AVX-512: from 16 rows on, the result of a row is the same, to the last bit,
for any number of rows; with fewer, kernels change and with them the order of the sums.
"""

ALIGNMENT = 16
"""Divisor of all padded widths, so that a row's own padding is fixed modulo 16.

Attention sums lane by lane, 16 numbers at a time. A row keeps its place in the lanes for any
lengths of its neighbours, and further padding adds exact zeros.
"""

BLOCK = 512
"""Positions that attention on a CPU sums at once; more are summed block by block.

Beyond it, padding shifts a row relative to the block borders, so only prompts of equal padded
width may share a batch there.
"""

_COMPACT_BELOW = 0.9
"""Share of running rows below which finished rows are removed: each removal costs a copy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedRow:
    """Result of one row."""

    tokens: tuple[int, ...]
    """All generated tokens, including an end token."""
    ended: bool
    """True: an end token came. False: ``max_tokens`` were generated without one."""
    shared: bool
    """True: another row of the batch had the same prompt and paid for it."""
    broken: bool
    """True: the model's logits were not finite; ``tokens`` is what came before."""


def padded_width(prompt: Sequence[int]) -> int:
    """Return the positions of a prompt that runs alone: its length, rounded up to the alignment."""
    return -(-len(prompt) // ALIGNMENT) * ALIGNMENT


class DecodeLoop:
    """Generates rows with one model.

    Args:
        model: a causal model in evaluation mode.
        end_tokens: ids that end a row.
        source: the model's path or id, for error messages.

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
        layers = new_cache(model, source=source).layers
        self.rows_can_join = all(isinstance(layer, AppendingLayer) for layer in layers)
        """True if rows may enter beside running rows: every layer keeps all positions."""
        # The name since transformers 5.24, and the one before.
        self._cache_argument = "cache" if "cache" in accepted else "past_key_values"

    @property
    def row_floor(self) -> int:
        """Smallest number of rows of a batch; 1 in float64, where rounding hardly matters."""
        return 1 if self._model.dtype == torch.float64 else ROW_FLOOR

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self._model.device

    @property
    def order_matters(self) -> bool:
        """True in float32, where the order of sums is kept; 16-bit formats are too coarse."""
        return self._model.dtype == torch.float32

    @property
    def bytes_per_position(self) -> int:
        """Memory of the keys and values of one position of one row, in bytes."""
        text = self._model.config.get_text_config()
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        return int(2 * text.num_hidden_layers * heads * width * self._model.dtype.itemsize)

    def ends(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return True for each of ``tokens`` that ends a row; same shape."""
        return np.isin(tokens, self._end_tokens)

    @torch.inference_mode()
    def run(self, rows: Sequence[DecodeRow]) -> list[DecodedRow]:
        """Generate every row in one batch, and return the results in the order given."""
        batch = RunningBatch(self)
        prompts = list(dict.fromkeys(row.prompt for row in rows))
        batch.enter(range(len(rows)), rows, prompts, *self.prefill(prompts))
        decoded: dict[int, DecodedRow] = {}
        while batch.running:
            decoded.update(batch.step())
        return [decoded[i] for i in range(len(rows))]

    def prefill(
        self, prompts: Sequence[tuple[int, ...]]
    ) -> tuple[Cache, torch.Tensor, torch.Tensor]:
        """Run prompts; return cache, mask (prompts, width), last logits (prompts, vocabulary)."""
        *_, last = self.prefill_in_chunks(prompts, chunk=None)
        if last is None:
            raise RuntimeError("a prefill ended without its result")
        return last

    def prefill_in_chunks(
        self, prompts: Sequence[tuple[int, ...]], *, chunk: int | None
    ) -> Iterator[tuple[Cache, torch.Tensor, torch.Tensor] | None]:
        """Run prompts like :meth:`prefill`, at most ``chunk`` positions of each at a time.

        Yields None after every chunk but the last, and finally the result of :meth:`prefill`.
        """
        width = max(map(padded_width, prompts))
        ids = np.zeros((len(prompts), width), dtype=np.int64)
        mask = np.zeros((len(prompts), width), dtype=np.int64)
        for i, prompt in enumerate(prompts):
            ids[i, width - len(prompt) :] = prompt
            mask[i, width - len(prompt) :] = 1
        cache = new_cache(self._model, source=self._source)
        ids_on_device = torch.from_numpy(ids).to(self.device)
        mask_on_device = torch.from_numpy(mask).to(self.device)
        # More than the last position if there are few prompts: the head needs enough rows.
        keep = -(-self.row_floor // len(prompts))
        chunk = width if chunk is None else chunk
        # The first chunk takes the remainder, so that the last one is never short.
        stops = list(range(width, 0, -chunk))[::-1]
        for start, stop in zip([0, *stops], stops, strict=False):
            logits = self.forward(
                ids_on_device[:, start:stop], mask_on_device[:, :stop], cache, keep=keep
            )
            yield None if stop < width else (cache, mask_on_device, logits)

    @torch.inference_mode()
    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, cache: Cache, *, keep: int = 1
    ) -> torch.Tensor:
        """Return logits (rows, vocabulary) after the last of ``ids`` (rows, new positions).

        ``mask`` covers all positions so far, including the new ones. The head computes only the
        last ``keep`` positions if the model supports that.
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


class RunningBatch:
    """Rows that one model generates side by side, each at its own position.

    Args:
        loop: the model's decode loop.
    """

    def __init__(self, loop: DecodeLoop) -> None:
        self._loop = loop
        self._cache: Cache | None = None
        self._mask = torch.empty((0, 0), dtype=torch.int64)
        self._logits = torch.empty((0, 0))
        # A batch that is empty has one for any vocabulary; it begins with a new one.
        self._sampler: Sampler | WideSampler = Sampler(0, loop.device)
        self._rows: list[_Row] = []
        # Batch row -> index into _rows. Batch rows beyond the running ones only fill the batch.
        self._owner = np.zeros(0, dtype=np.int64)
        self._running = np.zeros(0, dtype=bool)

    @property
    def running(self) -> int:
        """Number of unfinished rows."""
        return int(self._running.sum())

    @property
    def width(self) -> int:
        """Positions of the batch so far, including padding."""
        return self._mask.shape[1]

    @torch.inference_mode()
    def enter(
        self,
        keys: Sequence[int],
        rows: Sequence[DecodeRow],
        prompts: Sequence[tuple[int, ...]],
        cache: Cache,
        mask: torch.Tensor,
        logits: torch.Tensor,
    ) -> None:
        """Start ``rows``, beside the running ones.

        Args:
            keys: the caller's ids of the rows.
            rows: the rows to generate.
            prompts: the distinct prompts of ``rows``; the other arguments are from their prefill.
            cache: their keys and values; the batch takes ownership.
            mask: 1 at tokens, 0 at padding; shape (prompts, width).
            logits: logits at the ends of the prompts, shape (prompts, vocabulary).
        """
        # Rows that only fill the batch make room first.
        if self.running < len(self._owner):
            self._select(self._packed(self.running))
        if not len(self._owner):
            self._rows, self._cache = [], None
            self._sampler = sampler_for(logits)
        place = {prompt: i for i, prompt in enumerate(prompts)}
        first: dict[tuple[int, ...], int] = {}
        added = [
            _Row(
                key=key,
                row=row,
                shared=first.setdefault(row.prompt, key) != key,
                constraint=None if row.grammar is None else row.grammar.start(),
            )
            for key, row in zip(keys, rows, strict=True)
        ]
        filled = max(len(rows), self._loop.row_floor - len(self._owner))
        chosen = np.arange(filled) % len(rows)
        at = torch.tensor(
            [place[rows[i].prompt] for i in chosen.tolist()], device=self._loop.device
        )
        if self._cache is None:
            cache.batch_select_indices(at)
            self._cache, self._mask, self._logits = cache, mask[at], logits[at]
        else:
            self._mask = join(self._cache, self._mask, cache, mask, at)
            self._logits = torch.cat([self._logits, logits[at]])
        self._owner = np.concatenate([self._owner, len(self._rows) + chosen])
        self._running = np.concatenate([self._running, np.arange(filled) < len(rows)])
        self._rows += added
        self._sampler.enter([rows[i] for i in chosen.tolist()])

    @torch.inference_mode()
    def step(self) -> list[tuple[int, DecodedRow]]:
        """Generate one token of every row; return the rows that finished, with their keys."""
        finished: list[tuple[int, DecodedRow]] = []
        self._constrain()
        tokens = self._sampler.sample(self._logits)
        sound = torch.isfinite(self._logits.amax(dim=-1)).cpu().numpy()
        drawn = tokens.cpu().numpy()
        at_end = self._loop.ends(drawn) & sound
        for i in np.flatnonzero(self._running).tolist():
            row = self._rows[int(self._owner[i])]
            if sound[i]:
                row.take(int(drawn[i]))
            if not sound[i] or at_end[i] or len(row.tokens) == row.row.max_tokens:
                self._running[i] = False
                outcome = row.decoded(ended=bool(at_end[i]), broken=not sound[i])
                finished.append((row.key, outcome))
        if not self.running:
            self._owner, self._running = self._owner[:0], self._running[:0]
            self._cache = None
            return finished
        keep = self._rows_to_keep()
        if keep is not None:
            self._select(keep)
            tokens = tokens[torch.from_numpy(keep).to(tokens.device)]
        self._mask = torch.cat([self._mask, self._mask.new_ones((len(self._owner), 1))], dim=1)
        self._logits = self._loop.forward(tokens[:, None], self._mask, self._cached)
        return finished

    def _constrain(self) -> None:
        """Forbid what the grammars of the running rows do not allow next."""
        for i in np.flatnonzero(self._running).tolist():
            constraint = self._rows[int(self._owner[i])].constraint
            if constraint is not None:
                forbidden = torch.from_numpy(~constraint.allowed()).to(self._logits.device)
                self._logits[i].masked_fill_(forbidden, -torch.inf)

    def _rows_to_keep(self) -> NDArray[np.int64] | None:
        """Return the batch rows to keep, including all running ones; None: not worth a copy yet."""
        target = max(self.running, self._loop.row_floor)
        if target >= _COMPACT_BELOW * len(self._running):
            return None
        return self._packed(target)

    def _packed(self, target: int) -> NDArray[np.int64]:
        """Return ``target`` batch rows, including all running ones; few of them change place."""
        kept = np.arange(target)
        behind = np.flatnonzero(self._running[target:]) + target
        kept[np.flatnonzero(~self._running[:target])[: len(behind)]] = behind
        return kept

    def _select(self, keep: NDArray[np.int64]) -> None:
        """Replace batch row i by batch row ``keep[i]``, for all i."""
        at = torch.from_numpy(keep).to(self._loop.device)
        self._cached.batch_select_indices(at)
        self._mask = trim(self._cached, self._mask[at], multiple_of=ALIGNMENT)
        self._logits = self._logits[at]
        self._sampler.select(at)
        self._owner, self._running = self._owner[keep], self._running[keep]

    @property
    def _cached(self) -> Cache:
        if self._cache is None:
            raise RuntimeError("the batch has no rows")
        return self._cache


def sampler_for(logits: torch.Tensor) -> Sampler | WideSampler:
    """Return a sampler for logits of this shape and device."""
    if logits.device.type == "cpu" and logits.shape[-1] >= WIDE:
        return WideSampler(logits.shape[-1])
    return Sampler(logits.shape[-1], logits.device)


@dataclass(kw_only=True)
class _Row:
    """A row while it is generated."""

    key: int
    row: DecodeRow
    shared: bool
    constraint: Constraint | None
    tokens: list[int] = field(default_factory=list)

    def take(self, token: int) -> None:
        self.tokens.append(token)
        if self.constraint is not None:
            self.constraint.accept(token)

    def decoded(self, *, ended: bool, broken: bool) -> DecodedRow:
        return DecodedRow(tokens=tuple(self.tokens), ended=ended, shared=self.shared, broken=broken)
