"""The models that ship: small, safe to load, and able to play all three roles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from econ_env.game.parsing import parse_commitment
from econ_env.game.prompts import COMPACT
from econ_env.llm import shared_model
from econ_env.questions.arithmetic import ArithmeticQuestions
from tools.bundled_models.card import END, START, update_card
from tools.bundled_models.evaluate import CARD, REPORTS
from tools.bundled_models.making import make_tokenizer
from tools.bundled_models.measures import Exam, share
from tools.bundled_models.recipe import COORDINATOR, RECIPES, WEIGHTS

NUMBERS = tuple(recipe.number for recipe in RECIPES)
FOLDERS = (*map(str, NUMBERS), "coordinator")
MEGABYTE = 10**6


@pytest.mark.parametrize("name", FOLDERS)
def test_a_model_is_at_most_four_megabytes_of_half_precision_safetensors(name):
    files = [path for path in (WEIGHTS / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 4 * MEGABYTE
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    with safe_open(WEIGHTS / name / "model.safetensors", "pt") as tensors:
        assert {tensors.get_tensor(name).dtype.itemsize for name in tensors.keys()} == {2}  # noqa: SIM118  # no dict


@pytest.mark.slow
@pytest.mark.parametrize("number", NUMBERS)
def test_the_shipped_tokenizer_is_the_one_that_the_recipe_makes(number):
    made = json.loads(make_tokenizer(RECIPES[number]).backend_tokenizer.to_str())
    shipped = json.loads((WEIGHTS / str(number) / "tokenizer.json").read_text(encoding="utf-8"))
    assert made["model"] == shipped["model"]
    assert made["added_tokens"] == shipped["added_tokens"]


def test_the_coordinator_reads_with_the_tokenizer_of_the_model_it_comes_from():
    its, theirs = (
        (WEIGHTS / name / "tokenizer.json").read_bytes()
        for name in ("coordinator", str(COORDINATOR.start))
    )
    assert its == theirs


@pytest.mark.slow
@settings(max_examples=50)
@given(st.text(max_size=200))
def test_any_text_can_be_counted_in_tokens(text):
    assert shared_model("bundled:0").count_tokens(text) <= len(text.encode("utf-8"))


@pytest.fixture(scope="module", params=NUMBERS)
def exam(request):
    source = ArithmeticQuestions(split="test", seed=4321)
    problems = [source.problem(index) for index in range(48)]
    return Exam(model=shared_model(f"bundled:{request.param}"), problems=problems, seed=1)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_every_model_plans_solves_and_commits(exam):
    """A smoke test with wide margins; the model card has the measured numbers."""
    plans = exam.plans()
    right_plans = sum(p == q.plan for p, q in zip(plans, exam.problems, strict=True))
    assert right_plans >= 0.4 * len(plans)
    greedy = exam.right_responses(exam.solve(plans))
    assert 0.4 <= share(greedy) <= 0.95
    responses = [exam.solve(plans, temperature=0.7, sample=k) for k in range(3)]
    replies = exam.ask(
        "commit",
        [
            COMPACT.commit(problem.text, plan, texts)
            for problem, plan, *texts in zip(exam.problems, plans, *responses, strict=True)
        ],
    )
    commitments = [parse_commitment(reply) for reply in replies]
    assert share([c.parse_method == "json" for c in commitments]) >= 0.95
    assert share(exam.right([c.value for c in commitments])) >= share(greedy) - 0.15


@pytest.mark.slow
def test_the_coordinator_plans_better_than_the_executors_it_plans_for(exam):
    """Its plans are what it adds most by: all executors share them."""
    coordinator = replace(exam, model=shared_model("bundled:coordinator"))
    theirs, its = (
        sum(plan == q.plan for plan, q in zip(asked.plans(), asked.problems, strict=True))
        for asked in (exam, coordinator)
    )
    assert its >= theirs


@pytest.mark.slow
def test_heat_makes_a_model_worse():
    source = ArithmeticQuestions(split="test", seed=99)
    problems = [source.problem(index) for index in range(64)]
    exam = Exam(model=shared_model("bundled:0"), problems=problems, seed=1)
    cool, hot = (exam.right_responses(exam.solve([""] * 64, temperature=t)) for t in (0.3, 2.0))
    assert share(hot) < share(cool)


def test_the_model_card_shows_the_committed_reports(tmp_path: Path):
    reports = [json.loads((REPORTS / f"{n}.json").read_text()) for n in NUMBERS]
    team = json.loads((REPORTS / "team.json").read_text())
    copy = tmp_path / "card.md"
    copy.write_text(f"before {START} old {END} after")
    update_card(copy, reports, team)
    tables = copy.read_text().split(START)[1].split(END)[0]
    assert "old" not in tables
    assert tables in CARD.read_text(encoding="utf-8")


def test_the_benchmarks_page_shows_the_committed_reports():
    reports = [json.loads((REPORTS / f"{n}.json").read_text()) for n in NUMBERS]
    games = json.loads((REPORTS / "team.json").read_text())["game"]
    page = (Path(__file__).parents[4] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert f"Measured on {reports[0]['n_questions']} questions" in page
    singles = ", ".join(f"{100 * report['greedy']:.1f}" for report in reports)
    assert f"| one greedy answer of each model | {singles} |" in page
    assert f"responses | {100 * games['guarded']['majority']:.1f} |" in page
    for game in games.values():
        low, high = (f"{100 * bound:.1f}" for bound in game["accuracy_interval"])
        cell = f"{100 * game['accuracy']:.1f} (95%: {low} to {high})"
        assert f"| {cell} | {game['tokens_per_question']:.0f} |" in page


def test_a_card_without_markers_is_refused(tmp_path: Path):
    card = tmp_path / "card.md"
    card.write_text("no markers here")
    with pytest.raises(ValueError, match="must contain"):
        update_card(card, [], {})
