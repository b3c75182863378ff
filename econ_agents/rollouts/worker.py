"""A worker: an environment and a policy of its own, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from safetensors.torch import load, save

from econ_agents.algorithm.builders import (
    build_exploration,
    build_networks,
    build_policy,
    build_teams,
)
from econ_agents.config.schema import Config, Phase
from econ_agents.networks import TeamNetworks
from econ_agents.rollouts.errors import UsersError, told
from econ_agents.rollouts.shares import Played, Share, play_share

PASSED_ON = ("ECON_ALLOW_KEY_FOR",)
"""Variables of this process's environment that workers get: what the user said on the command
line. Keys are not among them: they must stand in the environment of every node."""
UNUSED = "mixer."
"""Prefix of the parameters that are not needed to act."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """The task that workers are made for."""

    config: Config
    phase: Phase
    bne: bool
    """True to play decisions of several rounds; False for the one-round baseline."""
    places: int
    """Largest number of streams of a share."""
    variables: Mapping[str, str]
    """Variables of the environment that the worker's process gets."""


def passed_on() -> Mapping[str, str]:
    """Variables of this process's environment that workers set in theirs."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def prepare_process(variables: Mapping[str, str]) -> None:
    """Set variables of the environment, and compute with one thread, in a worker's process."""
    os.environ.update(variables)
    torch.set_num_threads(1)


def packed(networks: TeamNetworks) -> bytes:
    """The parameters that are needed to act, as safetensors."""
    parameters = networks.state_dict()
    return save(
        {
            name: value.detach().cpu().contiguous()
            for name, value in parameters.items()
            if not name.startswith(UNUSED)
        }
    )


class Worker:
    """Plays shares with the policy that it is sent.

    It acts on the CPU with one thread, so that every worker computes the same bits. Errors for
    users are returned, not raised: who asked shows them without the worker's traceback.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def open(self) -> UsersError | None:
        """Make the environment and the networks; return what the user has to mend."""
        return told(self._open)

    def play(self, weights: bytes, share: Share) -> Played | UsersError:
        """Play a share.

        Args:
            weights: parameters of the networks as safetensors, which can hold no code.
            share: the share.
        """
        return told(lambda: self._play(weights, share))

    def _open(self) -> None:
        job = self._job
        prepare_process(job.variables)
        config = replace(job.config, device="cpu")
        self._teams = build_teams(config, job.phase, bne=job.bne, places=job.places)
        self._networks = build_networks(config, self._teams.space).eval()
        self._policy = build_policy(config, self._networks, self._teams.space, job.phase)
        self._exploration = build_exploration(config)

    def _play(self, weights: bytes, share: Share) -> Played:
        found = self._networks.load_state_dict(load(weights), strict=False)
        strange = [name for name in found.missing_keys if not name.startswith(UNUSED)]
        if strange or found.unexpected_keys:
            raise RuntimeError(
                f"the policy has other parameters: {strange + found.unexpected_keys}"
            )
        return play_share(self._teams, self._policy, share, self._exploration.explore)
