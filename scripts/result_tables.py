"""Write the tables of measured numbers in README.md and docs/ from the committed result files.

Run ``.venv/bin/python scripts/result_tables.py``; it writes between the marks
``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``. A test fails when the tables are outdated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.prompts.arms import RULES, Arm
from benchmarks.prompts.table import table_lines as prompt_lines
from benchmarks.sampling.table import table_lines

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "docs" / "benchmarks.md",
    ROOT / "docs" / "learning.md",
    ROOT / "docs" / "local_models.md",
    ROOT / "docs" / "training_with_other_libraries.md",
)
RESULTS = ROOT / "benchmarks" / "results"

Found = dict[str, Any]


def _tuned(name: str, *, without: Collection[str] = ()) -> list[str]:
    """Return the table of methods that were tuned alike, by the name of its result.

    Args:
        name: name of the result.
        without: beginnings of the methods that are left out.
    """
    found = _read(name)
    theirs = found["about"]["primary"][1]
    over = f"points over {_named(theirs)} (95%)"
    return [
        f"| method | accuracy, % (95%) | {over} | tokens per question |",
        "|---|---|---|---|",
        *(
            _line(m, _told(m["method"]), theirs)
            for m in found["methods"]
            if not m["method"].startswith(tuple(without))
        ),
    ]


def _named(spec: str) -> str:
    return spec.partition(":")[0].replace("_", "-")


_SHORT = {
    "temperature": "T",
    "temperatures": "T",
    "repetition_penalty": "p",
    "repetition_penalties": "p",
}


def _told(spec: str) -> str:
    """Return a method's name and its settings in few words."""
    name, _, settings = spec.partition(":")
    if settings.startswith("of="):
        return f"`{name}` of {_told(settings.removeprefix('of='))}"
    told = [f"`{name}`"]
    for setting in filter(None, settings.split(",")):
        key, _, value = setting.partition("=")
        told.append(f"{_SHORT.get(key, key)} = {value}")
    return ", ".join(told)


_ARMS = {
    "greedy": "one greedy answer",
    "self_consistency:k=4": "vote of four samples (self-consistency)",
    "first_round_vote": "vote of the team's three responses",
    "econ_fixed:rule=casting_vote": "team: three executors, the coordinator with a casting vote",
    "econ_fixed:rule=checked": "team, rule `checked`: sound responses first",
    "econ_fixed": "team: three executors, majority, else the coordinator",
}


def _public_model(name: str) -> list[str]:
    """Return the table of a team of public models, by the name of its result."""

    def told(spec: str) -> str:
        return next(words for begin, words in _ARMS.items() if spec.startswith(begin))

    return [
        "| | accuracy, % (95%) | points over one greedy answer (95%) | tokens per question |",
        "|---|---|---|---|",
        *(_line(m, told(m["method"]), "greedy") for m in _read(name)["methods"]),
    ]


_ARMS_OF_THE_TRAINED = {
    "econ:": "trained team: T and p by the question",
    "econ_fixed:rule=casting_vote,temperature=0.28": "the same team at the mean T and p of the "
    "trained one, added afterwards",
    "econ_fixed": "the same team at one T, nothing learned",
    "greedy": "one greedy answer",
    "first_round_vote": "vote of the trained team's three responses",
    "self_consistency:k=4": "vote of four samples (self-consistency)",
}


def _trained(name: str) -> list[str]:
    """Return the table of a trained team of public models, by the name of its result."""
    methods = _read(name)["methods"]
    references = {"greedy": "one greedy answer"}
    references |= {
        method["method"]: "four samples"
        for method in methods
        if method["method"].startswith("self_consistency")
    }
    over = " | ".join(f"over {told} (95%)" for told in references.values())
    lines = [
        f"| | accuracy, % (95%) | {over} | tokens per question |",
        "|---|---|" + "---|" * len(references) + "---|",
    ]
    for method in methods:
        spec = method["method"]
        told = next(w for begin, w in _ARMS_OF_THE_TRAINED.items() if spec.startswith(begin))
        lines.append(_line(method, told, *references))
    return lines


_TEAM = "econ_fixed:rule=casting_vote,temperature=0.6"


def room() -> list[str]:
    """Return the table of what the right temperature, or a perfect conclusion, would be worth."""
    lines = [
        "| | all at T = 0 | all at T = 0.6 | the better of both for every question "
        "| a right answer among the three |",
        "|---|---|---|---|---|",
    ]
    for name, told in (
        ("gsm8k_1.5b_casting_vote", "GSM8K, 200 questions"),
        ("svamp_1.5b", "SVAMP, 100"),
        ("math500_1.5b", "MATH-500, 100"),
    ):
        found = _read(name)
        methods = {method["method"]: method for method in found["methods"]}
        team, greedy = (methods[each]["outcomes"]["correct"] for each in (_TEAM, "greedy"))
        pairs = next(d for d in methods[_TEAM]["differences"] if d["to"] == "greedy")["by_seed"]
        shares = (greedy, team, team + pairs[0]["theirs_only"])
        of_all = found["about"]["questions"] / 100
        right = 100 * methods[_TEAM]["diagnosis"]["oracle"]
        cells = " | ".join(f"{share / of_all:.1f}" for share in shares)
        lines.append(f"| {told} | {cells} | {right:.1f} |")
    return lines


def _line(method: Found, name: str, *references: str) -> str:
    """Return the line of a method: accuracy, differences to ``references``, tokens."""
    over = " | ".join(_over(method, reference) for reference in references)
    share = _percent(method["accuracy"]["overall"])
    return f"| {name} | {share} | {over} | {method['spending']['tokens']:,.0f} |"


def _over(method: Found, reference: str) -> str:
    """Return the difference of a method to ``reference`` with its finding; a dash without one."""
    difference = next((d for d in method["differences"] if d["to"] == reference), None)
    if difference is None:
        return "–"
    return f"{_signed(difference['accuracy'])} *{difference['finding']}*"


def prompts(name: str) -> list[str]:
    """Return the table of what the game's prompts do to a real model, by the name of its result."""
    parts = [*_read(name)["parts"].values()]
    played = {Arm(**part["arm"]): part for part in parts}
    arms = sorted(
        played,
        key=lambda arm: (not arm.is_single, arm.strategy, RULES.index(arm.commitment_rule)),
    )
    return list(prompt_lines(parts[0]["llm"], {arm: played[arm] for arm in arms}))


def sampling() -> list[str]:
    """Return the table of accuracy over temperature and repetition penalty."""
    return list(table_lines(_read("sampling")["parts"]))


def scale() -> list[str]:
    """Return the table of team sizes: accuracy, tokens and failures."""
    lines = [
        "| executors | accuracy, % (95%) | right of all | tokens per question "
        "| tokens per executor | longest prompt | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for team in _read("scale")["summary"].values():
        groups = "" if team["group_size"] is None else f", groups of {team['group_size']}"
        share = {**team["accuracy"], "mean": team["accuracy"]["share"]}
        lines.append(
            f"| {team['executors']}{groups} | {_percent(share)} "
            f"| {team['right_of_all_questions']:.1%} | {team['tokens_per_question']:,.0f} "
            f"| {team['tokens_per_executor']:.0f} | {team['longest_prompt_tokens']} "
            f"| {team['failed']} |"
        )
    return lines


def vectorised() -> list[str]:
    """Return the table of trainers on one batch of questions, against copies of a team."""
    found = _read("throughput")["vectorised"]
    calls, rates = found["calls_per_phase"], found["rounds_per_second"]
    names = {
        "torchrl": ("TorchRL", "`SerialEnv`", "`TorchRLEnv`"),
        "sb3": ("stable-baselines3", "SuperSuit", "`ExecutorsVecEnv`"),
    }
    lines = [
        "| trainer | calls of the model per phase | rounds per second | times as fast |",
        "|---|---|---|---|",
    ]
    for key, (trainer, copies, batch) in names.items():
        one, other = f"{key}_copies", f"{key}_batch"
        lines.append(
            f"| {trainer}: {copies} → {batch} | {calls[one]:.1f} → {calls[other]:.1f} "
            f"| {rates[one]:.2f} → {rates[other]:.2f} | {found['ratio'][key]:.1f} |"
        )
    return lines


def early_stopping() -> list[str]:
    """Return the table of the rewards around the episode at which early stopping ends a run."""
    found = _read("learning_early_stopping")["summary"]
    stop, span = found["stops_after"], found["span"]
    rows = {
        f"the first {stop - span:,}": found["early"],
        f"the {span} before the stop, after {stop:,} of {found['episodes']:,}": found["before"],
        f"the {found['episodes'] - stop:,} that would follow": found["after"],
    }
    return [
        "| episodes | reward per decision |",
        "|---|---|",
        *(f"| {name} | {reward:.3f} |" for name, reward in rows.items()),
    ]


def third_party() -> list[str]:
    """Return the table of other people's trainers: versions, scripts and results."""
    return trials_table(_read("third_party"), root="../")


def trials_table(found: Found, root: str) -> list[str]:
    """Return that table for the results ``found``; ``root`` leads from it to this repository."""
    lines = [
        "| library | version | algorithm | script | lines | random → trained |",
        "|---|---|---|---|---|---|",
    ]
    for trial in found.values():
        came = (
            f"failed: {trial['error']}"
            if "error" in trial
            else f"{trial['random']:.3f} → {trial['trained']:.3f}"
        )
        name = Path(trial["script"]).name
        lines.append(
            f"| {trial['library']} | {trial.get('version', '–')} | {trial['algorithm']} "
            f"| [{name}]({root}{trial['script']}) | {trial['lines']} | {came} |"
        )
    return lines


TABLES: Mapping[str, Callable[[], list[str]]] = {
    "bundled": partial(_tuned, "comparison_bundled"),
    "early_stopping": early_stopping,
    "gsm8k": partial(_public_model, "gsm8k_1.5b"),
    "gsm8k_vote": partial(_public_model, "gsm8k_1.5b_casting_vote"),
    "gsm8k_mixed": partial(_public_model, "gsm8k_mixed_casting_vote"),
    "gsm8k_small": partial(_public_model, "gsm8k_0.5b"),
    "gsm8k_small_vote": partial(_public_model, "gsm8k_0.5b_casting_vote"),
    "gsm8k_trained": partial(_trained, "gsm8k_0.5b_trained"),
    "math500": partial(_public_model, "math500_1.5b"),
    "math500_trained": partial(_trained, "math500_1.5b_trained"),
    "prompts": partial(prompts, "prompts"),
    "prompts_default": partial(prompts, "prompts_default"),
    "room": room,
    "sampling": sampling,
    "scale": scale,
    "simulated": partial(_tuned, "comparison_simulated"),
    "simulated_in_short": partial(
        _tuned,
        "comparison_simulated",
        without=("greedy", "first_round_vote", "best_of_n_commit:temperature"),
    ),
    "svamp": partial(_public_model, "svamp_1.5b"),
    "svamp_trained": partial(_trained, "svamp_1.5b_trained"),
    "third_party": third_party,
    "vectorised": vectorised,
}
"""Tables by the name in their marks."""


def with_tables(document: str) -> str:
    """Return the document with up-to-date tables between its marks."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        if begin in document:
            before, _, rest = document.partition(begin)
            _, _, after = rest.partition(end)
            document = f"{before}{begin}\n" + "\n".join(table()) + f"\n\n{end}{after}"
    return document


def _read(name: str) -> Found:
    found: Found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _percent(share: Found) -> str:
    return "{mean:.1f} ({low:.1f} to {high:.1f})".format(
        **{name: 100 * share[name] for name in ("mean", "low", "high")}
    )


def _signed(difference: Found) -> str:
    return "{mean:+.1f} ({low:+.1f} to {high:+.1f})".format(
        **{name: 100 * difference[name] for name in ("mean", "low", "high")}
    )


def main() -> None:
    """Write the tables."""
    for path in DOCUMENTS:
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
