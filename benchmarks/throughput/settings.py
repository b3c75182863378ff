"""What the throughput benchmark measures, and with which sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

Part: TypeAlias = Literal[
    "language_model",
    "local",
    "simulator",
    "grader",
    "embedders",
    "api_client",
    "api_openai",
    "api_episodes",
]
Result: TypeAlias = dict[str, Any]
"""JSON-serialisable."""

PARTS: tuple[Part, ...] = (
    "language_model",
    "local",
    "simulator",
    "grader",
    "embedders",
    "api_client",
    "api_openai",
    "api_episodes",
)
WARM_UP_SEED = 1_000_003
"""The number of the repeat that is not measured."""


class Skipped(Exception):
    """A part that cannot be measured here. The text says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """How the client of model servers is loaded. ``repeats`` and ``executors`` hold here too."""

    latency_s: float = 0.2
    """How long the mock server takes for an answer."""
    in_flight: int = 128
    """Requests in flight against the ideal, and the client's limit in the episodes."""
    waves: int = 15
    """Requests of one measurement against the ideal, per place in flight."""
    many_in_flight: int = 512
    """Requests in flight where errors are counted."""
    many_latency_s: float = 1.0
    """Latency there: long enough that all of them are in flight together."""
    many_waves: int = 4
    """Requests there, per place in flight."""
    compared_in_flight: int = 64
    """Requests in flight of every client where clients are compared."""
    compared_requests: int = 600
    """Requests of one measurement there."""
    ceiling_requests: int = 10_000
    """Requests of one measurement of the mock server's own ceiling."""
    questions: int = 32
    """Questions in one batch of episodes."""


@dataclass(frozen=True, kw_only=True)
class Local:
    """A real model in this process. ``repeats`` and ``executors`` hold here too."""

    model: str = ""
    """Folder or hub id of the model. Without one the part is skipped."""
    gguf: Path | None = None
    """The same model for a llama.cpp server, which is measured where xllamacpp is installed."""
    questions: int = 64
    """Questions, each of which every executor is asked."""
    in_flight: int = 64
    """Most rows side by side."""
    max_tokens: int = 256
    """Most tokens of a response."""
    threads: int = 1
    """Threads of every engine. More of them wait for each other where other processes run."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to measure and where to write it."""

    parts: tuple[Part, ...] = PARTS
    """Which parts to measure."""
    llm: str = "bundled:0"
    """The language model: bundled:0, bundled:1, bundled:2 or hf:path-or-hub-id."""
    questions: int = 16
    """Questions in one batch of the language model."""
    executors: int = 3
    """Executors per question, who share its prompt."""
    repeats: int = 7
    """Measurements of each thing; medians are reported."""
    seconds: float = 2.0
    """Length of one measurement of the simulator."""
    embedders: tuple[str, ...] = ("hashing", "minilm")
    """Embedders to measure, by name."""
    local: Local = field(default_factory=Local)
    """What the part "local" is measured with."""
    api: Load = field(default_factory=Load)
    """What the client of model servers is measured with."""
    out: Path = field(default=Path(__file__).parents[1] / "results" / "throughput.json")
    """The file of results."""
