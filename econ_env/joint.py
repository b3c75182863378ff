"""The Gymnasium view: one central controller chooses for all executors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import gymnasium
import numpy as np
from gymnasium.utils import EzPickle
from numpy.typing import ArrayLike, NDArray

from econ_env.environment import EconParallelEnv
from econ_env.infos import AGENT_KEYS
from econ_env.observation import ACTION_SIZE, FloatArray, layout_size, unit_box
from econ_env.render import RENDER_MODES, RenderMode
from econ_env.transcript import Transcript

Info: TypeAlias = dict[str, float | NDArray[np.float64]]


class JointEnv(gymnasium.Env[Any, Any], EzPickle):
    """A team of language models as one environment with one controller.

    ## Description
    The game of :class:`~econ_env.environment.EconParallelEnv`, seen by a single controller that
    sees the whole state, chooses the actions of all executors and receives the team's reward.

    ## Action Space
    ``Box(-1, 1, (2·n,), float32)``: temperature and repetition penalty of executor 0, then of
    executor 1, and so on. Values outside of [-1, 1] are clipped; NaN or a wrong shape is a
    ``ValueError``.

    ## Observation Space
    ``Box(-1, 1, float32)``: the parallel environment's ``state()``, named by ``state_layout``.

    ## Rewards
    The team reward of each closed decision, else 0. ``info["rewards"]`` holds one value per
    executor; ``ts``, ``al`` and ``cc`` likewise; all other infos are numbers of the team.

    ## Starting State
    The next question and its strategy. ``reset(seed=s)`` starts a sequence of episodes that is a
    function of s; the parallel environment's seed is drawn from ``np_random``. ``reset()`` goes
    on with the next episode. Options are those of the parallel environment.

    ## Episode End
    ``terminated`` when the last decision closes; ``truncated``, with reward 0 and
    ``info["failed"] == 1``, when a request failed.

    ## Arguments
    The settings of :class:`~econ_env.config.EnvConfig` by name, and ``render_mode`` (None,
    ``"ansi"`` or ``"human"``).

    ## Version History
    - v0: first version
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": list(RENDER_MODES),
        "render_fps": 1,
    }

    def __init__(self, *, render_mode: RenderMode | None = None, **settings: Any) -> None:
        EzPickle.__init__(self, render_mode=render_mode, **settings)
        self._env = EconParallelEnv(render_mode=render_mode, **settings)
        self.render_mode = render_mode
        self._agents = self._env.possible_agents
        self.observation_space = unit_box(layout_size(self._env.state_layout))
        self.action_space = unit_box(ACTION_SIZE * len(self._agents))
        self.state_layout = self._env.state_layout

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, Info]:
        """Start an episode; see the class."""
        super().reset(seed=seed)
        inner_seed = None if seed is None else int(self.np_random.integers(2**31))
        _, infos = self._env.reset(seed=inner_seed, options=options)
        return self._env.state(), self._joint_info([0.0] * len(self._agents), infos)

    def step(self, action: ArrayLike) -> tuple[FloatArray, float, bool, bool, Info]:
        """Play one round.

        Raises:
            ResetNeeded: before the first ``reset`` or after the end of the episode.
            ValueError: the action has a wrong shape or is not finite.
        """
        points = np.asarray(action)
        if points.shape != self.action_space.shape:
            raise ValueError(
                f"the joint action must have shape {self.action_space.shape}, two values per "
                f"executor; got shape {points.shape}"
            )
        pairs = points.reshape(len(self._agents), ACTION_SIZE)
        _, rewards, terminations, truncations, infos = self._env.step(
            dict(zip(self._agents, pairs, strict=True))
        )
        first = self._agents[0]
        return (
            self._env.state(),
            infos[first]["team_reward"],
            terminations[first],
            truncations[first],
            self._joint_info(list(rewards.values()), infos),
        )

    @property
    def transcript(self) -> Transcript:
        """What was said and sampled in the episode so far."""
        return self._env.transcript

    def render(self) -> str | None:
        """The episode as text in mode ``"ansi"``; in mode ``"human"`` it is printed instead."""
        return self._env.render()

    def close(self) -> None:
        """Release what this environment holds; may be called twice."""
        self._env.close()

    def _joint_info(self, rewards: Sequence[float], infos: dict[str, dict[str, float]]) -> Info:
        """Team values as numbers, values of executors as arrays."""
        info: Info = dict(infos[self._agents[0]])
        for key in AGENT_KEYS:
            info[key] = np.array([infos[agent][key] for agent in self._agents])
        info["rewards"] = np.array(rewards)
        return info
