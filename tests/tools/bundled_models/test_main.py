"""One command makes all bundled models and measures them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tools.bundled_models import __main__ as whole
from tools.bundled_models import train
from tools.bundled_models.evaluate import REPORTS, EvaluateOptions
from tools.bundled_models.making import make_tokenizer
from tools.bundled_models.optimisation import StageTrainer
from tools.bundled_models.recipe import COORDINATOR, RECIPES, WEIGHTS

MODELS = ["0", "1", "2", "coordinator"]
TINY = tuple(
    replace(
        recipe,
        hidden_size=32,
        layers=1,
        heads=2,
        key_value_heads=2,
        feed_forward_size=48,
        calculation_examples=8,
        solve_examples=8,
        sampled_questions=2,
        team_examples=8,
    )
    for recipe in RECIPES
)


def sampled(*arguments: object, n_questions: int, seed: int) -> None:
    """Stand for sampling, whose untrained models would write to their last token."""
    path = arguments[-1]
    assert isinstance(path, Path)
    lines = [
        {"index": index, "plan": "+", "responses": [r"\boxed{1}", r"\boxed{2}"] * 3}
        for index in range(n_questions)
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.exhaustive
@pytest.mark.slow
def test_all_models_are_made_then_measured_and_a_second_run_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, measured = tmp_path / "models", []

    def evaluate_model(number: int, options: EvaluateOptions) -> None:
        assert sorted(path.name for path in options.weights.iterdir()) == MODELS
        measured.append(str(number))

    monkeypatch.setattr(whole, "evaluate_model", evaluate_model)
    monkeypatch.setattr(whole, "write_team_report", lambda options: measured.append("team"))
    tokenizer = make_tokenizer(TINY[0])
    monkeypatch.setattr(train, "make_tokenizer", lambda recipe: tokenizer)
    monkeypatch.setattr(train, "sample_questions", sampled)
    monkeypatch.setattr(train, "sample_team", sampled)
    monkeypatch.setattr(whole, "RECIPES", TINY)
    monkeypatch.setattr(train, "RECIPES", TINY)
    tiny = replace(COORDINATOR, sampled_questions=2, examples=8)
    monkeypatch.setattr(whole, "COORDINATOR", tiny)
    options = whole.MakeOptions(work_dir=tmp_path / "states", out=out, compile=False)

    whole.make(options, options.evaluation)
    assert measured == ["0", "1", "2", "team"]
    before = contents(tmp_path)
    assert f"models/{MODELS[-1]}/model.safetensors" in before

    def step(*arguments: object) -> None:
        raise AssertionError("a finished stage is trained on")

    monkeypatch.setattr(StageTrainer, "_step", step)
    whole.make(options, options.evaluation)
    assert contents(tmp_path) == before


def test_models_made_elsewhere_leave_the_reports_of_the_repository_alone(tmp_path: Path) -> None:
    assert whole.MakeOptions().evaluation.reports == REPORTS
    assert whole.MakeOptions(out=WEIGHTS).evaluation.weights == WEIGHTS
    elsewhere = whole.MakeOptions(out=tmp_path).evaluation
    assert elsewhere.weights == tmp_path
    assert elsewhere.reports == tmp_path / "reports"
