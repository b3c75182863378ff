"""Comparisons as plain data, as they stand in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from econ_agents.reporting.saved_comparisons import FILE, FOLDER

VOTE = "self_consistency:k=8,temperature=1"


def difference(to: str, mean: float, low: float, high: float, finding: str) -> dict[str, Any]:
    return {
        "to": to,
        "pairs": 200,
        "accuracy": {"mean": mean, "low": low, "high": high},
        "p": 0.01,
        "p_holm": 0.02,
        "finding": finding,
        "by_seed": [],
    }


def method(name: str, correct: int, tokens: float, *differences: dict[str, Any]) -> dict[str, Any]:
    share = correct / 200
    return {
        "method": name,
        "outcomes": {"finished": 200, "correct": correct, "failed": 0, "missing": 0},
        "accuracy": {
            "overall": {"mean": share, "low": share - 0.05, "high": share + 0.05},
            "by_seed": [],
        },
        "differences": list(differences),
        "spending": {"calls": 5.0, "tokens": tokens},
        "diagnosis": None,
    }


def comparison(finding: str = "better", **about: Any) -> dict[str, Any]:
    """The trained team against a vote and a greedy answer."""
    trained = [
        difference("greedy", 0.2, 0.1, 0.3, "better"),
        difference(VOTE, 0.065, 0.02, 0.11, finding),
    ]
    methods = [
        method("greedy", 100, 40.0, difference(VOTE, -0.135, -0.2, -0.07, "worse")),
        method(VOTE, 127, 306.0),
        method("econ", 140, 301.0, *trained),
    ]
    return {
        "about": {
            "dataset": "arithmetic",
            "llm": "bundled",
            "methods": [each["method"] for each in methods],
            "questions": 200,
            "seeds": [0],
            "budget_target": "econ",
            "budget_matched": [VOTE],
            "primary": ["econ", VOTE],
            "margin": 0.02,
        }
        | about,
        "references": [VOTE, "greedy"],
        "methods": methods,
    }


def save(run: Path, data: Any, name: str = "arithmetic_bundled") -> Path:
    """Write a comparison into the folder of a run; text is written as it is."""
    place = run / FOLDER / name
    place.mkdir(parents=True)
    text = data if isinstance(data, str) else json.dumps(data)
    (place / FILE).write_text(text, encoding="utf-8")
    return place
