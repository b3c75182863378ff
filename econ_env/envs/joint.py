"""The Gymnasium view: one central controller chooses for all executors."""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

import gymnasium
import numpy as np
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from econ_env.envs.episode_views import OneEpisodeView
from econ_env.envs.frame import Frame
from econ_env.envs.joint_views import ViewName, joint_info, make_view
from econ_env.envs.keywords import takes_settings
from econ_env.envs.parallel import EconParallelEnv
from econ_env.envs.render import RENDER_MODES, RenderMode
from econ_env.envs.spaces import FloatArray
from econ_env.seeds import draw_seed

Info: TypeAlias = dict[str, float | NDArray[np.float64]]


class JointEnv(OneEpisodeView, gymnasium.Env[Any, Any], EzPickle):
    """A team of language models as one environment with one controller.

    ## Description
    The game of :class:`~econ_env.envs.parallel.EconParallelEnv`, seen by a single controller that
    chooses the actions of all executors and receives the team's reward. ``view`` sets the form of
    actions and observations; the game is the same.

    ## Action Space
    Temperature and repetition penalty of every executor, in [-1, 1]. With n executors:

    | view               | action space                                                       |
    |--------------------|--------------------------------------------------------------------|
    | `"flat"`           | `Box(-1, 1, (2n,), float32)`: two values per executor, in order    |
    | `"matrix"`         | `Box(-1, 1, (n, 2), float32)`: a row for every executor            |
    | `"tuple"`          | `Tuple` of n `Box(-1, 1, (2,), float32)`                           |
    | `"discrete"`       | `Tuple` of n `Discrete(bins²)`                                     |
    | `"multi_discrete"` | `MultiDiscrete` of n `bins²`                                       |

    Values outside of [-1, 1] are clipped; NaN or a wrong shape is a ``ValueError``. A discrete
    action a stands for level ``a // bins`` of the temperature and level ``a % bins`` of the
    penalty, of ``bins`` equally spaced levels from the lowest to the highest; a number outside of
    the space is a ``ValueError``.

    ## Observation Space
    In the views ``"flat"`` and ``"multi_discrete"`` a ``Box(-1, 1, float32)``: the parallel
    environment's ``state()``, named by ``state_layout``. In the other views the observation of each
    executor's agent, named by ``observation_layout``: the rows of a matrix in ``"matrix"``, a
    ``Tuple`` of ``Box`` in ``"tuple"`` and ``"discrete"``.

    ## Rewards
    The team reward of each closed decision, else 0. Infos are numbers under the same keys at
    every reset and step: ``info["rewards"]``, ``info["ts"]``, ``info["al"]`` and ``info["cc"]``
    are arrays with one value per executor, all others (:mod:`econ_env.envs.infos`) are numbers
    of the team.

    ## Starting State
    The next question and its strategy. ``reset(seed=s)`` starts a sequence of episodes that is a
    function of s; the parallel environment's seed is drawn from ``np_random``. ``reset()`` goes
    on with the next episode, and an environment that never got a seed plays the sequence of its
    argument ``seed``. Options are those of the parallel environment.

    ## Episode End
    ``terminated`` when the last decision closes; ``truncated``, with reward 0 and
    ``info["failed"] == 1``, when a request failed: the episode has no result, not a wrong answer.

    ## Arguments
    ``view`` (one of the table's), ``bins`` (levels of each coordinate, >= 2, of the two discrete
    views only; None: 5), ``render_mode`` (None, ``"ansi"``, ``"human"`` or ``"rgb_array"``), and
    the settings of :class:`~econ_env.config.EnvConfig` by name.

    ## Version History
    - v0: first version
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": list(RENDER_MODES),
        "render_fps": 1,
    }

    @takes_settings
    def __init__(
        self,
        *,
        view: ViewName = "flat",
        bins: int | None = None,
        render_mode: RenderMode | None = None,
        **settings: Any,
    ) -> None:
        EzPickle.__init__(self, view=view, bins=bins, render_mode=render_mode, **settings)
        self._env = EconParallelEnv(render_mode=render_mode, **settings)
        self._episodes = self._env._episodes
        self.render_mode = render_mode
        self.n_agents = len(self._env.possible_agents)
        self.observation_layout = self._env.observation_layout
        self.state_layout = self._env.state_layout
        self._view = make_view(
            view,
            n_agents=self.n_agents,
            state_layout=self.state_layout,
            observation_layout=self.observation_layout,
            bins=bins,
        )
        self.observation_space = self._view.observations.space
        self.action_space = self._view.actions.space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, Info]:
        """Start an episode; see the class.

        Raises:
            OutOfQuestions: every question was asked and ``loop`` is False.
            ModelError: a model cannot be used.
        """
        super().reset(seed=seed)
        game_seed = None if seed is None else draw_seed(self.np_random)
        observations, infos = self._env.reset(seed=game_seed, options=options)
        return self._show(observations), joint_info(infos, dict.fromkeys(infos, 0.0))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Play one round.

        Raises:
            ResetNeeded: before the first ``reset`` or after the end of the episode.
            ValueError: the action has a wrong shape, is not finite or not in the discrete space.
        """
        points = self._view.actions.points(action, ())
        agents = self._env.possible_agents
        observations, rewards, terminations, truncations, infos = self._env.step(
            dict(zip(agents, points, strict=True))
        )
        first = agents[0]
        return (
            self._show(observations),
            infos[first]["team_reward"],
            terminations[first],
            truncations[first],
            joint_info(infos, rewards),
        )

    def render(self) -> str | Frame | None:
        """The episode as text (``"ansi"``) or picture (``"rgb_array"``); ``"human"`` prints it."""
        return self._env.render()

    def _show(self, observations: dict[str, FloatArray]) -> Any:
        return self._view.observations.show(
            self._env.state(), np.stack(list(observations.values()))
        )
