"""Settings of the environment, named with the specification's words.

A word that is left out (None) is not passed on, so that an environment without such an argument
can be played too. :mod:`econ_agents.config.environment_kwargs` maps each word to its argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from econ_agents.config.base import (
    ConfigError,
    Count,
    Fraction,
    NonNegative,
    Positive,
    PositiveFraction,
    Settings,
)

_FACTORY = re.compile(r"[\w.]+:[\w.]+")
_TOLERANCE = 1e-6  # of the sum of the weights
PAPER_WEIGHTS: Mapping[str, float] = {"ts": 0.4, "al": 0.4, "cc": 0.2}
"""Initial weights alpha of the reward's components (paper, tables 8 to 13)."""


@dataclass(frozen=True, kw_only=True)
class EnvSettings(Settings):
    """The environment to play, from any package."""

    SECTION: ClassVar[str] = "env"

    factory: str = "econ_env:batched_parallel_env"
    """Callable that makes the environment, written "package.module:callable"."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the factory, in training and tests. To set one: --env.kwargs.NAME VALUE."""
    train_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments in training only; they replace those of kwargs."""
    test_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments in tests only; they replace those of kwargs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if _FACTORY.fullmatch(self.factory) is None:
            raise ConfigError(
                f'env.factory must have the form "package.module:callable", got {self.factory!r}'
            )


@dataclass(frozen=True, kw_only=True)
class EnvArgs(Settings):
    """Data set and length of the game. If left out, the environment's own defaults hold."""

    SECTION: ClassVar[str] = "env_args"

    hf_dataset_path: str | None = None
    """Data set: a name, an id on the Hugging Face hub, or a file."""
    dataset_split: str | None = None
    """Split of the data set to train on. The split for tests is set in env.test_kwargs."""
    question_field_name: str | None = None
    """Name of the field that holds the question."""
    answer_field_name: str | None = None
    """Name of the field that holds the gold answer."""
    max_question_length: Count | None = None
    """Longest question, in characters, >= 1. Rows with a longer one are left out."""
    max_answer_length: Count | None = None
    """Longest gold answer, in characters, >= 1. Rows with a longer one are left out."""
    max_rounds: Count | None = None
    """Number of decisions in an episode, >= 1."""


@dataclass(frozen=True, kw_only=True)
class SamplingSettings(Settings):
    """Ranges that actions map to. If left out, the environment's own defaults hold."""

    SECTION: ClassVar[str] = "sampling"

    temperature_min: NonNegative | None = None
    """Least temperature T_min, >= 0 (paper: 0.1)."""
    temperature_max: Positive | None = None
    """Greatest temperature T_max, > 0 (paper: 2.0)."""
    p_min: Positive | None = None
    """Least repetition penalty, > 0 (paper: 0.1, a value of top-p; ours: docs/paper.md)."""
    p_max: Positive | None = None
    """Greatest repetition penalty, > 0 (paper: 0.9, a value of top-p; ours: docs/paper.md)."""
    top_p_default: PositiveFraction | None = None
    """Top-p of nucleus sampling, in (0, 1], for every executor (the authors' code: 0.9)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for low, high in (("temperature_min", "temperature_max"), ("p_min", "p_max")):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least > most:
                raise ConfigError(
                    f"{self.key(low)} must be at most {self.key(high)}, got {least} and {most}"
                )


@dataclass(frozen=True, kw_only=True)
class InitialWeights(Settings):
    """Initial weights alpha of the reward. Set all three, or none for the defaults."""

    SECTION: ClassVar[str] = "reward.initial_weights"

    ts: Fraction | None = None
    """Weight alpha_TS of being right, in [0, 1] (paper: 0.4)."""
    al: Fraction | None = None
    """Weight alpha_AL of being close to the commitment, in [0, 1] (paper: 0.4)."""
    cc: Fraction | None = None
    """Weight alpha_CC of contributing, in [0, 1] (paper: 0.2)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = [weight for weight in (self.ts, self.al, self.cc) if weight is not None]
        if weights and (len(weights) < 3 or abs(sum(weights) - 1) > _TOLERANCE):
            raise ConfigError(
                f"{self.SECTION} needs ts, al and cc, with the sum 1, or none of them, "
                f"got ts={self.ts}, al={self.al}, cc={self.cc}"
            )

    def given(self) -> dict[str, float] | None:
        """The weights by name; None if they are left to the environment."""
        if self.ts is None or self.al is None or self.cc is None:
            return None
        return {"ts": self.ts, "al": self.al, "cc": self.cc}

    def start(self) -> dict[str, float]:
        """Initial weights of learning: those that are given, or the paper's."""
        return self.given() or dict(PAPER_WEIGHTS)


@dataclass(frozen=True, kw_only=True)
class RewardSettings(Settings):
    """Weights alpha of the reward's components, and learning them."""

    SECTION: ClassVar[str] = "reward"

    initial_weights: InitialWeights = field(default_factory=InitialWeights)
    """Initial weights alpha."""
    dynamic: bool = False
    """Learn alpha, and reward with it. Off: alpha keeps its initial value.
    (paper, 3.5: learned; ours: off, since what is predictable need not be right)"""
    eta_alpha: Positive = 0.05
    """Learning rate of alpha's logits, > 0.
    (ours: 0.05; the authors' code: 0.001, at which a hundred updates move nothing)"""
    ts_floor: Fraction = 0.3
    """Least weight alpha_TS of being right, in [0, 1], so that learning cannot drop the task."""

    def __post_init__(self) -> None:
        super().__post_init__()
        ts = self.initial_weights.start()["ts"]
        if self.dynamic and ts < self.ts_floor:
            raise ConfigError(
                f"reward.ts_floor must be at most reward.initial_weights.ts = {ts}, "
                f"got {self.ts_floor}"
            )
