"""Builders: make the parts that learn and play from a configuration."""

from __future__ import annotations

import torch

from econ_agents.algorithm.exploration import Exploration
from econ_agents.algorithm.learner import Learner
from econ_agents.algorithm.policy import COMMITMENT_PART, TeamPolicy, seen_columns
from econ_agents.algorithm.reward_weighting import RewardWeighting
from econ_agents.config.environment_kwargs import environment_kwargs, keys_of_arguments
from econ_agents.config.schema import Config, ConfigError, Phase
from econ_agents.environments import EnvironmentMisfit, Teams, TeamSpace, make_teams
from econ_agents.networks import TeamNetworks, TeamShapes, make_networks
from econ_agents.seeds import derive_seed


def build_teams(
    config: Config, phase: Phase, *, bne: bool = True, places: int | None = None
) -> Teams:
    """Make the environment of a phase.

    Args:
        config: the configuration.
        phase: ``"train"`` or ``"test"``.
        bne: True to play decisions of several rounds; False to play the one-round baseline.
        places: number of places. None: one per stream, at most ``train.in_flight``.

    Raises:
        EnvironmentMisfit: the environment cannot be made; the keys that the message is about are
            named as flags.
    """
    kwargs = environment_kwargs(config, phase, bne=bne)
    if places is None:
        places = min(config.train.in_flight, streams_of(config, phase))
    try:
        return make_teams(config.env.factory, kwargs, places)
    except EnvironmentMisfit as error:
        keys = keys_of_arguments(config, phase, str(error))
        if not keys:
            raise
        raise EnvironmentMisfit(f"{error} (--{', --'.join(keys)})") from error


def streams_of(config: Config, phase: Phase) -> int:
    """Number of streams: sequences of episodes, of which each plays one episode per update."""
    return config.update_interval if phase == "train" else config.test.streams


def team_shapes(space: TeamSpace) -> TeamShapes:
    """Sizes of the networks that follow from the spaces of an environment."""
    commitment = commitment_columns(space)
    return TeamShapes(
        n_agents=len(space.agents),
        observation_size=space.observation_size,
        action_size=space.action_size,
        state_size=space.state_size,
        seen_size=len(seen_columns(space)),
        target_size=0 if commitment is None else commitment.stop - commitment.start,
    )


def build_networks(config: Config, space: TeamSpace) -> TeamNetworks:
    """Make untrained networks, initialised from the configuration's seed.

    Raises:
        ConfigError: torch finds no device of the kind ``device``.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"--device cuda: torch {torch.__version__} finds no CUDA device here: give --device "
            "cpu, or install a build of torch for the GPU of this machine"
        )
    seed = derive_seed(config.seed, "networks")
    return make_networks(config, team_shapes(space), seed).to(config.device)


def outline_networks(config: Config, space: TeamSpace) -> TeamNetworks:
    """Make networks without numbers, which take no memory, to compare names and shapes with."""
    with torch.device("meta"):
        return make_networks(config, team_shapes(space), seed=0)


def build_weighting(config: Config) -> RewardWeighting:
    """Make the weights of the reward's components, at their initial values."""
    floor = config.reward.ts_floor if config.reward.dynamic else 0.0
    return RewardWeighting(config.reward.initial_weights.start(), floor).to(config.device)


def build_learner(config: Config, space: TeamSpace) -> Learner:
    """Make a learner: untrained networks, their target networks and optimisers."""
    return Learner(
        build_networks(config, space),
        build_weighting(config),
        config,
        commitment=commitment_columns(space),
        seen=torch.from_numpy(seen_columns(space)).to(config.device),
    )


def build_policy(
    config: Config, networks: TeamNetworks, space: TeamSpace, phase: Phase
) -> TeamPolicy:
    """Make the executors' policies, with an empty memory for each stream."""
    return TeamPolicy(
        networks,
        space,
        refine=config.refines(phase),
        bne=config.bne,
        memory=config.memory,
        streams=streams_of(config, phase),
    )


def build_exploration(config: Config) -> Exploration:
    """Make the exploration schedule."""
    return Exploration(train=config.train, seed=config.seed)


def commitment_columns(space: TeamSpace) -> slice | None:
    """Columns of an observation that hold the commitment's embedding; None if it is not named."""
    return None if space.layout is None else space.layout.get(COMMITMENT_PART)
