"""One call of ``generate``: many requests, answered side by side.

One thread makes all decisions: it chooses the requests to send, the ones to retry and when, and
the ones that have failed. The threads of the pool only send and read. The caller only waits, so
Ctrl-C, which can arrive at any moment, never interrupts a decision halfway: the deciding thread
breaks off the requests in flight and leaves nothing behind.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue

from econ_env.llm.api.body import request_body
from econ_env.llm.api.connections import Flight
from econ_env.llm.api.engine import Engine
from econ_env.llm.api.errors import FAILED, RETRIED, Fault, Kind
from econ_env.llm.api.grouping import (
    counts_too_few,
    group_requests,
    shared_usage,
    with_all_counted,
)
from econ_env.llm.api.reply import CHARACTERS_PER_TOKEN, Choice, Reply
from econ_env.llm.api.switching import switches_for
from econ_env.llm.api.waiting import backoff_s, jitter
from econ_env.llm.in_flight import InFlight
from econ_env.llm.incremental import Spend
from econ_env.llm.system_role import fold_system, has_system, refuses_system
from econ_env.llm.types import ChatRequest, Completion, ModelError, Usage

LOOK_S = 0.1
"""Seconds between two searches for overdue attempts."""
HOPELESS = 5
"""Attempts of one request after which a server that has only ever said "500" is given up."""
LONG_PROMPT = 1_000
"""Characters from which a prompt is long enough to see that the server has cut it."""


@dataclass(kw_only=True, slots=True, eq=False)
class _Job:
    """One HTTP request until it is answered or given up."""

    indices: tuple[int, ...]
    """Positions of the chat requests that it answers."""
    request: ChatRequest
    """The first of these chat requests."""
    body: bytes
    left_s: float
    """Seconds that are left of ``request_budget_s``."""
    folded: bool
    """True if ``body`` has the system text in the user's message."""
    refused_system: bool = False
    """True if the server has refused the system message, by its words or by a 400."""
    counted: Usage = field(default_factory=Usage)
    """Part of ``spent`` that ``spend`` has been told."""
    spent: Usage = field(default_factory=Usage)
    """Usage of the attempts that brought no answer."""
    attempts: int = 0
    unusable: int = 0
    first_sent_s: float | None = None
    """Moment of the first attempt, on the clock; None before."""
    sent: bool = False
    """True while an attempt is on its way."""
    retried_for: str | None = None
    """Reason for the last retry; None without any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """Result of one attempt, and its duration."""

    result: Reply | Fault
    took_s: float


OVER_BUDGET = "an attempt brought no answer but cost tokens, and the budget allows no other"


def _difference(more: Usage, less: Usage) -> Usage:
    return Usage(
        prompt_tokens=more.prompt_tokens - less.prompt_tokens,
        completion_tokens=more.completion_tokens - less.completion_tokens,
        cached_tokens=more.cached_tokens - less.cached_tokens,
        requests=more.requests - less.requests,
    )


class RequestBatch:
    """The requests of one call of ``generate``, with their progress."""

    def __init__(
        self, engine: Engine, requests: Sequence[ChatRequest], spend: Spend | None = None
    ) -> None:
        self._engine = engine
        self._spend = spend
        self._settings = engine.settings
        self._requests = requests
        self._unanswered = len(requests)
        self._handed_over: SimpleQueue[tuple[int, Completion] | BaseException] = SimpleQueue()
        self._done: SimpleQueue[tuple[_Job, Future[_Outcome | None]]] = SimpleQueue()
        self._delayed: list[tuple[float, int, _Job]] = []
        self._futures: set[Future[_Outcome | None]] = set()
        self._flights: set[Flight] = set()
        self._open: set[_Job] = set()
        self._lock = threading.Lock()
        self._given_up = threading.Event()
        self._next_look_s = 0.0

    def run(self) -> Iterator[tuple[int, Completion]]:
        """Yield the position and completion of each request, in order of arrival.

        Raises:
            ModelError: the model cannot be used, or was closed in the meantime.
        """
        thread = threading.Thread(target=self._decide, name="econ-api-batch")
        try:
            thread.start()
            for _ in self._requests:
                yield self._wait()
        finally:
            self.give_up()
            while thread.is_alive():
                thread.join()

    def _wait(self) -> tuple[int, Completion]:
        """Wait for the next completion."""
        while True:
            try:
                # Not for ever: a signal to another thread does not wake this one.
                handed_over = self._handed_over.get(timeout=1.0)
            except Empty:
                continue
            if isinstance(handed_over, BaseException):
                raise handed_over
            return handed_over

    def in_flight(self) -> InFlight:
        """Return the requests without an answer; any thread may call this."""
        with self._lock:
            jobs = list(self._open)
        now_s = time.monotonic()
        sent = sum(len(job.indices) for job in jobs if job.sent)
        since_s = [job.first_sent_s for job in jobs if job.first_sent_s is not None]
        return InFlight(
            sent=sent,
            waiting=sum(len(job.indices) for job in jobs) - sent,
            slowest_s=max((now_s - first_s for first_s in since_s), default=0.0),
            retried=Counter(job.retried_for for job in jobs if job.retried_for is not None),
        )

    def give_up(self) -> None:
        """Make :meth:`run` raise soon; any thread may call this."""
        self._given_up.set()
        self._engine.limit.wake()

    def _decide(self) -> None:
        """Answer all requests, or hand over the error that prevents it."""
        with switches_for(min(len(self._requests), self._settings.max_concurrency)):
            self._decide_all()

    def _decide_all(self) -> None:
        try:
            for indices in group_requests(self._requests, self._engine.choices):
                self._start(indices, self._settings.request_budget_s)
            while self._unanswered:
                self._take(*self._next())
        except BaseException as error:  # noqa: BLE001 - it is raised where the caller waits
            self.give_up()
            self._break_off()
            self._handed_over.put(error)

    # --- sending ------------------------------------------------------------------------------

    def _start(self, indices: tuple[int, ...], left_s: float, spent: Usage = Usage()) -> None:  # noqa: B008
        request = self._requests[indices[0]]
        folded = self._engine.takes_system is False
        try:
            body = self._body(request, len(indices), folded=folded)
        except ValueError as error:
            for index in indices:
                name = self._engine.address.name
                self._finish(index, Completion.failure(f"{name}: {error}", spent))
            return
        job = _Job(
            indices=indices,
            request=request,
            body=body,
            left_s=left_s,
            folded=folded,
            spent=spent,
            counted=spent,
        )
        if left_s > 0:
            self._submit(job)
        else:
            self._fail(job, f"no answer within {self._settings.request_budget_s:g} s")

    def _body(self, request: ChatRequest, choices: int, *, folded: bool) -> bytes:
        address = self._engine.address
        if folded:
            request = replace(request, messages=tuple(fold_system(request.messages)))
        return request_body(
            request,
            model=address.model,
            profile=address.profile,
            settings=self._settings,
            choices=choices,
        )

    def _submit(self, job: _Job) -> None:
        with self._lock:
            self._open.add(job)
        future = self._engine.pool.submit(self._attempt, job)
        self._futures.add(future)
        future.add_done_callback(lambda done: self._done.put((job, done)))

    def _attempt(self, job: _Job) -> _Outcome | None:
        """Wait for a place, send and read, in a thread of the pool; return None once given up."""
        limit = self._engine.limit
        ticket = limit.enter(self._given_up)
        if ticket is None:
            return None
        throttled = answered = False
        start_s = time.monotonic()
        if job.first_sent_s is None:
            job.first_sent_s = start_s
        job.sent = True
        answer_s = self._settings.read_timeout_s
        longest_s = self._settings.connect_timeout_s + answer_s
        flight = Flight(start_s + min(longest_s, job.left_s), answer_s)
        with self._lock:
            self._flights.add(flight)
        try:
            if self._given_up.is_set():
                return None
            result = self._engine.attempt(
                job.request,
                job.body,
                choices=len(job.indices),
                flight=flight,
                limit_s=job.left_s,
            )
            answered = isinstance(result, Reply)
            throttled = isinstance(result, Fault) and result.kind is Kind.THROTTLED
            return _Outcome(result=result, took_s=time.monotonic() - start_s)
        finally:
            job.sent = False
            with self._lock:
                self._flights.discard(flight)
            limit.leave(ticket, throttled=throttled, answered=answered)

    def _next(self) -> tuple[_Job, _Outcome]:
        """Wait for the next outcome; meanwhile send due retries and break off overdue attempts."""
        while True:
            now_s = time.monotonic()
            while self._delayed and self._delayed[0][0] <= now_s:
                self._submit(heapq.heappop(self._delayed)[2])
            if now_s >= self._next_look_s:
                self._next_look_s = now_s + LOOK_S
                for flight in self._under_way():
                    flight.expire(now_s)
            due_s = min(self._next_look_s, self._delayed[0][0] if self._delayed else now_s + LOOK_S)
            try:
                job, future = self._done.get(timeout=max(0.0, due_s - now_s))
            except Empty:
                outcome = None
            else:
                self._futures.discard(future)
                outcome = future.result()
            if self._given_up.is_set():
                raise ModelError(f"{self._engine.address.name} was closed while it was asked")
            if outcome is not None:
                return job, outcome

    # --- what came back -----------------------------------------------------------------------

    def _take(self, job: _Job, outcome: _Outcome) -> None:
        with self._lock:
            self._open.discard(job)
        job.attempts += 1
        job.left_s -= outcome.took_s
        job.spent += Usage(requests=1)
        result = outcome.result
        engine = self._engine
        if isinstance(result, Reply):
            engine.reached, engine.only_errors = True, False
            if has_system(job.request.messages):
                engine.learn_system(folded=job.folded, sure=job.refused_system)
            engine.answered()
            self._take_reply(job, result)
            return
        if result.usage is not None:
            job.spent += result.usage
        if result.kind is not Kind.UNREACHABLE:
            engine.reached = True
            engine.only_errors = engine.only_errors and result.status == 500
        if self._may_refuse_system(job, result):
            self._without_system(job, result)
        elif result.kind in RETRIED:
            self._again(job, result)
        elif result.kind is Kind.REFUSED and len(job.indices) > 1:
            # Perhaps the server refuses the number of answers.
            self._engine.choices = 1
            self._one_by_one(job, job.indices, [job.spent])
        elif result.kind in FAILED:
            if result.kind is Kind.REFUSED:
                self._engine.refused(result)
            self._fail(job, f"{result.kind.value} ({result.words})")
        else:
            raise self._engine.error(result)

    def _may_refuse_system(self, job: _Job, fault: Fault) -> bool:
        """Return True if the system message may be the reason for a fault, and can be left out."""
        if job.folded or self._engine.takes_system or not has_system(job.request.messages):
            return False
        if fault.status not in (400, 422, 500) or fault.kind is Kind.TOO_LONG:
            return False
        if refuses_system(fault.words) or self._engine.takes_system is False:
            return True
        if fault.kind is Kind.REFUSED:
            return len(job.indices) == 1
        # A breakdown may pass: the same request is sent once more before.
        return fault.status == 500 and job.attempts > 1

    def _without_system(self, job: _Job, fault: Fault) -> None:
        """Send a job again with the system text in the user's message."""
        job.folded = True
        job.refused_system = fault.kind is Kind.REFUSED or refuses_system(fault.words)
        job.body = self._body(job.request, len(job.indices), folded=True)
        self._again(job, replace(fault, kind=Kind.UNAVAILABLE))

    def _warn(self, job: _Job, reply: Reply) -> None:
        """Log, once each, what a person should know about this server."""
        if reply.usage is None:
            self._engine.tell(
                logging.WARNING,
                "usage",
                "the server counts no tokens, so they are estimated from the length of the texts",
            )
        else:
            sent = sum(len(message.content) for message in job.request.messages)
            counted = reply.usage.prompt_tokens
            if sent >= LONG_PROMPT and sent > CHARACTERS_PER_TOKEN * max(counted, 1):
                self._engine.tell(
                    logging.WARNING,
                    "cut prompt",
                    f"the server counts {counted} tokens in a prompt of {sent} characters: it has "
                    "probably cut the prompt. Raise its context length",
                )
        if any(isinstance(choice, Choice) and choice.thought == "cut" for choice in reply.choices):
            self._engine.tell(
                logging.WARNING,
                "thought",
                f"a reply reached its limit of {job.request.max_tokens} tokens inside a thought, "
                "so there is nothing to read in it: `econ-env doctor` says how to switch thinking "
                "off, or how many tokens to allow",
            )

    def _take_reply(self, job: _Job, reply: Reply) -> None:
        reply = self._engine.with_marked_thoughts(reply)
        self._warn(job, reply)
        if counts_too_few(reply):
            self._engine.tell(
                logging.WARNING,
                "uncounted answers",
                "the server does not count the tokens of all answers to a request with n: they are "
                "estimated this once, and further answers are asked for one by one",
            )
            # One by one, they are counted exactly.
            self._engine.choices = 1
            reply = with_all_counted(reply)
        shares = list(shared_usage(reply, [message.content for message in job.request.messages]))
        shares[0] += job.spent
        if len(job.indices) == 1 and isinstance(reply.choices[0], Fault):
            job.spent = shares[0]
            self._take_fault_of_choice(job, reply.choices[0])
            return
        if len(job.indices) > 1 and reply.sent == 1:
            # This server ignores n.
            self._engine.choices = 1
        missing: list[int] = []
        owed: list[Usage] = []
        for index, choice, share in zip(job.indices, reply.choices, shares, strict=True):
            if isinstance(choice, Choice):
                self._finish(
                    index,
                    Completion(text=choice.text, usage=share, finish_reason=choice.finish_reason),
                )
            elif choice.kind in FAILED:
                self._finish(index, self._failure(f"{choice.kind.value} ({choice.words})", share))
            else:
                missing.append(index)
                owed.append(share)
        self._one_by_one(job, missing, owed)

    def _take_fault_of_choice(self, job: _Job, fault: Fault) -> None:
        if fault.kind in FAILED:
            self._fail(job, f"{fault.kind.value} ({fault.words})")
        else:
            self._again(job, fault)

    def _one_by_one(self, job: _Job, indices: Sequence[int], spent: Sequence[Usage]) -> None:
        """Ask again for single answers of a group; ``spent`` holds the usage of each so far."""
        for position, index in enumerate(indices):
            so_far = spent[position] if position < len(spent) else Usage()
            counted = job.counted if index == job.indices[0] else Usage()
            if self._affordable(index, _difference(so_far, counted)):
                self._start((index,), job.left_s, so_far)
            else:
                self._finish(index, self._failure(OVER_BUDGET, so_far))

    def _again(self, job: _Job, fault: Fault) -> None:
        """Send a job again after a pause, if its budget allows it."""
        settings = self._settings
        if fault.kind is Kind.UNUSABLE:
            job.unusable += 1
            if job.unusable >= settings.max_unusable_replies:
                self._fail(job, f"{job.unusable} answers were not usable; the last: {fault.words}")
                return
        seed = job.request.seed
        base_s = settings.backoff_base_s
        wait_s = backoff_s(job.attempts, base_s=base_s, max_s=settings.backoff_max_s, seed=seed)
        if fault.wait_s is not None:
            # A little longer than asked; otherwise all requests would come back at the same moment.
            wait_s = max(wait_s, fault.wait_s + base_s * jitter(seed, job.attempts))
        if fault.kind is Kind.UNREACHABLE and not self._engine.reached:
            # The server has never answered: the address is probably wrong.
            self._engine.tell(logging.WARNING, "unreachable", f"no connection yet ({fault.words})")
            tried_s = settings.request_budget_s - job.left_s
            if tried_s >= settings.connect_timeout_s or wait_s >= job.left_s:
                raise self._engine.error(fault)
        if wait_s >= job.left_s:
            asked = "" if fault.wait_s is None else f", and asks to wait {fault.wait_s:.3g} s"
            self._fail(
                job,
                f"no answer within {settings.request_budget_s:g} s ({job.attempts} attempts); the "
                f"last: {fault.words}{asked}",
            )
            return
        if fault.status == 500 and self._engine.only_errors and job.attempts >= HOPELESS:
            raise self._engine.error(fault)
        if not self._affordable(job.indices[0], _difference(job.spent, job.counted)):
            self._fail(job, OVER_BUDGET)
            return
        job.counted = job.spent
        self._engine.retrying(job.attempts, fault, wait_s)
        job.retried_for = fault.reason
        with self._lock:
            self._open.add(job)
        job.left_s -= wait_s
        due_s = time.monotonic() + wait_s
        heapq.heappush(self._delayed, (due_s, job.indices[0], job))

    def _fail(self, job: _Job, words: str) -> None:
        for position, index in enumerate(job.indices):
            usage = job.spent if position == 0 else Usage()
            self._finish(index, self._failure(words, usage))

    def _failure(self, words: str, usage: Usage) -> Completion:
        return Completion.failure(f"{self._engine.address.name}: {words}", usage)

    def _affordable(self, index: int, usage: Usage) -> bool:
        """Report the cost of attempts without an answer; return True if another may be sent."""
        return self._spend is None or not usage.total_tokens or self._spend(index, usage)

    def _finish(self, index: int, completion: Completion) -> None:
        self._unanswered -= 1
        self._handed_over.put((index, completion))

    # --- the end ------------------------------------------------------------------------------

    def _under_way(self) -> list[Flight]:
        with self._lock:
            return list(self._flights)

    def _break_off(self) -> None:
        """Break off all attempts in flight, and wait until they have ended."""
        running = [future for future in self._futures if not future.cancel()]
        while True:
            for flight in self._under_way():
                flight.abort()
            waiting = wait(running, timeout=0.05).not_done
            with self._lock:
                if not waiting and not self._flights:
                    return
