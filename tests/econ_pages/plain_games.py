"""Transcripts as plain data, as they stand in files."""

from __future__ import annotations

from typing import Any

USAGE = {"prompt_tokens": 40, "completion_tokens": 10, "cached_tokens": 0, "requests": 1}


def response(answer: str | None, *, agent: int = 0, **changes: Any) -> dict[str, Any]:
    """A response of an executor."""
    text = "no idea" if answer is None else rf"So it is \boxed{{{answer}}}"
    return {
        "agent": f"executor_{agent}",
        "group": 0,
        "model": "m",
        "temperature": 0.5 + agent / 10,
        "repetition_penalty": 1.0,
        "seed": 1,
        "text": text,
        "answer": answer,
        "finish_reason": "stop",
        "error": None,
        "usage": USAGE,
        "false_equations": [],
        "messages": [{"role": "user", "content": "What is 3 + 4?"}] if agent == 0 else [],
    } | changes


def commitment(value: str | None, **changes: Any) -> dict[str, Any]:
    """A commitment of the coordinator, read as JSON."""
    return {
        "agent": "coordinator",
        "role": "commit",
        "model": "m",
        "members": ["executor_0", "executor_1"],
        "value": value,
        "reason": "two agree",
        "confidence": 0.75,
        "checklist": {"agree": True, "units": False},
        "parse_method": "json",
        "novel": False,
        "text": f'{{"value": "{value}"}}',
        "called": True,
        "seed": 1,
        "finish_reason": "stop",
        "error": None,
        "usage": USAGE,
        "messages": [{"role": "user", "content": "Conclude."}],
    } | changes


def played(*answers: str | None, value: str | None, **changes: Any) -> dict[str, Any]:
    """A round with these answers and this commitment."""
    executors = [response(answer, agent=i) for i, answer in enumerate(answers)]
    return {"executors": executors, "commitments": [commitment(value)], "shortened": []} | changes


def strategy(**changes: Any) -> dict[str, Any]:
    """A strategy that gave nothing away."""
    return {
        "agent": "coordinator",
        "role": "strategy",
        "model": "m",
        "seed": 1,
        "text": "add both",
        "strategy": "add both",
        "leaked": False,
        "finish_reason": "stop",
        "error": None,
        "usage": USAGE,
        "messages": [{"role": "user", "content": "Plan."}],
    } | changes


def transcript(
    *rounds: dict[str, Any], gold: str = "7", scores: tuple[float, ...] = (1.0, 0.0), **changes: Any
) -> dict[str, Any]:
    """A game with one decision, closed with these task scores; the team's is that of its value."""
    team = float(rounds[-1]["commitments"][-1]["value"] == gold) if rounds else 0.0
    rewards = {
        "team": 0.2 + 0.6 * team,
        "agents": [0.4 + 0.4 * score for score in scores],
        "components": {"TS": list(scores), "AL": [0.9] * len(scores), "CC": [0.6] * len(scores)},
        "team_components": {"TS": team, "AL": 0.9, "CC": 0.6},
        "judged": [],
    }
    return {
        "question": {"id": "q1", "text": "What is 3 + 4?", "gold": gold, "kind": "sum"},
        "env_seed": 0,
        "episode": 0,
        "prompts": "compact",
        "commitment_rule": "coordinator",
        "strategies": [strategy()],
        "strategies_shortened": [],
        "decisions": [{"rounds": list(rounds), "closed_by": "bne_rounds", "rewards": rewards}],
        "failed": None,
        "usage": {**USAGE, "requests": 4},
    } | changes
