"""Many joint environments as one vector environment, every phase in one batch of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Space
from gymnasium.utils import EzPickle, seeding
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space, iterate

from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv, Flags, Values
from econ_env.envs.episode_views import ManyEpisodesView
from econ_env.envs.frame import Frame
from econ_env.envs.joint_views import ViewName, joint_info, make_view
from econ_env.envs.keywords import takes_settings
from econ_env.envs.render import (
    RENDER_MODES,
    RenderMode,
    Screen,
    check_render_mode,
    render_as,
)
from econ_env.envs.spaces import FloatArray
from econ_env.envs.vector import (
    AutoresetMode,
    final_infos,
    parse_autoreset_mode,
    rows_of,
    rows_to_reset,
    with_masks,
)
from econ_env.game.transcript import Transcript
from econ_env.seeds import draw_seed


class JointVectorEnv(ManyEpisodesView, VectorEnv[Any, Any, Any]):
    """Many teams, each with one controller, stepped together.

    ## Description
    ``num_envs`` environments of :class:`~econ_env.envs.joint.JointEnv` in lock-step. All requests
    of a phase, over all environments, reach their model in one ``generate``: this is how a language
    model is used well. Environment i plays exactly what a ``JointEnv`` with the same seed would.

    ## Action Space
    ``action_space`` is the batch of ``single_action_space``, which ``view`` chooses as in
    ``JointEnv``: ``Box(-1, 1, (num_envs, 2n))`` for ``"flat"``. Actions of environments that this
    step resets are not played.

    ## Observation Space
    ``observation_space`` is the batch of ``single_observation_space``.

    ## Rewards
    An array (num_envs,), float64: the team rewards. Infos have Gymnasium's vector format: under
    every key an array whose first axis is the environments, and under ``_key`` a mask of the
    environments that have the key.

    ## Starting State
    ``reset(seed=s)`` gives environment i the seed s + i, ``reset(seed=[...])`` gives each its own
    (None: it goes on). ``reset()`` goes on with the next episodes; an environment that never got a
    seed plays the episodes of the argument ``seed`` plus i. The option ``"reset_mask"`` (booleans)
    resets the selected environments only and leaves the others in the middle of their episodes.
    The options ``"reward_weights"`` and ``"question"``, one for all or a list of ``num_envs``, hold
    for the episodes that this call starts, not for those that start by autoreset.

    ## Episode End
    As in ``JointEnv``. The argument ``autoreset_mode``, which ``metadata["autoreset_mode"]`` holds
    as Gymnasium's ``AutoresetMode``, decides what happens next:

    | mode         | an environment whose episode ended                                         |
    |--------------|----------------------------------------------------------------------------|
    | `"NextStep"` | is reset by the next step, which ignores its action and gives reward 0     |
    | `"SameStep"` | is reset at once: the observation is the first of the next episode, the    |
    |              | last one is in `infos["final_obs"]`, and its infos in `infos["final_info"]`|
    | `"Disabled"` | waits for `reset(options={"reset_mask": ...})`; a step before is an error  |

    ## Arguments
    ``num_envs`` (>= 1), ``autoreset_mode``, and those of ``JointEnv``. With
    ``render_mode="human"`` every episode is printed when it has ended.

    ## Version History
    - v0: first version
    """

    # Every instance has a copy with its own autoreset mode.
    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": list(RENDER_MODES),
        "render_fps": 1,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    # Gymnasium 1.0 closes an environment on deletion, even one whose constructor failed.
    closed = True

    @takes_settings
    def __init__(
        self,
        num_envs: int = 1,
        *,
        view: ViewName = "flat",
        bins: int | None = None,
        autoreset_mode: str | AutoresetMode = "NextStep",
        render_mode: RenderMode | None = None,
        **settings: Any,
    ) -> None:
        EzPickle.__init__(
            self,
            num_envs,
            view=view,
            bins=bins,
            autoreset_mode=autoreset_mode,
            render_mode=render_mode,
            **settings,
        )
        self._mode = parse_autoreset_mode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self._mode}
        self.render_mode = check_render_mode(render_mode)
        self._env = BatchedEconEnv(EnvConfig(**settings), num_questions=num_envs)
        self._episodes = self._env._episodes
        self.num_envs = num_envs
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
        self.single_observation_space = self._view.observations.space
        self.single_action_space = self._view.actions.space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._places = [Place(vector=self, index=index) for index in range(num_envs)]
        self._due: Flags = np.zeros(num_envs, dtype=np.bool_)
        """True for environments that the next step resets (mode NEXT_STEP only)."""
        self.closed = False

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes of all environments, or of those in the option ``"reset_mask"``.

        Raises:
            OutOfQuestions: an environment has no question left and ``loop`` is False.
            ModelError: a model cannot be used.
            ValueError: the seeds or an option are malformed.
        """
        if isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
            seed = [int(seed) + index for index in range(self.num_envs)]
        rows = rows_to_reset(options, self.num_envs)
        observations, infos = self._env.reset(
            seed=None if seed is None else [_game_seed(own) for own in seed],
            options=options,
            mask=rows,
        )
        self._due = self._due & ~rows
        info = joint_info(infos, dict.fromkeys(infos, np.zeros(self.num_envs)))
        return self._show(observations), with_masks(info, rows)

    def step(self, actions: Any) -> tuple[Any, Values, Flags, Flags, dict[str, Any]]:
        """Play one round of every environment, and reset by the autoreset mode; see the class.

        Raises:
            ResetNeeded: an environment has no running episode and this step does not reset it.
            OutOfQuestions: an environment to reset has no question left and ``loop`` is False.
            ValueError: an action has a wrong shape, is not finite or not in the discrete space.
        """
        points = self._view.actions.points(actions, (self.num_envs,))
        playing, due = self._env.active, self._due
        self._check_all_can_go_on(playing | due)
        if due.all():
            observations, infos = self.reset()
            nobody = np.zeros(self.num_envs, dtype=np.bool_)
            return observations, np.zeros(self.num_envs), nobody, nobody.copy(), infos
        agents = self._env.possible_agents
        observed, rewards, terminations, truncations, agent_infos = self._env.step(
            dict(zip(agents, points, strict=True))
        )
        # Environments due for a reset still have the flags of the episode that ended.
        terminated = terminations[agents[0]] & playing
        truncated = truncations[agents[0]] & playing
        ended = terminated | truncated
        self._print(ended)
        info = joint_info(agent_infos, rewards)
        paid = info["team_reward"].copy()
        final: dict[str, Any] = {}
        if self._mode is AutoresetMode.SAME_STEP:
            last = iterate(self.observation_space, self._show(observed))
            final = final_infos(last, info, ended)
            info = rows_of(info, ~ended)
            due = ended
        if due.any():
            observed, _ = self._env.reset(mask=due)
        self._due = ended & (self._mode is AutoresetMode.NEXT_STEP)
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        return (
            self._show(observed),
            paid,
            terminated,
            truncated,
            {**with_masks(info, everyone), **final},
        )

    @property
    def autoreset_mode(self) -> AutoresetMode:
        """The mode that decides what happens after the end of an episode."""
        return self._mode

    def render(self) -> tuple[str | Frame, ...] | None:
        """Text (``"ansi"``) or picture (``"rgb_array"``) of every environment's episode, or None.

        Raises:
            ResetNeeded: an environment has never been reset.
        """
        shown = [place.render() for place in self._places]
        return tuple(each for each in shown if each is not None) or None

    def call(self, name: str, *arguments: Any, **settings: Any) -> tuple[Any, ...]:
        """The attribute ``name`` of every environment, called with the arguments if callable.

        :class:`Place` has the attributes.
        """
        found = [getattr(place, name) for place in self._places]
        return tuple(item(*arguments, **settings) if callable(item) else item for item in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """The attribute ``name`` of every environment, such as ``"transcript"``."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of every environment that ``get_attr`` returns: a note of the caller's.

        Args:
            name: of the attribute. Settings of the game are fixed when the vector is made.
            values: one value for all environments, or a list or tuple with one for each.

        Raises:
            AttributeError: the environments have an attribute or setting of this name.
            ValueError: the list has another length than ``num_envs``.
        """
        each = values if isinstance(values, (list, tuple)) else [values] * self.num_envs
        if len(each) != self.num_envs:
            raise ValueError(
                f"set_attr({name!r}) needs one value, or one for each of {self.num_envs} "
                f"environments; got {len(each)}"
            )
        if hasattr(Place, name) or name in _FIXED:
            raise AttributeError(f"{name!r} is fixed when the vector is made: give it to make_vec")
        for place, value in zip(self._places, each, strict=True):
            setattr(place, name, value)

    def close_extras(self, **settings: Any) -> None:
        """Release the resources of this environment; :meth:`close` calls it once."""
        self._env.close()

    def _show(self, observations: dict[str, FloatArray]) -> Any:
        return self._view.observations.show(
            self._env.state(), np.stack(list(observations.values()))
        )

    def _print(self, ended: Flags) -> None:
        if self.render_mode == "human":
            for index in np.flatnonzero(ended).tolist():
                Screen().show(self._env.transcript(index))

    def _check_all_can_go_on(self, ready: Flags) -> None:
        if not ready.all():
            raise ResetNeeded(
                f"the environments {np.flatnonzero(~ready).tolist()} have no running episode"
                f"{self._episodes.why_none()}: call reset(), or "
                'reset(options={"reset_mask": ...}) with true for these'
            )


class Place:
    """One environment of the vector, as ``get_attr``, ``set_attr`` and ``call`` see it."""

    def __init__(self, *, vector: JointVectorEnv, index: int) -> None:
        self.vector = vector
        self.index = index

    @property
    def observation_space(self) -> Space[Any]:
        """The space of its observations."""
        return self.vector.single_observation_space

    @property
    def action_space(self) -> Space[Any]:
        """The space of its actions."""
        return self.vector.single_action_space

    @property
    def spec(self) -> EnvSpec | None:
        """Entry of the registry that ``gymnasium.make_vec`` used; None if it was made without."""
        return self.vector.spec

    @property
    def metadata(self) -> dict[str, Any]:
        """That of the vector."""
        return self.vector.metadata

    @property
    def n_agents(self) -> int:
        """Number of executors."""
        return self.vector.n_agents

    @property
    def render_mode(self) -> str | None:
        """``None``, ``"ansi"``, ``"human"`` or ``"rgb_array"``."""
        return self.vector.render_mode

    @property
    def transcript(self) -> Transcript:
        """Transcript of its episode so far; ``ResetNeeded`` before the first reset."""
        return self.vector.transcript(self.index)

    def render(self) -> str | Frame | None:
        """Its episode as text (``"ansi"``) or picture (``"rgb_array"``), else None."""
        mode = check_render_mode(self.render_mode)
        return None if mode in (None, "human") else render_as(mode, self.transcript)


_FIXED = {"vector", "index", *(field.name for field in fields(EnvConfig))}
"""Names that an environment's notes cannot have."""


def _game_seed(seed: int | None) -> int | None:
    """The seed of the game of a ``JointEnv`` that is reset with ``seed``."""
    return None if seed is None else draw_seed(seeding.np_random(seed)[0])
