"""The flags of the named scripts, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import tyro

from econ_agents.commands.flags import Assignments, refuse_unknown
from econ_agents.config.schema import ConfigError

MODEL_DIR = Path("models_exp1")
"""Where checkpoints are saved, and looked for, unless a flag says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What all scripts share."""

    config: str | None = None
    """A preset of econ_agents (p0, math, svamp, quickstart, ...) or a YAML file. Left out: the
    script's own preset, or what the checkpoint was trained with."""
    llm: Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODEL ...")] = ()
    """Models of the team: one for everybody, or one for each executor, of which the first is the
    coordinator's too. "bundled" needs neither key nor network; others are "together:MODEL" and
    "vllm:MODEL@http://localhost:8000/v1". Left out: those of the configuration."""
    dataset: str | None = None
    """Questions: "gsm8k", "math", "math500", "svamp", "arithmetic", an id of the Hugging Face hub,
    a file, or a folder with a file for each split. Left out: the script's own, and "arithmetic" for
    bundled models, which know nothing else."""
    data_path: Path | None = None
    """File or folder with the rows of a known data set, which is then not downloaded; a folder
    holds train.jsonl and test.jsonl."""
    embedder: str | None = None
    """What embeds texts for rewards and observations: "hashing", "minilm" (both without network) or
    a sentence-transformers id. Left out: what suits the models; for those on servers that is
    BAAI/bge-large-en-v1.5, which is downloaded."""
    seed: int | None = None
    """Everything random follows from it. Left out: that of the configuration."""
    set: Assignments = ()
    """Any key of the configuration, as in train.batch_size=32 or coordinator_model=openai:MODEL;
    "econ-agents train --help" lists them. It wins over other flags."""


@dataclass(frozen=True, kw_only=True)
class TrainAndTestFlags(Flags):
    """Of the scripts that train, then test."""

    train_eps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Episodes of training. Left out: what the configuration says."""
    test_eps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Questions of the test, each played without and with refinement, >= 2. Left out: what the
    configuration says."""
    log_dir: Path = Path("logs_exp1")
    """Folder of the run: its settings, metrics and curves, and what was played in the test."""
    model_dir: Path = MODEL_DIR
    """Folder of the checkpoints; the trained team is "final" in it."""


@dataclass(frozen=True, kw_only=True)
class EvaluationFlags(Flags):
    """Of the scripts that evaluate a saved checkpoint."""

    test_eps: Annotated[int, tyro.conf.arg(metavar="N")] = 10
    """Questions of the test, each played without and with refinement, >= 2."""
    log_dir: Path = Path()
    """Folder for what was played."""
    model_dir: Path = MODEL_DIR / "final"
    """A checkpoint, a folder of checkpoints, or the log_dir of a run."""


AnyFlags: TypeAlias = TrainAndTestFlags | EvaluationFlags
_Kind = TypeVar("_Kind", TrainAndTestFlags, EvaluationFlags)


def parse(kind: type[_Kind], script: str, description: str, arguments: Sequence[str]) -> _Kind:
    """What the arguments of a script say.

    Args:
        kind: the flags of the script.
        script: its name, for messages.
        description: what it does, for ``--help``.
        arguments: those after the script's name.

    Raises:
        ConfigError: an argument is unknown, or a number too small.
        SystemExit: 0 after help, 2 if a flag has a wrong value (said on stderr).
    """
    refuse_unknown(arguments, [field.name for field in fields(kind)])
    parsed, unknown = tyro.cli(
        kind, prog=script, description=description, args=arguments, return_unknown_args=True
    )
    if unknown:
        raise ConfigError("there is an argument that belongs to no flag; --help lists the flags")
    _check_at_least("--test-eps", parsed.test_eps, 2, "an interval needs two questions")
    if isinstance(parsed, TrainAndTestFlags):
        _check_at_least("--train-eps", parsed.train_eps, 1, "training plays some")
    return parsed


def _check_at_least(flag: str, number: int | None, least: int, why: str) -> None:
    if number is not None and number < least:
        raise ConfigError(f"{flag} must be at least {least}, got {number}: {why}")
