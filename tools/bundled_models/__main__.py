"""Make all of the bundled models and measure them: ``python -m tools.bundled_models``.

Trains the models 0, 1 and 2, then the coordinator, which is made of them, then measures all four
and writes the reports and the tables of the model card. It takes about three hours of one CPU core.

Run it again to continue after an interruption. In a --work-dir that holds the states of a finished
training it trains nothing, but writes the models out once more and measures them.

The steps are commands of their own, too: ``python -m tools.bundled_models.train --model 0`` and
``python -m tools.bundled_models.evaluate``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch
import tyro

from econ_env.llm.types import ModelError
from tools.bundled_models.evaluate import (
    REPORTS,
    EvaluateOptions,
    evaluate_model,
    write_team_report,
)
from tools.bundled_models.recipe import COORDINATOR, RECIPES, WEIGHTS
from tools.bundled_models.train import TrainingPlace, train, train_coordinator


@dataclass(frozen=True, kw_only=True)
class MakeOptions(TrainingPlace):
    """Make all of the bundled models and measure them."""

    @property
    def evaluation(self) -> EvaluateOptions:
        """Options to measure the models in ``out``, where the reports of models not ours stay."""
        reports = REPORTS if self.out == WEIGHTS else self.out / "reports"
        return EvaluateOptions(weights=self.out, work_dir=self.work_dir, reports=reports)


def main() -> None:
    """Run the command."""
    options = tyro.cli(MakeOptions, description=__doc__, prog="python -m tools.bundled_models")
    torch.set_num_threads(options.threads)
    try:
        make(options, options.evaluation)
    except (ModelError, OSError) as error:
        sys.exit(f"tools.bundled_models: {error}")
    except KeyboardInterrupt:
        print(f"\nInterrupted. The state is in {options.work_dir}; run this again to continue.")
        sys.exit(130)


def make(options: TrainingPlace, evaluation: EvaluateOptions) -> None:
    """Train the three models and the coordinator, and measure them."""
    for recipe in RECIPES:
        train(options, recipe)
    train_coordinator(options, COORDINATOR)
    for number in evaluation.models:
        evaluate_model(number, evaluation)
    write_team_report(evaluation)


if __name__ == "__main__":
    main()
