"""The PettingZoo environment: one question, one agent per executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from gymnasium.spaces import Space
from gymnasium.utils import EzPickle, seeding
from numpy.typing import ArrayLike
from pettingzoo import ParallelEnv

from econ_env.config import EnvConfig
from econ_env.envs.driver import Episodes
from econ_env.envs.episode_views import OneEpisodeView
from econ_env.envs.frame import Frame
from econ_env.envs.infos import Infos as InfoArrays
from econ_env.envs.keywords import takes_settings
from econ_env.envs.render import (
    RENDER_MODES,
    RenderMode,
    Screen,
    check_render_mode,
    render_as,
)
from econ_env.envs.spaces import (
    ACTION_SIZE,
    FloatArray,
    action_parts_as_json,
    layout_as_json,
    stack_actions,
)
from econ_env.llm.types import ChatModel
from econ_env.questions.base import QuestionSource

Infos: TypeAlias = dict[str, dict[str, float]]


class EconParallelEnv(OneEpisodeView, ParallelEnv[str, Any, Any]):
    """A team of language models that answers one question per episode.

    ## Description
    A coordinator (a language model inside the environment) writes a strategy of at most 50 tokens
    for the question. Then, round by round, every executor (another language model) answers the
    question with the temperature and the repetition penalty that its agent chose, and the
    coordinator draws a commitment from all answers. Agents decide only the sampling settings of
    their executors: the problem is to find actions that together make the team right.

    One ``step`` is one round. A decision closes after ``bne_rounds`` rounds or earlier: when a
    commitment repeats the previous one, when no agent changes its action, or when commitments
    oscillate. ``max_rounds`` decisions are one episode.

    ## Action Space
    ``Box(-1, 1, (2,), float32)`` for every agent: temperature and repetition penalty, mapped
    affinely to ``[temperature_min, temperature_max] x [repetition_penalty_min,
    repetition_penalty_max]``. Values outside of [-1, 1] are clipped; NaN, infinity, a wrong
    shape, or a missing or unknown agent is a ``ValueError``.

    ## Observation Space
    ``Box(-1, 1, float32)``, flat and equal for all agents; ``observation_layout`` maps the name
    of every part to its slice. With D the embedder's dimension:

    | part         | size | meaning                                                |
    |--------------|------|--------------------------------------------------------|
    | `question`   | D    | embedding of the question                              |
    | `strategy`   | D    | embedding of the coordinator's strategy                |
    | `response`   | D    | embedding of the agent's own last response             |
    | `commitment` | D    | embedding of the last commitment                       |
    | `action`     | 2    | the agent's own last action, in [-1, 1]                |
    | `round`      | 1    | share of `bne_rounds` played in this decision          |
    | `decision`   | 1    | share of `max_rounds` closed in this episode           |

    Parts that have not happened yet are zero. ``state()`` (in ``state_space``, named by
    ``state_layout``) holds question, strategy, commitment, both shares, and every executor's
    response and action. Texts are in ``transcript`` and ``render()``, never in observations.

    ## Rewards
    Zero until a decision closes, then for every executor
    r_i = w_TS TS_i + w_AL AL_i + w_CC CC_i, each component in [0, 1]: TS_i is 1 if its own answer
    equals the gold answer, AL_i measures agreement of its response with the commitment, CC_i
    mixes fidelity to the commitment with novelty against the other responses. The team reward
    (``infos[agent]["team_reward"]``) takes the correctness of the commitment, and mean AL and CC.
    Temperature, penalty, time and tokens are never part of a reward. The weights of one episode
    are set by ``reset(options={"reward_weights": {"ts": 1.0, "al": 0.0, "cc": 0.0}})``.

    Infos are numbers under the same keys (:data:`~econ_env.envs.infos.INFO_KEYS`) at every reset
    and step, zero at reset. ``prompt_tokens`` and ``completion_tokens`` count the whole team in the
    episode so far, with a kept strategy counted as if it had been asked for; :attr:`usage` counts
    the real spending over the life of the environment.

    ## Starting State
    The next question in the order of the seed, and the strategy for it: one short call of the
    coordinator, or no call if an earlier episode asked for the same strategy (the last 4096 are
    kept; a model must always give the same answer at temperature 0). ``reset(seed=s)`` starts the
    sequence of episodes of seed s; ``reset()`` goes on with the next one.
    ``reset(options={"question": 7})`` asks question 7 of the data set and leaves the order where
    it is; ``{"question": "What is 3 + 4?"}`` asks a question of one's own. It has no gold answer,
    so nothing is judged, and rewards are zero. Other options are ignored. Two environments with
    equal settings and seed write byte-equal requests.

    ## Episode End
    All agents terminate together when the last decision closes. If a request fails after the
    model's own retries, the episode is truncated for all agents with reward 0 and
    ``infos[agent]["failed"] == 1``: not a wrong answer, but no result. A model that cannot be
    used at all raises ``ModelError``; so do an exhausted budget (``BudgetExceeded``) and a request
    that a replay has not recorded (``ReplayMiss``).

    ## Arguments
    Every argument but ``render_mode`` is a field of :class:`~econ_env.config.EnvConfig` and is
    described there. ``render_mode`` is None, ``"ansi"`` (``render()`` returns the episode as
    text), ``"human"`` (the episode is printed as it unfolds) or ``"rgb_array"`` (``render()``
    returns the episode as a picture, an array (544, 960, 3) of bytes). ``max_cycles`` is
    PettingZoo's name for ``max_rounds``. ``np_random`` is for wrappers that draw at random; a seed
    for ``reset`` restarts it, and the game never uses it.

    Pickling and copying carry the arguments, never models, texts or positions: a copy needs a
    ``reset`` first, even if the original was in the middle of an episode.

    ## Version History
    - v0: first version
    """

    # Not a ClassVar: an instance adds the layout of its own observations.
    metadata: dict[str, Any] = {  # noqa: RUF012
        "name": "econ_v0",
        "render_modes": list(RENDER_MODES),
        "render_fps": 1,
        "is_parallelizable": True,
    }

    @takes_settings
    def __init__(
        self,
        dataset: str | Path | QuestionSource = EnvConfig.dataset,
        llm: str | ChatModel | Sequence[str | ChatModel] = EnvConfig.llm,
        *,
        render_mode: RenderMode | None = None,
        **settings: Any,
    ) -> None:
        self.config = EnvConfig(dataset=dataset, llm=llm, **settings)
        EzPickle.__init__(self, **vars(self.config), render_mode=render_mode)
        self.render_mode = check_render_mode(render_mode)
        self._episodes = Episodes(self.config, num_questions=1)
        self.np_random, _ = seeding.np_random(self.config.seed)
        self._screen = Screen()
        spaces = self._episodes.spaces
        self.possible_agents = self.config.agents
        self.agents: list[str] = []
        self.observation_spaces = spaces.observations
        self.action_spaces = spaces.actions
        self.state_space = spaces.state
        self.observation_layout = spaces.observation_layout
        self.state_layout = spaces.state_layout
        self.metadata = {
            **type(self).metadata,
            "observation_layout": layout_as_json(self.observation_layout),
            "action_parts": action_parts_as_json(self.config.bounds()),
        }

    @property
    def questions(self) -> QuestionSource:
        """The data set; the option ``"question"`` of a reset takes an index of it."""
        return self._episodes.questions

    def observation_space(self, agent: str) -> Space[Any]:
        """The space of ``agent``'s observations, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """The space of ``agent``'s actions, always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, FloatArray], Infos]:
        """Start an episode. See the class for seeds and options.

        Raises:
            OutOfQuestions: every question was asked and ``loop`` is False.
            ModelError: a model cannot be used.
        """
        result = self._episodes.reset(seed=seed, options=options)
        if seed is not None:
            self.np_random, _ = seeding.np_random(seed)
        self.agents = list(self.possible_agents)
        self._show()
        return self._deal(result.observations), self._deal_infos(result.infos)

    def step(
        self, actions: Mapping[str, ArrayLike]
    ) -> tuple[dict[str, FloatArray], dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Play one round with the action of every agent.

        Raises:
            ResetNeeded: before the first ``reset`` or after the end of the episode.
            ValueError: an action is missing, of an unknown agent, of a wrong shape, or not finite.
        """
        points = stack_actions(actions, self.possible_agents, (ACTION_SIZE,))
        result = self._episodes.step(points[:, np.newaxis])
        terminated, truncated = bool(result.terminated[0]), bool(result.truncated[0])
        agents = self.possible_agents
        if terminated or truncated:
            self.agents = []
        self._show()
        return (
            self._deal(result.observations),
            dict(zip(agents, result.rewards[:, 0].tolist(), strict=True)),
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, truncated),
            self._deal_infos(result.infos),
        )

    def state(self) -> FloatArray:
        """The state, float32 in ``state_space``: a fresh array, valid after the end too."""
        state: FloatArray = self._episodes.state()[0]
        return state

    def render(self) -> str | Frame | None:
        """The episode as text (``"ansi"``) or picture (``"rgb_array"``); ``"human"`` prints it.

        Raises:
            ResetNeeded: before the first ``reset``.
            DrawingUnavailable: Pillow, which draws the picture, is not installed.
        """
        if self.render_mode == "human":
            self._screen.show(self.transcript)
        return None if self.render_mode is None else render_as(self.render_mode, self.transcript)

    def _show(self) -> None:
        if self.render_mode == "human":
            self.render()

    def _deal(self, observations: FloatArray) -> dict[str, FloatArray]:
        return dict(zip(self.possible_agents, observations[:, 0], strict=True))

    def _deal_infos(self, infos: InfoArrays) -> Infos:
        columns = {key: values[:, 0].tolist() for key, values in infos.items()}
        return {
            agent: {key: column[index] for key, column in columns.items()}
            for index, agent in enumerate(self.possible_agents)
        }
