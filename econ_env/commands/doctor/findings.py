"""Findings of the doctor, one for each topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from econ_env.text import printable

State: TypeAlias = Literal["ok", "note", "PROBLEM"]
"""ok: as the game needs it. note: good to know, the game can be played. PROBLEM: the game cannot be
played, or not as expected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One finding about a model."""

    topic: str
    """One or two words."""
    state: State
    text: str
    """Description in plain words."""
    advice: str = ""
    """Advice on settings or actions; empty if there is none."""

    def __str__(self) -> str:
        line = f"  {self.state:<8} {self.topic:<15} {printable(self.text)}"
        return f"{line}\n{'':27}→ {printable(self.advice)}" if self.advice else line


def ok(topic: str, text: str) -> Finding:
    """Return a finding that something is as the game needs it."""
    return Finding(topic=topic, state="ok", text=text)


def not_measured(topic: str, why: str) -> Finding:
    """Return a finding that requests needed for a measurement failed."""
    return Finding(topic=topic, state="PROBLEM", text=f"could not be measured: {why}")


def shortened(value: str) -> str:
    """Return ``value`` on one line, short enough to be quoted in a finding."""
    line = " ".join(value.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
