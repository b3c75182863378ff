"""Continuous batching: waiting rows enter a running batch as soon as others leave it.

Between two steps of the running rows at most one chunk of waiting prompts is computed, so rows do
not stall while a long prompt is read. Rows with equal prompts enter together and share its
computation. The number of running rows is limited, and so is the memory that their keys and values
need at their full lengths: a row that does not fit waits.

This module imports torch and transformers; import it only where a model runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from econ_env.llm.local.decode_loop import (
    ALIGNMENT,
    DecodedRow,
    DecodeLoop,
    RunningBatch,
    padded_width,
)
from econ_env.llm.local.sampler import DecodeRow

if TYPE_CHECKING:
    import torch
    from transformers.cache_utils import Cache

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """Limits of what is generated at once."""

    rows: int
    """Largest number of rows that run side by side, at least 1."""
    positions: int
    """Largest number of positions of all running rows together, including padding. A row that needs
    more than this by itself still runs, alone."""
    chunk: int
    """Largest number of prompt positions computed between two steps."""


@dataclass(kw_only=True)
class _Prompt:
    """A prompt and the rows that wait for it."""

    tokens: tuple[int, ...]
    rows: dict[int, DecodeRow]

    @property
    def length(self) -> int:
        """Positions of its longest row at full length."""
        return padded_width(self.tokens) + max(row.max_tokens for row in self.rows.values())


@dataclass(kw_only=True)
class _Entry:
    """Prompts in computation, for rows that enter next."""

    prompts: list[_Prompt]
    chunks: Iterator[tuple[Cache, torch.Tensor, torch.Tensor] | None]
    result: tuple[Cache, torch.Tensor, torch.Tensor] | None = None


class Scheduler:
    """Generates rows with one model; more may be submitted at any time. Not thread-safe.

    Args:
        loop: the model's decode loop.
        capacity: limits of what is generated at once.
    """

    def __init__(self, loop: DecodeLoop, capacity: Capacity) -> None:
        self._loop = loop
        self._capacity = capacity
        self._batch = RunningBatch(loop)
        self._running: dict[int, DecodeRow] = {}
        self._waiting: dict[tuple[int, ...], _Prompt] = {}
        self._entry: _Entry | None = None

    @property
    def running(self) -> int:
        """Number of rows that are generated now; others wait for a place."""
        return len(self._running)

    @property
    def busy(self) -> bool:
        """True if a row is not finished."""
        return bool(self._running or self._waiting or self._entry)

    def submit(self, key: int, row: DecodeRow) -> None:
        """Queue ``row``: first come, first served, except that equal prompts enter together."""
        prompt = self._waiting.setdefault(row.prompt, _Prompt(tokens=row.prompt, rows={}))
        prompt.rows[key] = row

    def step(self) -> list[tuple[int, DecodedRow | Exception]]:
        """Compute a chunk of waiting prompts, and a token of every running row.

        Returns:
            The rows that finished now, by the keys they were submitted with. An exception is the
            error that the model raises on this row even when it runs alone.
        """
        failed = self._let_in()
        if not self._batch.running:
            return failed
        try:
            finished = self._batch.step()
        except Exception as error:  # noqa: BLE001 - models raise anything; it is reported per row
            return [*failed, *self._begin_again(error)]
        for key, _ in finished:
            del self._running[key]
        return [*failed, *finished]

    def _let_in(self) -> list[tuple[int, DecodedRow | Exception]]:
        """Continue computing waiting prompts, or begin; return the rows that failed."""
        if self._entry is None:
            chosen = self._next_prompts()
            if not chosen:
                return []
            self._begin(chosen)
        entry = self._entry
        if entry is None:
            return []
        try:
            while entry.result is None:
                entry.result = next(entry.chunks)
                if self._batch.running:
                    break
            if entry.result is None or not self._may_join():
                return []
            rows = {key: row for prompt in entry.prompts for key, row in prompt.rows.items()}
            tokens = [prompt.tokens for prompt in entry.prompts]
            self._batch.enter(list(rows), list(rows.values()), tokens, *entry.result)
        except Exception as error:  # noqa: BLE001 - as above
            return self._in_parts(entry.prompts, error)
        self._running.update(rows)
        self._entry = None
        return []

    def _begin(self, prompts: list[_Prompt]) -> None:
        tokens = [prompt.tokens for prompt in prompts]
        chunks = self._loop.prefill_in_chunks(tokens, chunk=self._capacity.chunk)
        self._entry = _Entry(prompts=prompts, chunks=chunks)

    def _may_join(self) -> bool:
        """Return True if a row that enters now keeps its place in the lanes of attention."""
        return not (
            self._batch.running and self._loop.order_matters and self._batch.width % ALIGNMENT
        )

    def _next_prompts(self) -> list[_Prompt]:
        """Return waiting prompts that fit beside the running rows, and together into one chunk."""
        if self._running and not self._loop.rows_can_join:
            return []
        chosen: list[_Prompt] = []
        rows = list(self._running.values())
        for prompt in list(self._waiting.values()):
            free = self._capacity.rows - len(rows)
            # The executors of a question share its prompt, so they enter together.
            wanted = min(len(prompt.rows), self._capacity.rows)
            taken = dict(list(prompt.rows.items())[:wanted])
            while not rows and not self._fits(list(taken.values())):
                # They will never all fit together.
                taken.popitem()
            width = max(padded_width(one.tokens) for one in [*chosen, prompt])
            in_chunk = not chosen or width * (len(chosen) + 1) <= self._capacity.chunk
            if len(taken) > free or not in_chunk or not self._fits([*rows, *taken.values()]):
                break
            chosen.append(_Prompt(tokens=prompt.tokens, rows=taken))
            rows += taken.values()
            for key in taken:
                del prompt.rows[key]
            if not prompt.rows:
                del self._waiting[prompt.tokens]
        return chosen

    def _fits(self, rows: Sequence[DecodeRow]) -> bool:
        """Return True if ``rows`` fit side by side at their full lengths; one row always does."""
        longest = max(padded_width(row.prompt) for row in rows)
        most = max(row.max_tokens for row in rows)
        return len(rows) == 1 or len(rows) * (longest + most) <= self._capacity.positions

    def _in_parts(
        self, prompts: list[_Prompt], error: Exception
    ) -> list[tuple[int, DecodedRow | Exception]]:
        """Retry failed prompts one by one; return the results of their rows."""
        self._entry = None
        if len(prompts) == 1:
            return [(key, error.with_traceback(None)) for key in prompts[0].rows]
        _warn(len(prompts), "prompts", error)
        outcomes: list[tuple[int, DecodedRow | Exception]] = []
        for prompt in prompts:
            outcomes += decoded_apart(self._loop, prompt.rows)
        return outcomes

    def _begin_again(self, error: Exception) -> list[tuple[int, DecodedRow | Exception]]:
        """Retry every running row from its beginning, in halves, after a failed step.

        The failing row is not known. A text depends only on its request, so only time is lost.
        """
        rows, self._running = self._running, {}
        self._batch = RunningBatch(self._loop)
        if len(rows) == 1:
            return [(key, error.with_traceback(None)) for key in rows]
        _warn(len(rows), "requests", error)
        keys = list(rows)
        halves = keys[: len(keys) // 2], keys[len(keys) // 2 :]
        return [
            outcome
            for half in halves
            for outcome in decoded_apart(self._loop, {key: rows[key] for key in half})
        ]


def decoded_apart(
    loop: DecodeLoop, rows: dict[int, DecodeRow]
) -> list[tuple[int, DecodedRow | Exception]]:
    """Return the result of every row. A failed batch is tried again in halves, down to one row.

    So a batch that is too large for the memory is only slower, and one request on which the model
    fails does not affect its neighbours.
    """
    keys = list(rows)
    try:
        return list(zip(keys, loop.run(list(rows.values())), strict=True))
    except Exception as error:  # noqa: BLE001 - models raise anything; it is reported per row
        if len(keys) == 1:
            return [(keys[0], error.with_traceback(None))]
        _warn(len(keys), "requests", error)
    half = len(keys) // 2
    return [
        *decoded_apart(loop, {key: rows[key] for key in keys[:half]}),
        *decoded_apart(loop, {key: rows[key] for key in keys[half:]}),
    ]


def _warn(count: int, what: str, error: Exception) -> None:
    _log.warning(
        "A batch of %d %s failed (%s: %s); it is tried again in parts. If the memory is too "
        "small, a smaller max_batch_rows saves the attempts.",
        count,
        what,
        type(error).__name__,
        error,
    )
