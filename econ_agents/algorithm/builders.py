"""From a configuration to the parts that learn and play."""

from __future__ import annotations

import torch

from econ_agents.algorithm.exploration import Exploration
from econ_agents.algorithm.learner import Learner, LearnerSettings
from econ_agents.algorithm.policy import COMMITMENT_PART, RefinementRules, TeamPolicy, seen_columns
from econ_agents.algorithm.reward_weighting import RewardWeighting
from econ_agents.config.environment_kwargs import environment_kwargs
from econ_agents.config.schema import Config, Phase
from econ_agents.environments import Teams, TeamSpace, make_teams
from econ_agents.networks import NetworkSizes, TeamNetworks, make_networks
from econ_agents.seeds import derive_seed


def build_teams(config: Config, phase: Phase, *, bne: bool = True) -> Teams:
    """The environment of a phase, with a place per stream, or ``train.in_flight`` if that is less.

    Args:
        config: the configuration.
        phase: ``"train"`` or ``"test"``.
        bne: whether decisions take several rounds; False plays the baseline.
    """
    kwargs = environment_kwargs(config, phase, bne=bne)
    places = min(config.train.in_flight, streams_of(config, phase))
    return make_teams(config.env.factory, kwargs, places)


def streams_of(config: Config, phase: Phase) -> int:
    """Sequences of episodes that are played with one policy: one episode of each per update."""
    return config.update_interval if phase == "train" else config.test.streams


def network_sizes(config: Config, space: TeamSpace) -> NetworkSizes:
    """The sizes of the networks for the spaces of an environment."""
    network, commitment = config.network, commitment_columns(space)
    return NetworkSizes(
        n_agents=len(space.agents),
        observation_size=space.observation_size,
        action_size=space.action_size,
        state_size=space.state_size,
        seen_size=len(seen_columns(space)),
        target_size=0 if commitment is None else commitment.stop - commitment.start,
        belief_dim=config.belief_dim,
        entity_dim=network.entity_dim,
        heads=network.heads,
        key_dim=network.key_dim,
        hidden=network.hidden,
        blocks=network.blocks,
        feed_forward=network.ffn,
        dropout=network.dropout,
        observation_dropout=network.observation_dropout,
        action_frequencies=network.action_frequencies,
        layer_norm_eps=network.layer_norm_eps,
        share_parameters=network.share_parameters,
        max_delta=config.bne.max_delta,
    )


def build_networks(config: Config, space: TeamSpace) -> TeamNetworks:
    """Untrained networks, drawn from the configuration's seed."""
    networks = make_networks(network_sizes(config, space), derive_seed(config.seed, "networks"))
    return networks.to(config.device)


def build_weighting(config: Config) -> RewardWeighting:
    """The weights of the reward's components, as they start."""
    floor = config.reward.ts_floor if config.reward.dynamic else 0.0
    return RewardWeighting(config.reward.initial_weights.start(), floor).to(config.device)


def build_learner(config: Config, space: TeamSpace) -> Learner:
    """Untrained networks with what trains them."""
    train = config.train
    settings = LearnerSettings(
        seed=config.seed,
        weights=config.losses,
        gamma=train.gamma,
        learning_rate=train.learning_rate,
        mixer_learning_rate=train.mixer_learning_rate,
        gradient_clip=train.gradient_clip,
        target_tau=config.target_update_tau,
        target_interval=config.target_update_interval,
        refine_rate=config.bne.update_rate,
        learn_alpha=config.reward.dynamic,
        eta_alpha=config.reward.eta_alpha,
    )
    return Learner(
        build_networks(config, space),
        build_weighting(config),
        settings,
        commitment=commitment_columns(space),
        seen=torch.from_numpy(seen_columns(space)).to(config.device),
    )


def build_policy(
    config: Config, networks: TeamNetworks, space: TeamSpace, phase: Phase
) -> TeamPolicy:
    """The executors' policies, with an empty memory for each stream."""
    bne = config.bne
    refines = bne.train_refine if phase == "train" else bne.refine_at_infer
    return TeamPolicy(
        networks,
        space,
        rules=RefinementRules(
            refine=bne.enabled and refines,
            rate=bne.update_rate,
            convergence_threshold=bne.convergence_threshold,
            match_threshold=bne.commitment_match_threshold,
            detect_oscillation=bne.detect_oscillation,
        ),
        streams=streams_of(config, phase),
        memory_length=config.memory.length,
        memory_scope=config.memory.scope,
    )


def build_exploration(config: Config) -> Exploration:
    """The schedule of exploration."""
    train = config.train
    return Exploration(
        seed=config.seed,
        warmup_episodes=train.warmup_episodes,
        std_start=train.exploration_std_start,
        std_end=train.exploration_std_end,
        decay_episodes=train.exploration_decay_episodes,
    )


def commitment_columns(space: TeamSpace) -> slice | None:
    """Columns of an observation that hold the commitment's embedding; None: not named."""
    return None if space.layout is None else space.layout.get(COMMITMENT_PART)
