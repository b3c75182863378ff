"""Tests of votes over samples and of conclusions from them, on hand-written texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.comparison.records import Item
from benchmarks.comparison.solvers import BestOfNCommit, SelfConsistency
from econ_env.game.prompt_fitting import PromptTooLong
from econ_env.sampling_action import SamplingAction
from tests.asked import ITEM, asking, drive
from tests.scripted import QUESTION, SPENT, boxed, commitment

ASKED = asking().prompts.solve(QUESTION.text)


SAMPLING = SamplingAction(temperature=0.7, repetition_penalty=1.0)


def vote_of(*models: str, **changes: Any) -> SelfConsistency:
    return SelfConsistency(spec="s", asking=asking(**changes), models=models, sampling=SAMPLING)


def best_of(n: int, **changes: Any) -> BestOfNCommit:
    return BestOfNCommit(spec="s", asking=asking(**changes), models=("m",) * n, sampling=SAMPLING)


def test_samples_of_one_model_differ_in_their_seed_only() -> None:
    _, ((first, *others),) = drive(vote_of("m", "m", "m"), [boxed("7")] * 3)
    assert [first.messages, first.model, first.temperature] == [ASKED, "m", 0.7]
    assert {(r.messages, r.model, r.temperature, r.top_p, r.max_tokens) for r in others} == {
        (first.messages, "m", 0.7, 0.9, 112)
    }
    assert len({request.seed for request in (first, *others)}) == 3


def test_the_samples_of_a_smaller_vote_are_the_first_of_a_larger_one() -> None:
    _, (three,) = drive(vote_of("m", "m", "m"), [boxed("7")] * 3)
    _, (one,) = drive(vote_of("m"), [boxed("7")])
    _, (best, *_) = drive(best_of(2), [boxed("7")] * 2, [commitment("7")])
    assert three[:1] == one
    assert three[:2] == best


def test_run_seeds_and_questions_have_chances_of_their_own() -> None:
    items = [ITEM, Item(question=QUESTION, run_seed=1)]
    seeds = {drive(vote_of("m"), [boxed("7")], item=item)[1][0][0].seed for item in items}
    assert len(seeds) == 2


def test_a_vote_counts_answers_that_mean_the_same() -> None:
    answers = [boxed("8"), "so it is 7.", boxed("7.0")]
    solution, _ = drive(vote_of("m", "m", "m"), answers)
    (played,) = solution.rounds
    assert played.answers == ("8", "7", "7.0")
    assert played.value == "7"
    assert played.usage == SPENT + SPENT + SPENT


def test_no_answer_is_no_vote_and_a_sign_is_not_lost() -> None:
    silent = "I cannot tell"
    solution, _ = drive(vote_of("m", "m", "m"), [silent, silent, boxed("-5")])
    assert solution.value == "-5"
    assert drive(vote_of("m", "m"), [boxed("5"), boxed("-5")])[0].rounds[0].answers == ("5", "-5")
    assert drive(vote_of("m"), [silent])[0].value is None


def test_in_a_checked_vote_samples_with_false_equations_do_not_count_beside_others() -> None:
    texts = [r"2 + 2 = 5. \boxed{5}", r"2 + 2 = 5. \boxed{5}", r"2 + 2 = 4. \boxed{4}"]
    checked = replace(vote_of("m", "m", "m"), checked=True)
    assert drive(vote_of("m", "m", "m"), texts)[0].value == "5"
    assert drive(checked, texts)[0].value == "4"
    assert drive(checked, texts[:2] + texts[:1])[0].value == "5"


@given(st.lists(st.sampled_from(["-5", "5", "7", None]), min_size=1, max_size=7), st.randoms())
def test_the_order_of_samples_does_not_matter_without_a_tie(
    answers: list[str | None], random: Any
) -> None:
    shuffled = random.sample(answers, len(answers))
    leaders = Counter(answer for answer in answers if answer is not None).most_common(2)
    if len(leaders) == 2 and leaders[0][1] == leaders[1][1]:
        return
    values = {
        drive(vote_of(*["m"] * len(answers)), [text_with(answer) for answer in order])[0].value
        for order in (answers, shuffled)
    }
    assert values == {leaders[0][0] if leaders else None}


def text_with(answer: str | None) -> str:
    return "no idea" if answer is None else rf"so \boxed{{{answer}}}"


def test_the_coordinator_concludes_from_samples_as_in_the_game() -> None:
    texts = [boxed("7"), boxed("8"), boxed("8")]
    solution, (samples, (request,)) = drive(best_of(3), texts, [commitment("7")])
    assert [sample.role for sample in samples] == ["execute"] * 3
    assert (request.role, request.model, request.temperature) == ("commit", "c", 0.0)
    assert request.messages == asking().prompts.game.commit(QUESTION.text, "", texts)
    (played,) = solution.rounds
    assert (played.answers, played.value) == (("7", "8", "8"), "7")
    assert played.usage.requests == 4


def test_its_own_rule_lets_the_coordinator_say_what_nobody_said() -> None:
    solution, _ = drive(best_of(2), [boxed("7")] * 2, [commitment("9")])
    assert solution.value == "9"


def test_the_guarded_rule_asks_nobody_where_all_agree_and_falls_back_to_the_vote() -> None:
    guarded = best_of(3, commitment_rule="guarded")
    solution, _ = drive(guarded, [boxed("7"), boxed("7.0"), boxed("7")])
    assert (solution.value, solution.rounds[0].usage.requests) == ("7", 3)
    solution, _ = drive(guarded, [boxed("7"), boxed("8"), boxed("8")], [commitment("9")])
    assert (solution.value, solution.rounds[0].usage.requests) == ("8", 4)


def test_a_question_that_is_too_long_keeps_its_end_and_one_that_fits_nowhere_is_no_answer() -> None:
    asked = vote_of("m", context_limit=112 + 8 + 75)
    question = Item(question=replace(QUESTION, text="x" * 500 + " How many?"), run_seed=0)
    _, ((request,),) = drive(asked, [boxed("7")], item=question)
    assert request.messages[0].content.startswith("solve: ... x")
    assert request.messages[0].content.endswith("How many?")
    with pytest.raises(PromptTooLong, match="model 'm'"):
        next(vote_of("m", context_limit=112 + 20).play(question))
