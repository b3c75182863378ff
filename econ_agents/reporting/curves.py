"""The curves of a run beside what its test found."""

from __future__ import annotations

from dataclasses import asdict

from econ_agents.config.schema import Config
from econ_agents.evaluation.before_and_after import Learned
from econ_agents.evaluation.report import Arm, EvaluationReport
from econ_agents.logging.curves import Metrics, RunCurves
from econ_pages.charts import Level


def curves_of(
    lines: Metrics, config: Config, tested: tuple[EvaluationReport, Learned | None] | None
) -> RunCurves:
    """Curves of a run.

    Args:
        lines: metrics of the run.
        config: its configuration.
        tested: its test, for accuracies to compare with and for the ranges of the actions; None if
            it was not tested.
    """
    learned = None if tested is None else tested[1]
    return RunCurves(
        lines=lines,
        random_episodes=config.train.warmup,
        loss_weights=asdict(config.losses),
        bounds={} if learned is None else learned.bounds,
        tested=[] if tested is None else _levels(*tested),
    )


def _levels(report: EvaluationReport, learned: Learned | None) -> list[Level]:
    arms: dict[str, Arm] = {"test, trained": report.baseline}
    if learned is not None:
        arms["test, untrained"] = learned.untrained
    return [
        Level(
            label=label,
            y=100 * arm.accuracy.mean,
            low=100 * arm.accuracy.low,
            high=100 * arm.accuracy.high,
        )
        for label, arm in arms.items()
        if arm.accuracy is not None
    ]
