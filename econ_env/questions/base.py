"""What a question is, where questions come from, and in which order they are asked."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from econ_env.errors import EconError
from econ_env.seeds import derive_seed

OrderName = Literal["sequential", "shuffled"]


class QuestionError(EconError):
    """A data set cannot be used: it is unknown, missing, empty or malformed.

    The message says where (file, row, field) and what to do.
    """


class OutOfQuestions(EconError):
    """Every question of the source was asked once and the order does not loop."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One item of a data set."""

    id: str
    """Unique within its data set and stable between runs, for example ``gsm8k/test.jsonl:17``."""
    text: str
    """What the models read. Never empty."""
    gold: str
    """The reference answer as text, as the data set gives it. Only rewards and grading read it."""
    kind: str = ""
    """Type of the question where the data set has one (subject, structure), else empty."""


@runtime_checkable
class QuestionSource(Protocol):
    """A finite data set: equal indices always give equal questions."""

    name: str
    """Short name for logs and results."""

    def __len__(self) -> int:
        """Number of questions."""
        ...

    def __getitem__(self, index: int) -> Question:
        """Question number ``index``, 0 <= index < len(self)."""
        ...


@runtime_checkable
class StreamedSource(QuestionSource, Protocol):
    """A source whose length is not known before its end; ``len`` reads it to there."""

    def available(self, count: int) -> int:
        """How many of the first ``count`` questions there are. Reads no further than needed."""
        ...


STREAM_WINDOW = 1000
"""Questions of a stream that are shuffled among each other."""


class OrderState(NamedTuple):
    """Where a :class:`QuestionOrder` stands; with source, order and seed: what comes next."""

    epoch: int
    """Complete passes over the source so far."""
    position: int
    """Questions already asked in this pass."""


class QuestionOrder:
    """The order in which the questions of one source are asked.

    ``sequential`` asks question 0, 1, 2, ... ``shuffled`` draws without replacement: every pass
    asks every question exactly once, in an order that depends on ``seed`` and the number of the
    pass only, so it is the same on any machine and can be entered at any :attr:`state`.

    A stream is shuffled in windows of :data:`STREAM_WINDOW`: its first questions among each other,
    then the next ones, so that asking starts before all of it is read. Every pass still asks every
    question exactly once; where one window holds all, the order is that of a source with a length.

    Args:
        source: the questions.
        order: ``"sequential"`` or ``"shuffled"``.
        loop: True starts the next pass after the last question (a shuffled order shuffles anew);
            False raises :class:`OutOfQuestions` from then on.
        seed: decides the shuffled orders. Not used by ``sequential``.

    Raises:
        QuestionError: the source is empty.
        ValueError: ``order`` is unknown.
    """

    def __init__(
        self,
        source: QuestionSource,
        *,
        order: OrderName = "sequential",
        loop: bool = True,
        seed: int = 0,
    ) -> None:
        if order not in ("sequential", "shuffled"):
            raise ValueError(f"order must be 'sequential' or 'shuffled', not {order!r}")
        self.source = source
        # Asked once: looking whether an object has a protocol's methods is slow.
        self._stream = source if isinstance(source, StreamedSource) else None
        if not self.has(0):
            raise QuestionError(f"data set {source.name!r} holds no questions")
        self.order = order
        self.loop = loop
        self.seed = seed
        self._state = OrderState(0, 0)
        self._shuffle: npt.NDArray[np.intp] | None = None
        self._shuffle_of = (-1, -1)

    @property
    def state(self) -> OrderState:
        """How far this order is; set it to enter the same sequence at any other point."""
        return self._state

    @state.setter
    def state(self, state: OrderState) -> None:
        epoch, position = state
        is_inside = position == 0 or (position > 0 and self.has(position - 1))
        if epoch < 0 or not is_inside:
            raise ValueError(
                f"no such state {tuple(state)}: the epoch is at least 0 and the position is in "
                f"0..{len(self.source)}"
            )
        self._state = OrderState(epoch, position)

    def next(self) -> Question:
        """The next question. Raises :class:`OutOfQuestions` at the end of a non-looping order."""
        epoch, position = self._state
        if not self.has(position):
            if not self.loop:
                raise OutOfQuestions(
                    f"all {len(self.source)} questions of {self.source.name!r} were asked; "
                    "use loop=True to start again"
                )
            epoch, position = epoch + 1, 0
        index = self._shuffled(epoch, position) if self.order == "shuffled" else position
        self._state = OrderState(epoch, position + 1)
        return self.source[index]

    def take(self, count: int) -> list[Question]:
        """The next ``count`` questions; fewer at the end of a non-looping order."""
        taken: list[Question] = []
        with suppress(OutOfQuestions):
            while len(taken) < count:
                taken.append(self.next())
        return taken

    def _shuffled(self, epoch: int, position: int) -> int:
        start, size = self._window(position)
        if self._shuffle is None or self._shuffle_of != (epoch, start):
            # Sorting raw PCG64 output, because numpy promises this stream for all its versions
            # but lets Generator.permutation change between them.
            parts = (epoch, start) if start else (epoch,)
            bits = np.random.PCG64(derive_seed(self.seed, "question order", *parts))
            keys = bits.random_raw(size)
            self._shuffle = np.argsort(keys, kind="stable")
            self._shuffle_of = (epoch, start)
        return start + int(self._shuffle[position - start])

    def _window(self, position: int) -> tuple[int, int]:
        """Start and size of the stretch of questions that ``position`` is shuffled with."""
        if self._stream is None:
            return 0, len(self.source)
        start = position - position % STREAM_WINDOW
        return start, self._stream.available(start + STREAM_WINDOW) - start

    def has(self, index: int) -> bool:
        """Whether the source has question ``index``, without reading a stream to its end."""
        if self._stream is None:
            return index < len(self.source)
        return self._stream.available(index + 1) > index

    def __getstate__(self) -> dict[str, object]:
        """Everything but the shuffle itself, which the seed restores."""
        return {**self.__dict__, "_shuffle": None}
