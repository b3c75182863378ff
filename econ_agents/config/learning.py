"""How it is learned: networks, losses, refinement to equilibrium, updates and exploration.

"Paper" in a docstring means its tables 8 to 13, column LLaMA 3.1 8B on GSM8K.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from econ_agents.config.base import (
    Bounds,
    ConfigError,
    Count,
    CountOrZero,
    Fraction,
    NonNegative,
    Positive,
    PositiveFraction,
    Settings,
)


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(Settings):
    """Sizes of the networks."""

    SECTION: ClassVar[str] = "network"

    entity_dim: Count = 256
    """d, the size of the group representation E and of the features F_i, >= 1 (paper: 256)."""
    heads: Count = 4
    """Attention heads H, >= 1 (paper: 4)."""
    key_dim: Count = 64
    """Size of the keys of one head, >= 1 (paper: 64)."""
    hidden: Count = 256
    """Hidden units of an MLP, >= 1 (paper: 256)."""
    blocks: Count = 2
    """Attention blocks, >= 1 (paper: 2)."""
    ffn: Count = 1024
    """Hidden units of a block's feed-forward part, >= 1 (paper: 1024)."""
    mixing_units: Count = 32
    """Hidden units of the mixer, in which the values of the executors are added up, >= 1."""
    dropout: Fraction = 0.1
    """Share of activations that is dropped while learning, in [0, 1] (paper: 0.1)."""
    observation_dropout: Fraction = 0.0
    """Share of the numbers of an observation that is overlooked while learning, in [0, 1]: keeps
    policies from learning single questions by heart."""
    action_frequencies: CountOrZero = 0
    """Sines and cosines of every coordinate of an action that the value heads read, >= 0: they let
    values peak inside the box."""
    layer_norm_eps: Positive = 1e-5
    """Added to the variance in layer normalisation, > 0 (paper: 1e-5)."""
    share_parameters: bool = False
    """One belief network with an embedding per executor, instead of one network each
    (paper, 3.2: false)."""
    agent_frequencies: Count = 8
    """Sines and cosines of an executor's number that tell it apart with share_parameters, >= 1."""


@dataclass(frozen=True, kw_only=True)
class MemorySettings(Settings):
    """What an executor remembers: observations and actions, never rewards or correctness."""

    SECTION: ClassVar[str] = "memory"

    length: CountOrZero = 4
    """L, the most (observation, action) pairs that are remembered, >= 0."""
    scope: Literal["episode", "stream"] = "episode"
    """"episode": forget when an episode ends. "stream": remember earlier ones of the stream."""


@dataclass(frozen=True, kw_only=True)
class LossSettings(Settings):
    """The weight of every loss, >= 0; 0 turns a loss off."""

    SECTION: ClassVar[str] = "losses"

    local_td: NonNegative = 1.0
    """Of each executor's TD error on its own reward (paper, 3.2)."""
    global_td: NonNegative = 1.0
    """Of the TD error of Q_tot on the team reward (paper, 3.4)."""
    consistency: NonNegative = 0.1
    """lambda_m, of the squared distance of Q_i and Q_tot (paper, 3.4: 0.1)."""
    commitment_similarity: NonNegative = 0.1
    """lambda_b, of L_SD: the features F_i point where the commitment does (paper, 3.4:
    0.1)."""
    encoder: NonNegative = 1.0
    """Of L_e, the encoder's loss (paper, 3.3 and 3.6)."""
    lambda_e: NonNegative = 0.1
    """lambda_e, of the local TD errors in the encoder's loss (paper, 3.3: 0.1)."""
    policy: NonNegative = 1.0
    """Of -Q_tot(pi(b)), by whose gradient the policies learn."""
    local_policy: NonNegative = 0.0
    """Of -sum_i Q_i(pi_i(b)): every executor also follows its own utility, as in an equilibrium."""
    action_regulariser: NonNegative = 0.001
    """Of the squared actions: keeps policies off the walls of their box."""
    equilibrium: NonNegative = 0.1
    """Of the estimated gain of the best unilateral deviation."""
    best_response: NonNegative = 0.0
    """Of the distance to the best deviation found: it leads from a local optimum of Q_tot to a
    better one, where the slope cannot."""
    commitment_improvement: NonNegative = 0.1
    """Of Q_tot before a refinement minus after it."""


@dataclass(frozen=True, kw_only=True)
class BneSettings(Settings):
    """Refinement towards a Bayesian Nash equilibrium, one round a step."""

    SECTION: ClassVar[str] = "bne"

    enabled: bool = True
    """Off: every decision takes one round, and nothing is refined."""
    train_refine: bool = True
    """Refine in training; off: one round a decision."""
    refine_at_infer: bool = True
    """Refine in tests; off: one round a decision."""
    max_iterations_train: Count = 1
    """Most rounds of a decision in training, >= 1 (the authors' code: 1)."""
    max_iterations_infer: Count = 3
    """Most rounds of a decision in tests, >= 1 (the authors' code: 3)."""
    convergence_threshold: NonNegative = 0.01
    """A smaller change of an action, in units of the box [-1, 1], is none, >= 0: it is repeated
    exactly, which ends the game (the authors' code: 0.01)."""
    update_rate: PositiveFraction = 1.0
    """eta, the share of a refinement's change that is made, in (0, 1] (the authors' code: 1)."""
    max_delta: Positive = 0.2
    """Largest change of an action in one round, in units of the box [-1, 1], > 0."""
    commitment_match_threshold: Fraction = 0.95
    """Cosine from which two commitments are one and the same, in [0, 1]."""
    detect_oscillation: bool = True
    """Keep the action where the commitments go A, B, A."""


@dataclass(frozen=True, kw_only=True)
class EarlyStoppingSettings(Settings):
    """When training ends before its last episode (paper, 3.6).

    With the three thresholds all of them must hold; with none of them (all null) training stops
    when the mean reward has not grown by ``min_delta``.
    """

    SECTION: ClassVar[str] = "early_stopping"

    enabled: bool = True
    """Off: every episode is played."""
    epsilon_c: NonNegative | None = 0.01
    """Largest change of the commitment, >= 0 (paper: 0.01)."""
    epsilon_l: NonNegative | None = 1e-4
    """Largest change of the total loss, >= 0 (paper: 1e-4)."""
    reward_threshold: float | None = 0.7
    """R_threshold, the least mean reward (paper: 0.7)."""
    patience: Count = 5
    """Updates (once every update_interval episodes) in a row for which this must hold, >= 1 (paper:
    5)."""
    warmup: CountOrZero = 20
    """First updates, in which nothing stops, >= 0 (the authors' code: 20)."""
    min_delta: NonNegative = 0.001
    """Without thresholds: the least growth of reward_mean that is one, >= 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        thresholds = (self.epsilon_c, self.epsilon_l, self.reward_threshold)
        if 0 < thresholds.count(None) < len(thresholds):
            raise ConfigError(
                "early_stopping needs epsilon_c, epsilon_l and reward_threshold, or none of them "
                f"(all null), got {self.epsilon_c}, {self.epsilon_l} and {self.reward_threshold}"
            )


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """How long, how often and how fast is learned. Intervals are counted in episodes."""

    SECTION: ClassVar[str] = "train"

    episodes: Count = 100
    """Episodes, >= 1 (paper: 100)."""
    batch_size: Count = 16
    """Decisions of one update, >= 1 (paper: 16)."""
    updates_per_interval: Count = 1
    """Updates after every update_interval episodes, >= 1."""
    use_replay: bool = False
    """Learn from the last replay_size decisions; off: from the last on_policy_size (the authors'
    code: false)."""
    replay_size: Count = 2000
    """Decisions kept with use_replay, >= batch_size (the authors' code: 2000)."""
    on_policy_size: Count = 32
    """Decisions kept without it, >= batch_size (paper: 32)."""
    gamma: Fraction = 0.99
    """Discount of one step, in [0, 1] (paper: 0.99)."""
    learning_rate: Positive = 1e-3
    """Adam's, of the belief networks, > 0 (paper: 1e-3)."""
    mixer_learning_rate: Positive = 5e-4
    """Adam's, of encoder, mixer and refinement, > 0 (paper: 5e-4, the coordinator's)."""
    learning_rate_end: PositiveFraction = 1.0
    """Share of both learning rates that is left at the last episode, reached linearly, in (0, 1]:
    below 1 the networks come to rest instead of following every noisy reward."""
    gradient_clip: Positive = 10.0
    """Largest norm of a gradient, > 0."""
    deviation_candidates: Count = 4
    """Random actions of each executor among which an update looks for its best deviation from
    every decision, >= 1."""
    deviation_gain_scale: Positive = 0.01
    """Gain of a deviation, in units of reward, at which half of the full pull of
    losses.best_response is felt, > 0."""
    warmup_episodes: CountOrZero = 16
    """First episodes, with uniform random actions, >= 0."""
    exploration_std_start: NonNegative = 0.4
    """Standard deviation of the noise on actions after the warm-up, in units of the box, >= 0."""
    exploration_std_end: NonNegative = 0.05
    """The same at the end of its decay, >= 0."""
    exploration_decay_episodes: Count = 80
    """Episodes after the warm-up over which the noise decays, >= 1."""
    in_flight: Count = 64
    """Most episodes played side by side, >= 1; in training, no more than update_interval. The
    figures do not depend on it."""
    eval_interval: CountOrZero = 0
    """Episodes between evaluations; 0: none."""
    eval_episodes: Count = 32
    """Episodes of one evaluation, >= 1."""
    nash_interval: CountOrZero = 0
    """Episodes between measurements of NashConv; 0: none. One plays every question of
    nash_questions some hundred times: right for simulated models, dear for others."""
    nash_questions: Annotated[int, Bounds(low=4)] = 100
    """Questions of the training split on which NashConv is measured, >= 4."""
    checkpoint_interval: Count = 50
    """Episodes between checkpoints, >= 1."""
    keep_checkpoints: Count = 3
    """Periodic checkpoints that are kept, >= 1; best and final are kept besides."""

    def __post_init__(self) -> None:
        super().__post_init__()
        kept = "replay_size" if self.use_replay else "on_policy_size"
        if getattr(self, kept) < self.batch_size:
            raise ConfigError(
                f"train.{kept} must be at least train.batch_size = {self.batch_size}, "
                f"got {getattr(self, kept)}"
            )
        if self.exploration_std_end > self.exploration_std_start:
            raise ConfigError(
                "train.exploration_std_end must be at most train.exploration_std_start = "
                f"{self.exploration_std_start}, got {self.exploration_std_end}"
            )
