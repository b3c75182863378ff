"""Asking several models at the same time, where they compute on other machines.

A call of a model on a server mostly waits, so calls of several such models run side by side, each
in a thread. Models that compute in this process are asked one after the other, in the thread of
the caller: they would only take the processor from each other.

A call that fails, or Ctrl-C, ends all of them: whoever waits for a server registers with
:func:`ends_with_the_others` how it is made to stop. Only after an error that is no breakdown, such
as a spent budget, the others finish first: their answers are paid for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from econ_env.errors import EconError

_T = TypeVar("_T")

_LOOK_S = 1.0
"""Longest wait in one piece: a signal to another thread does not wake this one."""


@runtime_checkable
class Remote(Protocol):
    """A model that may compute on another machine."""

    @property
    def remote(self) -> bool:
        """True if it does: it mostly waits, and may be called from any thread."""
        ...


def is_remote(model: object) -> bool:
    """Return True if calls of ``model`` mostly wait for another machine."""
    return isinstance(model, Remote) and model.remote


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[_T]):
    """One call of a model."""

    make: Callable[[], _T]
    remote: bool
    """True if it mostly waits for another machine."""


def call_all(calls: Sequence[Call[_T]]) -> list[_T]:
    """Make every call; return the results in order. Remote calls run at the same time.

    Raises:
        BaseException: the first one that a call raised; all calls have ended by then.
    """
    away = [index for index, call in enumerate(calls) if call.remote]
    here = [index for index, call in enumerate(calls) if not call.remote]
    if away and not here:
        # This thread can wait as well as another one.
        here.append(away.pop())
    if not away:
        return [call.make() for call in calls]
    shared = _Ending()
    with ThreadPoolExecutor(len(away), thread_name_prefix="econ-models") as pool:
        try:
            futures = {index: pool.submit(shared.run, calls[index].make) for index in away}
            results = {index: shared.run(calls[index].make) for index in here}
            results |= {index: _result(future) for index, future in futures.items()}
        except BaseException as error:
            shared.end(error)
            if shared.cause is error or shared.cause is None:
                raise
            # This call was ended by another one, whose error says what happened.
            raise shared.cause from None
    return [results[index] for index in range(len(calls))]


@contextmanager
def ends_with_the_others(stop: Callable[[], object]) -> Iterator[None]:
    """Have ``stop`` called, in any thread, if a call beside this one has failed."""
    shared = _current.get()
    if shared is None:
        yield
        return
    with shared.watched(stop):
        yield


class _Ending:
    """The common end of some calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: list[Callable[[], object]] = []
        self.cause: BaseException | None = None
        """The first error; None as long as there is none."""
        self._stopped = False

    def run(self, make: Callable[[], _T]) -> _T:
        """Make a call; its error ends the others."""
        token = _current.set(self)
        try:
            return make()
        except BaseException as error:
            self.end(error)
            raise
        finally:
            _current.reset(token)

    def end(self, cause: BaseException) -> None:
        """Note an error; unless it lets others finish, stop all who wait, and those who will."""
        with self._lock:
            if self.cause is None:
                self.cause = cause
            if isinstance(cause, EconError) and cause.lets_others_finish:
                return
            self._stopped = True
            stops = list(self._stops)
        for stop in stops:
            stop()

    @contextmanager
    def watched(self, stop: Callable[[], object]) -> Iterator[None]:
        with self._lock:
            self._stops.append(stop)
            stopped = self._stopped
        try:
            if stopped:
                stop()
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)


_current: ContextVar[_Ending | None] = ContextVar("_current", default=None)


def _result(future: Future[_T]) -> _T:
    """Wait for a result, in pieces."""
    while True:
        try:
            return future.result(timeout=_LOOK_S)
        except NotYet:
            # From Python 3.11 on a call may raise the same class itself.
            if future.done():
                return future.result()
