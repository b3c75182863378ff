"""The commands of ``econ-agents`` with their flags; their code is imported when they run."""

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
        """Run the command and return the exit code."""

    def factory(self) -> str | None:
        """Return the factory of the environment; None if the command plays none."""


@dataclass(frozen=True, kw_only=True)
class Train(Configured):
    """Train a team and save it.

    Ctrl-C saves as well, and "econ-agents resume" continues the run.

    Every key is a flag, whose default below comes from --config and --set.
    """

    config: str | None = "quickstart"
    """A preset (quickstart, p0, math, svamp, simulated, large, mpe_spread) or a YAML file."""

    def run(self) -> int:
        """Train and return the exit code."""
        from econ_agents.training.train import run_training

        config = self.resolved()
        return run_training(config, config.log_dir)


@dataclass(frozen=True, kw_only=True)
class OfCheckpoint(Configured):
    """Flags shared by all commands that work on a trained team."""

    model_dir: Path | None = None
    """A checkpoint, a folder of checkpoints, or the log_dir of a run. Required."""

    def checkpoint(self) -> Path:
        """Find the checkpoint of the team."""
        return find_checkpoint(_needed("--model-dir", self.model_dir))


@dataclass(frozen=True, kw_only=True)
class Evaluate(OfCheckpoint):
    """Evaluate a trained team without and with refinement.

    Both times it plays the same questions with the same seeds.

    The configuration is the checkpoint's; --config, --set and flags change it.
    """

    episodes: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of test episodes, short for --test.episodes."""

    def resolved(self) -> Config:
        """Return the configuration after every flag."""
        config = super().resolved()
        if self.episodes is None:
            return config
        return replace(config, test=replace(config.test, episodes=self.episodes))

    def run(self) -> int:
        """Evaluate and return the exit code."""
        from econ_agents.evaluation.evaluate import run_evaluation

        config = self.resolved()
        return run_evaluation(config, self.checkpoint(), config.log_dir)


@dataclass(frozen=True, kw_only=True)
class Nash(OfCheckpoint):
    """Measure how far a trained team is from equilibrium.

    NashConv is the sum of what the executors' best deviations would gain.

    The configuration is the checkpoint's; --config, --set and flags change it.
    """

    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 200
    """Number of episodes on which every deviation is played, >= 4.
    One half of them chooses deviations, the other half measures them."""
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="SEED ...")] = (0,)
    """Seeds of the questions and of their random draws, >= 0; one measurement for each seed."""

    def run(self) -> int:
        """Measure and return the exit code."""
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
    """Resume a training run that was stopped.

    Its results are those of a run without interruption.
    """

    log_dir: Path | None = None
    """Folder of the run. Required."""

    def run(self) -> int:
        """Train and return the exit code."""
        from econ_agents.training.train import resume_training

        return resume_training(_needed("--log-dir", self.log_dir))

    def factory(self) -> str:
        """Return the factory of the environment in the run's configuration."""
        log_dir = _needed("--log-dir", self.log_dir)
        path = log_dir / CONFIG_FILE
        if not path.is_file():
            raise ConfigError(f"{log_dir} is not the folder of a run: it has no {CONFIG_FILE}")
        return read_config(path).env.factory


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Print what a checkpoint holds."""

    model_dir: Path | None = None
    """A checkpoint, a folder of checkpoints, or the log_dir of a run. Required."""

    def run(self) -> int:
        """Print the description and return the exit code."""
        print(describe_checkpoint(find_checkpoint(_needed("--model-dir", self.model_dir))))
        return 0

    def factory(self) -> None:
        """Return None: the command plays nothing."""


def _needed(flag: str, value: Path | None) -> Path:
    # Checked here and not by the parser, whose message would repeat unknown arguments: one may be
    # a key.
    if value is None:
        raise ConfigError(f"{flag} is required: name a folder")
    return value.expanduser()


COMMANDS: Mapping[str, Command] = {
    "train": Train(),
    "test": Evaluate(),
    "nash": Nash(),
    "resume": Resume(),
    "inspect": Inspect(),
}
"""Commands by name, with their defaults."""
ALIASES: Mapping[str, str] = {"evaluate": "test"}
"""Further names, and the command that each stands for."""
