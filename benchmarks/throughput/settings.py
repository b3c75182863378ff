"""Settings of the throughput benchmark: parts and sizes."""

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
    "api_many",
    "api_openai",
    "api_episodes",
    "api_servers",
    "vectorised",
]
Result: TypeAlias = dict[str, Any]
"""Data that JSON can hold."""

PARTS: tuple[Part, ...] = (
    "language_model",
    "local",
    "simulator",
    "grader",
    "embedders",
    "api_client",
    "api_many",
    "api_openai",
    "api_episodes",
    "api_servers",
    "vectorised",
)
WARM_UP_SEED = 1_000_003
"""Number of the warm-up repeat, which is not measured."""


class Skipped(Exception):
    """A part that cannot be measured here. The text says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """Load on the client of model servers; repeats and executors of the benchmark apply too."""

    latency_s: float = 0.2
    """Latency of the mock server in seconds."""
    in_flight: int = 128
    """Requests in flight for the comparison with the ideal and for the episodes."""
    waves: int = 15
    """Requests per place in flight, in one comparison with the ideal."""
    many_in_flight: int = 1024
    """Requests in flight of the part "api_many"."""
    many_latency_s: float = 0.5
    """Latency of the mock server there, in seconds."""
    many_waves: int = 8
    """Requests per place in flight there, in one measurement."""
    compared_in_flight: int = 64
    """Requests in flight of each client in the comparison with the openai client."""
    compared_requests: int = 600
    """Requests of one measurement in the comparison with the openai client."""
    ceiling_requests: int = 10_000
    """Requests of one measurement of the mock server's ceiling."""
    questions: int = 32
    """Questions in one batch of episodes."""
    servers_latency_s: float = 0.5
    """Latency in seconds of each server of a team on several servers."""


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
    """Parts to measure, their sizes, and the file of results."""

    parts: tuple[Part, ...] = PARTS
    """Parts to measure."""
    llm: str = "bundled:0"
    """Language model: bundled:0, bundled:1, bundled:2 or hf:path-or-hub-id."""
    questions: int = 16
    """Questions in one batch of the language model, and of the trainers' environments."""
    executors: int = 3
    """Executors per question, which share its prompt."""
    repeats: int = 7
    """Number of measurements of each rate; medians are reported."""
    seconds: float = 2.0
    """Duration of one measurement of the simulator, in seconds."""
    embedders: tuple[str, ...] = ("hashing", "minilm")
    """Embedders to measure, by name."""
    local: Local = field(default_factory=Local)
    """Models and prompts of the part "local"."""
    api: Load = field(default_factory=Load)
    """Load on the client of model servers."""
    out: Path = field(default=Path(__file__).parents[1] / "results" / "throughput.json")
    """File of the results."""
