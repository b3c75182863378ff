"""Questions, their sources, and the order in which they are asked."""

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

    The message names the place (file, row, field) and says what to do.
    """


class OutOfQuestions(EconError):
    """Every question of the source was asked once and the order does not loop."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One item of a data set."""

    id: str
    """Id, unique within its data set and equal in all runs, such as ``gsm8k/test.jsonl:17``."""
    text: str
    """Text that the models read; never empty."""
    gold: str
    """The reference answer as text, as the data set gives it; empty if nobody knows it, so that
    nothing is graded and nothing is paid. Only rewards and grading read it."""
    kind: str = ""
    """Type of the question if the data set has one (subject, structure), else empty."""


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
    """A source whose length is unknown before its end; ``len`` reads it to the end."""

    def available(self, count: int) -> int:
        """Number of existing questions among the first ``count``. Reads no further than needed."""
        ...


STREAM_WINDOW = 1000
"""Number of consecutive questions of a stream that are shuffled together."""


class OrderState(NamedTuple):
    """Position of a :class:`QuestionOrder`; with source, order and seed it fixes what follows."""

    epoch: int
    """Number of complete passes over the source so far."""
    position: int
    """Number of questions already asked in this pass."""


class QuestionOrder:
    """The order in which the questions of one source are asked.

    ``sequential`` asks question 0, 1, 2, ... ``shuffled`` draws without replacement: every pass
    asks every question exactly once, in an order that depends on ``seed`` and the number of the
    pass only, so it is the same on any machine and can be entered at any :attr:`state`.

    A stream is shuffled in windows of :data:`STREAM_WINDOW` consecutive questions, so that asking
    starts before all of it is read. Every pass still asks every question exactly once. If one
    window holds all questions, the order equals that of a source with a length.

    Args:
        source: the questions.
        order: ``"sequential"`` or ``"shuffled"``.
        loop: True to start the next pass after the last question (a shuffled order shuffles anew),
            False to raise :class:`OutOfQuestions` from then on.
        seed: seed of the shuffled orders; ``sequential`` ignores it.

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
        # Checked once: isinstance with a protocol is slow.
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
        """The current position; set it to continue the same sequence from any other point."""
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
        """Return the next question; :class:`OutOfQuestions` at the end of a non-looping order."""
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
        """Return the next ``count`` questions; fewer at the end of a non-looping order."""
        taken: list[Question] = []
        with suppress(OutOfQuestions):
            while len(taken) < count:
                taken.append(self.next())
        return taken

    def _shuffled(self, epoch: int, position: int) -> int:
        start, size = self._window(position)
        if self._shuffle is None or self._shuffle_of != (epoch, start):
            # Sort raw PCG64 output: numpy keeps this stream equal in all its versions, but may
            # change Generator.permutation.
            parts = (epoch, start) if start else (epoch,)
            bits = np.random.PCG64(derive_seed(self.seed, "question order", *parts))
            keys = bits.random_raw(size)
            self._shuffle = np.argsort(keys, kind="stable")
            self._shuffle_of = (epoch, start)
        return start + int(self._shuffle[position - start])

    def _window(self, position: int) -> tuple[int, int]:
        """Start and size of the window of questions in which ``position`` is shuffled."""
        if self._stream is None:
            return 0, len(self.source)
        start = position - position % STREAM_WINDOW
        return start, self._stream.available(start + STREAM_WINDOW) - start

    def has(self, index: int) -> bool:
        """True if the source has question ``index``; a stream is not read to its end."""
        if self._stream is None:
            return index < len(self.source)
        return self._stream.available(index + 1) > index

    def __getstate__(self) -> dict[str, object]:
        """All attributes except the shuffle, which the seed restores."""
        return {**self.__dict__, "_shuffle": None}
