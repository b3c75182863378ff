"""Budgets for requests to models: number of requests, tokens and cost.

A request is sent only if it cannot cross a limit: its upper bound (the tokens of its prompt and
``max_tokens``) is reserved first, and replaced by its actual usage when its answer arrives. As many
requests of a batch are sent together as surely fit; the rest follows when the first answers have
shown how much is left. When not even one fits, :class:`BudgetExceeded` is raised; the answers
received so far were already handed over (:mod:`econ_env.llm.incremental`), so a cache has them.

The limits apply to what models report, attempts without a usable answer included: these are counted
as they happen, and repeated only if the budget has room for another. A model that reports more than
was reserved can cross a limit with that one report; then nothing is sent any more, and what is in
flight is broken off. Cost that is never reported (of an answer that got lost) cannot be counted.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from econ_env.llm.budget.prices import Price
from econ_env.llm.forwarding import ForwardingModel
from econ_env.llm.incremental import Answers, Feed, answers_of, completions_of, streams
from econ_env.llm.types import ChatModel, ChatRequest, Completion, ModelError, Usage


class BudgetExceeded(ModelError):
    """The next request could cross a limit, so it was not sent."""

    exit_code = 1
    lets_others_finish = True


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetLimits:
    """Limits of a budget; None: no limit.

    Raises:
        ValueError: a limit is not above 0.
    """

    max_requests: int | None = None
    """Largest number of requests to models. Retries do not count. If a client fetches several
    answers in one HTTP request, each counts."""
    max_total_tokens: int | None = None
    """Largest number of tokens, of prompts and completions together."""
    max_cost_usd: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_requests", "max_total_tokens"):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (whole and value >= 1):
                raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
        cost = self.max_cost_usd
        number = isinstance(cost, (int, float)) and not isinstance(cost, bool)
        if cost is not None and not (number and 0 < cost < float("inf")):
            raise ValueError(f"max_cost_usd must be a number above 0, got {cost!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """Amounts spent. Two of them add up with ``+``."""

    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            requests=self.requests + other.requests,
            tokens=self.tokens + other.tokens,
            cost_usd=self.cost_usd + other.cost_usd,
        )


LONGEST_TOKEN = 16
"""Characters of a completion that count as one token at least, whatever its model reports."""

_ONE = Spending(requests=1)
_NOTHING = Spending()
_UNLIMITED = BudgetLimits()


@dataclass(kw_only=True)
class _Books:
    """Running counts of a budget; guarded by its lock."""

    spent: Spending = field(default_factory=Spending)
    reserved: dict[int, Spending] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    tickets: int = 0

    def reserve(self, costs: Sequence[Spending]) -> list[int]:
        """Reserve at most these costs for requests about to be sent; return a ticket for each."""
        tickets = list(range(self.tickets + 1, self.tickets + len(costs) + 1))
        self.tickets += len(costs)
        self.spent += Spending(requests=len(costs))
        self.reserved.update(zip(tickets, costs, strict=True))
        return tickets

    @property
    def committed(self) -> Spending:
        """Amounts spent, plus the reservations of requests in flight."""
        return sum(self.reserved.values(), self.spent)


class Budget:
    """Counts the usage of models, and decides how much of a batch may be sent. Thread-safe.

    Args:
        limits: limits of the budget; None: no limits.
        prices: by model name; every model needs one if ``max_cost_usd`` is set. Models without a
            price count as free.
    """

    def __init__(
        self, limits: BudgetLimits | None = None, prices: Mapping[str, Price] | None = None
    ) -> None:
        self.limits = limits or BudgetLimits()
        self._prices = dict(prices or {})
        self._books = _Books()
        self._changed = threading.Condition()

    @property
    def spent(self) -> Spending:
        """Amounts spent so far; of requests in flight only their number is included."""
        with self._changed:
            return self._books.spent

    @property
    def usage(self) -> Usage:
        """The sum of what models reported."""
        with self._changed:
            return self._books.usage

    @property
    def unlimited(self) -> bool:
        """True if there are no limits."""
        return self.limits == _UNLIMITED

    @property
    def bounds_tokens(self) -> bool:
        """True if a limit depends on the possible length of a request."""
        return self.limits.max_total_tokens is not None or self.limits.max_cost_usd is not None

    def admit(self, model: str, bounds: Sequence[Usage]) -> list[int]:
        """Reserve as many of the first requests as surely fit.

        Waits while reservations of other threads keep the first request from fitting.

        Args:
            model: name of the model.
            bounds: upper bound of the usage of each request; at least one.

        Returns:
            A ticket for each request that may go out, for :meth:`settle`; at least one.

        Raises:
            BudgetExceeded: the first request does not fit.
        """
        if self.unlimited:
            # Without limits nothing needs to be added up: thousands of requests a second pass here.
            with self._changed:
                return self._books.reserve([_NOTHING] * len(bounds))
        costs = [self._cost(model, bound) for bound in bounds]
        with self._changed:
            books = self._books
            while self._crossed(books.committed + _ONE + costs[0]) and books.reserved:
                self._changed.wait()
            committed = books.committed
            limit = self._crossed(committed + _ONE + costs[0])
            if limit is not None:
                raise self._exceeded(limit, model, costs[0])
            fitting = 0
            for cost in costs:
                committed += _ONE + cost
                if self._crossed(committed) is not None:
                    break
                fitting += 1
            return books.reserve(costs[:fitting])

    def spend(self, model: str, usage: Usage) -> bool:
        """Count an attempt without an answer; return True if its reservation still fits."""
        taken = self._cost(model, usage)
        with self._changed:
            self._books.usage += usage
            self._books.spent += taken
            return self._crossed(self._books.committed) is None

    def check(self, model: str) -> None:
        """Raise :class:`BudgetExceeded` if what models reported has crossed a limit."""
        if self.unlimited:
            return
        with self._changed:
            limit = self._crossed(self._books.spent)
            if limit is not None:
                raise BudgetExceeded(
                    f"{limit}={getattr(self.limits, limit)} is crossed: {model!r} reports more "
                    f"than it was asked for, so nothing more is sent. {self._so_far()}"
                )

    def settle(self, ticket: int, model: str, usage: Usage, *, charged: Usage) -> None:
        """Replace the reservation of a request by its actual usage.

        Args:
            ticket: ticket of the request.
            model: name of the model.
            usage: usage that the model reported, without attempts that :meth:`spend` has counted.
            charged: usage that counts against the limits, likewise.
        """
        taken = self._cost(model, charged)
        with self._changed:
            del self._books.reserved[ticket]
            self._books.usage += usage
            self._books.spent += taken
            self._changed.notify_all()

    def release(self, tickets: Sequence[int]) -> None:
        """Cancel the reservations of requests that were not answered."""
        with self._changed:
            for ticket in tickets:
                del self._books.reserved[ticket]
            self._changed.notify_all()

    def _cost(self, model: str, usage: Usage) -> Spending:
        price = self._prices.get(model)
        return Spending(
            tokens=usage.total_tokens,
            cost_usd=0.0 if price is None else price.cost_usd(usage),
        )

    def _crossed(self, after: Spending) -> str | None:
        """Return the name of the limit that this spending would cross; None: no limit."""
        limits = self.limits
        if limits.max_requests is not None and after.requests > limits.max_requests:
            return "max_requests"
        if limits.max_total_tokens is not None and after.tokens > limits.max_total_tokens:
            return "max_total_tokens"
        if limits.max_cost_usd is not None and after.cost_usd > limits.max_cost_usd:
            return "max_cost_usd"
        return None

    def _exceeded(self, limit: str, model: str, cost: Spending) -> BudgetExceeded:
        most = {
            "max_requests": "",
            "max_total_tokens": f" may take up to {cost.tokens} tokens",
            "max_cost_usd": f" may cost up to ${cost.cost_usd:.6f}",
        }[limit]
        return BudgetExceeded(
            f"{limit}={getattr(self.limits, limit)} does not allow the next request, of "
            f"{model!r}{most and ', which' + most}. {self._so_far()}"
        )

    def _so_far(self) -> str:
        spent = self._books.spent
        paid = f", ${spent.cost_usd:.6f}" if self._prices else ""
        return (
            f"Spent: {spent.requests} requests, {spent.tokens} tokens{paid}. To go on, run again "
            "with a higher limit; with cache='read_write' requests that were answered are not "
            "sent again."
        )


class LimitedModel(ForwardingModel):
    """A :class:`~econ_env.llm.types.ChatModel` that sends only requests that a budget allows.

    Several models, environments and threads may share one budget.

    Args:
        model: the model that answers.
        budget: the budget that its usage counts against.
    """

    def __init__(self, model: ChatModel, budget: Budget) -> None:
        super().__init__(model.name, lambda: model)
        self._budget = budget

    def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
        """Answer every request; yield each completion as soon as it arrives.

        Raises:
            BudgetExceeded: the next request could not be sent, or a model reports so much more
                than was reserved for it that a limit is crossed.
        """
        bounds = [self._bound(request) for request in requests]
        told: dict[int, Usage] = {}
        start = 0

        def spend(index: int, usage: Usage) -> bool:
            told[start + index] = told.get(start + index, Usage()) + usage
            return self._budget.spend(self.name, usage)

        while start < len(requests):
            tickets = self._budget.admit(self.name, bounds[start:])
            open_tickets = dict(enumerate(tickets))
            sent = requests[start : start + len(tickets)]
            try:
                with closing(completions_of(self._model, sent, spend)) as answered:
                    for index, completion in answered:
                        before = told.get(start + index, Usage())
                        usage = _without(completion.usage, before)
                        charged = _charged(completion, usage, bounds[start + index])
                        ticket = open_tickets.pop(index)
                        self._budget.settle(ticket, self.name, usage, charged=charged)
                        yield start + index, completion
                        if open_tickets:
                            self._budget.check(self.name)
            finally:
                self._budget.release(list(open_tickets.values()))
            start += len(tickets)

    @property
    def streams(self) -> bool:
        """True if the model takes requests while it answers others, and there are no limits.

        Under a limit, each answer decides how many further requests may be sent.
        """
        return self._budget.unlimited and streams(self._model)

    def answer(self, feed: Feed) -> Answers:
        """Answer the requests of ``feed`` and count their usage; only without limits."""
        open_tickets: dict[int, int] = {}
        count = 0

        def counted() -> Sequence[ChatRequest]:
            nonlocal count
            requests = feed()
            if requests:
                tickets = self._budget.admit(self.name, [Usage()] * len(requests))
                open_tickets.update(enumerate(tickets, start=count))
                count += len(requests)
            return requests

        try:
            with closing(answers_of(self._model, counted)) as answered:
                for position, completion in answered:
                    ticket = open_tickets.pop(position)
                    usage = completion.usage
                    self._budget.settle(ticket, self.name, usage, charged=usage)
                    yield position, completion
        finally:
            self._budget.release(list(open_tickets.values()))

    def _bound(self, request: ChatRequest) -> Usage:
        """Return the upper bound of a request's usage; zero if no limit depends on tokens."""
        if not self._budget.bounds_tokens:
            return Usage()
        frame = self.tokens_per_message
        prompt = sum(self.count_tokens(message.content) + frame for message in request.messages)
        return Usage(prompt_tokens=prompt, completion_tokens=request.max_tokens)


def _charged(completion: Completion, usage: Usage, bound: Usage) -> Usage:
    """Return the reported ``usage``, or its upper bound if the model reported none.

    A text without nearly enough tokens counts one for every :data:`LONGEST_TOKEN` characters.
    """
    if completion.error is None and not usage.total_tokens:
        return bound
    written = max(usage.completion_tokens, len(completion.text) // LONGEST_TOKEN)
    return replace(usage, completion_tokens=written)


def _without(usage: Usage, part: Usage) -> Usage:
    """Return ``usage`` without the part of it that was counted before."""
    return Usage(
        prompt_tokens=max(0, usage.prompt_tokens - part.prompt_tokens),
        completion_tokens=max(0, usage.completion_tokens - part.completion_tokens),
        cached_tokens=max(0, usage.cached_tokens - part.cached_tokens),
        requests=max(0, usage.requests - part.requests),
    )
