"""Flags of the named scripts, and their parser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import tyro

from econ_agents.commands.flags import Assignments, refuse_unknown
from econ_agents.config.schema import ConfigError
from econ_console.parser_errors import errors_in_one_line

MODEL_DIR = Path("models_exp1")
"""Default folder of checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Flags of all scripts."""

    config: str | None = None
    """A preset of econ_agents (p0, math, svamp, quickstart, ...) or a YAML file. If omitted: the
    script's own preset, or the configuration of the checkpoint."""
    llm: Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODEL ...")] = ()
    """Models of the team: one for all, or one per executor, the first also for the coordinator.
    "bundled" needs neither key nor network; others are "together:MODEL" and
    "vllm:MODEL@http://localhost:8000/v1". If omitted: the models of the configuration."""
    dataset: str | None = None
    """Data set: "gsm8k", "math", "math500", "svamp", "arithmetic", an id of the Hugging Face hub, a
    file, or a folder with a file for each split. If omitted: the script's own, but "arithmetic" for
    bundled models, which can solve no others."""
    data_path: Path | None = None
    """File or folder with the rows of a known data set, used instead of a download; a folder holds
    train.jsonl and test.jsonl."""
    embedder: str | None = None
    """Embedder of texts for rewards and observations: "hashing", "minilm" (both offline) or a
    sentence-transformers id. If omitted: one that suits the models; for models on servers
    BAAI/bge-large-en-v1.5, which is downloaded."""
    seed: int | None = None
    """Seed of everything random. If omitted: that of the configuration."""
    set: Assignments = ()
    """Any key of the configuration, as in train.batch_size=32 or coordinator_model=openai:MODEL;
    "econ-agents train --help" lists the keys. It overrides other flags."""


@dataclass(frozen=True, kw_only=True)
class TrainAndTestFlags(Flags):
    """Flags of the scripts that train, then test."""

    train_eps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of training episodes. If omitted: that of the configuration."""
    test_eps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of test questions, at least 2, each played without and with refinement. If omitted:
    that of the configuration."""
    log_dir: Path = Path("logs_exp1")
    """Folder of the run, for its settings, metrics, curves and the episodes of the test."""
    model_dir: Path = MODEL_DIR
    """Folder of the checkpoints; the trained team is in its subfolder "final"."""


@dataclass(frozen=True, kw_only=True)
class EvaluationFlags(Flags):
    """Flags of the scripts that evaluate a saved checkpoint."""

    test_eps: Annotated[int, tyro.conf.arg(metavar="N")] = 10
    """Number of test questions, at least 2, each played without and with refinement."""
    log_dir: Path = Path()
    """Folder for the report and the episodes."""
    model_dir: Path = MODEL_DIR / "final"
    """A checkpoint, a folder of checkpoints, or the log_dir of a run."""


AnyFlags: TypeAlias = TrainAndTestFlags | EvaluationFlags
_Kind = TypeVar("_Kind", TrainAndTestFlags, EvaluationFlags)


def parse(kind: type[_Kind], script: str, description: str, arguments: Sequence[str]) -> _Kind:
    """Parse the arguments of a script.

    Args:
        kind: class of the script's flags.
        script: name of the script, for messages.
        description: description of the script, for ``--help``.
        arguments: arguments after the script's name.

    Raises:
        ConfigError: an argument is unknown, or a value is wrong or too small.
        SystemExit: 0 after help.
    """
    refuse_unknown(arguments, [field.name for field in fields(kind)])
    with errors_in_one_line(script, ConfigError):
        parsed, unknown = tyro.cli(
            kind, prog=script, description=description, args=arguments, return_unknown_args=True
        )
    if unknown:
        raise ConfigError("an argument belongs to no flag; --help lists the flags")
    _check_at_least("--test-eps", parsed.test_eps, 2, "an interval needs two questions")
    if isinstance(parsed, TrainAndTestFlags):
        _check_at_least("--train-eps", parsed.train_eps, 1, "training needs an episode")
    return parsed


def _check_at_least(flag: str, number: int | None, least: int, why: str) -> None:
    if number is not None and number < least:
        raise ConfigError(f"{flag} must be at least {least}, got {number}: {why}")
