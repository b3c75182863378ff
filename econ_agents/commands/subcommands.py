"""What ``econ-agents`` does: each command with its flags. What it runs is imported when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Protocol

import tyro

from econ_agents.commands.flags import Configured
from econ_agents.config.files import CONFIG_FILE, read_config
from econ_agents.config.schema import Config, ConfigError
from econ_agents.training.inspection import describe_checkpoint, find_checkpoint


class Command(Protocol):
    """A command with its arguments."""

    def run(self) -> int:
        """Do it; the exit code."""

    def factory(self) -> str | None:
        """What makes the environment that is played; None where none is."""


@dataclass(frozen=True, kw_only=True)
class Train(Configured):
    """Train a team and save it.

    Ctrl-C saves as well, and "econ-agents resume" goes on. Every key of the configuration is a
    flag, and its default below is what --config and --set say.
    """

    config: str | None = "quickstart"
    """A preset (quickstart, p0, math, svamp, simulated, large, mpe_spread) or a YAML file."""

    def run(self) -> int:
        """Train; the exit code."""
        from econ_agents.training.train import run_training

        config = self.resolved()
        return run_training(config, config.log_dir)


@dataclass(frozen=True, kw_only=True)
class OfCheckpoint(Configured):
    """What the commands share that work on a trained team."""

    model_dir: Path | None = None
    """A checkpoint, a folder of checkpoints, or the log_dir of a run. Always needed."""

    def checkpoint(self) -> Path:
        """The checkpoint of the team."""
        return find_checkpoint(_needed("--model-dir", self.model_dir))


@dataclass(frozen=True, kw_only=True)
class Evaluate(OfCheckpoint):
    """Evaluate a trained team without and with refinement, on the same questions and seeds.

    The configuration is the checkpoint's; --config, --set and flags change it.
    """

    episodes: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Episodes of the test: short for --test.episodes."""

    def resolved(self) -> Config:
        """The configuration after every flag."""
        config = super().resolved()
        if self.episodes is None:
            return config
        return replace(config, test=replace(config.test, episodes=self.episodes))

    def run(self) -> int:
        """Evaluate; the exit code."""
        from econ_agents.evaluation.evaluate import run_evaluation

        config = self.resolved()
        return run_evaluation(config, self.checkpoint(), config.log_dir)


@dataclass(frozen=True, kw_only=True)
class Nash(OfCheckpoint):
    """Measure how far a trained team is from equilibrium: what the best deviations would gain.

    The configuration is the checkpoint's; --config, --set and flags change it.
    """

    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 200
    """Episodes on which every deviation is played, >= 4: half to choose it, half to measure it."""
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="SEED ...")] = (0,)
    """One measurement for each, >= 0: which questions are played, and by which chances."""

    def run(self) -> int:
        """Measure; the exit code."""
        from econ_agents.commands.nash import run_nash

        if self.questions < 2:
            raise ConfigError(f"--questions must be at least 2, got {self.questions}")
        if not self.seeds or min(self.seeds) < 0:
            raise ConfigError("--seeds needs at least one seed, each >= 0")
        config = self.resolved()
        return run_nash(
            config, self.checkpoint(), config.log_dir, questions=self.questions, seeds=self.seeds
        )


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Go on with a training that was stopped, to the numbers that it would have had."""

    log_dir: Path | None = None
    """Folder of the run. Always needed."""

    def run(self) -> int:
        """Train; the exit code."""
        from econ_agents.training.train import resume_training

        return resume_training(_needed("--log-dir", self.log_dir))

    def factory(self) -> str:
        """What makes the environment that is played."""
        log_dir = _needed("--log-dir", self.log_dir)
        path = log_dir / CONFIG_FILE
        if not path.is_file():
            raise ConfigError(f"{log_dir} is no folder of a run: it has no {CONFIG_FILE}")
        return read_config(path).env.factory


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Say what a checkpoint holds."""

    model_dir: Path | None = None
    """A checkpoint, a folder of checkpoints, or the log_dir of a run. Always needed."""

    def run(self) -> int:
        """Print it; the exit code."""
        print(describe_checkpoint(find_checkpoint(_needed("--model-dir", self.model_dir))))
        return 0

    def factory(self) -> None:
        """Nothing is played."""


def _needed(flag: str, value: Path | None) -> Path:
    # Not left to the parser, whose message would repeat unknown arguments: one may be a key.
    if value is None:
        raise ConfigError(f"{flag} is needed, with a folder")
    return value


COMMANDS: Mapping[str, Command] = {
    "train": Train(),
    "test": Evaluate(),
    "nash": Nash(),
    "resume": Resume(),
    "inspect": Inspect(),
}
"""Every command by its name, with its defaults."""
ALIASES: Mapping[str, str] = {"evaluate": "test"}
"""Other names, and the command that each of them means."""
