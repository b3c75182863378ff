"""Table of team sizes for a terminal."""

from __future__ import annotations

from benchmarks.learning.results import Result

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
    "right of all",
)


def table_lines(summary: Result) -> list[str]:
    """Return a line for every team, and the reasons of failed questions.

    Accuracy is that of questions that did not fail. If prompts do not fit, only the questions on
    which the team agrees succeed, which are the easy ones; so the last column counts all questions.
    """
    rows = [HEADERS, *(_cells(row) for row in summary.values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    failures = [
        f"{name}: {row['failed']} of {row['questions']} questions failed: {row['first_failure']}"
        for name, row in summary.items()
        if row["failed"]
    ]
    return [*table, *failures]


def _cells(row: Result) -> tuple[str, ...]:
    groups = row["group_size"]
    team = str(row["executors"]), "flat" if groups is None else f"groups of {groups}"
    whole = str(row["failed"]), f"{row['right_of_all_questions']:.1%}"
    if row["failed"] == row["questions"]:
        return (*team, *[""] * (len(HEADERS) - len(team) - len(whole)), *whole)
    return (
        *team,
        _interval(row["accuracy"]),
        _interval(row["first_round_vote"]),
        f"{row['tokens_per_question']:.0f}",
        f"{row['tokens_per_executor']:.0f}",
        str(row["longest_prompt_tokens"]),
        f"{row['shortened_prompts']} (of {row['shortened_questions']} questions)",
        *whole,
    )


def _interval(share: dict[str, float]) -> str:
    return f"{share['share']:.1%} ({share['low']:.1%} to {share['high']:.1%})"
