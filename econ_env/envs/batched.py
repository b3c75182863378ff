"""The parallel API with a leading batch axis: many questions, one call of each model per phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from gymnasium.spaces import Space
from gymnasium.utils import EzPickle
from numpy.typing import ArrayLike, NDArray

from econ_env.config import EnvConfig
from econ_env.envs.driver import Episodes
from econ_env.envs.episode_views import ManyEpisodesView
from econ_env.envs.infos import Infos
from econ_env.envs.keywords import takes_settings
from econ_env.envs.spaces import (
    ACTION_SIZE,
    FloatArray,
    action_parts_as_json,
    layout_as_json,
    stack_actions,
)
from econ_env.game.transcript import Transcript
from econ_env.llm.models import Models
from econ_env.questions import QuestionSource

Flags: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = NDArray[np.float64]
BatchedInfos: TypeAlias = dict[str, dict[str, Values]]


@takes_settings
def batched_parallel_env(num_questions: int = 16, **settings: Any) -> BatchedEconEnv:
    """A batched environment from settings by name; see :class:`~econ_env.config.EnvConfig`."""
    return BatchedEconEnv(EnvConfig(**settings), num_questions=num_questions)


class BatchedEconEnv(ManyEpisodesView):
    """B questions, each played by its own team of agents, stepped together.

    ## Description
    The game of :class:`~econ_env.envs.parallel.EconParallelEnv`, B times in lock-step. All requests
    of a phase, over all questions, reach their model in one ``generate``: this is how a language
    model is used well. Place b of an environment with seed s plays exactly what an
    ``EconParallelEnv`` with seed s + b would play: the same questions, requests, observations and
    rewards, for any B. So the places draw from the data set independently of each other, and with
    ``order="sequential"`` all of them play the same questions. To go through a data set once, name
    the questions with the option ``"question"``. The seeds s to s + B - 1 are in use: space the
    seeds of several runs by at least ``num_questions``, or the runs share episodes.

    ## Action Space
    For every agent an array (B, 2) in [-1, 1]; ``action_spaces`` describe one row. Rows of
    inactive questions are ignored.

    ## Observation Space
    For every agent an array (B, size), float32; ``observation_spaces`` describe one row and
    ``observation_layout`` names its parts. ``state()`` returns (B, state size).

    ## Rewards
    For every agent an array (B,), float64. Zero for questions that are not active.

    ## Starting State
    ``reset()`` starts an episode of every question, ``reset(mask=...)`` of those where the mask
    (B booleans) is true; the others stay as they are. ``reset(seed=s)`` restarts the sequence of
    episodes: question b gets seed s + b, or entry b of a list of B seeds (None: it goes on). The
    options ``"reward_weights"`` and ``"question"`` (an index of the data set, a ``Question``, or a
    text, which is a question without a gold answer), each one for all or a list of B, hold for the
    episodes that this call starts.

    ## Episode End
    Questions may end at different steps. ``terminations`` and ``truncations`` of a question
    become true in the step that ends it and stay true, with reward 0, until it is reset: nothing
    is reset automatically. ``active`` (B booleans) says which episodes are running, and
    ``agents`` is empty when none is. A loop that keeps all questions busy::

        if not env.active.all():
            observations, infos = env.reset(mask=~env.active)

    ## Arguments
    ``config`` (:class:`~econ_env.config.EnvConfig`) and ``num_questions`` (B >= 1). With
    ``models`` (:class:`~econ_env.llm.models.Models`), several environments and other callers share
    one budget and one cache; these models stay open when the environment is closed. ``watch`` is
    called with the transcript of every episode that goes on: when it has new texts, waits for
    models, or is paid. Copies have no ``watch``.

    ## Version History
    - v0: first version
    """

    def __init__(
        self,
        config: EnvConfig,
        *,
        num_questions: int = 16,
        models: Models | None = None,
        watch: Callable[[Transcript], object] | None = None,
    ) -> None:
        EzPickle.__init__(self, config, num_questions=num_questions)
        self._has_own_models = models is None
        self.config = config
        self._episodes = Episodes(config, num_questions, models=models, watch=watch)
        spaces = self._episodes.spaces
        self.num_questions = num_questions
        self.possible_agents = config.agents
        self.agents: list[str] = []
        self.observation_spaces = spaces.observations
        self.action_spaces = spaces.actions
        self.state_space = spaces.state
        self.observation_layout = spaces.observation_layout
        self.state_layout = spaces.state_layout
        self.metadata: dict[str, Any] = {
            "name": "econ_batch_v0",
            "observation_layout": layout_as_json(self.observation_layout),
            "action_parts": action_parts_as_json(self.config.bounds()),
        }

    def __getstate__(self) -> dict[str, Any]:
        if not self._has_own_models:
            raise TypeError(
                "an environment that was given models cannot be copied or pickled, because they "
                "belong to its maker: make another one with the same models"
            )
        return super().__getstate__()

    def observation_space(self, agent: str) -> Space[Any]:
        """The space of one row of ``agent``'s observations."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """The space of one row of ``agent``'s actions."""
        return self.action_spaces[agent]

    @property
    def questions(self) -> QuestionSource:
        """The data set."""
        return self._episodes.questions

    @property
    def active(self) -> Flags:
        """True where a question has a running episode: a fresh array of shape (B,)."""
        return self._episodes.active.copy()

    @property
    def transcripts(self) -> list[Transcript]:
        """Transcripts of the current episodes, in the order of the questions.

        Questions that have never been reset are left out: the list is empty before the first reset.
        """
        return self._episodes.transcripts()

    def reset(
        self,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> tuple[dict[str, FloatArray], BatchedInfos]:
        """Start episodes; see the class. Observations and infos cover all questions.

        Raises:
            OutOfQuestions: a place has no question left to play and ``loop`` is False.
            ModelError: a model cannot be used.
            ValueError: the mask, the list of seeds or an option is malformed.
        """
        result = self._episodes.reset(seed=seed, options=options, mask=mask)
        self.agents = list(self.possible_agents) if self._episodes.active.any() else []
        return self._deal(result.observations), self._deal_infos(result.infos)

    def step(
        self, actions: Mapping[str, ArrayLike]
    ) -> tuple[
        dict[str, FloatArray],
        dict[str, Values],
        dict[str, Flags],
        dict[str, Flags],
        BatchedInfos,
    ]:
        """Play one round of every active question.

        Raises:
            ResetNeeded: no question is active.
            ValueError: an action is missing, of an unknown agent, of a wrong shape, or not finite.
        """
        shape = (self.num_questions, ACTION_SIZE)
        result = self._episodes.step(stack_actions(actions, self.possible_agents, shape))
        if not self._episodes.active.any():
            self.agents = []
        return (
            self._deal(result.observations),
            dict(zip(self.possible_agents, result.rewards, strict=True)),
            {agent: result.terminated.copy() for agent in self.possible_agents},
            {agent: result.truncated.copy() for agent in self.possible_agents},
            self._deal_infos(result.infos),
        )

    def state(self) -> FloatArray:
        """The states, shape (B, state size): a fresh array, valid after the end too."""
        return self._episodes.state()

    def close(self) -> None:
        """Close the cache's file. Models are shared by the process and stay loaded."""
        self._episodes.close()

    def _deal(self, observations: FloatArray) -> dict[str, FloatArray]:
        return dict(zip(self.possible_agents, observations, strict=True))

    def _deal_infos(self, infos: Infos) -> BatchedInfos:
        return {
            agent: {key: values[index] for key, values in infos.items()}
            for index, agent in enumerate(self.possible_agents)
        }
