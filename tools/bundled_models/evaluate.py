"""Measure the bundled models: ``python -m tools.bundled_models.evaluate``.

Each model is examined on questions whose structures are in no training example, and its report
is written to ``reports/<number>.json`` beside this module. Once the reports of all three models
exist, the team is measured too, and the tables of ``MODEL_CARD.md`` are written from the reports.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from econ_env.llm.local.model import LocalModel
from econ_env.llm.types import ModelError
from econ_env.questions.arithmetic import ArithmeticQuestions
from tools.bundled_models.card import update_card
from tools.bundled_models.measures import Exam, difference, examine, share
from tools.bundled_models.recipe import BUNDLED, RECIPES, WEIGHTS
from tools.bundled_models.team_measures import measure_team

REPORTS = Path(__file__).parent / "reports"
CARD = BUNDLED / "MODEL_CARD.md"
DEFAULT_QUESTIONS, DEFAULT_SEED = 1000, 77


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Measure the bundled models on unseen structures and write the tables of the model card."""

    models: Annotated[
        tuple[int, ...], tyro.conf.arg(help="Models to examine; none writes only the tables.")
    ] = tuple(recipe.number for recipe in RECIPES)
    questions: Annotated[int, tyro.conf.arg(help="Number of test questions.")] = DEFAULT_QUESTIONS
    seed: Annotated[int, tyro.conf.arg(help="Seed of the questions and of all sampling.")] = (
        DEFAULT_SEED
    )
    weights: Annotated[Path, tyro.conf.arg(help="Folder with the four models.")] = WEIGHTS
    work_dir: Annotated[
        Path,
        tyro.conf.arg(
            help="The --work-dir of the training. Its solvers show the cost of learning the other "
            "roles; without them that row keeps its last measured value."
        ),
    ] = Path("bundled_training")
    reports: Annotated[Path, tyro.conf.arg(help="Folder for the reports.")] = REPORTS


def main() -> None:
    """Run the command."""
    options = tyro.cli(EvaluateOptions, description=__doc__)
    unknown = [number for number in options.models if not 0 <= number < len(RECIPES)]
    if unknown or options.questions < 1:
        sys.exit(f"--models takes numbers from 0 to {len(RECIPES) - 1}, --questions at least 1.")
    try:
        for number in options.models:
            evaluate_model(number, options)
        write_team_report(options)
    except (ModelError, OSError) as error:
        sys.exit(f"tools.bundled_models.evaluate: {error}")
    except KeyboardInterrupt:
        print("\nInterrupted. The reports of the models already examined are written.")
        sys.exit(130)


def evaluate_model(number: int, options: EvaluateOptions) -> None:
    """Examine one model and write its report."""
    path = options.reports / f"{number}.json"
    model = _load(str(number), options)
    report = examine(model, n_questions=options.questions, seed=options.seed)
    model.close()
    report["weights_sha256"] = _sha256(options.weights / str(number) / "model.safetensors")
    solver = options.work_dir / str(number) / "solver"
    if solver.exists():
        report["cost_of_other_roles"] = solver_control(solver, report, options)
    elif path.exists() and _same_exam(_read(path), report):
        report["cost_of_other_roles"] = _read(path)["cost_of_other_roles"]
    else:
        report["cost_of_other_roles"] = None
    options.reports.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"Wrote {path}: greedy accuracy {report['greedy']:.1%}")


def solver_control(
    solver: Path, report: dict[str, Any], options: EvaluateOptions
) -> dict[str, Any]:
    """Compare a model of all roles with the solver it was trained from: greedy, without a plan."""
    source = ArithmeticQuestions(split="test", seed=options.seed, size=options.questions)
    problems = [source.problem(index) for index in range(options.questions)]
    model = LocalModel(str(solver), name="solver")
    exam = Exam(model=model, problems=problems, seed=options.seed)
    before = exam.right_responses(exam.solve([""] * options.questions))
    model.close()
    after = exam.right(report["greedy_no_plan_answers"])
    return {"solver_only": share(before), "all_roles_minus_solver": difference(after, before)}


def write_team_report(options: EvaluateOptions) -> None:
    """Measure the three models together, and write the team's report and the card's tables."""
    paths = [options.reports / f"{recipe.number}.json" for recipe in RECIPES]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        print(f"No report yet: {', '.join(missing)}. The team is measured once all of them exist.")
        return
    reports = [_read(path) for path in paths]
    if len({(r["n_questions"], r["seed"]) for r in reports}) > 1:
        sys.exit("The reports are on different questions; examine all models with one --seed.")
    models = [_load(str(recipe.number), options) for recipe in RECIPES]
    team = measure_team(reports, models, _load("coordinator", options))
    team["coordinator_sha256"] = _sha256(options.weights / "coordinator" / "model.safetensors")
    path = options.reports / "team.json"
    path.write_text(json.dumps(team, indent=1) + "\n", encoding="utf-8")
    if options.reports == REPORTS:
        update_card(CARD, reports, team)
    print(f"Wrote {path}")


def _load(which: str, options: EvaluateOptions) -> LocalModel:
    return LocalModel(str(options.weights / which), name=f"bundled:{which}", device="cpu")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _same_exam(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Return True if two reports have the same weights and questions."""
    return all(old.get(key) == new[key] for key in ("weights_sha256", "n_questions", "seed"))


def _read(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


if __name__ == "__main__":
    main()
