"""The table of team sizes for a terminal."""

from __future__ import annotations

from benchmarks.learning_parts.results import Result

HEADERS = (
    "executors",
    "layout",
    "accuracy (95%)",
    "first-round vote (95%)",
    "tokens/question",
    "tokens/executor",
    "longest prompt",
    "shortened prompts",
    "failed",
)


def table_lines(summary: Result) -> list[str]:
    """A line for every team."""
    rows = [HEADERS, *(_cells(row) for row in summary.values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def _cells(row: Result) -> tuple[str, ...]:
    groups = row["group_size"]
    team = str(row["executors"]), "flat" if groups is None else f"groups of {groups}"
    if row["failed"] == row["questions"]:
        return (*team, *[""] * (len(HEADERS) - len(team) - 1), f"{row['failed']} (all)")
    return (
        *team,
        _interval(row["accuracy"]),
        _interval(row["first_round_vote"]),
        f"{row['tokens_per_question']:.0f}",
        f"{row['tokens_per_executor']:.0f}",
        str(row["longest_prompt_tokens"]),
        f"{row['shortened_prompts']} (of {row['shortened_questions']} questions)",
        str(row["failed"]),
    )


def _interval(share: dict[str, float]) -> str:
    return f"{share['share']:.1%} ({share['low']:.1%} to {share['high']:.1%})"
