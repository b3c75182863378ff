"""Language models that run in this process: any Hugging Face causal model with a chat template.

**Reproducibility.** The text of a request depends on the request, including its seed, and on
nothing else in the batch. Every row draws from its own stream of random numbers, so only rounding
could carry an effect from row to row: kernels sum in an order that may depend on the shape of the
batch. Small models (up to 50 million parameters, on a CPU, with ``dtype="auto"``) avoid this in one
of two ways:

1. float32, in shapes in which kernels keep the order of their sums: at least 16 rows, padding in
   multiples of 16, and beyond 512 positions only equal widths together. Logits are then equal to
   the last bit. That depends on the processor, so it is checked when the model is loaded. A shape
   that was not checked may still behave differently; then a logit changes by about 1e-5, and about
   one token in 1e5 changes.
2. float64 if that check fails (AVX2 processors, as measured): the batch changes a logit by about
   4e-15, and about one token in 1e14 changes. It takes 1.6 times as long.

Other models use the same shapes in float32 (without the rule about 512 positions), but nothing is
checked: expect at most one changed token in 1e5. In 16-bit formats, which are their default,
another composition of the batch changes logits by up to a hundredth, and up to one token in a
hundred; the same requests in the same order give the same texts. ``dtype="float64"`` makes it exact
for any model for which it is affordable.

**Batches.** Requests to small models run in batches that are formed beforehand, so that everything
about them, including the counts of shared prompts, follows from the list of requests. Other models
accept requests while they answer (:meth:`LocalModel.answer`), and rows enter and leave one batch
(:mod:`econ_env.llm.local.scheduler`).

Rounding logits to a grid does not help: values cross a coarser grid less often but then change by
more, so the expected number of changed tokens stays the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from econ_env.llm.cache.keys import local_version
from econ_env.llm.in_flight import InFlight
from econ_env.llm.incremental import Answers, Feed, all_at_once, in_order
from econ_env.llm.local.chat_template import PromptError
from econ_env.llm.local.grammar import Grammar, GrammarError
from econ_env.llm.local.loading import DtypeName, load_checkpoint, torch_threads, usable_threads
from econ_env.llm.local.prompt import PromptEncoder
from econ_env.llm.types import ChatRequest, Completion, Message, ModelError, Usage

if TYPE_CHECKING:
    from econ_env.llm.local.decode_loop import DecodedRow
    from econ_env.llm.local.loading import LoadedModel
    from econ_env.llm.local.sampler import DecodeRow
    from econ_env.llm.local.scheduler import Capacity, Scheduler

SMALL_MODEL_ROWS = 64
"""Largest number of rows in a batch of a small model."""

LARGE_MODEL_ROWS = 256
"""Largest number of rows of other models. On two cores with AMX 128 rows give a tenth more tokens
per second than 64, and more rows no gain; with AVX-512 alone products of 256 rows are nearly twice
as fast as those of 64 (178 and 93 GFLOP/s in bfloat16)."""

CPU_CHUNK, GPU_CHUNK = 512, 8192
"""Positions of prompts computed between two steps: enough to keep the processor busy."""


@dataclass(frozen=True, kw_only=True)
class _Session:
    """State of an open model."""

    checkpoint: LoadedModel
    encoder: PromptEncoder
    capacity: Capacity


@dataclass(frozen=True, kw_only=True)
class _Call:
    """A call that goes on: its unfinished requests, and when each was asked for."""

    scheduler: Scheduler
    asked_s: dict[int, float]

    def in_flight(self) -> InFlight:
        # Another thread adds and removes requests.
        asked_s = list(self.asked_s.copy().values())
        sent = min(self.scheduler.running, len(asked_s))
        oldest_s = time.monotonic() - min(asked_s) if asked_s else 0.0
        return InFlight(sent=sent, waiting=len(asked_s) - sent, slowest_s=oldest_s)


class LocalModel:
    """A :class:`~econ_env.llm.types.ChatModel` whose weights are in this process.

    Weights are loaded at once, and shared by all instances of the process with the same path,
    format and device. An instance can be pickled: the copy loads the weights again.

    Args:
        path: a folder written by ``save_pretrained``, or an id on the Hugging Face hub.
        name: its name in ``ChatRequest.model``; None: ``"hf:" + path``.
        dtype: number format of the weights: ``"float64"``, ``"float32"``, ``"bfloat16"``,
            ``"float16"``, or ``"auto"``. Auto: for a small model on a CPU as described in this
            module; for other models on a CPU bfloat16 if the processor multiplies in it, else
            float32; on other devices the checkpoint's 16-bit format, or bfloat16.
        device: a torch device such as ``"cuda:1"``; None: ``cuda`` if available, else ``cpu``.
        max_batch_rows: largest number of requests that run side by side; None: 64 for a small model
            on a CPU, 256 for every other.
        cache_bytes: largest memory for keys and values of the requests of one call, for models that
            are not small. A request that does not fit beside the others waits. None: half of the
            free memory after the weights are loaded.
        threads: torch threads while this model generates (the process's setting is restored
            after each call); None: one for a small model on a CPU, which is fastest and required
            for reproducibility, else :func:`~econ_env.llm.local.loading.usable_threads`, since a
            learner in the same process keeps to one.

    Raises:
        ModelError: the model does not exist, cannot be reached or cannot be used.
        ValueError: an argument is out of range.
    """

    name: str
    context_limit: int | None
    tokens_per_message: int
    """Most tokens that the chat template adds to a message, measured when the model is loaded."""

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        dtype: DtypeName = "auto",
        device: str | None = None,
        max_batch_rows: int | None = None,
        cache_bytes: int | None = None,
        threads: int | None = None,
    ) -> None:
        if max_batch_rows is not None and max_batch_rows < 1:
            raise ValueError(f"max_batch_rows must be at least 1, or None, not {max_batch_rows}")
        if cache_bytes is not None and cache_bytes < 1:
            raise ValueError(f"cache_bytes must be at least 1, or None, not {cache_bytes}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, or None, not {threads}")
        self._path, self._dtype, self._device = path, dtype, device
        self._max_batch_rows, self._cache_bytes = max_batch_rows, cache_bytes
        self._threads = threads
        self.name = name if name is not None else f"hf:{path}"
        checkpoint = load_checkpoint(path, dtype=dtype, device=device)
        self.context_limit = checkpoint.context_limit
        encoder = PromptEncoder(checkpoint.tokenizer, source=path)
        self.tokens_per_message = encoder.tokens_per_message
        self._calls: list[_Call] = []
        self._session: _Session | None = _Session(
            checkpoint=checkpoint,
            encoder=encoder,
            capacity=_capacity(checkpoint, rows=max_batch_rows, cache_bytes=cache_bytes),
        )

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Answer every request, in the order given.

        A request that is invalid or does not fit the context becomes a failed completion. So
        does a request on which the model fails even alone; the others are not affected.
        ``usage.completion_tokens`` counts every generated token, including the end token;
        ``usage.cached_tokens`` counts a prompt that another request of the same batch paid for.

        Raises:
            ModelError: the model was closed.
        """
        return in_order(self.generate_each(requests))

    def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
        """Answer every request; yield each completion as soon as it is ready.

        For a small model, that is when its batch is done. Closing the iterator early drops the
        unfinished requests.
        """
        if self.streams:
            return self.answer(all_at_once(requests))
        return self._in_batches(requests)

    @property
    def streams(self) -> bool:
        """True if :meth:`answer` takes requests while it answers others; False for small models."""
        return not self._open().checkpoint.small

    def answer(self, feed: Feed) -> Answers:
        """Answer the requests of ``feed``; see :class:`~econ_env.llm.incremental.Streaming`.

        Raises:
            ModelError: the model was closed.
        """
        from econ_env.llm.local.scheduler import Scheduler

        session = self._open()
        checkpoint = session.checkpoint
        scheduler = Scheduler(checkpoint.loop, session.capacity)
        rows: dict[int, DecodeRow] = {}
        call = _Call(scheduler=scheduler, asked_s={})
        self._calls.append(call)
        count = 0
        try:
            while True:
                requests = feed()
                read = _rows(session, requests, self.context_limit)
                for index, row in enumerate(read, start=count):
                    if isinstance(row, PromptError):
                        yield index, self._refusal(row)
                    else:
                        rows[index] = row
                        call.asked_s[index] = time.monotonic()
                        scheduler.submit(index, row)
                count += len(requests)
                if scheduler.busy:
                    # Not across a yield: the caller may stop there, or take a long time.
                    with checkpoint.lock, torch_threads(self._thread_count(checkpoint)):
                        finished = scheduler.step()
                    for index, outcome in finished:
                        del call.asked_s[index]
                        yield index, self._completion(session, rows.pop(index), outcome)
                elif not requests:
                    return
        finally:
            self._calls.remove(call)

    def in_flight(self) -> InFlight:
        """Return the requests that are generated now, and those that wait for a place.

        Those of a small model, which answers in moments, are not counted.
        """
        return sum((call.in_flight() for call in self._calls.copy()), InFlight())

    def _in_batches(self, requests: Sequence[ChatRequest]) -> Answers:
        """Answer in batches that are formed beforehand."""
        from econ_env.llm.local.scheduler import decoded_apart

        session = self._open()
        rows: dict[int, DecodeRow] = {}
        for index, row in enumerate(_rows(session, requests, self.context_limit)):
            if isinstance(row, PromptError):
                yield index, self._refusal(row)
            else:
                rows[index] = row
        checkpoint = session.checkpoint
        for batch in _batches(rows, block=checkpoint.block, largest=session.capacity.rows):
            with checkpoint.lock, torch_threads(self._thread_count(checkpoint)):
                outcomes = decoded_apart(checkpoint.loop, {index: rows[index] for index in batch})
            for index, outcome in outcomes:
                yield index, self._completion(session, rows[index], outcome)

    @property
    def version(self) -> str:
        """Text that identifies its weights and number format, for the keys of a cache."""
        return f"{self._dtype} {local_version(self._path)}"

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of ``text``, without the chat template around it."""
        return self._open().encoder.count(text)

    def close(self) -> None:
        """Release the weights, which are freed when no instance holds them.

        May be called twice. The model answers nothing afterwards.
        """
        self._session = None

    def __reduce__(self) -> tuple[object, ...]:
        arguments = (self._path, self.name, self._dtype, self._device)
        return _rebuild, (*arguments, self._max_batch_rows, self._cache_bytes, self._threads)

    def _open(self) -> _Session:
        if self._session is None:
            raise ModelError(f"The model {self.name!r} was closed. Make a new LocalModel.")
        return self._session

    def _thread_count(self, checkpoint: LoadedModel) -> int:
        if self._threads is not None:
            return self._threads
        return 1 if checkpoint.small else usable_threads()

    def _refusal(self, fault: PromptError) -> Completion:
        return Completion.failure(f"{self.name}: {fault}")

    def _completion(
        self, session: _Session, row: DecodeRow, outcome: DecodedRow | Exception
    ) -> Completion:
        if isinstance(outcome, Exception):
            return Completion.failure(
                f"{self.name} failed on this request ({len(row.prompt)} prompt tokens, up to "
                f"{row.max_tokens} more): {type(outcome).__name__}: {outcome}"
            )
        usage = Usage(
            prompt_tokens=len(row.prompt),
            completion_tokens=len(outcome.tokens),
            cached_tokens=len(row.prompt) if outcome.shared else 0,
            requests=1,
        )
        if outcome.broken:
            return Completion.failure(
                f"{self.name} gave logits that are not finite after {len(outcome.tokens)} tokens. "
                "A 16-bit format may overflow: try dtype='float32'.",
                usage,
            )
        said = outcome.tokens[:-1] if outcome.ended else outcome.tokens
        return Completion(
            text=session.encoder.decode(said),
            usage=usage,
            finish_reason="stop" if outcome.ended else "length",
        )


def _capacity(checkpoint: LoadedModel, *, rows: int | None, cache_bytes: int | None) -> Capacity:
    """Return the limits of what is generated at once, as requested or from the free memory."""
    from econ_env.llm.local.memory import available_bytes
    from econ_env.llm.local.scheduler import Capacity

    device = checkpoint.loop.device
    on_cpu = device.type == "cpu"
    if rows is None:
        rows = SMALL_MODEL_ROWS if checkpoint.small else LARGE_MODEL_ROWS
    if cache_bytes is None:
        cache_bytes = available_bytes(device) // 2
    return Capacity(
        rows=rows,
        positions=cache_bytes // checkpoint.loop.bytes_per_position,
        chunk=CPU_CHUNK if on_cpu else GPU_CHUNK,
    )


def _rows(
    session: _Session, requests: Sequence[ChatRequest], context_limit: int | None
) -> list[DecodeRow | PromptError]:
    """Convert every request to a row, or to its error; equal prompts are encoded once."""
    encoded: dict[tuple[Message, ...], tuple[int, ...] | PromptError] = {}
    rows = []
    for request in requests:
        if request.messages not in encoded:
            encoded[request.messages] = _encode(session.encoder, request.messages)
        rows.append(_row(session, request, encoded[request.messages], context_limit))
    return rows


def _encode(encoder: PromptEncoder, messages: tuple[Message, ...]) -> tuple[int, ...] | PromptError:
    try:
        return encoder.encode(messages)
    except PromptError as error:
        return error


def _grammar(session: _Session, schema: str | None) -> Grammar | None:
    """Return the grammar of a schema; None: free text, as is one that begins inside a thought."""
    if schema is None or session.encoder.opens_thoughts:
        return None
    return session.checkpoint.grammars.of(schema)


def _row(
    session: _Session,
    request: ChatRequest,
    prompt: tuple[int, ...] | PromptError,
    context_limit: int | None,
) -> DecodeRow | PromptError:
    """Convert a request to a row to decode, or to the error that prevents it."""
    from econ_env.llm.local.sampler import DecodeRow

    fault = _fault(request)
    if fault is not None:
        return PromptError(fault)
    if isinstance(prompt, PromptError):
        return prompt
    needed = len(prompt) + request.max_tokens
    if context_limit is not None and needed > context_limit:
        return PromptError(
            f"a prompt of {len(prompt)} tokens and max_tokens={request.max_tokens} need "
            f"{needed} tokens, but the model's context holds {context_limit}"
        )
    try:
        grammar = _grammar(session, request.schema)
    except GrammarError as error:
        return PromptError(str(error))
    return DecodeRow(
        prompt=prompt,
        temperature=request.temperature,
        repetition_penalty=request.repetition_penalty,
        top_p=request.top_p,
        max_tokens=request.max_tokens,
        seed=request.seed,
        grammar=grammar,
    )


def _batches(
    rows: Mapping[int, DecodeRow], *, block: int | None, largest: int
) -> Iterator[list[int]]:
    """Yield the keys of ``rows`` in batches of at most ``largest``.

    Equal prompts are next to each other, so that a batch shares them, and so are similar lengths.
    If a batch would take more than ``block`` positions, its rows have equal padded widths.
    """
    from econ_env.llm.local.decode_loop import padded_width

    batch: list[int] = []
    first_width = most_tokens = 0
    for index in sorted(rows, key=lambda i: (len(rows[i].prompt), rows[i].prompt)):
        width, tokens = padded_width(rows[index].prompt), rows[index].max_tokens
        fits = block is None or width + max(tokens, most_tokens) <= block
        if batch and (len(batch) == largest or not (fits or width == first_width)):
            yield batch
            batch = []
        if not batch:
            first_width, most_tokens = width, 0
        batch.append(index)
        most_tokens = max(most_tokens, tokens)
    if batch:
        yield batch


def _rebuild(
    path: str,
    name: str,
    dtype: DtypeName,
    device: str | None,
    max_batch_rows: int | None,
    cache_bytes: int | None,
    threads: int | None,
) -> LocalModel:
    """Create a model like the pickled one, in the process that unpickles it."""
    return LocalModel(
        path,
        name=name,
        dtype=dtype,
        device=device,
        max_batch_rows=max_batch_rows,
        cache_bytes=cache_bytes,
        threads=threads,
    )


def _fault(request: ChatRequest) -> str | None:
    """Return an error in the sampling settings of ``request``; None: there is none."""
    if not (math.isfinite(request.temperature) and request.temperature >= 0):
        return f"temperature must be finite and at least 0, not {request.temperature}"
    if not (math.isfinite(request.repetition_penalty) and request.repetition_penalty > 0):
        return f"repetition_penalty must be finite and above 0, not {request.repetition_penalty}"
    if not 0 < request.top_p <= 1:
        return f"top_p must be in (0, 1], not {request.top_p}"
    if request.max_tokens < 1:
        return f"max_tokens must be at least 1, not {request.max_tokens}"
    if request.seed < 0:
        return f"seed must be at least 0, not {request.seed}"
    return None
