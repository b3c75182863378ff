"""The commands of ``econ-agents`` with their flags; their code is imported when they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Protocol

import tyro

from econ_agents import __version__
from econ_agents.commands.flags import Configured, NamedFactory
from econ_agents.config.schema import Config, ConfigError
from econ_agents.rollouts.placement import Placement
from econ_agents.training.inspection import (
    describe_checkpoint,
    find_checkpoint,
    results_folder,
)


class Command(Protocol):
    """A command with its arguments."""

    def run(self) -> int:
        """Run the command and return the exit code."""

    def factory(self) -> str | None:
        """Return the factory of the environment; None if the command plays none."""


@dataclass(frozen=True, kw_only=True)
class Train(Placement, Configured):
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
        return run_training(config, config.log_dir, self.placement())


@dataclass(frozen=True, kw_only=True)
class OfCheckpoint(Configured):
    """Flags shared by all commands that work on a trained team."""

    model_dir: Path | None = None
    """A checkpoint, a folder of checkpoints, or the log_dir of a run. Required."""

    def checkpoint(self) -> Path:
        """Find the checkpoint of the team."""
        return find_checkpoint(_needed("--model-dir", self.model_dir))

    def results_folder(self, config: Config, checkpoint: Path) -> Path:
        """Return the folder for results: the one that the user named, else the checkpoint's own."""
        named = config.logging.log_dir
        return results_folder(checkpoint) if named is None else Path(named).expanduser()


@dataclass(frozen=True, kw_only=True)
class Evaluate(Placement, OfCheckpoint):
    """Evaluate a trained team without and with refinement.

    Both times it plays the same questions with the same seeds.

    The configuration is the checkpoint's; --config, --set and flags change it. The report is
    written into the folder of the run, or beside the checkpoint, unless --log-dir names another.
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

        config, checkpoint = self.resolved(), self.checkpoint()
        folder = self.results_folder(config, checkpoint)
        return run_evaluation(config, checkpoint, folder, self.placement())


@dataclass(frozen=True, kw_only=True)
class Play(OfCheckpoint):
    """Watch a trained team play, or ask it a question of your own.

    It plays the questions of its test, with refinement if its configuration has it, and prints
    every game as soon as it ends. A question of your own needs no right answer: nothing is judged.

    The configuration is the checkpoint's; --config, --set and flags change it.
    """

    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 5
    """Number of questions to play, >= 1."""
    question: Annotated[str | None, tyro.conf.arg(metavar="TEXT")] = None
    """A question of your own, to play instead."""
    show: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of games to print in full. None: all."""
    out: Path | None = None
    """File to which every game is appended, one JSON object per line, for "econ-env view". A new
    file is readable by its owner only."""

    def run(self) -> int:
        """Play and return the exit code."""
        from econ_agents.commands.play import run_play

        if self.questions < 1:
            raise ConfigError(f"--questions must be at least 1, got {self.questions}")
        if self.show is not None and self.show < 0:
            raise ConfigError(f"--show must be at least 0, got {self.show}")
        if self.question is not None and not self.question.strip():
            raise ConfigError("--question is empty: write a question in quotes")
        return run_play(
            self.resolved(),
            self.checkpoint(),
            questions=self.questions,
            question=self.question,
            show=self.show,
            out=None if self.out is None else self.out.expanduser(),
        )


@dataclass(frozen=True, kw_only=True)
class Nash(OfCheckpoint):
    """Measure how far a trained team is from equilibrium.

    NashConv is the sum of what the executors' best deviations would gain.

    The configuration is the checkpoint's; --config, --set and flags change it. The result is
    written into the folder of the run, or beside the checkpoint, unless --log-dir names another.
    """

    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 20
    """Number of questions on which every deviation is played, >= 4.
    One half of them chooses deviations, the other half measures them. 20 take some minutes with the
    bundled models; 200 take ten times as long and give a third of the interval."""
    seeds: Annotated[tuple[int, ...], tyro.conf.arg(metavar="SEED ...")] = (0,)
    """Seeds of the questions and of their random draws, >= 0; one measurement for each seed."""

    def run(self) -> int:
        """Measure and return the exit code."""
        from econ_agents.commands.nash import run_nash

        if not self.seeds or min(self.seeds) < 0:
            raise ConfigError("--seeds needs at least one seed, each >= 0")
        config, checkpoint = self.resolved(), self.checkpoint()
        folder = self.results_folder(config, checkpoint)
        return run_nash(config, checkpoint, folder, questions=self.questions, seeds=self.seeds)


@dataclass(frozen=True, kw_only=True)
class Resume(Placement):
    """Resume a training run that was stopped.

    Its results are those of a run without interruption.
    """

    log_dir: Path | None = None
    """Folder of the run. Required."""
    model_dir: Path | None = None
    """Folder of the run's checkpoints, if they are kept outside of the folder of the run."""
    allow_key_for: Annotated[tuple[str, ...], tyro.conf.arg(metavar="HOST ...")] = ()
    """Hosts, besides the server's own, that may get the key of a model server's kind, for example
    OPENAI_API_KEY: HOST or HOST:PORT. Over https or on this machine only."""
    env: NamedFactory = field(default_factory=NamedFactory)

    def run(self) -> int:
        """Train and return the exit code."""
        from econ_agents.training.train import resume_training

        said: dict[str, Any] = {"factory": self.env.factory, "model_dir": self.model_dir}
        given = {name: value for name, value in said.items() if value is not None}
        return resume_training(
            _needed("--log-dir", self.log_dir), **given, placement=self.placement()
        )

    def factory(self) -> str:
        """Return the factory of the environment in the run's configuration."""
        from econ_agents.training.run_folder import read_run_config

        return read_run_config(_needed("--log-dir", self.log_dir)).env.factory


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


@dataclass(frozen=True, kw_only=True)
class Report:
    """Make one HTML page of a run, to look at in a browser.

    It says in words what was learned and whether it is worth it, and shows curves, the test, the
    configuration and every game of the test. The page is complete in itself: it loads nothing.
    """

    path: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = None
    """Folder of the run, such as runs/quickstart. Required."""
    out: Path | None = None
    """File for the page. Default: RUN/report.html. A page that is there is replaced, and only its
    owner can read it."""
    open: bool = False
    """Open the page in the browser."""

    def run(self) -> int:
        """Write the page and return the exit code."""
        from econ_agents.reporting.run_page import run_report
        from econ_console.versions import versions

        run = _needed("RUN", self.path)
        return run_report(
            run, self.out, open_it=self.open, versions=versions("econ-agents", __version__)
        )

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
    "play": Play(),
    "nash": Nash(),
    "resume": Resume(),
    "inspect": Inspect(),
    "report": Report(),
}
"""Commands by name, with their defaults."""
ALIASES: Mapping[str, str] = {"evaluate": "test"}
"""Further names, and the command that each stands for."""
