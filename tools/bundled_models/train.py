"""Train a bundled model from scratch: ``python -m tools.bundled_models.train --model 0``.

Four steps, each of which goes on where it was interrupted:

1. *calculations*: bare calculations, "What is 12 * 34?".
2. *solve*: worked solutions of problems. The result is the control for "what do the other roles
   cost".
3. *sample*: the solver answers fresh training questions at temperatures from 0.2 to 1.3.
4. *team*: strategy, execution and commitment together; commitments judge the sampled responses and
   others with made-up slips.

``--model coordinator`` goes on from a finished model, with two steps more:

1. *sample team*: the three finished models answer fresh training questions.
2. *coordinate*: plans, and commitments over those responses.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from tools.bundled_models.coordination import coordinate_stage
from tools.bundled_models.making import export, load_weights, make_model, make_tokenizer
from tools.bundled_models.optimisation import Stage, Trainer
from tools.bundled_models.recipe import COORDINATOR, RECIPES, WEIGHTS, CoordinatorRecipe, Recipe
from tools.bundled_models.sampling import load_samples, sample_questions
from tools.bundled_models.stages import calculation_stage, solve_stage, stage_problems, team_stage
from tools.bundled_models.team_sampling import sample_team


def can_compile() -> bool:
    """Whether torch.compile can work here: it hands paths to a compiler without quoting them."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    return compiler is not None and " " not in torch.__file__


@dataclass(frozen=True, kw_only=True)
class TrainingPlace:
    """Folders and means of a training, whichever model it makes."""

    work_dir: Annotated[
        Path, tyro.conf.arg(help="Folder of the intermediate states (about 40 MB a model).")
    ] = Path("bundled_training")
    out: Annotated[Path, tyro.conf.arg(help="Folder that the finished models are written to.")] = (
        WEIGHTS
    )
    threads: Annotated[int, tyro.conf.arg(help="CPU threads; small models like few.")] = 1
    compile: Annotated[
        bool,
        tyro.conf.arg(
            help="Use torch.compile, twice as fast. Needs a C++ compiler and an installation in a "
            "path without spaces; on where both are there."
        ),
    ] = field(default_factory=can_compile)


@dataclass(frozen=True, kw_only=True)
class TrainOptions(TrainingPlace):
    """Train one of the bundled models. Run it again to go on after an interruption."""

    model: Annotated[
        Literal["0", "1", "2", "coordinator"],
        tyro.conf.arg(
            help="Which model. The coordinator is made of the three others, which it looks for in "
            "--out."
        ),
    ] = "0"


def main() -> None:
    """Entry point of the command."""
    options = tyro.cli(TrainOptions, description=__doc__)
    torch.set_num_threads(options.threads)
    try:
        if options.model == "coordinator":
            train_coordinator(options, COORDINATOR)
        else:
            train(options, RECIPES[int(options.model)])
    except KeyboardInterrupt:
        print(f"\nInterrupted. The state is in {options.work_dir}; run the command again to go on.")
        sys.exit(130)


def train(options: TrainingPlace, recipe: Recipe) -> None:
    """Run all steps of one model and write it to ``options.out/<number>``."""
    folder = _work_folder(options, str(recipe.number), recipe)
    tokenizer = make_tokenizer(recipe)
    model = make_model(recipe, tokenizer).to(_device())

    solver = folder / "solver"
    if not solver.exists():
        for stage in (calculation_stage(recipe), solve_stage(recipe)):
            _run(stage, model, tokenizer, folder, options)
        export(model, tokenizer, solver)
    load_weights(model, solver)

    samples_path = folder / "samples.jsonl"
    asked = stage_problems(recipe.seed, "sample")
    sample_questions(
        solver, asked, samples_path, n_questions=recipe.sampled_questions, seed=recipe.seed
    )
    _run(team_stage(recipe, load_samples(samples_path, asked)), model, tokenizer, folder, options)
    export(model, tokenizer, options.out / str(recipe.number))
    print(f"Wrote {options.out / str(recipe.number)}")


def train_coordinator(options: TrainingPlace, recipe: CoordinatorRecipe) -> None:
    """Go on from a finished model, for planning and committing only, to ``coordinator``."""
    folder = _work_folder(options, "coordinator", recipe)
    finished = [options.out / str(model.number) for model in RECIPES]
    missing = [str(path) for path in finished if not path.is_dir()]
    if missing:
        sys.exit(f"The coordinator needs the finished models {', '.join(missing)}.")
    start = RECIPES[recipe.start]
    tokenizer = make_tokenizer(start)
    model = make_model(start, tokenizer).to(_device())
    load_weights(model, finished[start.number])

    samples_path = folder / "samples.jsonl"
    asked = stage_problems(recipe.seed, "sample")
    sample_team(
        finished[start.number],
        finished,
        asked,
        samples_path,
        n_questions=recipe.sampled_questions,
        seed=recipe.seed,
    )
    _run(
        coordinate_stage(recipe, load_samples(samples_path, asked)),
        model,
        tokenizer,
        folder,
        options,
    )
    export(model, tokenizer, options.out / "coordinator")
    print(f"Wrote {options.out / 'coordinator'}")


def _work_folder(options: TrainingPlace, name: str, recipe: Recipe | CoordinatorRecipe) -> Path:
    folder = options.work_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    require_same_recipe(folder, recipe)
    return folder


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _run(stage: Stage, model: Any, tokenizer: Any, folder: Path, options: TrainingPlace) -> None:
    """Train ``stage`` to its end, with fresh optimisers."""
    if options.compile:
        model.compile(dynamic=True)
    Trainer(model, tokenizer, folder, device=_device()).run(stage)


def require_same_recipe(folder: Path, recipe: Recipe | CoordinatorRecipe) -> None:
    """Note the recipe in ``folder``, or exit if what lies there was made by another one."""
    path, text = folder / "recipe.json", json.dumps(asdict(recipe), indent=1)
    if not path.exists():
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        sys.exit(
            f"{folder} holds the states of another recipe ({path}). Name another --work-dir, or "
            "remove that folder to start anew."
        )


if __name__ == "__main__":
    main()
