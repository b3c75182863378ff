"""The whole configuration: one tree of dataclasses for files, flags and help.

Every key has its default, meaning, unit and range here; :mod:`econ_agents.config.files` reads and
writes it, :mod:`econ_agents.commands.cli` makes its flags.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from econ_agents.config.base import (
    Bounds,
    ConfigError,
    Count,
    CountOrZero,
    PositiveFraction,
    Settings,
)
from econ_agents.config.environment import (
    EnvArgs,
    EnvSettings,
    InitialWeights,
    RewardSettings,
    SamplingSettings,
)
from econ_agents.config.learning import (
    BneSettings,
    EarlyStoppingSettings,
    LossSettings,
    MemorySettings,
    NetworkSettings,
    TrainSettings,
)

Phase = Literal["train", "test"]

__all__ = [
    "BneSettings",
    "Config",
    "ConfigError",
    "EarlyStoppingSettings",
    "EnvArgs",
    "EnvSettings",
    "EvaluationSettings",
    "InitialWeights",
    "LoggingSettings",
    "LossSettings",
    "MemorySettings",
    "NetworkSettings",
    "Phase",
    "RewardSettings",
    "SamplingSettings",
    "TrainSettings",
]


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(Settings):
    """Evaluation of a trained team on held-out questions, called a test."""

    SECTION: ClassVar[str] = "test"

    episodes: Count = 200
    """Number of test episodes, played once without and once with refinement, >= 1."""
    untrained: bool = False
    """Play the untrained team as well, and report what training changed."""
    streams: Count = 40
    """Number of sequences of episodes, each with its own memory, >= 1.
    At most this many episodes are played side by side."""


@dataclass(frozen=True, kw_only=True)
class LoggingSettings(Settings):
    """Output of a run: folders, logs, plots and progress."""

    SECTION: ClassVar[str] = "logging"

    log_dir: str | None = None
    """Folder of the run. If left out: runs/EXPERIMENT_NAME."""
    model_dir: str | None = None
    """Folder of the checkpoints. If left out: checkpoints in the folder of the run."""
    tensorboard: bool = True
    """Write event files for TensorBoard."""
    wandb: bool = False
    """Log to Weights & Biases as well."""
    wandb_mode: Literal["offline", "online"] = "offline"
    """Mode of Weights & Biases: "offline" keeps the files on this machine, "online" sends them."""
    plots: bool = True
    """Draw the curves as PNG files at the end of training."""
    progress: bool = True
    """Show a live progress line."""


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Everything that a run depends on. Defaults: the paper, LLaMA 3.1 8B on GSM8K.

    Raises:
        ConfigError: a value is out of range, or two values do not fit together.
    """

    experiment_name: str = "econ"
    """Name of the run, for folders and titles."""
    seed: CountOrZero = 0
    """Seed of everything random in the run, >= 0."""
    env: EnvSettings = field(default_factory=EnvSettings)
    env_args: EnvArgs = field(default_factory=EnvArgs)
    n_agents: Count | None = None
    """Number of executors, >= 1 (paper: 3). If left out, the environment's own default holds."""
    coordinator_model: str | None = None
    """Model of the coordinator. If left out, the environment's own default holds."""
    executor_model: str | tuple[str, ...] | None = None
    """Model of the executors: one name for all, or a list with one for each.
    If left out, the environment's own default holds."""
    group_size: Annotated[int, Bounds(low=2)] | None = None
    """Largest number of executors per local coordinator, >= 2 (paper, 4.4: at most 4).
    If left out, the environment's own default holds."""
    update_interval: Count = 10
    """Episodes between updates, >= 1 (paper: 8; the authors' code: 10)."""
    bne_max_iterations: Count | None = None
    """Cap on both bne.max_iterations_train and bne.max_iterations_infer, >= 1."""
    bne: BneSettings = field(default_factory=BneSettings)
    belief_dim: Count = 128
    """Size d_b of a belief b_i, >= 1 (paper: 128)."""
    network: NetworkSettings = field(default_factory=NetworkSettings)
    memory: MemorySettings = field(default_factory=MemorySettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    reward: RewardSettings = field(default_factory=RewardSettings)
    losses: LossSettings = field(default_factory=LossSettings)
    early_stopping: EarlyStoppingSettings = field(default_factory=EarlyStoppingSettings)
    target_update_tau: PositiveFraction = 0.01
    """Step tau of the target networks towards the networks, in (0, 1] (the authors' code: 0.01)."""
    target_update_interval: Count = 8
    """Updates between two steps of the target networks, >= 1 (the authors' code: 8)."""
    train: TrainSettings = field(default_factory=TrainSettings)
    test: EvaluationSettings = field(default_factory=EvaluationSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of the networks."""

    def refines(self, phase: Phase) -> bool:
        """Return True if later rounds of a decision refine the actions of the round before."""
        bne = self.bne
        return bne.enabled and (bne.train_refine if phase == "train" else bne.refine_at_infer)

    def bne_rounds(self, phase: Phase) -> int:
        """Largest number of rounds per decision; 1 if this phase does not refine."""
        if not self.refines(phase):
            return 1
        bne = self.bne
        rounds = bne.max_iterations_train if phase == "train" else bne.max_iterations_infer
        return rounds if self.bne_max_iterations is None else min(rounds, self.bne_max_iterations)

    @property
    def log_dir(self) -> Path:
        """Folder of the run."""
        return Path(self.logging.log_dir or Path("runs", self.experiment_name)).expanduser()

    @property
    def model_dir(self) -> Path:
        """Folder of the checkpoints."""
        return Path(self.logging.model_dir or self.log_dir / "checkpoints").expanduser()
