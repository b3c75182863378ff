"""Tests of the tuning: equal grids, equal effort, the best setting on validation questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.comparison.command import main
from benchmarks.comparison.records import Record
from benchmarks.comparison.run import Plan, Run, plan_entries
from benchmarks.comparison.settings import SettingsFile
from benchmarks.comparison.specs import (
    EconFixedSpec,
    EconProfileSpec,
    SelfConsistencySpec,
    parse_spec,
)
from benchmarks.comparison.store import Memory
from benchmarks.comparison.tuning import TunableSpec, Tuning, calls_of, open_spec, tune
from econ_env.grading.answers import Verdict
from econ_env.llm.types import ModelError, Usage
from econ_env.questions.base import Question
from tests.benchmarks.test_compare_run import QUESTIONS, Choices, Office

VALIDATION = tuple(Question(id=f"v:{i}", text=f"v{i}?", gold=str(i)) for i in range(10))
TUNING = Tuning(questions=VALIDATION, n_agents=3, with_strategy=False)


def records(
    spec: TunableSpec, right: int, *, tokens: int = 10, failed: str | None = None
) -> list[Record]:
    return [
        Record(
            method=spec.canonical,
            seed=0,
            question=question.id,
            failed=failed,
            verdict=(Verdict.CORRECT if index < right else Verdict.INCORRECT).value,
            rounds=(),
            closed_by="",
            usage=Usage(prompt_tokens=tokens, requests=1),
            cost_usd=None,
            longest_prompt_tokens=tokens,
            wall_s=0.0,
        )
        for index, question in enumerate(VALIDATION)
    ]


def sampling(spec: TunableSpec) -> tuple[float, float]:
    """Return the temperature and penalty that all responses share."""
    assert not isinstance(spec, EconProfileSpec)
    return spec.temperature, spec.repetition_penalty


def test_the_most_accurate_setting_wins_and_the_penalty_is_tried_at_its_temperature() -> None:
    rights = {(0.4, 1.0): 7, (0.4, 1.1): 8}
    asked = []

    def ask(spec: TunableSpec) -> Sequence[Record]:
        key = sampling(spec)
        asked.append(key)
        return records(spec, rights.get(key, 5))

    tuned = tune(SelfConsistencySpec(), TUNING, ask)
    assert tuned.chosen == "self_consistency:temperature=0.4,repetition_penalty=1.1"
    assert asked == [(t, 1.0) for t in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)] + [(0.4, 1.1)]
    assert [trial.accuracy for trial in tuned.trials][2] == 0.7
    assert tuned.trials[-1].method == tuned.chosen
    assert tuned.calls == 7 * len(VALIDATION)


def test_among_equals_the_one_with_fewer_tokens_wins_then_the_colder_one() -> None:
    cheap = {0.8: 5}
    tuned = tune(
        EconFixedSpec(),
        TUNING,
        lambda spec: records(spec, 5, tokens=cheap.get(sampling(spec)[0], 10)),
    )
    assert tuned.chosen == "econ_fixed:temperature=0.8"
    colder = tune(EconFixedSpec(), TUNING, lambda spec: records(spec, 5))
    assert colder.chosen == "econ_fixed:temperature=0"


def test_nothing_is_chosen_when_every_question_failed() -> None:
    with pytest.raises(ModelError, match="every validation question failed"):
        tune(EconFixedSpec(), TUNING, lambda spec: records(spec, 0, failed="lost"))


def test_a_setting_that_a_server_refuses_is_left_out_and_its_calls_count() -> None:
    def ask(spec: TunableSpec) -> Sequence[Record]:
        return records(spec, 5, failed="refused" if sampling(spec)[1] > 1 else None)

    tuned = tune(EconFixedSpec(), TUNING, ask)
    assert tuned.chosen == "econ_fixed:temperature=0"
    refused = tuned.trials[-1]
    assert (refused.questions, refused.accuracy, refused.calls) == (0, 0.0, len(VALIDATION))


def test_settings_without_a_common_question_are_not_compared() -> None:
    lost = iter(range(len(VALIDATION)))

    def ask(spec: TunableSpec) -> Sequence[Record]:
        found, one = list(records(spec, 5)), next(lost)
        found[one] = replace(found[one], failed="lost")
        return found

    warm = tuple(0.1 * step for step in range(len(VALIDATION)))
    with pytest.raises(ModelError, match="no validation question was answered at every setting"):
        tune(EconFixedSpec(), replace(TUNING, temperatures=warm), ask)


def test_a_setting_does_not_win_by_the_questions_that_failed() -> None:
    def ask(spec: TunableSpec) -> Sequence[Record]:
        if sampling(spec)[0] < 1:
            return records(spec, 8)
        answered, *lost = records(spec, 1)
        return [answered, *(replace(each, failed="time-out", verdict="") for each in lost)]

    assert tune(EconFixedSpec(), TUNING, ask).chosen == "econ_fixed:temperature=0"


def test_settings_are_compared_on_the_questions_that_all_of_them_answered() -> None:
    def ask(spec: TunableSpec) -> Sequence[Record]:
        if sampling(spec)[0] == 0.2:
            # 7 of 9: a larger share than the 7 of 10 of the others, but the tenth is not theirs.
            *answered, last = records(spec, 7)
            return [*answered, replace(last, failed="time-out", verdict="")]
        return records(spec, 7, tokens=9)

    assert tune(EconFixedSpec(), TUNING, ask).chosen == "econ_fixed:temperature=0"


def test_nothing_is_chosen_when_each_setting_lost_too_many_questions() -> None:
    def ask(spec: TunableSpec) -> Sequence[Record]:
        first, second, *rest = records(spec, 9)
        return [replace(first, failed="lost"), replace(second, failed="lost"), *rest]

    with pytest.raises(ModelError, match="more than 10% of the validation questions failed"):
        tune(EconFixedSpec(), TUNING, ask)


def test_the_chosen_setting_is_of_the_grid_and_the_best_that_was_tried() -> None:
    def ask(spec: TunableSpec) -> Sequence[Record]:
        return records(spec, 9 if sampling(spec)[1] == 1 else 2)

    punished = replace(TUNING, repetition_penalties=(1.2, 1.1))
    tuned = tune(EconFixedSpec(), punished, ask)
    assert {trial.accuracy for trial in tuned.trials} == {0.2}
    assert tuned.chosen == "econ_fixed:temperature=0,repetition_penalty=1.2"


@pytest.mark.parametrize(
    ("text", "strategy", "calls"),
    [
        ("cot", True, 1),
        ("self_consistency", True, 5),
        ("best_of_n_commit", True, 4),
        ("debate:rounds=2", True, 6),
        ("econ_fixed", False, 7),
        ("econ_fixed", True, 8),
        ("econ_profile", True, 8),
        ("econ_fixed:rounds=3", True, 8),
        ("econ_fixed:group_size=3", False, 9),
        ("econ_fixed:group_size=3", True, 12),
    ],
)
def test_calls_of_a_team_of_six_are_those_of_executors_strategies_and_coordinators(
    text: str, strategy: bool, calls: int
) -> None:
    spec = open_spec(text)
    assert spec is not None
    assert calls_of(spec, replace(TUNING, n_agents=6, with_strategy=strategy)) == calls


def test_a_folder_keeps_the_questions_and_the_grid_of_its_tuning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = "--dataset simulated --llm simulated --questions 2 --tune train".split()
    flags += ["--methods", "cot", "--log-dir", str(tmp_path), "--tune-temperatures", "0.5"]
    assert main([*flags, "--tune-questions", "2"]) == 0
    capsys.readouterr()
    for changed in (["--tune-questions", "3"], ["--tune-questions", "2", "--tune-penalties", "1"]):
        assert main([*flags, *changed]) == 2
        assert "tuning: " in capsys.readouterr().err
    assert main([*flags, "--tune-questions", "2"]) == 0


@pytest.mark.parametrize("method", ["econ_fixed", "econ_profile"])
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_box_without_the_default_temperature_can_be_tuned(
    method: str, dry: list[str], tmp_path: Path
) -> None:
    flags = "--dataset simulated --llm simulated --questions 2 --tune train".split()
    flags += "--tune-questions 2 --temperature-max 0.5 --tune-temperatures 0 0.5".split()
    assert main([*flags, "--methods", method, "--log-dir", str(tmp_path), *dry]) == 0


def test_a_dry_run_counts_every_call_of_a_tuning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = "--dataset simulated --llm simulated --questions 2 --tune train".split()
    flags += "--tune-questions 2 --methods econ_profile --dry-run".split()
    assert main([*flags, "--log-dir", str(tmp_path)]) == 0
    # 25 settings: 6 temperatures and another penalty, for all executors and for each of three.
    assert "the tuning, which makes up to 250 calls more" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("cot", True),
        ("self_consistency:k=3", True),
        ("econ_fixed:rounds=2", True),
        ("debate", True),
        ("best_of_n_commit:model=bundled:1", True),
        ("self_consistency:temperature=0.7", False),
        ("econ_fixed:repetition_penalty=1", False),
        ("econ_profile", True),
        ("econ_profile:temperatures=0/1", False),
        ("greedy", False),
        ("econ", False),
        ("first_round_vote:of=econ_fixed", False),
    ],
)
def test_what_the_user_wrote_is_not_tuned(text: str, is_open: bool) -> None:
    assert (open_spec(text) is not None) == is_open


def test_methods_with_fewer_calls_answer_with_more_seeds() -> None:
    effort = {}
    for text in ("cot", "self_consistency", "best_of_n_commit", "debate", "econ_fixed"):
        spec = open_spec(text)
        assert spec is not None
        effort[text] = len(TUNING.seeds_of(spec)) * calls_of(spec, TUNING)
    assert effort == {
        "cot": 4,
        "self_consistency": 5,
        "best_of_n_commit": 4,
        "debate": 9,
        "econ_fixed": 4,
    }


@pytest.mark.parametrize(("temperatures", "penalties"), [((2.5,), (1.0,)), ((0.0,), (0.0,))])
def test_a_grid_outside_the_range_of_samplers_is_refused(
    temperatures: tuple[float, ...], penalties: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="must be"):
        Tuning(
            questions=VALIDATION,
            temperatures=temperatures,
            repetition_penalties=penalties,
            n_agents=3,
            with_strategy=False,
        )


def tuned_plan(methods: Sequence[str], *, seeds: tuple[int, ...]) -> Plan:
    return Plan(
        entries=plan_entries(methods, None, tune=True),
        seeds=seeds,
        questions=QUESTIONS,
        in_flight=2,
        tuning=TUNING,
        max_failures_in_a_row=None,
    )


def test_tuned_methods_answer_the_compared_questions_at_their_best_setting_only() -> None:
    office, choices = Office(), Choices()
    methods = ("econ_fixed", "first_round_vote:of=econ_fixed", "greedy")
    plan = tuned_plan(methods, seeds=(0, 1))
    run = Run(plan, office.build, Memory(), choices, lambda text: None)
    run.play()
    # All settings are equally right and expensive here, so the coldest wins.
    chosen = "econ_fixed:temperature=0"
    assert [tuned.method for tuned in run.tuned] == ["econ_fixed"]
    assert run.tuned[0].chosen == chosen
    assert [spec.canonical for spec in run.specs] == [
        chosen,
        f"first_round_vote:of={chosen}",
        "greedy",
    ]
    tested = {(m, s) for m, s, question in office.asked if question.startswith("q:")}
    assert tested == {(m, s) for m in (chosen, "greedy") for s in (0, 1)}
    assert {m for m, _, question in office.asked if question.startswith("v:")} == {
        parse_spec(trial.method).canonical for trial in run.tuned[0].trials
    }
    before = len(office.asked)
    Run(plan, office.build, Memory(), choices, lambda text: None)._tuned_spec(plan.entries[0].spec)
    assert len(office.asked) == before


def test_a_sampling_that_is_written_out_is_played_even_if_it_is_the_default() -> None:
    office, choices = Office(), Choices()
    plan = tuned_plan(("econ_fixed", "econ_fixed:temperature=0.7"), seeds=(0,))
    run = Run(plan, office.build, Memory(), choices, lambda text: None)
    run.play()
    assert [spec.canonical for spec in run.specs] == ["econ_fixed:temperature=0", "econ_fixed"]
    # Named without settings, it is the one whose settings were left open.
    assert run.as_played(parse_spec("econ_fixed")).canonical == "econ_fixed:temperature=0"


def test_a_vote_of_a_sampling_that_is_written_out_stays_a_vote_of_it() -> None:
    office, choices = Office(), Choices()
    methods = ("econ_fixed", "econ_fixed:temperature=0.7")
    votes = tuple(f"first_round_vote:of={method}" for method in methods)
    run = Run(
        tuned_plan((*methods, *votes), seeds=(0,)),
        office.build,
        Memory(),
        choices,
        lambda text: None,
    )
    run.play()
    assert [spec.canonical for spec in run.specs][2:] == [
        "first_round_vote:of=econ_fixed:temperature=0",
        "first_round_vote:of=econ_fixed",
    ]


def test_a_grid_outside_of_the_box_is_refused_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = "--dataset simulated --llm simulated --tune train --temperature-min 0.1".split()
    assert main([*flags, "--methods", "econ_fixed", "--questions", "2"]) == 2
    said = capsys.readouterr().err
    assert "--tune-temperatures 0 with --tune-penalties 1 is outside of the box" in said
    assert "Traceback" not in said


def test_a_kept_choice_is_not_made_again(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path, {"a": 1}, {})
    tuned = tune(EconFixedSpec(), TUNING, lambda spec: records(spec, 5))
    file.keep_tuned(tuned)
    again = SettingsFile(tmp_path, {"a": 1}, {})
    assert again.tuned("econ_fixed") == tuned
    assert again.tuned("cot") is None


def test_the_questions_that_are_compared_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tune", "test", "--methods", "cot"]) == 2
    said = capsys.readouterr().err
    assert "--tune test would tune on the questions that are compared" in said
    assert "Traceback" not in said


def test_a_profile_is_tuned_for_all_executors_first_and_then_for_one_after_the_other() -> None:
    tuning = replace(TUNING, temperatures=(0.0, 0.6), repetition_penalties=(1.0, 1.1), n_agents=2)
    best = EconProfileSpec(temperatures=(0.6, 0.0), repetition_penalties=(1.0, 1.1))

    def ask(spec: TunableSpec) -> Sequence[Record]:
        assert isinstance(spec, EconProfileSpec)
        pairs = [*zip(spec.temperatures, best.temperatures, strict=True)]
        pairs += zip(spec.repetition_penalties, best.repetition_penalties, strict=True)
        return records(spec, sum(ours == theirs for ours, theirs in pairs))

    tuned = tune(EconProfileSpec(), tuning, ask)
    assert tuned.chosen == best.canonical
    assert len(tuned.trials) < tuning.settings_of(EconProfileSpec()) == 7
    assert [trial.method.partition(":")[2] for trial in tuned.trials] == [
        "temperatures=0/0,repetition_penalties=1/1",
        "temperatures=0.6/0.6,repetition_penalties=1/1",
        "temperatures=0/0,repetition_penalties=1.1/1.1",
        "temperatures=0.6/0,repetition_penalties=1/1",
        "temperatures=0.6/0,repetition_penalties=1.1/1",
        "temperatures=0.6/0,repetition_penalties=1/1.1",
    ]
