"""Results that the ECON paper prints, and a table of them beside ours.

*From Debate to Equilibrium: Belief-Driven Multi-Agent LLM Reasoning via Bayesian Nash
Equilibrium*, ICML 2025, arXiv 2506.08292. Nothing in this module was measured here. The paper
prints no seeds and no intervals, so no difference to its numbers can be tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from benchmarks.comparison.findings import Comparison, MethodReport
from benchmarks.comparison.table import NOTHING, aligned, heading, interval

DATASETS: Mapping[str, str] = {
    "math": "MATH",
    "gsm8k": "GSM8K",
    "svamp": "SVAMP",
    "gsm_hard": "GSM-Hard",
    "strategyqa": "StrategyQA",
}
"""Name of each data set here, and in the paper."""
MODELS: Mapping[str, str] = {
    "8x7B": "Mixtral 8x7B",
    "8x22B": "Mixtral 8x22B",
    "70B": "LLaMA3.1 70B",
    "405B": "LLaMA3.1 405B",
}
DEFAULT_MODEL = "70B"

OURS: Mapping[str, str] = {
    "ZS-CoT": "cot",
    "SC@64": "self_consistency:k=64",
    "MAD 3 rounds": "debate",
    "ECON": "econ",
}
"""Canonical spec of our counterpart of each of the paper's methods (a debate has 3 rounds)."""

FIGURE_METHODS = (
    "ZS-CoT",
    "FS-CoT",
    "SC@64",
    "rStar",
    "ToT",
    "RAP",
    "TS-LLM",
    "PPO-MCTS",
    "ECON",
)
FIGURES: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "math": {
        "8x7B": (25.2, 33.4, 31.6, 37.9, 34.4, 34.0, 34.8, 34.8, 37.0),
        "8x22B": (54.2, 66.5, 62.2, 70.3, 65.2, 62.5, 67.8, 65.8, 72.3),
        "70B": (68.2, 74.4, 67.4, 71.6, 60.4, 68.7, 76.9, 73.5, 81.5),
        "405B": (73.8, 80.3, 78.2, 83.5, 82.9, 80.2, 83.8, 81.2, 87.5),
    },
    "gsm_hard": {
        "8x7B": (21.5, 26.7, 22.5, 20.2, 24.4, 22.5, 26.9, 24.9, 25.8),
        "8x22B": (32.2, 41.4, 44.2, 37.9, 41.7, 42.8, 42.9, 40.1, 47.6),
        "70B": (36.8, 45.2, 39.8, 49.8, 37.2, 39.0, 47.8, 44.5, 51.4),
        "405B": (42.2, 52.9, 47.4, 52.8, 46.8, 46.4, 55.2, 53.4, 60.1),
    },
    "gsm8k": {
        "8x7B": (62.1, 74.9, 71.1, 75.8, 71.5, 72.0, 74.2, 73.5, 77.0),
        "8x22B": (72.1, 84.0, 86.2, 81.9, 82.6, 77.0, 84.7, 82.8, 88.2),
        "70B": (78.4, 95.1, 89.6, 91.1, 84.5, 81.3, 94.8, 92.2, 96.7),
        "405B": (86.4, 96.8, 92.4, 94.2, 92.7, 92.1, 96.4, 94.8, 98.8),
    },
    "svamp": {
        "8x7B": (81.6, 86.4, 83.6, 84.7, 83.3, 85.6, 83.2, 85.2, 87.8),
        "8x22B": (86.3, 91.7, 88.4, 86.4, 89.9, 91.9, 89.8, 89.8, 92.3),
        "70B": (85.7, 94.5, 93.8, 92.2, 88.6, 84.5, 93.9, 93.2, 96.8),
        "405B": (91.4, 96.3, 95.6, 95.9, 93.5, 90.7, 94.2, 94.8, 97.2),
    },
    "strategyqa": {
        "8x7B": (55.1, 62.8, 65.5, 68.6, 71.3, 69.4, 68.1, 67.8, 70.2),
        "8x22B": (67.9, 82.4, 81.3, 86.7, 84.5, 82.3, 83.8, 82.9, 88.3),
        "70B": (75.2, 82.6, 79.3, 83.5, 80.2, 83.3, 84.2, 83.8, 87.4),
        "405B": (78.6, 85.3, 82.1, 87.9, 84.2, 87.9, 90.5, 89.2, 94.3),
    },
}
"""Accuracy in % of :data:`FIGURE_METHODS`, as printed on the bars of Figures 9 to 13."""

TABLE_3_METHODS = ("MAD 3 rounds", "RAP", "ECON, detailed strategy", "SC@64", "ECON")
_TABLE_3_MODELS = ("70B", "8x7B", "8x22B")
_TABLE_3 = {
    "math": """
        2154.87|71.58 1462.12|31.28 5345.56|67.41
        2653.27|68.71 1737.73|33.99 6668.55|62.53
        3270.06|72.38 2150.23|26.18 8054.03|68.23
        11917.00|67.39 8066.21|31.58 29616.13|62.21
        1629.79|81.47 1128.23|35.02 4270.86|72.29""",
    "gsm8k": """
        1391.57|86.32 1463.40|70.19 5714.05|81.95
        1907.86|81.33 1248.66|72.03 6517.77|76.97
        2772.24|85.17 1188.13|65.37 9341.60|81.46
        9574.25|89.56 6601.34|71.08 24671.91|86.24
        1131.65|92.70 1284.98|76.97 4715.31|88.20""",
    "gsm_hard": """
        3030.73|41.98 1478.14|20.04 9250.78|45.21
        1768.72|38.97 1036.11|22.47 6464.52|42.79
        3662.64|44.12 2239.07|18.52 11464.98|41.04
        16724.69|39.76 11668.19|22.47 74544.25|44.19
        1518.76|51.43 1271.53|25.76 7101.62|47.58""",
}
_CLAIMED_SAVING = -21.4
"""Average change of tokens from debate to ECON in %, as the paper's text claims."""
_SAME = 0.1
"""Largest difference of two accuracies in % that counts as rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperSetting:
    """One data set and model of the paper."""

    dataset: str
    """A key of :data:`DATASETS`."""
    model: str = DEFAULT_MODEL
    """A key of :data:`MODELS`."""

    @classmethod
    def parse(cls, text: str) -> PaperSetting:
        """Read ``DATASET`` or ``DATASET/MODEL``, such as ``math`` or ``gsm8k/8x22B``.

        Raises:
            ValueError: the paper has no such setting; the message names the nearest.
        """
        dataset, slash, model = text.partition("/")
        return cls(
            dataset=_known(dataset, DATASETS, "data set"),
            model=_known(model, MODELS, "model") if slash else DEFAULT_MODEL,
        )


def figure_accuracies(setting: PaperSetting) -> dict[str, float]:
    """Return the accuracy in % of each of the paper's methods, as its figures print it."""
    printed = FIGURES[setting.dataset][setting.model]
    return dict(zip(FIGURE_METHODS, printed, strict=True))


def table_3(setting: PaperSetting) -> dict[str, tuple[float, float]]:
    """Return tokens per question and accuracy in % by method; {} if Table 3 lacks the setting."""
    if setting.dataset not in _TABLE_3 or setting.model not in _TABLE_3_MODELS:
        return {}
    column = _TABLE_3_MODELS.index(setting.model)
    cells = _TABLE_3[setting.dataset].split()[column :: len(_TABLE_3_MODELS)]
    pairs = [cell.split("|") for cell in cells]
    return {
        method: (float(tokens), float(accuracy))
        for method, (tokens, accuracy) in zip(TABLE_3_METHODS, pairs, strict=True)
    }


def paper_table_lines(comparison: Comparison, setting: PaperSetting) -> list[str]:
    """Return the paper's results in a setting beside ours; methods that only we have come last."""
    figures, table = figure_accuracies(setting), table_3(setting)
    reports = {report.method: report for report in comparison.methods}
    rows = []
    for method in _by_layout([*figures, *table]):
        ours = reports.get(OURS.get(method, ""))
        accuracy = f"{figures[method]:.1f}" if method in figures else NOTHING
        rows.append((method, accuracy, _theirs(table.get(method)), *_ours(ours)))
    only_ours = [report for name, report in reports.items() if name not in OURS.values()]
    rows += [("(only here)", NOTHING, NOTHING, *_ours(report)) for report in only_ours]
    headers = ("PAPER: %", "PAPER: tokens | %", "HERE: tokens | % (95%)", "HERE: method")
    return [
        f"Beside the paper: {DATASETS[setting.dataset]}, {MODELS[setting.model]}",
        *aligned(headers, rows),
        "PAPER: printed in the paper, not measured here (arXiv 2506.08292; accuracy in %: Figures "
        "9 to 13;",
        "tokens per question | accuracy in %: Table 3). It prints no seeds and no intervals.",
        f"HERE: measured. {heading(comparison)[0]}",
        *_notes(figures, table, reports),
    ]


def _notes(
    figures: Mapping[str, float],
    table: Mapping[str, tuple[float, float]],
    reports: Mapping[str, MethodReport],
) -> list[str]:
    twice = [
        f"{method} {figures[method]} and {accuracy:.2f}"
        for method, (_, accuracy) in table.items()
        if method in figures and abs(figures[method] - accuracy) > _SAME
    ]
    notes = [f"The paper prints two accuracies of: {', '.join(twice)}"] if twice else []
    debate, econ = (reports.get(OURS[method]) for method in ("MAD 3 rounds", "ECON"))
    if debate is None or econ is None or debate.spending is None or econ.spending is None:
        return notes
    here = _change(econ.spending.tokens, debate.spending.tokens)
    theirs = f"{_CLAIMED_SAVING:+.1f}% claimed on average"
    if table:
        theirs = f"{_change(table['ECON'][0], table['MAD 3 rounds'][0])} by its Table 3, {theirs}"
    notes.append(f"Tokens of ECON against a debate of 3 rounds: HERE {here}; PAPER {theirs}")
    return notes


def _by_layout(methods: list[str]) -> list[str]:
    """Return every method once, in the figures' order, with those of Table 3 alone before ECON."""
    extra = [method for method in dict.fromkeys(methods) if method not in FIGURE_METHODS]
    return [*FIGURE_METHODS[:-1], *extra, FIGURE_METHODS[-1]]


def _theirs(cell: tuple[float, float] | None) -> str:
    return NOTHING if cell is None else f"{cell[0]:,.2f} | {cell[1]:.2f}"


def _ours(report: MethodReport | None) -> tuple[str, str]:
    if report is None:
        return "not run", NOTHING
    if report.spending is None or report.accuracy is None:
        return "no result", report.method
    return (
        f"{report.spending.tokens:,.1f} | {interval(report.accuracy.overall)}",
        report.method,
    )


def _change(ours: float, theirs: float) -> str:
    return f"{100 * (ours / theirs - 1):+.1f}%"


def _known(name: str, known: Mapping[str, str], what: str) -> str:
    if name in known:
        return name
    nearest = get_close_matches(name, known, n=1, cutoff=0.3)
    meant = f": did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"the paper has no {what} {name!r} (it has {', '.join(known)}){meant}")
