"""TorchRL's environment over one batch of games: every phase is one call of each model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tensordict import TensorDict
from torchrl.data import Bounded, Categorical, Composite, OneHot, Unbounded
from torchrl.envs import EnvBase

from econ_env.envs.batched import BatchedInfos, Flags, batched_parallel_env
from econ_env.envs.discretisation import Levels
from econ_env.envs.infos import INFO_KEYS
from econ_env.envs.keywords import takes_settings
from econ_env.envs.spaces import FloatArray

__all__ = ["GROUP", "TorchRLEnv"]

GROUP = "agents"
"""Name of the group that all executors form."""


class TorchRLEnv(EnvBase):  # type: ignore[misc]  # torchrl has no types
    """B questions, each with its team, as one environment of TorchRL with the batch size (B,).

    ## Description
    The game of :class:`~econ_env.envs.batched.BatchedEconEnv`. All requests of a phase, over all
    questions, reach their model in one call, where copies in a ``SerialEnv`` would ask for one
    question at a time. Row b with seed s plays what ``parallel_env`` plays with seed s + b.

    ## Entries
    Of n executors, which all belong to the group ``"agents"`` (:data:`GROUP`):

    | entry                        | shape                | meaning                              |
    |------------------------------|----------------------|--------------------------------------|
    | `("agents", "observation")`  | (B, n, size)         | in [-1, 1], float32                  |
    | `("agents", "action")`       | (B, n, 2)            | in [-1, 1]; with ``bins`` see below  |
    | `("agents", "reward")`       | (B, n, 1)            | float32; 0 unless a decision closes  |
    | `("agents", "info", key)`    | (B, n)               | as ``INFO_KEYS``, float32            |
    | `"state"`                    | (B, state size)      | for centralised critics and mixers   |
    | `"done"`, `"terminated"`, `"truncated"` | (B, 1)    | all executors end together           |

    A row whose request failed for good is truncated and has 1 in ``("agents", "info", "failed")``:
    drop it, it has no result.

    ## Arguments
    ``num_questions`` (B >= 1); ``bins`` (>= 2), which replaces the box of actions by ``bins²``
    numbers as ``DiscreteActions`` does: whole numbers of shape (B, n), or one-hot vectors of shape
    (B, n, bins²) with ``categorical_actions=False``; ``device``, of the tensors; and the settings
    of :class:`~econ_env.config.EnvConfig`. Options go through ``reset(options={...})``.
    """

    @takes_settings
    def __init__(
        self,
        num_questions: int = 16,
        *,
        bins: int | None = None,
        categorical_actions: bool = True,
        device: torch.device | str = "cpu",
        **settings: Any,
    ) -> None:
        self.game = batched_parallel_env(num_questions, **settings)
        """The batch that is played; its transcripts and usage are there."""
        super().__init__(device=device, batch_size=[num_questions])
        self._levels = None if bins is None else Levels(bins=bins)
        self._one_hot = not categorical_actions
        self._seeds: list[int | None] = [None] * num_questions
        """Seeds of the rows at their next reset; None for a row that goes on."""
        self.group_map = {GROUP: list(self.game.possible_agents)}
        self._make_specs()

    @property
    def n_agents(self) -> int:
        """Number of executors."""
        return len(self.game.possible_agents)

    def close(self, *, raise_if_closed: bool = True) -> None:
        """Close the cache's file. Models are shared by the process and stay loaded."""
        super().close(raise_if_closed=raise_if_closed)
        self.game.close()

    def _make_specs(self) -> None:
        rows, agents = self.batch_size[0], self.n_agents
        team = (rows, agents)
        seen = self.game.observation_space(self.game.possible_agents[0]).shape or ()
        state = self.game.state_space.shape or ()
        infos = {key: Unbounded(team, device=self.device) for key in INFO_KEYS}
        self.observation_spec = self._group(
            {
                "observation": Bounded(-1.0, 1.0, (*team, *seen), device=self.device),
                "info": Composite(infos, shape=team, device=self.device),
            },
            state=Bounded(-1.0, 1.0, (rows, *state), device=self.device),
        )
        self.action_spec = self._group({"action": self._actions(team)})
        self.reward_spec = self._group({"reward": Unbounded((*team, 1), device=self.device)})
        flag = Categorical(2, (rows, 1), dtype=torch.bool, device=self.device)
        flags = {name: flag.clone() for name in ("done", "terminated", "truncated")}
        self.done_spec = Composite(flags, shape=(rows,), device=self.device)

    def _group(self, entries: dict[str, Any], **beside: Any) -> Any:
        """The spec of a group's entries, and of the entries beside it."""
        rows = self.batch_size[0]
        group = Composite(entries, shape=(rows, self.n_agents), device=self.device)
        return Composite({GROUP: group, **beside}, shape=(rows,), device=self.device)

    def _actions(self, team: tuple[int, int]) -> Any:
        """The spec of one action for every executor."""
        if self._levels is None:
            return Bounded(-1.0, 1.0, (*team, 2), device=self.device)
        count = self._levels.count
        if self._one_hot:
            return OneHot(count, (*team, count), dtype=torch.bool, device=self.device)
        return Categorical(count, team, device=self.device)

    def _reset(self, tensordict: Any = None, **settings: Any) -> Any:
        """Start episodes of all rows, or of those in ``"_reset"``; return the whole batch."""
        asked = None if tensordict is None else tensordict.get("_reset", None)
        rows = self._all_rows() if asked is None else asked.reshape(-1).cpu().numpy()
        options = settings.get("options")
        seen, infos = self.game.reset(seed=self._seeds, options=options, mask=rows)
        self._seeds = [
            None if reset else seed for seed, reset in zip(self._seeds, rows, strict=True)
        ]
        # TorchRL keeps what it has of the other rows, their flags included.
        running = np.zeros_like(rows)
        return self._shown(seen, infos, terminated=running, truncated=running)

    def _step(self, tensordict: Any) -> Any:
        """Play one round of the running rows; the others stay done, with reward 0."""
        actions = self._points(tensordict[GROUP, "action"])
        agents = self.game.possible_agents
        seen, rewards, terminated, truncated, infos = self.game.step(
            dict(zip(agents, actions.swapaxes(0, 1), strict=True))
        )
        shown = self._shown(
            seen, infos, terminated=terminated[agents[0]], truncated=truncated[agents[0]]
        )
        paid = np.stack(list(rewards.values()), axis=1)
        shown[GROUP, "reward"] = self._tensor(paid).unsqueeze(-1)
        return shown

    def _set_seed(self, seed: int | None) -> None:
        """Give row b the seed ``seed + b`` at its next reset."""
        self._seeds = [None if seed is None else seed + row for row in range(self.batch_size[0])]

    def _points(self, actions: torch.Tensor) -> NDArray[Any]:
        """The points (B, n, 2) of the box that the actions stand for."""
        found = actions.detach().cpu()
        if self._levels is None:
            points: NDArray[Any] = found.numpy()
            return points
        numbers = found.long().argmax(-1) if self._one_hot else found
        shape = (self.batch_size[0], self.n_agents)
        return self._levels.points(numbers.numpy(), shape, "actions")

    def _shown(
        self,
        seen: dict[str, FloatArray],
        infos: BatchedInfos,
        *,
        terminated: Flags,
        truncated: Flags,
    ) -> Any:
        """The observations, infos and flags of all rows."""
        team = (self.batch_size[0], self.n_agents)
        agents = self.game.possible_agents
        info = {
            key: self._tensor(np.stack([infos[agent][key] for agent in agents], axis=1))
            for key in INFO_KEYS
        }
        group = {
            "observation": self._tensor(np.stack([seen[agent] for agent in agents], axis=1)),
            "info": TensorDict(info, team, device=self.device),
        }
        flags = {
            "done": terminated | truncated,
            "terminated": terminated,
            "truncated": truncated,
        }
        return TensorDict(
            {
                GROUP: TensorDict(group, team, device=self.device),
                "state": self._tensor(self.game.state()),
                **{
                    name: torch.as_tensor(each[:, None].copy(), device=self.device)
                    for name, each in flags.items()
                },
            },
            self.batch_size,
            device=self.device,
        )

    def _tensor(self, values: NDArray[Any]) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def _all_rows(self) -> Flags:
        return np.ones(self.batch_size[0], dtype=np.bool_)
