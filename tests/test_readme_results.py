"""The learning results that README.md shows are those of the committed result files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

RESULTS = Path("benchmarks", "results")


def summary(repository: Path, part: str) -> dict[str, Any]:
    path = repository / RESULTS / f"learning_{part}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["summary"]
    return found


def simulated(found: dict[str, Any]) -> list[str]:
    nash = [found[f"{who}nash_conv"] for who in ("untrained_", "")]
    return [
        f"{100 * found['share_of_optimum']['mean']:.1f}% of the exact optimum",
        f"{nash[0]['mean']:.2f} to {nash[1]['mean']:.3f}",
        f"worst seed {max(nash[1]['values']):.3f}",
    ]


def sb3(found: dict[str, Any]) -> list[str]:
    gains = found["econ_minus_best_rival"]
    return [
        f"+{gains[f'after {count} episodes']['mean']:.3f} after {count}" for count in (500, 1500)
    ]


def bundled(found: dict[str, Any]) -> list[str]:
    return [
        f"{100 * found['untrained']['accuracy']:.1f}%",
        f"{100 * found['one_round_accuracy']['mean']:.1f}%",
        f"{100 * found['bne_accuracy']['mean']:.1f}%",
        f"{100 * found['fixed, test']['accuracy']:.1f}%",
        f"{found['one_round_tokens_per_question']['mean']:.0f}",
        f"{found['bne_tokens_per_question']['mean']:.0f}",
        f"{found['untrained']['tokens_per_question']:.0f}",
    ]


@pytest.mark.parametrize("part", [simulated, sb3, bundled])
def test_readme_shows_what_was_measured(repository: Path, part: Any) -> None:
    section = (repository / "README.md").read_text(encoding="utf-8")
    section = section.partition("### What it reaches")[2].partition("\n## ")[0]
    section = " ".join(section.split())
    for number in part(summary(repository, part.__name__)):
        assert number in section, number
