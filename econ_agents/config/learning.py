"""Settings of learning: networks, losses, refinement to equilibrium, updates and exploration.

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
    """Size d of the group representation E and of the features F_i, >= 1 (paper: 256)."""
    heads: Count = 4
    """Number of attention heads H, >= 1 (paper: 4)."""
    key_dim: Count = 64
    """Size of the keys of one attention head, >= 1 (paper: 64)."""
    hidden: Count = 256
    """Hidden units of an MLP, >= 1 (paper: 256)."""
    blocks: Count = 2
    """Number of attention blocks, >= 1 (paper: 2)."""
    ffn: Count = 1024
    """Hidden units of an attention block's feed-forward layer, >= 1 (paper: 1024)."""
    mixing_units: Count = 32
    """Hidden units in which the mixer adds up the values of the executors, >= 1."""
    dropout: Fraction = 0.1
    """Share of activations dropped in training, in [0, 1] (paper: 0.1)."""
    observation_dropout: Fraction = 0.0
    """Share of the numbers of an observation dropped in training, in [0, 1].
    Keeps policies from learning single questions by heart."""
    action_frequencies: CountOrZero = 0
    """Number of sines and of cosines of every action coordinate that value heads read, >= 0.
    They let values peak inside the box."""
    layer_norm_eps: Positive = 1e-5
    """Number added to the variance in layer normalisation, > 0 (paper: 1e-5)."""
    share_parameters: bool = False
    """Share one belief network, with an embedding per executor (paper, 3.2: false)."""
    agent_frequencies: Count = 8
    """Number of sines and of cosines in an executor's embedding with share_parameters, >= 1."""


@dataclass(frozen=True, kw_only=True)
class MemorySettings(Settings):
    """Memory of an executor: observations and actions, never rewards or correctness."""

    SECTION: ClassVar[str] = "memory"

    length: CountOrZero = 4
    """Largest number L of remembered (observation, action) pairs, >= 0."""
    scope: Literal["episode", "stream"] = "episode"
    """Scope: "episode" forgets when an episode ends, "stream" keeps earlier ones of the stream."""


@dataclass(frozen=True, kw_only=True)
class LossSettings(Settings):
    """Weights of the losses, >= 0; 0 turns a loss off."""

    SECTION: ClassVar[str] = "losses"

    local_td: NonNegative = 1.0
    """Weight of the squared TD error of each executor on its own reward (paper, 3.2)."""
    global_td: NonNegative = 1.0
    """Weight of the squared TD error of Q_tot on the team reward (paper, 3.4)."""
    consistency: NonNegative = 0.1
    """Weight lambda_m of the squared distance between Q_i and Q_tot (paper, 3.4: 0.1)."""
    commitment_similarity: NonNegative = 0.1
    """Weight lambda_b of L_SD, which aligns features F_i with the commitment (paper, 3.4: 0.1)."""
    encoder: NonNegative = 1.0
    """Weight of L_e, the only loss that moves the encoder (paper, 3.3 and 3.6)."""
    lambda_e: NonNegative = 0.1
    """Weight lambda_e of the local TD errors in the encoder's loss (paper, 3.3: 0.1)."""
    policy: NonNegative = 1.0
    """Weight of -Q_tot(pi(b)), by whose gradient the policies learn."""
    local_policy: NonNegative = 0.0
    """Weight of -sum_i Q_i(pi_i(b)), by which executors also follow their own utilities."""
    action_regulariser: NonNegative = 0.001
    """Weight of the squared actions; keeps policies off the edges of the action box."""
    equilibrium: NonNegative = 0.1
    """Weight of the estimated gain of the best unilateral deviations."""
    best_response: NonNegative = 0.0
    """Weight of the distance to the best deviation found.
    It leads from a local optimum of Q_tot to a better one, where the gradient cannot."""
    commitment_improvement: NonNegative = 0.1
    """Weight of Q_tot before a refinement minus Q_tot after it."""
    refinement_rest: NonNegative = 0.1
    """Weight of the squared moves of a refinement that gains nothing.
    It gives refinement a fixed point, at which nobody deviates."""


@dataclass(frozen=True, kw_only=True)
class BneSettings(Settings):
    """Refinement towards a Bayesian Nash equilibrium, one step per round."""

    SECTION: ClassVar[str] = "bne"

    enabled: bool = True
    """Refine actions from round to round. Off: every decision takes one round."""
    train_refine: bool = True
    """Refine in training. Off: one round per decision."""
    refine_at_infer: bool = True
    """Refine in tests. Off: one round per decision."""
    max_iterations_train: Count = 1
    """Largest number of rounds per decision in training, >= 1 (the authors' code: 1)."""
    max_iterations_infer: Count = 3
    """Largest number of rounds per decision in tests, >= 1 (the authors' code: 3)."""
    convergence_threshold: NonNegative = 0.01
    """Smallest change of an action that counts, in units of the box [-1, 1], >= 0.
    After a smaller one the action is repeated exactly, and no deviation is left
    (the authors' code: 0.01)."""
    update_rate: PositiveFraction = 1.0
    """Share eta of a refinement's change that is made, in (0, 1] (the authors' code: 1)."""
    max_delta: Positive = 0.2
    """Largest change of an action in one round, in units of the box [-1, 1], > 0."""
    commitment_match_threshold: Fraction = 0.95
    """Cosine similarity from which two commitments count as the same, in [0, 1].
    Used only if the environment does not say exactly that they repeat (info commitment_period)."""
    detect_oscillation: bool = True
    """Repeat the last actions once the commitments oscillate (A, B, A)."""


@dataclass(frozen=True, kw_only=True)
class EarlyStoppingSettings(Settings):
    """Early stopping: end training before its last episode (paper, 3.6).

    If the three thresholds are set, all of them must hold. If none is (all null), training stops
    when one metric has not grown by min_delta.
    """

    SECTION: ClassVar[str] = "early_stopping"

    enabled: bool = True
    """Stop early. Off: every episode is played."""
    commitment_threshold: NonNegative | None = None
    """Largest mean change of the commitments on the probe questions, >= 0 (paper: 0.01)."""
    loss_threshold: NonNegative | None = None
    """Largest change of the smoothed total loss, >= 0 (paper: 1e-4)."""
    reward_threshold: float | None = None
    """Least smoothed reward per decision R_threshold (paper: 0.7)."""
    metric: str = "reward_per_decision"
    """Metric that must grow if no thresholds are set, by its name under collection/ in the log."""
    min_delta: NonNegative = 0.001
    """Growth of the smoothed metric that counts as progress if no thresholds are set, >= 0."""
    patience: Count = 50
    """Number of episodes in a row for which the criterion must hold, >= 1.
    (ours: 50; paper: 5 updates, one every update_interval episodes)"""
    warmup: CountOrZero = 20
    """Number of first episodes in which training never stops, >= 0 (the authors' code: 20)."""
    smoothing: NonNegative = 30.0
    """Number of episodes over which loss, reward and metric are smoothed, >= 0; 0: not at all.
    A change of a smoothed number is what is left of a change of the number itself."""
    probe_questions: Count = 8
    """Number of probe questions that are played after every interval if thresholds are set, >= 1.
    They are the same throughout a run, and nothing is learned from them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        thresholds = (self.commitment_threshold, self.loss_threshold, self.reward_threshold)
        if 0 < thresholds.count(None) < len(thresholds):
            raise ConfigError(
                "early_stopping needs commitment_threshold, loss_threshold and reward_threshold, "
                "or none of them (all null), got "
                f"{', '.join(map(str, thresholds[:-1]))} and {thresholds[-1]}"
            )


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """Length and speed of training. Intervals are counted in episodes."""

    SECTION: ClassVar[str] = "train"

    episodes: Count = 100
    """Number of training episodes, >= 1 (paper: 100)."""
    batch_size: Count = 16
    """Number of decisions in an update, >= 1 (paper: 16)."""
    updates_per_interval: Count = 1
    """Number of updates after every update_interval episodes, >= 1."""
    use_replay: bool = False
    """Learn from a replay buffer of replay_size decisions (the authors' code: false).
    Off: learn from the last on_policy_size decisions."""
    replay_size: Count = 2000
    """Decisions in the replay buffer with use_replay, >= batch_size (the authors' code: 2000)."""
    on_policy_size: Count = 32
    """Decisions to learn from without use_replay, >= batch_size (paper: 32)."""
    gamma: Fraction = 0.99
    """Discount of one step, in [0, 1] (paper: 0.99)."""
    learning_rate: Positive = 1e-3
    """Adam's learning rate of the belief networks, > 0 (paper: 1e-3)."""
    mixer_learning_rate: Positive = 5e-4
    """Adam's learning rate of encoder, mixer and refinement, > 0 (paper: 5e-4, coordinator's)."""
    learning_rate_end: PositiveFraction = 1.0
    """Share of both learning rates left at the last episode, in (0, 1]; they fall linearly.
    Below 1 the networks settle instead of following every noisy reward."""
    gradient_clip: Positive = 10.0
    """Largest norm of a gradient, > 0."""
    deviation_candidates: Count = 4
    """Number of random actions of each executor among which an update looks for its best deviation.
    At least 1; every decision of a batch has its own."""
    deviation_gain_scale: Positive = 0.01
    """Gain of a deviation or refinement, in units of reward, > 0. At this gain
    losses.best_response and losses.refinement_rest pull with half their full strength."""
    warmup_episodes: CountOrZero = 16
    """Number of first episodes with uniform random actions, >= 0; at most half of the episodes."""
    exploration_std_start: NonNegative = 0.4
    """Standard deviation of the noise on actions after the warm-up, in units of the box, >= 0."""
    exploration_std_end: NonNegative = 0.05
    """Standard deviation of the noise at the end of its decay, in units of the box, >= 0."""
    exploration_decay_episodes: Count = 80
    """Episodes after the warm-up over which the noise decays, >= 1."""
    in_flight: Count = 64
    """Largest number of episodes played side by side, >= 1; in training at most update_interval.
    Results do not depend on this number."""
    eval_interval: CountOrZero = 0
    """Episodes between evaluations; 0: none."""
    eval_episodes: Count = 32
    """Number of episodes in an evaluation, >= 1."""
    nash_interval: CountOrZero = 0
    """Episodes between measurements of NashConv; 0: none.
    A measurement plays each question some hundred times: only simulated models are that cheap."""
    nash_questions: Annotated[int, Bounds(low=4)] = 100
    """Number of questions of the training split on which NashConv is measured, >= 4."""
    checkpoint_interval: Count = 50
    """Episodes between checkpoints, >= 1."""
    keep_checkpoints: Count = 3
    """Number of periodic checkpoints to keep, >= 1; best and final are always kept."""

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

    @property
    def warmup(self) -> int:
        """Episodes of the warm-up: ``warmup_episodes``, or half of a run that is too short."""
        return min(self.warmup_episodes, self.episodes // 2)

    @property
    def enough_decisions(self) -> int:
        """Decisions from which on the networks are updated: a batch, or half of a short run.

        A batch is drawn with replacement, so it may be larger than what it is drawn from.
        """
        return min(self.batch_size, (self.episodes + 1) // 2)
