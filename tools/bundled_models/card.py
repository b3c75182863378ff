"""Tables of the model card, written from the reports so that no number is typed by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tools.bundled_models.differences import Difference

START, END = "<!-- measured: start -->", "<!-- measured: end -->"

Report = dict[str, Any]


def update_card(card: Path, reports: Sequence[Report], team: Report) -> None:
    """Replace the tables between the two markers of ``card``.

    Raises:
        OSError: the card cannot be read or written.
        ValueError: the markers are missing.
    """
    text = card.read_text(encoding="utf-8")
    if START not in text or END not in text:
        raise ValueError(f"{card} must contain the lines {START} and {END}")
    before, rest = text.split(START, 1)
    after = rest.split(END, 1)[1]
    tables = "\n\n".join(
        [_models_table(reports), _sweep_table(reports), _team_table(team), _game_table(team)]
    )
    card.write_text(f"{before}{START}\n\n{tables}\n\n{END}{after}", encoding="utf-8")


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _interval(value: dict[str, float]) -> str:
    return str(Difference(**value))


def _cost(report: Report) -> str:
    cost = report.get("cost_of_other_roles")
    if cost is None:
        return "not measured"
    return f"{_interval(cost['all_roles_minus_solver'])} from {_percent(cost['solver_only'])}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _models_table(reports: Sequence[Report]) -> str:
    first = reports[0]
    rows: list[tuple[str, Callable[[Report], str]]] = [
        ("greedy answer, own plan", lambda r: _percent(r["greedy"])),
        ("… of 1, 2, 3, 4 steps", lambda r: _steps(r["greedy_by_steps"])),
        ("greedy answer, no plan", lambda r: _percent(r["greedy_no_plan"])),
        ("… of 1, 2, 3, 4 steps", lambda r: _steps(r["greedy_no_plan_by_steps"])),
        ("greedy answer, correct plan", lambda r: _percent(r["greedy_correct_plan"])),
        ("correct plan over no plan", lambda r: _interval(r["correct_plan_over_empty"])),
        ("own plan is exactly right", lambda r: _percent(r["plan_exact"])),
        ("T = 0.3 over T = 1.5", lambda r: _interval(r["fall_from_0.3_to_1.5"])),
        ("all roles against solver only", _cost),
    ]
    labels = {
        "one_response": "one response at T = 0.7",
        "majority": "majority of {n}",
        "guarded": "guarded commitment over {n}",
        "coordinator": "coordinator's commitment over {n}",
        "oracle": "any of {n} right",
    }
    for size in (3, 5):
        key = f"team_of_{size}"
        for name, label in labels.items():
            rows.append((label.format(n=size), _team_cell(key, name, _percent)))
        for name in (
            "guarded_over_majority",
            "guarded_over_greedy",
            "coordinator_over_majority",
            "coordinator_over_greedy",
        ):
            label = name.replace("_", " ") + f", {size} responses"
            rows.append((label, _team_cell(key, name, _interval)))
        for name in ("json_rate", "consensus_rate", "novel_rate"):
            label = name.replace("json", "JSON").replace("_", " ") + f", {size} responses"
            rows.append((label, _team_cell(key, name, _percent)))
    title = (
        f"Accuracy in percent on {first['n_questions']} questions of unseen structure "
        f"(seed {first['seed']}). Differences are in points, paired, with 95% bootstrap intervals."
    )
    names = [f"`bundled:{number}`" for number in range(len(reports))]
    body = [[label, *(cell(report) for report in reports)] for label, cell in rows]
    return title + "\n\n" + _table(["", *names], body)


def _team_cell(team: str, name: str, show: Callable[[Any], str]) -> Callable[[Report], str]:
    return lambda report: show(report[team][name])


def _steps(by_steps: dict[str, float]) -> str:
    return ", ".join(_percent(value) for value in by_steps.values())


def _sweep_table(reports: Sequence[Report]) -> str:
    parts = []
    for key, title in (
        ("by_temperature", "One response by temperature (own plan, top-p 0.9):"),
        ("by_repetition_penalty", "By repetition penalty, T = 0.3, first 300 questions:"),
        ("last_commitment", "Greedy, with a last commitment in view, first 300 questions:"),
    ):
        header = ["", *reports[0][key]]
        body = [
            [f"`bundled:{number}`", *(_percent(v) for v in report[key].values())]
            for number, report in enumerate(reports)
        ]
        parts.append(f"{title}\n\n{_table(header, body)}")
    return "\n\n".join(parts)


def _team_table(team: Report) -> str:
    header = ["", "with own plans", "without plans"]
    columns = [team["with_own_plans"], team["without_plans"]]
    rows = [
        ["single greedy answers", *(", ".join(map(_percent, c["single"])) for c in columns)],
        ["majority of the three", *(_percent(c["majority"]) for c in columns)],
        ["any of the three right", *(_percent(c["oracle"]) for c in columns)],
        [
            "majority over the best single one",
            *(_interval(c["majority_over_best_single"]) for c in columns),
        ],
        *(
            [
                f"correlation of being right, models {pair.replace('-', ' and ')}",
                *(f"{c['correlation'][pair]:.2f}" for c in columns),
            ]
            for pair in columns[0]["correlation"]
        ),
    ]
    return "The three models together, greedy answers:\n\n" + _table(header, rows)


def _game_table(team: Report) -> str:
    header = ["", *(f"`{rule}`" for rule in team["game"]), "`guarded`, by `bundled:0`"]
    games = [*team["game"].values(), team["game_of_first"]]
    rows = [
        ["team accuracy", *(_percent(g["accuracy"]) for g in games)],
        [
            "95% interval",
            *(" to ".join(_percent(bound) for bound in g["accuracy_interval"]) for g in games),
        ],
        ["majority of the same responses", *(_percent(g["majority"]) for g in games)],
        ["team over that majority", *(_interval(g["over_majority"]) for g in games)],
        [
            "team over the best single greedy answer",
            *(_interval(g["over_best_single_greedy"]) for g in games),
        ],
        ["tokens per question", *(f"{g['tokens_per_question']:.0f}" for g in games)],
        ["commitments asked for", *(str(g["commitments_asked"]) for g in games)],
        ["JSON rate of those", *(_percent(g["json_rate"]) for g in games)],
        ["agreed without a call", *(str(g["consensus"]) for g in games)],
        ["novel values replaced", *(str(g["novel"]) for g in games)],
    ]
    return (
        "The game as it is played by default (three executors, one round, T = 0.7, "
        "`bundled:coordinator` coordinates), under both commitment rules, and with the first "
        "executor's model in the coordinator's place:\n\n"
        + _table(header, rows)
        + f"\n\n{_percent(team['plan_exact'])}% of the plans of `bundled:coordinator` are exactly "
        "right. In place of `bundled:0` it changes the accuracy of the guarded team by "
        f"{_interval(team['over_first'])} points, and that of the majority of the responses to its "
        f"plans by {_interval(team['majority_over_first'])}."
    )
