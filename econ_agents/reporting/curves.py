"""Curves of a run's metrics over the episodes of training."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from econ_agents.algorithm.reward_weighting import COMPONENTS
from econ_agents.config.files import config_mapping
from econ_agents.config.schema import Config
from econ_agents.evaluation.before_and_after import Learned
from econ_agents.evaluation.report import Arm, EvaluationReport
from econ_agents.statistics import CONFIDENCE
from econ_pages.charts import Chart, Level, Series, Span

Array: TypeAlias = npt.NDArray[np.float64]
Metrics: TypeAlias = Sequence[Mapping[str, float]]

SMOOTHED_FROM = 12
"""Number of measurements from which a curve is a running mean."""
ALPHA_MOVES = 1e-4
"""Least change of a reward weight that is worth a chart."""

_X = "training episodes"
_COMPONENT_NAMES = {"ts": "TS: task", "al": "AL: likelihood", "cc": "CC: collaboration"}


def window_of(count: int) -> int:
    """Number of measurements in a running mean over ``count`` of them; 1 does not smooth."""
    return max(3, count // 6) | 1 if count >= SMOOTHED_FROM else 1


def main_curves(
    lines: Metrics, config: Config, tested: tuple[EvaluationReport, Learned | None] | None
) -> list[Chart]:
    """Charts of accuracy, rewards, their components and weights, tokens, and NashConv.

    Args:
        lines: metrics of the run.
        config: its configuration.
        tested: its test, for lines to compare with; None if it was not tested.
    """
    draw = _Drawing(lines, config)
    charts = [
        draw.chart(
            "Accuracy",
            "right answers, % of questions",
            {"collection/accuracy": "while training", "eval/accuracy": "evaluation"},
            levels=_test_levels(tested),
            scale=100,
        ),
        draw.chart(
            "Reward",
            "reward per episode",
            {
                "collection/team_reward": "team",
                "collection/reward_mean": "mean of the executors",
                "eval/team_reward": "team, evaluation",
            },
        ),
        draw.chart(
            "Components of the reward",
            "component, from 0 to 1",
            {f"collection/{name}": _COMPONENT_NAMES[name] for name in COMPONENTS},
        ),
        draw.chart("Tokens", "tokens per question", {"collection/tokens": ""}),
        _nash_conv(lines, config),
    ]
    weights = {f"train/alpha_{name}": _COMPONENT_NAMES[name] for name in COMPONENTS}
    if any(np.ptp(draw.values(name)[1]) > ALPHA_MOVES for name in weights if draw.has(name)):
        charts.append(draw.chart("Weights of the reward, α", "weight", weights, smooth=False))
    return [chart for chart in charts if chart is not None]


def action_curves(lines: Metrics, config: Config, learned: Learned | None) -> list[Chart]:
    """One chart for every coordinate of the actions, with a curve for every agent.

    Args:
        lines: metrics of the run.
        config: its configuration.
        learned: comparison with the untrained team, which knows the box; None if there is none.
    """
    draw = _Drawing(lines, config)
    agents: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(name for line in lines for name in line):
        match = re.fullmatch(r"collection/([^/]+)/(.+)", name)
        if match:
            agents.setdefault(match[1], {})[name] = match[2]
    charts = []
    for part, names in agents.items():
        title, unit = _action_name(part)
        known = None if learned is None else learned.bounds.get(part)
        box = (-1.0, 1.0) if part.startswith("action_") else known
        charts.append(draw.chart(title, unit, names, box=box, banded=False))
    return [chart for chart in charts if chart is not None]


def loss_curves(lines: Metrics, config: Config) -> list[Chart]:
    """One chart for every loss, times its weight in the sum."""
    draw = _Drawing(lines, config)
    weights = config_mapping(config)["losses"]
    charts = []
    for name in dict.fromkeys(name for line in lines for name in line):
        label = name.removeprefix("train/loss_")
        weight = float(weights.get(label, 1.0))
        if label == name or weight == 0:
            continue
        unit = "loss" if weight == 1 else f"loss, times its weight {weight:g}"
        title = label.replace("_", " ").replace("td", "TD")
        title = title[:1].upper() + title[1:]
        charts.append(draw.chart(title, unit, {name: ""}, scale=weight, banded=False, shaded=False))
    return [chart for chart in charts if chart is not None]


class _Drawing:
    """Charts of the metrics of one run."""

    def __init__(self, lines: Metrics, config: Config) -> None:
        self._lines = lines
        last = max((line["step"] for line in lines), default=0)
        end = min(config.train.warmup_episodes, last)
        self.spans = [Span(label="warm-up", start=0, end=end)] if end else []

    def has(self, name: str) -> bool:
        """Return True if a metric was measured at least once."""
        return any(name in line for line in self._lines)

    def values(self, name: str) -> tuple[Array, Array]:
        """Episodes and values of a metric."""
        points = [(line["step"], line[name]) for line in self._lines if name in line]
        table = np.array(points, dtype=np.float64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def chart(
        self,
        title: str,
        y_label: str,
        names: Mapping[str, str],
        *,
        levels: Sequence[Level] = (),
        scale: float = 1,
        box: tuple[float, float] | None = None,
        smooth: bool = True,
        banded: bool = True,
        shaded: bool = True,
    ) -> Chart | None:
        """Chart of metrics with their labels; None if none of them was measured."""
        series = [
            _series(label, *self.values(name), scale=scale, smooth=smooth, banded=banded)
            for name, label in names.items()
            if self.has(name)
        ]
        if not series:
            return None
        return Chart(
            title=title,
            x_label=_X,
            y_label=y_label,
            series=series,
            levels=levels,
            spans=self.spans if shaded else (),
            box=box,
        )


def _series(label: str, x: Array, y: Array, *, scale: float, smooth: bool, banded: bool) -> Series:
    y = y * scale
    width = window_of(len(y)) if smooth else 1
    if width == 1:
        return Series(label=label, x=x.tolist(), y=y.tolist())
    mean, half = running_mean(y, width)
    return Series(
        label=label,
        x=x.tolist(),
        y=mean.tolist(),
        low=(mean - half).tolist() if banded else (),
        high=(mean + half).tolist() if banded else (),
        points=y.tolist(),
    )


def running_mean(values: Array, width: int) -> tuple[Array, Array]:
    """Mean of the ``width`` values around each one, fewer at the ends, and half its interval.

    Args:
        values: shape (count,).
        width: an odd number >= 3.

    Returns:
        Means and half-widths of their 95% intervals (Student's), each of shape (count,).
    """
    reach = width // 2
    parts = [values[max(0, i - reach) : i + reach + 1] for i in range(len(values))]
    means = np.array([part.mean() for part in parts])
    errors = np.array([part.std(ddof=1) / np.sqrt(len(part)) for part in parts])
    quantiles = stats.t.ppf((1 + CONFIDENCE) / 2, np.array([len(part) - 1 for part in parts]))
    return means, errors * quantiles


def _test_levels(tested: tuple[EvaluationReport, Learned | None] | None) -> list[Level]:
    if tested is None:
        return []
    report, learned = tested
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


def _nash_conv(lines: Metrics, config: Config) -> Chart | None:
    draw = _Drawing(lines, config)
    if not draw.has("eval/nash_conv"):
        return None
    x, y = draw.values("eval/nash_conv")
    bounds = [draw.values(f"eval/nash_conv_{side}")[1].tolist() for side in ("low", "high")]
    known = all(len(bound) == len(y) for bound in bounds)
    low, high = bounds if known else ([], [])
    return Chart(
        title="NashConv",
        x_label=_X,
        y_label="what deviating would gain, reward per episode",
        series=[Series(label="", x=x.tolist(), y=y.tolist(), low=low, high=high)],
        levels=[Level(label="equilibrium", y=0.0)],
        spans=draw.spans,
    )


def _action_name(part: str) -> tuple[str, str]:
    """Title of the chart of one coordinate, and the name of its axis."""
    known = {
        "temperature": ("Temperature T", "mean temperature"),
        "repetition_penalty": ("Repetition penalty p", "mean penalty, 1 is neutral"),
    }
    title = part.replace("_", " ").capitalize()
    return known.get(part, (title, "mean coordinate"))
