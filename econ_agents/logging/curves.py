"""Curves of a run's metrics over the episodes of training, as charts for its page and its plots."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from econ_agents.statistics import CONFIDENCE
from econ_pages.charts import Chart, Level, Series, Span

Array: TypeAlias = npt.NDArray[np.float64]
Metrics: TypeAlias = Sequence[Mapping[str, float]]
Box: TypeAlias = tuple[float, float]

SMOOTHED_FROM = 12
"""Number of measurements from which a curve is a running mean."""
ALPHA_MOVES = 1e-4
"""Least change of a reward weight that is worth a chart."""

_X = "training episodes"
_COMPONENTS = {"ts": "TS: task", "al": "AL: likelihood", "cc": "CC: collaboration"}
_ACTIONS = {
    "temperature": ("Temperature T", "mean temperature"),
    "repetition_penalty": ("Repetition penalty p", "mean penalty, 1 is neutral"),
}
_STOPPING = {
    "commitment_change": ("Change of the commitments", "mean distance, on the probe questions"),
    "loss_change": ("Change of the loss", "change of the smoothed loss"),
    "reward_per_decision": ("Reward per decision", "reward per decision, smoothed"),
    "metric": ("Metric of early stopping", "early_stopping.metric, smoothed"),
}


def window_of(count: int) -> int:
    """Number of measurements in a running mean over ``count`` of them; 1 does not smooth."""
    return max(3, count // 6) | 1 if count >= SMOOTHED_FROM else 1


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCurves:
    """The curves of one run; every method makes the charts of what was measured, [] if nothing was.

    Long curves are running means with their 95% intervals in front of the single measurements.
    """

    lines: Metrics
    """Metrics of the run, in the order of their steps."""
    random_episodes: int = 0
    """Episodes with random actions at the beginning, which are shaded."""
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    """Weights of the losses in their sum; others count once."""
    bounds: Mapping[str, Box] = field(default_factory=dict)
    """Ranges of the coordinates of an action by their names, where they are known."""
    tested: Sequence[Level] = ()
    """Accuracies that a test found, in percent, to compare with."""

    def accuracy(self) -> list[Chart]:
        """Accuracy while training, and in evaluations, which do not explore."""
        return self._chart(
            "Accuracy",
            "right answers, % of questions",
            {"collection/accuracy": "while training", "eval/accuracy": "evaluation"},
            levels=self.tested,
            scale=100,
        )

    def rewards(self) -> list[Chart]:
        """Rewards of the team and of the executors, and the components of the reward."""
        rewards = {
            "collection/team_reward": "team",
            "collection/reward_mean": "mean of the executors",
            "eval/team_reward": "team, evaluation",
        }
        parts = {f"collection/{name}": label for name, label in _COMPONENTS.items()}
        return [
            *self._chart("Reward", "reward per episode", rewards),
            *self._chart("Components of the reward", "component, from 0 to 1", parts),
        ]

    def tokens(self) -> list[Chart]:
        """Tokens that a question costs."""
        return self._chart("Tokens", "tokens per question", {"collection/tokens": ""})

    def weights(self) -> list[Chart]:
        """Weights of the reward, if they move."""
        names = {f"train/alpha_{name}": label for name, label in _COMPONENTS.items()}
        if not any(np.ptp(self._values(name)[1]) > ALPHA_MOVES for name in names if self.has(name)):
            return []
        return self._chart("Weights of the reward, α", "weight", names, smooth=False)

    def nash_conv(self) -> list[Chart]:
        """Gain that deviating would bring, with its interval; at an equilibrium it is zero."""
        if not self.has("eval/nash_conv"):
            return []
        x, y = self._values("eval/nash_conv")
        bounds = [self._values(f"eval/nash_conv_{side}")[1].tolist() for side in ("low", "high")]
        known = all(len(bound) == len(y) for bound in bounds)
        low, high = bounds if known else ([], [])
        chart = Chart(
            title="NashConv",
            x_label=_X,
            y_label="what deviating would gain, reward per episode",
            series=[Series(label="", x=x.tolist(), y=y.tolist(), low=low, high=high)],
            levels=[Level(label="equilibrium", y=0.0)],
            spans=self._spans(),
        )
        return [chart]

    def actions(self) -> list[Chart]:
        """One chart for every coordinate of the actions, with a curve for every agent."""
        agents: dict[str, dict[str, str]] = {}
        for name in self._names():
            match = re.fullmatch(r"collection/([^/]+)/(.+)", name)
            if match:
                agents.setdefault(match[1], {})[name] = match[2]
        return [
            chart
            for part, names in agents.items()
            for chart in self._chart(*_action(part), names, box=self._box(part), banded=False)
        ]

    def losses(self) -> list[Chart]:
        """One chart for every loss, times its weight in the sum: their sizes differ widely."""
        charts = []
        for name in self._names():
            label = name.removeprefix("train/loss_")
            weight = float(self.loss_weights.get(label, 1.0))
            if label == name or weight == 0:
                continue
            unit = "loss" if weight == 1 else f"loss, times its weight {weight:g}"
            title = label.replace("_", " ").replace("td", "TD")
            title = title[:1].upper() + title[1:]
            charts += self._chart(title, unit, {name: ""}, scale=weight, banded=False, shaded=False)
        return charts

    def stopping(self) -> list[Chart]:
        """Measures of early stopping, without intervals: each depends on those before it."""
        return [
            chart
            for name, (title, unit) in _STOPPING.items()
            for chart in self._chart(title, unit, {f"stopping/{name}": ""}, banded=False)
        ]

    def has(self, name: str) -> bool:
        """Return True if a metric was measured at least once."""
        return any(name in line for line in self.lines)

    def _names(self) -> list[str]:
        """Names of all metrics, in the order of first appearance."""
        return list(dict.fromkeys(name for line in self.lines for name in line))

    def _values(self, name: str) -> tuple[Array, Array]:
        """Episodes and values of a metric."""
        points = [(line["step"], line[name]) for line in self.lines if name in line]
        table = np.array(points, dtype=np.float64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def _spans(self) -> list[Span]:
        last = max((line["step"] for line in self.lines), default=0)
        end = min(self.random_episodes, last)
        return [Span(label="warm-up", start=0, end=end)] if end else []

    def _box(self, part: str) -> Box | None:
        # Coordinates without a name lie in [-1, 1].
        return (-1.0, 1.0) if re.fullmatch(r"action_\d+", part) else self.bounds.get(part)

    def _chart(
        self,
        title: str,
        y_label: str,
        names: Mapping[str, str],
        *,
        levels: Sequence[Level] = (),
        scale: float = 1,
        box: Box | None = None,
        smooth: bool = True,
        banded: bool = True,
        shaded: bool = True,
    ) -> list[Chart]:
        """Chart of metrics with their labels; [] if none of them was measured."""
        series = [
            _series(label, *self._values(name), scale=scale, smooth=smooth, banded=banded)
            for name, label in names.items()
            if self.has(name)
        ]
        if not series:
            return []
        chart = Chart(
            title=title,
            x_label=_X,
            y_label=y_label,
            series=series,
            levels=levels,
            spans=self._spans() if shaded else (),
            box=box,
        )
        return [chart]


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
        width: an odd number.

    Returns:
        Means and half-widths of their 95% intervals (Student's), each of shape (count,). The
        half-width is NaN where there is only one value.
    """
    reach = width // 2
    parts = [values[max(0, i - reach) : i + reach + 1] for i in range(len(values))]
    means = np.array([part.mean() for part in parts])
    errors = np.array(
        [part.std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else np.nan for part in parts]
    )
    quantiles = stats.t.ppf((1 + CONFIDENCE) / 2, np.array([len(part) - 1 for part in parts]))
    return means, errors * quantiles


def _action(part: str) -> tuple[str, str]:
    """Title of the chart of one coordinate, and the name of its axis."""
    name = part.replace("_", " ")
    return _ACTIONS.get(part, (name.capitalize(), f"mean {name}"))
