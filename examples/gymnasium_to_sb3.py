"""Adapter to stable-baselines3 for Gymnasium's vector environments that reset in the same step."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv


class GymnasiumVecEnv(VecEnv):
    """``envs`` in stable-baselines3's interface; ``ValueError`` if they reset in another step.

    Otherwise stable-baselines3 would also learn from steps that only reset.
    """

    def __init__(self, envs: Any) -> None:
        if envs.metadata["autoreset_mode"] is not AutoresetMode.SAME_STEP:
            raise ValueError('stable-baselines3 needs make_vec(..., autoreset_mode="SameStep")')
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> Any:
        """Start all episodes, with the seeds of ``seed(...)`` if it was called."""
        observations, _ = self.envs.reset(seed=None if None in self._seeds else self._seeds)
        self._reset_seeds()
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Play a round; the info of an ended episode holds its last observation."""
        observations, rewards, terminated, truncated, infos = self.envs.step(self._actions)
        rows: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(terminated | truncated):
            rows[i]["terminal_observation"] = infos["final_obs"][i]
            rows[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
        return observations, rewards.astype(np.float32), terminated | truncated, rows

    def close(self) -> None:
        """Close the environments."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the environments."""
        return list(self.env_method(attr_name, indices=indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Raise ``NotImplementedError``: give settings to ``make_vec``."""
        raise NotImplementedError(f"give {attr_name} to make_vec")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """Call a method of the environments; return its results."""
        found = self.envs.call(method_name, *args, **kwargs)
        return [found[i] for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for all: wrappers go around the vector."""
        return [False for _ in self._get_indices(indices)]
