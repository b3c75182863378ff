"""Run a comparison: tune, answer missing questions, repeat failed ones, keep the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from benchmarks.comparison.budget_match import (
    Knob,
    knob_of,
    match_budget,
    pilot_size,
    tokens_of,
)
from benchmarks.comparison.econ import first_round_votes
from benchmarks.comparison.method import Method
from benchmarks.comparison.records import Item, Record
from benchmarks.comparison.specs import EconSpec, FirstRoundVoteSpec, Spec, parse_spec
from benchmarks.comparison.store import Records
from benchmarks.comparison.tuning import TunableSpec, Tuned, Tuning, open_spec, tune
from benchmarks.comparison.waiting import opened_waiting
from econ_agents.logging.progress import opened_progress
from econ_env.game.failures import FailureWatch
from econ_env.llm.in_flight import InFlight
from econ_env.questions.base import Question

Build = Callable[[Spec, int], Method]
"""Function that builds the method of a spec for a run seed."""


class Choices(Protocol):
    """Storage for the choices of the tuning and of the budget match."""

    def tuned(self, spec: str) -> Tuned | None:
        """Return the choice of the tuning for ``spec``; None if not chosen."""

    def keep_tuned(self, tuned: Tuned) -> None:
        """Remember a choice."""

    def matched(self, spec: str, target: str) -> str | None:
        """Return the spec chosen for ``spec`` to cost as much as ``target``; None if not chosen."""

    def keep_matched(self, spec: str, target: str, chosen: str) -> None:
        """Remember a choice."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A method as the user listed it."""

    spec: Spec
    knob: Knob | None = None
    """Setting that the budget match chooses, or None."""
    tunable: TunableSpec | None = None
    """The method, if its sampling is to be tuned; else None."""
    votes_of_open: bool = False
    """True for a vote of another method's responses whose sampling is to be tuned."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Methods, seeds and questions of a comparison."""

    entries: tuple[Entry, ...]
    seeds: tuple[int, ...]
    questions: tuple[Question, ...]
    in_flight: int
    """Number of questions that are answered at the same time and stored together."""
    max_failures_in_a_row: int | None
    """Number of failed questions in a row that ends the comparison; None: no limit."""
    target: Spec | None = None
    """Method, one of ``entries``, whose tokens are matched; None without a budget match."""
    tuning: Tuning | None = None
    """Validation questions and grid; None plays every method as it was written."""

    def first_setting(self, entry: Entry) -> Spec:
        """Return the spec that a method begins with, in the tuning if it is tuned."""
        if self.tuning is None or entry.tunable is None:
            return entry.spec
        return self.tuning.start_of(entry.tunable)


def plan_entries(
    methods: Sequence[str], target: str | None, *, tune: bool = False
) -> tuple[Entry, ...]:
    """Return the methods of a command line.

    With a target, the budget match chooses the number of every method that leaves it open; with
    ``tune``, the tuning chooses the sampling of every method that leaves it open.

    Raises:
        SpecError: a text is not a method.
    """
    return tuple(
        Entry(
            spec=parse_spec(text),
            knob=None if target is None else knob_of(text),
            tunable=open_spec(text) if tune else None,
            votes_of_open=tune and _votes_of_open(text),
        )
        for text in dict.fromkeys(methods)
    )


def _votes_of_open(text: str) -> bool:
    name, _, settings = text.partition(":")
    of = settings.partition("=")[2].strip() or EconSpec.name
    return name.strip() == FirstRoundVoteSpec.name and open_spec(of) is not None


class Run:
    """A comparison under way.

    Args:
        plan: methods, seeds and questions.
        build: function that builds methods.
        records: storage of records; a question with a record is repeated only if it failed.
        choices: storage of the choices of the tuning and of the budget match.
        say: called with messages for the user about these choices.
        in_flight: returns the requests in flight, for a display that tells what is waited for.
    """

    def __init__(
        self,
        plan: Plan,
        build: Build,
        records: Records,
        choices: Choices,
        say: Callable[[str], object],
        in_flight: Callable[[], InFlight] = InFlight,
    ) -> None:
        self._plan = plan
        self._build = build
        self._records = records
        self._choices = choices
        self._say = say
        self._in_flight = in_flight
        self._specs: dict[Entry, Spec] = {}
        self._tuned: dict[str, Tuned] = {}
        self._watch = FailureWatch(plan.max_failures_in_a_row)

    def play(self) -> None:
        """Answer all missing questions; repeat failed ones once.

        Raises:
            ModelError: a model cannot be used, or no longer, or nothing succeeds. The records so
                far are kept.
        """
        plan = self._plan
        for entry in plan.entries:
            if entry.tunable is not None and plan.tuning is not None:
                self._tuned[entry.spec.canonical] = self._tune(entry.tunable, plan.tuning)
        # The target comes first. An entry with a knob may have the target's spec, but is not it.
        entries = sorted(
            plan.entries, key=lambda entry: entry.spec != plan.target or entry.knob is not None
        )
        for entry in entries:
            self._specs[entry] = spec = self._settled(entry)
            self._answer(spec, plan.questions)
        for spec in dict.fromkeys(self._specs.values()):
            self._answer(spec, plan.questions)

    @property
    def specs(self) -> tuple[Spec, ...]:
        """Methods as played, in the plan's order, without those that have not begun."""
        found = [self._specs[entry] for entry in self._plan.entries if entry in self._specs]
        return tuple(dict.fromkeys(found))

    def as_played(self, spec: Spec) -> Spec:
        """Return the spec that a method of the plan is played with, once it has begun."""
        # Of equal ones, that whose settings are left open: it was named without them, too.
        entries = sorted(self._specs, key=lambda entry: not (entry.knob or entry.tunable))
        return next((self._specs[entry] for entry in entries if entry.spec == spec), spec)

    @property
    def target(self) -> Spec | None:
        """Method whose tokens are matched, as played; None without a budget match."""
        return None if self._plan.target is None else self._tuned_spec(self._plan.target)

    @property
    def matched(self) -> tuple[Spec, ...]:
        """Members of ``specs`` that the budget match has chosen."""
        return tuple(
            dict.fromkeys(spec for entry, spec in self._specs.items() if entry.knob is not None)
        )

    @property
    def tuned(self) -> tuple[Tuned, ...]:
        """Choices of the tuning so far, in the plan's order."""
        return tuple(self._tuned.values())

    def results(self) -> list[Record]:
        """Return the records of ``specs`` so far, and the votes made of them."""
        plan = self._plan
        found = []
        for spec in self.specs:
            if isinstance(spec, FirstRoundVoteSpec):
                found += first_round_votes(self._of(parse_spec(spec.of), plan.questions), spec)
            else:
                found += self._of(spec, plan.questions)
        return found

    def _settled(self, entry: Entry) -> Spec:
        """Return the spec of an entry, tuned, with the number that the budget match chooses."""
        follows_tuning = entry.tunable is not None or entry.votes_of_open
        spec = self._tuned_spec(entry.spec) if follows_tuning else entry.spec
        target = self.target
        if entry.knob is None or target is None:
            return spec
        knob = entry.knob.of(spec)
        names = spec.canonical, target.canonical
        kept = self._choices.matched(*names)
        if kept is not None:
            return parse_spec(kept)
        pilot = self._plan.questions[: pilot_size(len(self._plan.questions))]

        def ask(tried: Spec) -> list[Record]:
            self._answer(tried, pilot)
            return self._of(tried, pilot)

        tokens = tokens_of(self._of(target, self._plan.questions))
        chosen = match_budget(knob, tokens, ask)
        self._choices.keep_matched(*names, chosen.canonical)
        self._say(
            f"{names[0]} is played with {knob.setting(chosen)}: nearest to the tokens of "
            f"{names[1]} on a pilot of {len(pilot)} questions"
        )
        return chosen

    def _tuned_spec(self, spec: Spec) -> Spec:
        """Return a spec with the sampling that the tuning chose, if it did."""
        if isinstance(spec, FirstRoundVoteSpec):
            return replace(spec, of=self._tuned_spec(parse_spec(spec.of)).canonical)
        tuned = self._tuned.get(spec.canonical)
        return spec if tuned is None else parse_spec(tuned.chosen)

    def _tune(self, spec: TunableSpec, tuning: Tuning) -> Tuned:
        """Choose the best setting of a method on the validation questions, if it is not chosen."""
        kept = self._choices.tuned(spec.canonical)
        if kept is not None:
            return kept
        seeds = tuning.seeds_of(spec)

        def ask(tried: TunableSpec) -> list[Record]:
            self._answer(tried, tuning.questions, seeds)
            return self._of(tried, tuning.questions, seeds)

        tuned = tune(spec, tuning, ask)
        self._choices.keep_tuned(tuned)
        self._say(
            f"{tuned.method} is played as {tuned.chosen}: the best of {len(tuned.trials)} settings "
            f"on {len(tuning.questions)} validation questions ({tuned.calls:,} calls)"
        )
        return tuned

    def _answer(
        self, spec: Spec, questions: Sequence[Question], seeds: Sequence[int] | None = None
    ) -> None:
        """Answer the questions without a record, or with that of a failure."""
        if isinstance(spec, FirstRoundVoteSpec):
            return
        for seed in self._plan.seeds if seeds is None else seeds:
            missing = [
                Item(question=question, run_seed=seed)
                for question in questions
                if (record := self._records.get((spec.canonical, seed, question.id))) is None
                or record.failed is not None
            ]
            if missing:
                self._answer_items(spec, seed, missing)

    def _answer_items(self, spec: Spec, seed: int, items: Sequence[Item]) -> None:
        method = self._build(spec, seed)
        name = f"{spec.canonical}, seed {seed}"
        with (
            opened_progress(description=name, total=len(items), unit="question") as progress,
            opened_waiting(progress, self._in_flight) as waiting,
        ):
            for start in range(0, len(items), self._plan.in_flight):
                batch = items[start : start + self._plan.in_flight]
                answered = list(method.answer(batch, waiting.phase))
                self._records.add(answered)
                waiting.advance(len(batch))
                self._watch.note(record.failed for record in answered)

    def _of(
        self, spec: Spec, questions: Sequence[Question], seeds: Sequence[int] | None = None
    ) -> list[Record]:
        """Return a method's existing records, by seed and in the order of the questions."""
        found = [
            self._records.get((spec.canonical, seed, question.id))
            for seed in (self._plan.seeds if seeds is None else seeds)
            for question in questions
        ]
        return [record for record in found if record is not None]
