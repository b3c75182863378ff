"""BenchMARL's task over one batch of games, with continuous or discrete actions.

BenchMARL brings a TorchRL of its own choice, so it is no extra of this package: install it beside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarl.environments.common import TaskClass
from torchrl.data import Composite
from torchrl.envs import EnvBase

from econ_env.config import EnvConfig
from econ_env.envs.discretisation import DEFAULT_BINS
from econ_env.integrations.torchrl import GROUP, TorchRLEnv

__all__ = ["EconTask"]


class EconTask(TaskClass):  # type: ignore[misc]  # benchmarl has no types
    """A task of BenchMARL: ``EconTask("simulated", {"dataset": "simulated", "llm": "simulated"})``.

    The environments of an experiment are the rows of one
    :class:`~econ_env.integrations.torchrl.TorchRLEnv`, so that each phase is one call of a model.
    The infos become curves in its loggers. Its evaluation plays the ``split`` of its training.

    Args:
        name: of the task in logs.
        config: settings of :class:`~econ_env.config.EnvConfig`; and ``bins``, for algorithms that
            need discrete actions (5 unless given).
    """

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        """Return a function that makes the environment of ``num_envs`` rows."""
        settings = {"bins": DEFAULT_BINS, **self.config}
        if continuous_actions:
            settings["bins"] = None

        def make() -> EnvBase:
            env = TorchRLEnv(num_envs, device=device, **settings)
            env.set_seed(seed)
            return env

        return make

    def supports_continuous_actions(self) -> bool:
        """Say yes: points of the box."""
        return True

    def supports_discrete_actions(self) -> bool:
        """Say yes: ``bins²`` numbers."""
        return True

    def max_steps(self, env: EnvBase) -> int:
        """Return the most rounds of an episode."""
        config = EnvConfig(**{key: each for key, each in self.config.items() if key != "bins"})
        return config.max_rounds * config.bne_rounds

    def has_render(self, env: EnvBase) -> bool:
        """Say no: transcripts show the games."""
        return False

    def group_map(self, env: EnvBase) -> dict[str, list[str]]:
        """Return the one group and its executors."""
        return {GROUP: list(env.group_map[GROUP])}

    def observation_spec(self, env: EnvBase) -> Composite:
        """Return the spec of the executors' observations."""
        return self._part(env, (GROUP, "observation"))

    def info_spec(self, env: EnvBase) -> Composite:
        """Return the spec of the infos."""
        return self._part(env, (GROUP, "info"))

    def state_spec(self, env: EnvBase) -> Composite:
        """Return the spec of the state, for centralised critics and mixers."""
        return self._part(env, ("state",))

    def action_spec(self, env: EnvBase) -> Composite:
        """Return the spec of the executors' actions."""
        return env.full_action_spec_unbatched

    def action_mask_spec(self, env: EnvBase) -> None:
        """Return None: every action is allowed."""

    @staticmethod
    def env_name() -> str:
        """Return the name of the environment in logs."""
        return "econ"

    def _part(self, env: EnvBase, kept: tuple[str, ...]) -> Composite:
        """Return what env shows, without the leaves that are not below ``kept``."""
        spec = env.full_observation_spec_unbatched.clone()
        for key in list(spec.keys(True, True)):
            path = key if isinstance(key, tuple) else (key,)
            if path[: len(kept)] != kept:
                del spec[key]
        for key in [key for key in spec.keys() if kept[0] != key]:  # noqa: SIM118 - no dict
            del spec[key]
        return spec
