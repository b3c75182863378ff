"""Small networks, batches, episodes and environments for the tests of the learner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from gymnasium.spaces import Box, Space
from pettingzoo import ParallelEnv
from torch import Tensor, nn

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.algorithm.replay_buffer import Batch, Window
from econ_agents.config.schema import BneSettings, Config, MemorySettings, NetworkSettings
from econ_agents.environments import SyncBatch, Teams, TeamSpace
from econ_agents.networks import TeamNetworks, TeamShapes, make_networks
from econ_agents.seeds import torch_generator

TEAM = ("anna", "ben", "cleo")
OBSERVATION, ACTION, STATE = 5, 2, 15

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def tiny_shapes(**changes: Any) -> TeamShapes:
    shapes: dict[str, Any] = {
        "n_agents": 3,
        "observation_size": OBSERVATION,
        "action_size": ACTION,
        "state_size": STATE,
        "seen_size": OBSERVATION,
        "target_size": 0,
    }
    return TeamShapes(**{**shapes, **changes})


def network_settings(**changes: Any) -> NetworkSettings:
    sizes: dict[str, Any] = {
        "entity_dim": 8,
        "hidden": 16,
        "heads": 2,
        "key_dim": 4,
        "ffn": 16,
        "blocks": 1,
        "mixing_units": 4,
        "dropout": 0.0,
    }
    return NetworkSettings(**{**sizes, **changes})


def tiny_networks(
    seed: int = 0,
    *,
    network: Mapping[str, Any] | None = None,
    bne: BneSettings | None = None,
    **shapes: Any,
) -> TeamNetworks:
    """Small networks, with changes of ``network.*`` and of what the environment decides."""
    config = Config(
        belief_dim=8,
        network=network_settings(**(network or {})),
        bne=BneSettings() if bne is None else bne,
    )
    return make_networks(config, tiny_shapes(**shapes), seed).eval()


def shaken(module: AnyModule, seed: int, scale: float = 1.0) -> AnyModule:
    """The module with every parameter drawn anew: laws must not only hold at the start."""
    generator = torch_generator(seed, "shaken")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return module


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch_generator(seed, "normal", *shape))


def uniform(seed: int, *shape: int) -> Tensor:
    return 2 * torch.rand(shape, generator=torch_generator(seed, "uniform", *shape)) - 1


def a_window(seed: int, shapes: TeamShapes, size: int, length: int = 2) -> Window:
    """Moments, of which every second row does not know the oldest."""
    known = torch.ones(size, length + 1, dtype=torch.bool)
    known[::2, 0] = length == 0
    return Window(
        moments=uniform(seed, shapes.n_agents, size, length + 1, shapes.moment_size), known=known
    )


def a_batch(seed: int, shapes: TeamShapes, size: int = 6, **changes: Any) -> Batch:
    n = shapes.n_agents
    fields: dict[str, Any] = {
        "now": a_window(seed, shapes, size),
        "actions": uniform(seed, n, size, shapes.action_size),
        "rewards": uniform(seed + 1, n, size),
        "team_rewards": uniform(seed, size),
        "components": uniform(seed, n, size, 3).abs(),
        "team_components": uniform(seed, size, 3).abs(),
        "states": uniform(seed, size, shapes.state_size),
        "then": a_window(seed + 1, shapes, size),
        "next_states": uniform(seed + 1, size, shapes.state_size),
        "next_actions": uniform(seed + 2, n, size, shapes.action_size),
        "same_decision": torch.zeros(size),
        "terminal": (torch.arange(size) % 2).float(),
    }
    return Batch(**{**fields, **changes})


def an_episode(number: int = 0, steps: int = 3, n: int = 3, **changes: Any) -> Episode:
    rng = np.random.default_rng(number)

    def floats(*shape: int) -> Any:
        return rng.uniform(-1, 1, shape).astype(np.float32)

    fields: dict[str, Any] = {
        "number": number,
        "stream": 0,
        "seed": 100 + number,
        "observations": floats(steps + 1, n, OBSERVATION),
        "states": floats(steps + 1, STATE),
        "actions": floats(steps, n, ACTION),
        "rewards": floats(steps, n),
        "team_rewards": floats(steps),
        "infos": {},
        "terminated": True,
        "failed": False,
        "memory": np.zeros((0, n, OBSERVATION + ACTION + 1), np.float32),
    }
    return Episode(**{**fields, **changes})


def same_episodes(ones: Sequence[Episode], others: Sequence[Episode]) -> bool:
    """True if they are equal to the last bit."""
    return len(ones) == len(others) and all(
        _same(getattr(one, name), getattr(other, name))
        for one, other in zip(ones, others, strict=True)
        for name in Episode.__slots__
    )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    return bool(one == other)


class ToyGame(ParallelEnv[str, Any, Any]):
    """Agents see the seed, the step, their number and what they did; near 0.5 is paid best.

    An episode has ``1 + seed % 3`` steps.
    """

    def __init__(
        self,
        *,
        infos: Callable[[int, int], Mapping[str, Any]] = lambda seed, step: {},
        truncates: Callable[[int], bool] = lambda seed: False,
        raises: Callable[[int, int], bool] = lambda seed, step: False,
        layout: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.possible_agents = list(TEAM)
        self.agents = []
        self.metadata: dict[str, Any] = {"name": "toy_v0"}
        if layout is not None:
            self.metadata["observation_layout"] = layout
        self.infos = infos
        self.truncates = truncates
        self.raises = raises

    def observation_space(self, agent: str) -> Space[Any]:
        return Box(-1, 1, (OBSERVATION,), np.float32)

    def action_space(self, agent: str) -> Space[Any]:
        return Box(-1, 1, (ACTION,), np.float32)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        assert seed is not None
        self.seed, self.played = seed, 0
        self.agents = list(TEAM)
        self.last = np.zeros((len(TEAM), ACTION), np.float32)
        return self._seen(), {agent: {} for agent in TEAM}

    def step(self, actions: dict[str, Any]) -> Any:
        self.played += 1
        if self.raises(self.seed, self.played):
            raise KeyboardInterrupt
        self.last = np.stack([actions[agent] for agent in TEAM])
        paid = 1 - np.square(self.last - 0.5).mean(axis=1)
        over = self.played > self.seed % 3
        cut = over and self.truncates(self.seed)
        if over:
            self.agents = []
        infos = {agent: dict(self.infos(self.seed, self.played)) for agent in TEAM}
        return (
            self._seen(),
            dict(zip(TEAM, paid.tolist(), strict=True)),
            dict.fromkeys(TEAM, over and not cut),
            dict.fromkeys(TEAM, cut),
            infos,
        )

    def _seen(self) -> dict[str, Any]:
        return {
            agent: np.array(
                [self.seed % 7 / 7, self.played / 3, index / 3, *self.last[index]], np.float32
            )
            for index, agent in enumerate(TEAM)
        }


def toy_teams(places: int, **settings: Any) -> Teams:
    return SyncBatch([ToyGame(**settings) for _ in range(places)])


def a_policy(
    space: TeamSpace,
    networks: TeamNetworks | None = None,
    *,
    streams: int,
    length: int = 3,
    scope: Any = "stream",
    refine: bool = True,
    **rules: Any,
) -> TeamPolicy:
    """A policy for which hardly any two commitments are the same, with changes of ``bne.*``."""
    bne: dict[str, Any] = {"convergence_threshold": 0.05, "commitment_match_threshold": 0.999}
    return TeamPolicy(
        tiny_networks() if networks is None else networks,
        space,
        refine=refine,
        bne=BneSettings(**{**bne, **rules}),
        memory=MemorySettings(length=length, scope=scope),
        streams=streams,
    )
