"""Tests of a run: it answers missing questions, repeats failed ones and matches tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from benchmarks.comparison.grading import failure, graded
from benchmarks.comparison.records import Bill, Item, Record, Round, Solution
from benchmarks.comparison.run import Plan, Run, plan_entries
from benchmarks.comparison.specs import DebateSpec, SelfConsistencySpec, Spec, parse_spec
from benchmarks.comparison.store import Memory
from benchmarks.comparison.tuning import Tuned
from econ_env.game.failures import NothingSucceeds
from econ_env.llm.types import ModelError, Usage
from econ_env.questions.base import Question

QUESTIONS = tuple(Question(id=f"q:{i}", text=f"{i}?", gold=str(i)) for i in range(5))


class Choices(dict[tuple[str, str], str]):
    """Choices of the budget match and of the tuning, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Tuned] = {}

    def tuned(self, spec: str) -> Tuned | None:
        return self.kept.get(spec)

    def keep_tuned(self, tuned: Tuned) -> None:
        self.kept[tuned.method] = tuned

    def matched(self, spec: str, target: str) -> str | None:
        return self.get((spec, target))

    def keep_matched(self, spec: str, target: str, chosen: str) -> None:
        self[spec, target] = chosen


class Office:
    """Builder of methods that answer everything right at a given cost, with a log of the items.

    Args:
        fails: returns True if the n-th attempt (from 0) at an item fails.
    """

    def __init__(self, fails: Callable[[str, Item, int], bool] = lambda *_: False) -> None:
        self.fails = fails
        self.asked: list[tuple[str, int, str]] = []
        self.batches: list[int] = []

    def build(self, spec: Spec, seed: int) -> Clerk:
        return Clerk(self, spec)


class Clerk:
    def __init__(self, office: Office, spec: Spec) -> None:
        self._office, self._spec = office, spec
        self.spec = spec.canonical

    def answer(
        self, items: Sequence[Item], report: Callable[[str], object] | None = None
    ) -> Iterator[Record]:
        self._office.batches.append(len(items))
        for item in items:
            yield self._record(item)

    def _record(self, item: Item) -> Record:
        key = (self.spec, item.run_seed, item.question.id)
        attempt = self._office.asked.count(key)
        self._office.asked.append(key)
        usage = Usage(prompt_tokens=self._tokens(), requests=1)
        spent = Bill(usage=usage, cost_usd=None, longest_prompt_tokens=1)
        if self._office.fails(self.spec, item, attempt):
            return failure(self.spec, item, "lost", spent, 0.0)
        value = item.question.gold
        answer = Round(answers=(value,), value=value, usage=usage)
        return graded(self.spec, item, Solution(rounds=(answer,)), spent, 0.0)

    def _tokens(self) -> int:
        if isinstance(self._spec, SelfConsistencySpec):
            return 50 * self._spec.k
        return 150 * self._spec.rounds if isinstance(self._spec, DebateSpec) else 400


def plan(*methods: str, target: str | None = None, seeds: tuple[int, ...] = (0, 1)) -> Plan:
    return Plan(
        entries=plan_entries(methods, target),
        seeds=seeds,
        questions=QUESTIONS,
        in_flight=2,
        max_failures_in_a_row=None,
        target=None if target is None else parse_spec(target),
    )


def a_run(planned: Plan, office: Office, records: Memory, choices: Choices | None = None) -> Run:
    return Run(planned, office.build, records, choices or Choices(), lambda text: None)


def test_every_method_answers_every_question_once_for_every_seed() -> None:
    office, records = Office(), Memory()
    run = a_run(plan("cot", "greedy"), office, records)
    run.play()
    expected = {(m, s, q.id) for m in ("cot", "greedy") for s in (0, 1) for q in QUESTIONS}
    assert set(office.asked) == expected
    assert len(office.asked) == len(expected)
    assert {record.key for record in run.results()} == expected
    assert set(office.batches) == {2, 1}


def test_what_is_there_is_not_asked_again() -> None:
    office, records = Office(), Memory()
    a_run(plan("cot"), office, records).play()
    before = list(office.asked)
    run = a_run(plan("cot", "greedy"), office, records)
    run.play()
    assert {method for method, _, _ in office.asked[len(before) :]} == {"greedy"}
    # In the plan's order, whatever the file's is.
    assert [r.method for r in run.results()] == ["cot"] * 10 + ["greedy"] * 10


def test_a_comparison_in_which_nothing_succeeds_stops_and_keeps_the_records() -> None:
    office, records = Office(lambda *_: True), Memory()
    run = a_run(replace(plan("cot", "greedy"), max_failures_in_a_row=3), office, records)
    with pytest.raises(NothingSucceeds, match=r"\(4 of 4\): lost"):
        run.play()
    assert [record.failed for record in run.results()] == ["lost"] * 4


def test_a_failure_is_repeated_once_and_a_later_run_tries_again() -> None:
    def lost(spec: str, item: Item, attempt: int) -> bool:
        return item.question.id == "q:1" or (item.question.id == "q:3" and attempt == 0)

    office, records = Office(lost), Memory()
    run = a_run(plan("cot", seeds=(0,)), office, records)
    run.play()
    assert len(run.results()) == 5
    assert [r.question for r in run.results() if r.failed] == ["q:1"]
    assert office.asked.count(("cot", 0, "q:1")) == 2
    assert office.asked.count(("cot", 0, "q:3")) == 2
    assert office.asked.count(("cot", 0, "q:0")) == 1
    office.fails = lambda *_: False
    again = a_run(plan("cot", seeds=(0,)), office, records)
    again.play()
    assert office.asked.count(("cot", 0, "q:1")) == 3
    assert not any(record.failed for record in again.results())


def test_numbers_that_are_open_take_the_targets_tokens() -> None:
    office, records, choices = Office(), Memory(), Choices()
    methods = ("self_consistency", "debate:rounds=2", "debate", "econ_untrained")
    run = a_run(plan(*methods, target="econ_untrained"), office, records, choices)
    run.play()
    names = [spec.canonical for spec in run.specs]
    assert names == ["self_consistency:k=8", "debate:rounds=2", "debate", "econ_untrained"]
    # Rounds 3 are the default, so that debate is the matched one's canonical name.
    assert [spec.canonical for spec in run.matched] == ["self_consistency:k=8", "debate"]
    assert office.asked[0][0] == "econ_untrained"
    # Pilot answers of the chosen number are its records, those of other numbers are not results.
    assert office.asked.count(("self_consistency:k=8", 0, "q:0")) == 1
    assert {record.method for record in run.results()} == set(names)


def test_a_target_is_played_before_the_open_method_that_has_its_numbers_by_default() -> None:
    office = Office()
    run = a_run(plan("debate", "debate:rounds=3", target="debate:rounds=3"), office, Memory())
    run.play()
    assert [spec.canonical for spec in run.specs] == ["debate"]


def test_the_number_that_was_chosen_is_said_even_where_it_is_the_default() -> None:
    said: list[str] = []
    planned = plan("debate", "self_consistency:k=9", target="self_consistency:k=9")
    Run(planned, Office().build, Memory(), Choices(), said.append).play()
    [line] = said
    assert line.startswith("debate is played with rounds=3: nearest to the tokens of self_cons")


def test_a_choice_holds_when_seeds_are_added() -> None:
    choices, records = Choices(), Memory()
    methods = ("self_consistency", "econ_untrained")
    a_run(plan(*methods, target="econ_untrained"), Office(), records, choices).play()
    choices["self_consistency", "econ_untrained"] = "self_consistency:k=3"
    run = a_run(plan(*methods, target="econ_untrained", seeds=(0, 7)), Office(), records, choices)
    run.play()
    assert [spec.canonical for spec in run.specs] == ["self_consistency:k=3", "econ_untrained"]


def test_without_a_target_open_numbers_are_the_defaults() -> None:
    office = Office()
    a_run(plan("self_consistency", "debate"), office, Memory()).play()
    assert {method for method, _, _ in office.asked} == {"self_consistency", "debate"}


def test_what_was_answered_before_a_model_gave_up_is_there() -> None:
    def gives_up(spec: str, item: Item, attempt: int) -> bool:
        if spec == "greedy" and item.question.id == "q:2":
            raise ModelError("no more")
        return False

    run = a_run(plan("cot", "greedy", "debate", seeds=(0,)), Office(gives_up), Memory())
    with pytest.raises(ModelError, match="no more"):
        run.play()
    assert [spec.canonical for spec in run.specs] == ["cot", "greedy"]
    assert [r.method for r in run.results()] == ["cot"] * 5 + ["greedy"] * 2


def test_a_vote_on_anothers_responses_asks_nothing() -> None:
    office = Office()
    a_run(plan("econ_untrained", "first_round_vote:of=econ_untrained"), office, Memory()).play()
    assert {method for method, _, _ in office.asked} == {"econ_untrained"}
