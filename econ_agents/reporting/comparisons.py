"""Comparisons with other methods in words, and as sections of the page of a run."""

from __future__ import annotations

from collections.abc import Sequence

from econ_agents.reporting.saved_comparisons import Difference, Method, Part, SavedComparison
from econ_agents.statistics import Interval, in_percent, in_points
from econ_pages.charts import Estimate, Intervals
from econ_pages.page import Charts, Section, Table
from econ_pages.text import plural

_NAMES = {
    "best_of_n_commit": "samples with a conclusion",
    "cot": "one sampled answer",
    "debate": "a debate",
    "econ": "the trained team",
    "econ_fixed": "the team at one setting",
    "econ_untrained": "the untrained team",
    "first_round_vote": "a vote of the team's first answers",
    "greedy": "one greedy answer",
    "self_consistency": "a majority vote",
}
_SETTINGS = {"temperature=": "T=", "repetition_penalty=": "p="}
_LONGEST, _LONGEST_OF_ROW = 100, 38
"""Most characters of a name or of settings that are shown, and of a name in a chart."""


def plain_name(spec: str) -> str:
    """Name of a method in plain words with its settings; an unknown one as it is written."""
    kind, _, settings = spec.partition(":")
    if kind not in _NAMES:
        return short(spec)
    for key, symbol in _SETTINGS.items():
        settings = settings.replace(key, symbol)
    return f"{_NAMES[kind]} ({short(settings.replace(',', ', '))})" if settings else _NAMES[kind]


def main_contrast(comparison: SavedComparison) -> tuple[Method, Method, Difference] | None:
    """The contrast that was named before the run, else the trained team's to the reference.

    Returns:
        Both methods and their difference; None if there is none.
    """
    reference = comparison.reference
    if reference is None:
        return None
    if comparison.primary is not None:
        names = [comparison.primary[0]]
    else:
        names = [each.name for each in comparison.methods if each.name.partition(":")[0] == "econ"]
    theirs = comparison.method(reference)
    for ours in map(comparison.method, names):
        if ours is not None and theirs is not None:
            difference = ours.minus(reference)
            if difference is not None:
                return ours, theirs, difference
    return None


def comparison_sections(comparisons: Sequence[SavedComparison]) -> list[Section]:
    """One section for every comparison."""
    title = "Compared with other methods"
    several = len(comparisons) > 1
    return [
        Section(
            title=f"{title}: {short(each.folder)}" if several else title,
            paragraphs=_about(each),
            blocks=[*_accuracies(each.methods), _table(each), *_parts(each.parts)],
        )
        for each in comparisons
    ]


def _about(comparison: SavedComparison) -> list[str]:
    seeds = f"{comparison.seeds} {plural(comparison.seeds, 'seed')}"
    said = (
        f"Every method answered the same {comparison.questions:,} questions of the data set "
        f"{short(comparison.dataset)} with the same models ({short(comparison.llm)}; {seeds})."
    )
    if comparison.target is not None and comparison.matched:
        matched = ", ".join(map(plain_name, comparison.matched))
        said += f" Made to cost as many tokens as {plain_name(comparison.target)}: {matched}."
    return [said, f"{_contrasts(comparison)} {_findings(comparison)}"]


def _contrasts(comparison: SavedComparison) -> str:
    reference = comparison.reference
    if reference is None:
        return "No method was compared with another."
    if comparison.primary is None:
        return (
            f"Points are against {plain_name(reference)}. No contrast was named as the primary one "
            "before the run."
        )
    ours, theirs = map(plain_name, comparison.primary)
    return f"The primary contrast, named before the run: {ours} against {theirs}."


def _findings(comparison: SavedComparison) -> str:
    return (
        "Better, worse: zero lies outside the interval; for other contrasts than the primary one "
        "also after a correction for their number. As good as: the loss is smaller than "
        f"{100 * comparison.margin:g} points. Open: none of these."
    )


def _accuracies(methods: Sequence[Method]) -> list[Charts]:
    rows = [
        _estimate(short(plain_name(each.name), _LONGEST_OF_ROW), each.accuracy)
        for each in methods
        if each.accuracy is not None
    ]
    if not rows:
        return []
    chart = Intervals(title="Accuracy", x_label="right answers, % of questions (95%)", rows=rows)
    return [Charts(charts=[chart])]


def _estimate(label: str, interval: Interval) -> Estimate:
    mean, low, high = 100 * interval.mean, 100 * interval.low, 100 * interval.high
    return Estimate(label=label, value=mean, low=low, high=high)


def _table(comparison: SavedComparison) -> Table:
    head = ["method", "right", "accuracy (95%)", "difference (95%)", "tokens a question", "finding"]
    return Table(head=head, rows=[_row(method, comparison) for method in comparison.methods])


def _parts(parts: Sequence[Part]) -> list[Table]:
    if not parts:
        return []
    head = ["part of the method", "with it", "without it", "worth (95%, not tested)"]
    rows = [
        [
            short(part.name),
            plain_name(part.ours),
            plain_name(part.theirs),
            in_points(part.worth, signed=True),
        ]
        for part in parts
    ]
    return [Table(head=head, rows=rows)]


def _row(method: Method, comparison: SavedComparison) -> list[str]:
    reference = comparison.reference
    difference = None if reference is None else method.minus(reference)
    if method.name == reference:
        finding = "the others are compared with it"
    elif difference is None:
        finding = "not compared"
    else:
        finding = "as good as it" if difference.finding == "as good" else difference.finding
        if comparison.primary == (method.name, reference):
            finding += ", the primary contrast"
    return [
        plain_name(method.name),
        f"{method.correct:,} of {method.finished:,}",
        "–" if method.accuracy is None else in_percent(method.accuracy),
        "–" if difference is None else in_points(difference.accuracy, signed=True),
        "–" if method.tokens is None else f"{method.tokens:,.0f}",
        finding,
    ]


def short(text: str, longest: int = _LONGEST) -> str:
    """A name, cut if it is very long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
