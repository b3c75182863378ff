"""Results that a run left in its folder, read back: the test report and NashConv."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from econ_agents.equilibrium.nash_conv import NASH_FILE
from econ_agents.evaluation.before_and_after import Learned
from econ_agents.evaluation.report import REPORT_FILE, Arm, EvaluationReport
from econ_agents.statistics import Interval
from econ_files.bounded import Unreadable, read_regular
from econ_pages.errors import PageError
from econ_pages.fields import Fields

LIMIT = 2**26
"""Largest size in bytes of a file of results, a thousand times what they usually have."""

_AGAIN = "test or measure the run again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Equilibrium:
    """One measurement of NashConv."""

    seed: int
    interval: Interval
    questions: int
    gains: tuple[Interval, ...]
    """Gain of the best deviation of every agent, in their order."""


def read_test_report(run: Path) -> tuple[EvaluationReport, Learned | None] | None:
    """Read ``test_report.json`` of a run; None if the run was not tested.

    Raises:
        PageError: the file is damaged; the message names the place.
    """
    path = run / REPORT_FILE
    if not path.exists():
        return None
    data = Fields(read_json(path, _AGAIN), path.name)
    untrained = data.object("learned")
    return (
        EvaluationReport(
            rounds=data.count("rounds"),
            baseline=_arm(data.object("baseline")),
            bne=_arm(data.object("bne")),
            difference=_optional_interval(data, "difference"),
            right_to_wrong=data.count("right_to_wrong") if "right_to_wrong" in data else None,
            wrong_to_right=data.count("wrong_to_right") if "wrong_to_right" in data else None,
        ),
        _learned(untrained) if "learned" in data else None,
    )


def read_nash_conv(run: Path) -> list[Equilibrium]:
    """Read the measurements of ``econ-agents nash``; [] if there are none.

    Raises:
        PageError: the file is damaged; the message names the place.
    """
    path = run / NASH_FILE
    if not path.exists():
        return []
    measured = Fields({"measurements": read_json(path, _AGAIN)}, path.name).objects("measurements")
    return [
        Equilibrium(
            seed=each.count("seed"),
            interval=needed_interval(each.object("interval")),
            questions=each.count("questions"),
            gains=tuple(needed_interval(agent.object("gain")) for agent in each.objects("agents")),
        )
        for each in measured
    ]


def _arm(data: Fields) -> Arm:
    reasons = data.object("closed_by")
    return Arm(
        episodes=data.count("episodes"),
        failed=data.count("failed"),
        team_reward=needed_interval(data.object("team_reward")),
        correct=data.count("correct") if "correct" in data else None,
        accuracy=_optional_interval(data, "accuracy"),
        tokens_per_question=data.number("tokens_per_question"),
        rounds_per_question=_needed(data, "rounds_per_question"),
        closed_by={reason: reasons.count(reason) for reason in reasons.names()},
        json_rate=data.number("json_rate"),
    )


def _learned(data: Fields) -> Learned:
    actions, bounds = data.object("actions"), data.object("bounds")
    return Learned(
        untrained=_arm(data.object("untrained")),
        difference=needed_interval(data.object("difference")),
        actions={name: _pair(actions, name) for name in actions.names()},
        bounds={name: _pair(bounds, name) for name in bounds.names()},
    )


def _pair(data: Fields, name: str) -> tuple[float, float]:
    numbers = data.numbers(name)
    if len(numbers) != 2:
        raise PageError(f"{data.where}.{name} must have two numbers, got {len(numbers)}")
    return numbers[0], numbers[1]


def _optional_interval(data: Fields, name: str) -> Interval | None:
    return needed_interval(data.object(name)) if name in data else None


def needed_interval(data: Fields, again: str = _AGAIN) -> Interval:
    """Interval of an object with ``mean``, ``low`` and ``high``.

    Raises:
        PageError: it lacks one of them; the message names the place, and ends with ``again``.
    """
    mean, low, high = (_needed(data, name, again) for name in ("mean", "low", "high"))
    return Interval(mean=mean, low=low, high=high)


def _needed(data: Fields, name: str, again: str = _AGAIN) -> float:
    number = data.number(name)
    if number is None:
        raise PageError(f"{data.where} lacks {name}: {again}")
    return number


def read_json(path: Path, again: str) -> Any:
    """Read a file of JSON that may come from somebody else.

    Args:
        path: the file.
        again: how to make it anew, as in "test the run again".

    Raises:
        PageError: it is damaged, a link or no regular file, or larger than :data:`LIMIT`.
    """
    try:
        return json.loads(read_regular(path, LIMIT).decode())
    except Unreadable as error:
        raise PageError(f"{path} {error}") from error
    except (ValueError, RecursionError) as error:
        raise PageError(f"{path} is damaged: {again} ({error})") from error
