"""What the doctor has found out, one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "note", "PROBLEM"]
"""ok: as the game needs it. note: good to know, the game can be played. PROBLEM: it cannot, or not
as one would think."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was found out about a model."""

    topic: str
    """A word or two."""
    state: State
    text: str
    """What is the case, in plain words."""
    advice: str = ""
    """What to set or do; empty where there is nothing."""

    def __str__(self) -> str:
        line = f"  {self.state:<8} {self.topic:<15} {self.text}"
        return f"{line}\n{'':27}→ {self.advice}" if self.advice else line


def ok(topic: str, text: str) -> Finding:
    """Something is as the game needs it."""
    return Finding(topic=topic, state="ok", text=text)


def not_measured(topic: str, why: str) -> Finding:
    """Requests failed that were needed to find something out."""
    return Finding(topic=topic, state="PROBLEM", text=f"could not be measured: {why}")


def shortened(value: str) -> str:
    """``value`` on one line, short enough to be quoted in a finding."""
    line = " ".join(value.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
