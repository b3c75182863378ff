"""Tests of the summary of records: known numbers, laws, and failures that are never scored."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.comparison.findings import Comparison, Difference, MethodReport
from benchmarks.comparison.records import Record
from benchmarks.comparison.report import summarise
from benchmarks.comparison.statistics import accuracy_interval, holm
from benchmarks.comparison.table import WIDTH, table_lines
from benchmarks.comparison.tuning import Trial, Tuned
from econ_agents.statistics import proportion_interval
from econ_env.llm.types import Usage
from tests.benchmarks.hand_made import about, column, failed, played, record


def report_of(comparison: Comparison, method: str) -> MethodReport:
    return next(report for report in comparison.methods if report.method == method)


def difference(comparison: Comparison, method: str, to: str) -> Difference:
    return next(each for each in report_of(comparison, method).differences if each.to == to)


def test_an_interval_holds_its_mean_where_some_questions_have_fewer_results() -> None:
    answered = {f"q:{i}": dict.fromkeys(range(10), 1.0) for i in range(20)}
    mostly_failed = {f"q:{i}": {0: 0.0} for i in range(20, 40)}
    found = accuracy_interval({**answered, **mostly_failed})
    assert found.mean == 0.5
    assert found.low <= 0.5 <= found.high


def test_accuracy_of_one_seed_has_wilsons_interval() -> None:
    comparison = summarise(column("cot", [True] * 7 + [False] * 3), about("cot"))
    accuracy = report_of(comparison, "cot").accuracy
    assert accuracy is not None
    assert accuracy.overall == proportion_interval(7, 10)
    assert [each.accuracy for each in accuracy.by_seed] == [proportion_interval(7, 10)]


def test_mcnemars_test_of_eight_against_two_is_the_binomial_one() -> None:
    ours = [True] * 8 + [False] * 2 + [True] * 5
    theirs = [False] * 8 + [True] * 2 + [True] * 5
    comparison = summarise(
        [*column("econ", ours), *column("cot", theirs)], about("econ", "cot", questions=15)
    )
    found = difference(comparison, "econ", "cot")
    (test,) = found.by_seed
    assert (test.ours_only, test.theirs_only, test.pairs) == (8, 2, 15)
    # 2 (1 + 10 + 45) / 2^10, by hand; and what scipy says of it.
    assert test.p == pytest.approx(0.109375) == pytest.approx(stats.binomtest(8, 10).pvalue)
    assert found.accuracy.mean == pytest.approx(6 / 15)
    assert found.accuracy.low < 6 / 15 < found.accuracy.high


def test_equal_answers_are_no_evidence() -> None:
    rights = [True, False, True]
    comparison = summarise(
        [*column("econ", rights), *column("cot", rights)], about("econ", "cot", questions=3)
    )
    found = difference(comparison, "econ", "cot")
    assert found.by_seed[0].p == 1.0
    reach = proportion_interval(0, 3).high
    assert (found.accuracy.low, found.accuracy.high) == (-reach, reach)


def test_two_questions_won_are_no_certainty() -> None:
    comparison = summarise(
        [*column("econ", [True, True]), *column("cot", [False, False])],
        about("econ", "cot", questions=2),
    )
    found = difference(comparison, "econ", "cot")
    assert (found.accuracy.mean, found.accuracy.high) == (1.0, 1.0)
    assert found.accuracy.low == pytest.approx(1 - proportion_interval(0, 2).high)
    assert found.p == 0.5  # of the sign test
    assert found.finding == "open"


def test_the_seeds_of_a_question_go_together() -> None:
    # Four questions whose answer is the same in each of nine seeds are four results, not 36.
    rights = [True, True, False, False]
    nine = [each for seed in range(9) for each in column("cot", rights, seed=seed)]
    comparison = summarise(nine, about("cot", questions=4, seeds=range(9)))
    accuracy = report_of(comparison, "cot").accuracy
    assert accuracy is not None
    assert len(accuracy.by_seed) == 9
    assert accuracy.overall.mean == 0.5
    assert accuracy.overall.high - accuracy.overall.low > 0.7
    assert proportion_interval(18, 36).high - proportion_interval(18, 36).low < 0.4


def test_one_question_in_several_seeds_leaves_everything_possible() -> None:
    records = [
        record(method, "q0", True, seed=seed) for method in ("cot", "econ") for seed in (0, 1)
    ]
    comparison = summarise(records, about("cot", "econ", questions=1, seeds=(0, 1)))
    accuracy = report_of(comparison, "econ").accuracy
    assert accuracy is not None
    assert (accuracy.overall.low, accuracy.overall.high) == (0.0, 1.0)
    found = difference(comparison, "econ", "cot").accuracy
    assert (found.low, found.mean, found.high) == (-1.0, 0.0, 1.0)


@pytest.mark.parametrize("right", [True, False])
def test_all_right_or_all_wrong_in_several_seeds_is_no_certainty(right: bool) -> None:
    records = [each for seed in (0, 1) for each in column("cot", [right] * 6, seed=seed)]
    comparison = summarise(records, about("cot", seeds=(0, 1), questions=6))
    accuracy = report_of(comparison, "cot").accuracy
    assert accuracy is not None
    assert accuracy.overall == proportion_interval(6 * right, 6)


answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=12)


@settings(max_examples=20)
@given(answers, answers)
def test_a_difference_turns_round_with_its_sides(
    first: list[tuple[bool, bool]], second: list[tuple[bool, bool]]
) -> None:
    records = [
        each
        for seed, pairs in enumerate([first, second])
        for method, side in (("cot", 0), ("greedy", 1))
        for each in column(method, [pair[side] for pair in pairs], seed=seed)
    ]
    comparison = summarise(records, about("cot", "greedy", seeds=(0, 1), questions=12))
    there = difference(comparison, "cot", "greedy")
    back = difference(comparison, "greedy", "cot")
    assert there.accuracy.mean == pytest.approx(-back.accuracy.mean)
    assert there.accuracy.low == pytest.approx(-back.accuracy.high)
    assert there.accuracy.low - 1e-9 <= there.accuracy.mean <= there.accuracy.high + 1e-9
    assert there.p == back.p
    assert [test.p for test in there.by_seed] == [test.p for test in back.by_seed]
    assert [test.ours_only for test in there.by_seed] == [t.theirs_only for t in back.by_seed]


def mixed() -> list[Record]:
    generator = random.Random(4)
    return [
        each
        for method in ("greedy", "cot", "econ")
        for seed in (0, 1)
        for each in column(method, [generator.random() < 0.6 for _ in range(8)], seed=seed)
    ]


def test_the_order_of_records_does_not_matter() -> None:
    records, compared = mixed(), about("greedy", "cot", "econ", questions=8, seeds=(0, 1))
    shuffled = records.copy()
    random.Random(0).shuffle(shuffled)
    assert summarise(shuffled, compared) == summarise(records, compared)


def test_a_failed_question_is_not_scored_and_changes_nobody_else() -> None:
    records, compared = mixed(), about("greedy", "cot", "econ", questions=9, seeds=(0, 1))
    before = summarise(records, compared)
    after = summarise([*records, failed("econ", "q8", usage=Usage(prompt_tokens=10**6))], compared)
    ours, ours_before = report_of(after, "econ"), report_of(before, "econ")
    assert (ours.outcomes.failed, ours.outcomes.missing) == (1, 1)
    assert ours.accuracy == ours_before.accuracy
    assert ours.differences == ours_before.differences
    assert ours.diagnosis == ours_before.diagnosis
    assert ours.spending is not None
    assert ours_before.spending is not None
    assert ours.spending.tokens == ours_before.spending.tokens
    # What it cost all the same is in the sum.
    assert ours.spending.total_tokens == ours_before.spending.total_tokens + 10**6
    for method in ("greedy", "cot"):
        assert report_of(after, method) == report_of(before, method)


def test_pairs_need_both_results() -> None:
    records = [
        *column("cot", [True, True, True, False]),
        *column("econ", [True, False, False])[1:],
        failed("econ", "q0"),
        failed("econ", "q3"),
    ]
    comparison = summarise(records, about("cot", "econ", questions=4))
    found = difference(comparison, "econ", "cot")
    assert (found.pairs, found.by_seed[0].pairs, found.by_seed[0].theirs_only) == (2, 2, 2)
    assert found.accuracy.mean == -1.0


def test_a_method_without_results_has_no_numbers() -> None:
    comparison = summarise(
        [*column("cot", [True]), failed("econ", "q0")], about("cot", "econ", questions=1)
    )
    report = report_of(comparison, "econ")
    assert (report.accuracy, report.spending, report.diagnosis) == (None, None, None)
    assert report.differences == ()
    assert report_of(comparison, "cot").differences == ()


def test_differences_are_to_the_sample_vote_whose_budget_was_matched() -> None:
    methods = ("self_consistency:k=64", "self_consistency:k=7", "econ", "greedy", "greedy:model=m")
    records = [each for method in methods for each in column(method, [True, False])]
    matched = about(
        *methods, questions=2, budget_target="econ", budget_matched=("self_consistency:k=7",)
    )
    assert summarise(records, matched).references == ("self_consistency:k=7", "greedy")
    assert summarise(records, about(*methods)).references == ("self_consistency:k=64", "greedy")


def test_spending_is_per_question_and_relative_to_the_target() -> None:
    small = Usage(prompt_tokens=100, completion_tokens=50, cached_tokens=40, requests=2)
    large = Usage(prompt_tokens=300, completion_tokens=150, cached_tokens=0, requests=4)
    records = [
        record("econ", "q0", True, usage=small, cost_usd=0.001, longest_prompt_tokens=60),
        record("econ", "q1", True, usage=large, cost_usd=0.003, longest_prompt_tokens=90),
        record("cot", "q0", True, usage=small),
        record("cot", "q1", True, usage=small, cost_usd=0.001),
    ]
    comparison = summarise(records, about("econ", "cot", questions=2, budget_target="econ"))
    econ, cot = (report_of(comparison, method).spending for method in ("econ", "cot"))
    assert econ is not None
    assert cot is not None
    assert (econ.calls, econ.prompt_tokens, econ.completion_tokens) == (3, 200, 100)
    assert (econ.cached_tokens, econ.tokens, econ.tokens_to_target) == (20, 300, 1.0)
    assert (econ.cost_usd, econ.total_cost_usd) == pytest.approx((0.002, 0.004))
    assert (econ.longest_prompt_tokens, econ.wall_s, econ.total_tokens) == (90, 0.5, 600)
    assert cot.tokens_to_target == 0.5
    # One price that is not known makes the mean and the sum unknown.
    assert (cot.cost_usd, cot.total_cost_usd) == (None, None)


def test_rounds_show_where_answers_were_won_and_lost() -> None:
    right, wrong = [True, True, False], [False, False, True]
    records = [
        # Won in the second round, kept in the third.
        record("econ", "q0", played(wrong, False), played(right, True), played(right, True)),
        # Lost in the second round, after which it closed.
        record("econ", "q1", played(right, True), played([False] * 3, False)),
        # Closed at once; the vote is right and the answer is not.
        record("econ", "q2", played(right, False)),
        # Nobody was ever right, and the answer is.
        record("econ", "q3", played([False] * 3, True)),
        # Lost in the second round, against the vote.
        record("econ", "q4", played(right, True), played(right, False)),
    ]
    diagnosis = report_of(summarise(records, about("econ", questions=5)), "econ").diagnosis
    assert diagnosis is not None
    assert diagnosis.by_round == (3 / 5, 2 / 5, 2 / 5)
    assert (diagnosis.right_to_wrong, diagnosis.wrong_to_right) == (2, 1)
    assert diagnosis.first_vote == 3 / 5
    assert diagnosis.oracle == 4 / 5
    assert diagnosis.unanimous == 2 / 5
    assert (diagnosis.overruled_right, diagnosis.overruled_wrong) == (2, 1)
    assert diagnosis.rounds == 9 / 5


def test_after_each_round_a_question_that_closed_keeps_its_answer() -> None:
    records = [
        record("debate", "q0", False, False, True),
        record("debate", "q1", True),
        record("debate", "q2", True, False),
    ]
    diagnosis = report_of(summarise(records, about("debate", questions=3)), "debate").diagnosis
    assert diagnosis is not None
    assert diagnosis.by_round == pytest.approx((2 / 3, 1 / 3, 2 / 3))


def test_one_response_is_no_vote() -> None:
    diagnosis = report_of(summarise(column("cot", [True, False]), about("cot")), "cot").diagnosis
    assert diagnosis is not None
    assert (diagnosis.first_vote, diagnosis.oracle, diagnosis.unanimous) == (None, None, None)
    assert (diagnosis.right_to_wrong, diagnosis.overruled_right) == (None, None)


def test_verdicts_are_counted() -> None:
    verdicts = ["correct", "incorrect", "unparseable", "unparseable", "timeout"]
    records = [record("cot", f"q{i}", False, verdict=each) for i, each in enumerate(verdicts)]
    outcomes = report_of(summarise([*records, failed("cot", "q9")], about("cot")), "cot").outcomes
    assert dataclasses.asdict(outcomes) == {
        "finished": 5,
        "correct": 1,
        "unparseable": 2,
        "timeout": 1,
        "failed": 1,
        "missing": 4,
    }


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (column("debate", [True]), "'debate', seed 0, is not of this comparison"),
        (column("cot", [True], seed=3), "'cot', seed 3, is not of this comparison"),
        (2 * column("cot", [True]), "'q0' has two results of 'cot', seed 0"),
    ],
)
def test_records_of_something_else_are_refused(records: list[Record], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summarise(records, about("cot"))


def test_a_target_that_is_not_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="target 'econ' is not among the methods"):
        summarise([], about("cot", budget_target="econ"))


def test_a_comparison_is_plain_data_and_comes_back() -> None:
    comparison = summarise(mixed(), about("greedy", "cot", "econ", seeds=(0, 1)))
    assert Comparison.from_json(comparison.to_json(), "comparison.json") == comparison


def test_teams_are_drawn_as_well_as_questions() -> None:
    # Two teams that differ by 40 points on the same hundred questions: the spread between teams
    # is most of the uncertainty, and a bootstrap over questions alone would not see it.
    good, bad = [index < 90 for index in range(100)], [index < 50 for index in range(100)]
    records = [*column("econ", good), *column("econ", bad, seed=1)]
    middle = [index < 70 for index in range(100)]
    records += [*column("cot", middle), *column("cot", middle, seed=1)]
    comparison = summarise(records, about("econ", "cot", questions=100, seeds=(0, 1)))
    found = difference(comparison, "econ", "cot")
    assert found.accuracy.mean == pytest.approx(0.0)
    assert found.accuracy.low < -0.15
    assert found.accuracy.high > 0.15
    assert found.finding == "open"


def test_contrasts_are_corrected_for_their_number_except_the_one_named_before() -> None:
    ours = [index < 62 for index in range(100)]
    theirs = [index < 56 for index in range(100)]
    methods = ("econ", "greedy", "cot", "self_consistency")
    records = [*column("econ", ours), *(each for m in methods[1:] for each in column(m, theirs))]
    plain = difference(summarise(records, about(*methods, questions=100)), "econ", "greedy")
    assert plain.accuracy.low > 0
    assert plain.p < 0.05
    assert plain.p_holm is not None
    assert plain.p_holm > plain.p
    named = about(*methods, questions=100, primary=("econ", "greedy"))
    primary = difference(summarise(records, named), "econ", "greedy")
    assert primary.p_holm is None
    assert primary.finding == "better"
    assert primary.p == plain.p


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
    ],
)
def test_holms_correction(p_values: list[float], corrected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(corrected)


@pytest.mark.parametrize(("questions", "finding"), [(300, "as good"), (60, "open")])
def test_as_good_means_a_loss_below_the_margin_on_enough_questions(
    questions: int, finding: str
) -> None:
    ours = [index % 3 != 0 for index in range(questions)]
    theirs = ours.copy()
    theirs[1], theirs[2], theirs[0] = False, False, True
    records = [*column("econ", ours), *column("cot", theirs)]
    compared = about("econ", "cot", questions=questions, margin=0.02)
    assert difference(summarise(records, compared), "econ", "cot").finding == finding


def test_many_teams_do_not_make_few_questions_enough() -> None:
    rights = [True, False] * 5
    records = [
        each
        for method in ("econ", "cot")
        for s in range(20)
        for each in column(method, rights, seed=s)
    ]
    compared = about("econ", "cot", questions=10, seeds=range(20), margin=0.5)
    assert difference(summarise(records, compared), "econ", "cot").finding == "open"


def test_the_number_of_corrected_contrasts_leaves_the_primary_one_out() -> None:
    methods = ("greedy", "cot", "econ")
    records = [each for m in methods for each in column(m, [True, False, True])]
    named = about(*methods, questions=3, primary=("econ", "greedy"))
    text = "\n".join(table_lines(summarise(records, named)))
    assert "Holm's correction for these 2." in text


def tuned(*chosen: str) -> tuple[Tuned, ...]:
    def trial(method: str) -> Trial:
        return Trial(method=method, accuracy=0.5, tokens=90.0, calls=40, questions=10, seeds=4)

    return tuple(
        Tuned(method=each.partition(":")[0], chosen=each, trials=(trial(each),)) for each in chosen
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ("econ:rounds=3", "econ_fixed", {}),
        ("econ:rounds=3", "econ:rule=majority", {}),
        ("econ", "econ_fixed:rule=majority", {}),
        ("econ", "econ_fixed", {"all_learned": False}),
        ("econ", "econ_profile", {"all_learned": False}),
        ("econ_profile:rounds=2", "econ_fixed", {}),
        ("econ_fixed", "best_of_n_commit", {"with_strategy": False}),
        ("econ_fixed", "best_of_n_commit:n=4", {"executors": 3}),
        ("econ_fixed:rule=majority", "best_of_n_commit", {}),
        ("econ_fixed:temperature=0.2", "best_of_n_commit:temperature=1", {"tuned": ()}),
        ("econ:rounds=3", "econ_fixed:rounds=3", {}),
    ],
)
def test_arms_that_differ_by_more_than_a_part_or_by_none_tell_no_worth(
    ours: str, theirs: str, told: dict[str, Any]
) -> None:
    records = [*column(ours, [True]), *column(theirs, [False])]
    told = {"tuned": tuned(ours, theirs), **told}
    assert summarise(records, about(ours, theirs, questions=1, **told)).parts == ()


def test_a_part_is_told_of_arms_that_were_tuned_only() -> None:
    arms = ("econ", "econ_profile:temperatures=1.5", "econ_fixed:temperature=1.2")
    records = [each for arm in arms for each in column(arm, [True])]
    assert summarise(records, about(*arms, questions=1)).parts == ()
    told = about(*arms, questions=1, tuned=tuned(*arms[1:]))
    assert [part.part for part in summarise(records, told).parts] == [
        "choice by question",
        "learning",
        "choice by executor",
    ]


def test_the_table_names_the_primary_contrast_and_tells_the_difference_to_a_debate() -> None:
    methods = ("greedy", "cot", "self_consistency", "debate", "econ")
    records = [each for m in methods for each in column(m, [True, False, True])]
    named = about(*methods, questions=3, primary=("econ", "debate"))
    text = "\n".join(table_lines(summarise(records, named)))
    assert "primary contrast, named before the run: econ to debate" in text
    assert "to debate" in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_the_worth_of_a_part_is_the_difference_to_the_arm_without_it() -> None:
    right = {
        "econ": [True, True, True, False],
        "econ:rounds=3": [True, True, True, True],
        "econ_fixed:temperature=0.4": [True, True, False, False],
        "econ_profile:temperatures=0/0.4": [True, True, True, False],
        "best_of_n_commit:n=3,temperature=0": [True, False, False, False],
        "first_round_vote": [False, True, True, False],
        "first_round_vote:of=econ_fixed:temperature=0.4": [True, True, False, False],
        "greedy": [False] * 4,
    }
    records = [each for method, rights in right.items() for each in column(method, rights)]
    chosen = [method for method in right if "temperature" in method and "vote" not in method]
    comparison = summarise(records, about(*right, questions=4, tuned=tuned(*chosen)))
    worth = {(part.part, part.ours): part.accuracy.mean for part in comparison.parts}
    assert worth == {
        ("learning", "econ"): 0.25,
        ("choice by question", "econ"): 0.0,
        ("choice by executor", "econ_profile:temperatures=0/0.4"): 0.25,
        ("strategy", "econ_fixed:temperature=0.4"): 0.25,
        ("conclusion", "econ"): 0.25,
        ("conclusion", "econ_fixed:temperature=0.4"): 0.0,
        ("refinement", "econ:rounds=3"): 0.25,
    }
    assert {part.pairs for part in comparison.parts} == {4}
    assert "econ:rounds=3 - econ" in "\n".join(table_lines(comparison))
    assert Comparison.from_json(comparison.to_json(), "a file") == comparison
    assert summarise(column("greedy", [True]), about("greedy")).parts == ()
