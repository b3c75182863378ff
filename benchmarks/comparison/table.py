"""A comparison as tables: plain text for a terminal, Markdown for a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.comparison.findings import Comparison, Difference, MethodReport
from econ_agents.statistics import Interval

WIDTH = 120
"""Largest width of a plain table in characters, unless it has many seeds or rounds."""
NOTHING = "–"
"""Placeholder for a missing value."""

_NAME_WIDTH = 28
"""Longest name of a method that shares a line with its cells."""
_LISTED = 4
"""Largest number of rounds or seeds that are listed in full; of more, only the outermost."""
_REFERENCES = 3
"""Largest number of methods that one table of differences compares with."""
_DIAGNOSED = (
    "rounds",
    "% after each round",
    "first vote",
    "any right",
    "unanimous",
    "lost:won",
    "vote lost:won",
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One table with its title and the notes that explain it."""

    title: str
    headers: tuple[str, ...]
    """Headers of the columns after the method's name."""
    rows: tuple[tuple[str, ...], ...]
    """Name and cells of each method."""
    notes: tuple[str, ...] = ()


def table_lines(comparison: Comparison) -> list[str]:
    """Return the comparison as lines for a terminal."""
    lines = heading(comparison)
    for block in blocks(comparison):
        lines += ["", block.title, *aligned(block.headers, block.rows), *block.notes]
    return lines


def markdown_lines(comparison: Comparison) -> list[str]:
    """Return the comparison as lines of GitHub's Markdown."""
    lines = [f"{line}  " for line in heading(comparison)]
    for block in blocks(comparison):
        lines += ["", f"**{block.title}**", "", *_markdown(block.headers, block.rows)]
        if block.notes:
            lines += ["", *block.notes]
    return lines


def heading(comparison: Comparison) -> list[str]:
    """Return the lines that name questions, seeds and models, and matched budgets."""
    about = comparison.about
    seeds = ", ".join(map(str, about.seeds))
    lines = [
        f"{about.questions:,} questions of {about.dataset}, "
        f"{'seed' if len(about.seeds) == 1 else 'seeds'} {seeds}, model {about.llm}"
    ]
    if about.budget_target is not None and about.budget_matched:
        lines.append(
            f"Matched to the tokens of {about.budget_target}: {', '.join(about.budget_matched)}"
        )
    return lines


def blocks(comparison: Comparison) -> list[Block]:
    """Return the tables: accuracy, differences, McNemar's test, parts, cost, diagnosis, tuning.

    The two tables of differences are left out if no method has a reference to compare it with, that
    of ECON's parts if no part was left out of an arm, and that of the tuning if there was none.
    """
    compared = any(
        method.method != spec for method in comparison.methods for spec in comparison.references
    )
    tables = [_accuracy(comparison)]
    if compared:
        for start in range(0, len(comparison.references), _REFERENCES):
            references = comparison.references[start : start + _REFERENCES]
            last = start + _REFERENCES >= len(comparison.references)
            tables.append(_differences(comparison, references, explained=last))
        tables.append(_tests(comparison))
    if comparison.parts:
        tables.append(_parts(comparison))
    tables += [_spending(comparison), _diagnosis(comparison)]
    return [*tables, _tuning(comparison)] if comparison.about.tuned else tables


def aligned(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a plain-text table: names on the left, cells right-aligned below their headers."""
    table = [("method", *headers), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(1, len(headers) + 1)]
    name_width = max(len(row[0]) for row in table if len(row[0]) <= _NAME_WIDTH)
    lines = []
    for name, *cells in table:
        if len(name) > name_width:
            lines.append(name)
            name = ""
        padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append("  ".join([name.ljust(name_width), *padded]).rstrip())
    rule = "-" * max(map(len, lines))
    return [lines[0], rule, *lines[1:]]


def share(value: float) -> str:
    """Format a share in per cent."""
    return f"{100 * value:.1f}"


def interval(value: Interval) -> str:
    """Format a share and its interval in per cent."""
    return f"{share(value.mean)} ({share(value.low)} to {share(value.high)})"


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    table = [("method", *headers), ("---", *["---:"] * len(headers))]
    table += [(f"`{name}`", *cells) for name, *cells in rows]
    return [f"| {' | '.join(row)} |" for row in table]


def _accuracy(comparison: Comparison) -> Block:
    several = len(comparison.about.seeds) > 1
    summary = ("accuracy", "each seed") if several else ("accuracy",)

    def row(method: MethodReport) -> tuple[str, ...]:
        found, outcomes = method.accuracy, method.outcomes
        by_seed = [] if found is None else [one.accuracy.mean for one in found.by_seed]
        counts = (outcomes.unparseable, outcomes.timeout, outcomes.failed, outcomes.missing)
        return (
            NOTHING if found is None else interval(found.overall),
            *([_listed(by_seed)] if several else []),
            f"{outcomes.correct}/{outcomes.finished}",
            *map(str, counts),
        )

    note = (
        "accuracy: mean over seeds; its interval is a bootstrap over seeds (teams) and questions"
        if several
        else "accuracy: its interval is Wilson's"
    )
    return _block(
        comparison,
        "Accuracy in %, with 95% intervals",
        (*summary, "right", "no answer", "time-out", "failed", "missing"),
        row,
        note,
        "no answer, time-out of the grader: wrong. failed, missing: no result, not counted",
    )


def _differences(comparison: Comparison, references: Sequence[str], *, explained: bool) -> Block:
    about, margin = comparison.about, 100 * comparison.about.margin
    others = [(m.method, d) for m in comparison.methods for d in m.differences]
    count = len({frozenset((name, d.to)) for name, d in others if d.p_holm is not None})
    primary = (
        "No contrast was named as the primary one."
        if about.primary is None
        else f"primary contrast, named before the run: {about.primary[0]} to {about.primary[1]}"
    )
    notes = (
        primary,
        "better, worse: 0 is outside the interval; other contrasts than the primary one also need "
        "p < 0.05 after",
        f"Holm's correction for these {count}. as good: the loss is under {margin:g} points, on "
        "100 questions or more. open: none of these.",
    )
    return _block(
        comparison,
        "Difference in accuracy, in points, on the same questions and seeds (bootstrap 95%)",
        _reference_headers(references),
        lambda method: _to_references(references, method, _difference),
        f"compared with: {', '.join(references)}",
        *(notes if explained else ()),
    )


def _tests(comparison: Comparison) -> Block:
    return _block(
        comparison,
        "Exact McNemar test of each seed: questions that only one of the two got right, and p",
        _reference_headers(comparison.references),
        lambda method: _to_references(comparison.references, method, _test),
    )


def _parts(comparison: Comparison) -> Block:
    return Block(
        title="What each part is worth, in points (bootstrap 95%)",
        headers=("part", "worth"),
        rows=tuple(
            (f"{found.ours} - {found.theirs}", found.part, _signed(found.accuracy))
            for found in comparison.parts
        ),
        notes=("estimates, without a test and without a correction for their number",),
    )


def _spending(comparison: Comparison) -> Block:
    target = comparison.about.budget_target
    ratio = () if target is None else ("ratio",)
    headers = ("calls", "prompt", "of it cached", "completion", "tokens", *ratio)
    headers = (*headers, "USD per 1,000", "seconds", "longest")

    def row(method: MethodReport) -> tuple[str, ...]:
        spent = method.spending
        if spent is None:
            return (NOTHING,) * len(headers)
        reached = NOTHING if spent.tokens_to_target is None else f"{spent.tokens_to_target:.2f}"
        return (
            f"{spent.calls:.2f}",
            _amount(spent.prompt_tokens),
            _amount(spent.cached_tokens),
            _amount(spent.completion_tokens),
            _amount(spent.tokens),
            *(reached for _ in ratio),
            NOTHING if spent.cost_usd is None else f"{1000 * spent.cost_usd:,.2f}",
            f"{spent.wall_s:.3g}",
            f"{spent.longest_prompt_tokens:,}",
        )

    notes = ["tokens: mean of prompt and completion tokens. longest: tokens of the longest prompt."]
    if target is not None:
        notes.append(f"ratio: tokens as a multiple of those of {target}")
    return _block(
        comparison,
        "Spent per question",
        headers,
        row,
        *notes,
    )


def _diagnosis(comparison: Comparison) -> Block:
    def row(method: MethodReport) -> tuple[str, ...]:
        found = method.diagnosis
        if found is None:
            return (NOTHING,) * len(_DIAGNOSED)
        return (
            f"{found.rounds:.2f}",
            _listed(found.by_round),
            _share_or_nothing(found.first_vote),
            _share_or_nothing(found.oracle),
            _share_or_nothing(found.unanimous),
            _pair(found.right_to_wrong, found.wrong_to_right),
            _pair(found.overruled_right, found.overruled_wrong),
        )

    return _block(
        comparison,
        "Where answers were won and lost",
        _DIAGNOSED,
        row,
        "first vote: % of the majority of the first responses. any right: % with a right response "
        "in any round.",
        "unanimous: % whose last responses agree. lost:won: answers that the rounds after the "
        "first turned wrong:right.",
        "vote lost:won: answers that are wrong where the last responses' majority is right, and "
        "the other way round.",
    )


def _tuning(comparison: Comparison) -> Block:
    about = comparison.about
    notes = ["played: the most accurate setting, of equals the one with fewer tokens"]
    if about.trained_episodes:
        episodes = _listed_counts(about.trained_episodes)
        notes.append(f"econ: tuned by its training alone, {episodes} episodes for each seed's team")
    return Block(
        title="Tuning, on questions that are not compared",
        headers=("accuracy there", "settings", "questions", "calls"),
        rows=tuple(
            (
                tuned.chosen,
                share(next(t.accuracy for t in tuned.trials if t.method == tuned.chosen)),
                str(len(tuned.trials)),
                f"{tuned.trials[0].questions:,}",
                f"{tuned.calls:,}",
            )
            for tuned in about.tuned
        ),
        notes=tuple(notes),
    )


def _listed_counts(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _block(
    comparison: Comparison,
    title: str,
    headers: tuple[str, ...],
    row: Callable[[MethodReport], tuple[str, ...]],
    *notes: str,
) -> Block:
    rows = tuple((method.method, *row(method)) for method in comparison.methods)
    return Block(title=title, headers=headers, rows=rows, notes=notes)


def _reference_headers(references: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"to {spec.partition(':')[0]}" for spec in references)


def _to_references(
    references: Sequence[str], method: MethodReport, cell: Callable[[Difference], str]
) -> tuple[str, ...]:
    found = {difference.to: cell(difference) for difference in method.differences}
    return tuple(found.get(spec, NOTHING) for spec in references)


def _difference(difference: Difference) -> str:
    return f"{_signed(difference.accuracy)} {difference.finding:7}"


def _signed(value: Interval) -> str:
    return f"{_points(value.mean)} ({_points(value.low)} to {_points(value.high)})"


def _points(value: float) -> str:
    # Adding 0.0 turns -0.0 into 0.0.
    return f"{round(100 * value, 1) + 0.0:+.1f}"


def _test(difference: Difference) -> str:
    tests = difference.by_seed
    if len(tests) == 1:
        return f"{tests[0].ours_only}:{tests[0].theirs_only}, p {_p(tests[0].p)}"
    if len(tests) <= _LISTED:
        return f"p {', '.join(_p(test.p) for test in tests)}"
    values = [test.p for test in tests]
    return f"p {_p(min(values))} to {_p(max(values))} ({len(tests)} seeds)"


def _amount(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.2g}"


def _listed(values: Sequence[float]) -> str:
    if len(values) <= _LISTED:
        return " ".join(map(share, values)) or NOTHING
    return f"{share(values[0])} {share(values[1])} … {share(values[-1])}"


def _share_or_nothing(value: float | None) -> str:
    return NOTHING if value is None else share(value)


def _pair(lost: int | None, won: int | None) -> str:
    return NOTHING if lost is None or won is None else f"{lost}:{won}"
