"""Many episodes in lock-step: the driver behind every view of the environment.

It holds one game per question, asks the models, embeds what they wrote, pays rewards, and keeps
the arrays from which observations and states are built. It takes and returns arrays over n
executors and B questions; the views split them by agent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike, NDArray

from econ_env.config import EnvConfig
from econ_env.embeddings import load_embedder
from econ_env.envs.game_settings import game_settings
from econ_env.envs.infos import InfoBlock, Infos, Outcome, team_report
from econ_env.envs.lockstep import Watch, play
from econ_env.envs.question_schedule import Schedule
from econ_env.envs.readiness import check_models
from econ_env.envs.settlement import NOT_JUDGED, Payment, settle
from econ_env.envs.spaces import FloatArray, Spaces, ViewArrays, check_finite
from econ_env.envs.strategy_cache import StrategyCache
from econ_env.envs.waiting import Waiting
from econ_env.game.failures import FailureWatch
from econ_env.game.state_machine import Game, GameConfig, Phase
from econ_env.game.transcript import Transcript
from econ_env.llm.budget.limits import Spending
from econ_env.llm.models import Models
from econ_env.llm.types import Usage
from econ_env.rewards import RewardWeights

Flags: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StepResult:
    """Result of one step of all questions. Every array is fresh."""

    observations: FloatArray
    """Observations of the executors, shape (n, B, observation size)."""
    rewards: Values
    """Rewards of the executors, shape (n, B)."""
    terminated: Flags
    """True where the last decision is closed, shape (B,); it stays true until the reset."""
    truncated: Flags
    """True where a request failed, shape (B,); it stays true until the reset."""
    infos: Infos
    """One array of shape (n, B) for every key of ``INFO_KEYS``."""


class Episodes:
    """B games in lock-step, each with its own schedule and reward weights.

    A question whose episode has ended stays idle until it is reset.

    Args:
        config: settings of the environment.
        num_questions: number B of questions, at least 1.
        models: models to use, those of the team among them; :meth:`close` leaves them open. None:
            models of its own, behind a budget of its own.
        watch: called with the transcript of every game that goes on, as soon as it has new texts,
            waits for models, or is paid; None: nobody watches.
    """

    def __init__(
        self,
        config: EnvConfig,
        num_questions: int,
        *,
        models: Models | None = None,
        watch: Callable[[Transcript], object] | None = None,
    ) -> None:
        if num_questions < 1:
            raise ValueError(f"num_questions must be at least 1, got {num_questions}")
        self.config = config
        self.num_questions = num_questions
        self.agents = config.agents
        if models is None:
            check_models(config)
        self.questions = config.load_questions()
        self._schedule = Schedule(
            self.questions,
            num_questions=num_questions,
            order=config.order,
            loop=config.loop,
            seed=config.seed,
        )
        embedder = config.resolved_embedder()
        self._embedder = load_embedder(embedder) if isinstance(embedder, str) else embedder
        dim = self._embedder.dim
        self.spaces = Spaces.of(self.agents, dim)
        self._arrays = ViewArrays(num_questions=num_questions, n_agents=config.n_agents, dim=dim)
        self.active: Flags = np.zeros(num_questions, dtype=np.bool_)
        """True where the episode of a question is running, shape (B,)."""
        self._terminated: Flags = np.zeros(num_questions, dtype=np.bool_)
        self._truncated: Flags = np.zeros(num_questions, dtype=np.bool_)
        self._bounds = config.bounds()
        self._prompts = config.prompt_set()
        self._planned = config.resolved_strategy()
        self._models = config.models() if models is None else models
        self._own_models = self._models if models is None else None
        self._strategies = StrategyCache()
        self._waiting = Waiting()
        self._watch_game: Watch | None = None
        if watch is not None:
            self._watch_game = lambda game: watch(game.transcript)
        self._watch = FailureWatch(config.max_failures_in_a_row)
        self._game_config: GameConfig | None = None
        self._games: list[Game | None] = [None] * num_questions
        self.of_a_copy = False
        """True for a copied or unpickled environment: it has the settings, but not the episodes."""
        self._weights = [config.weights()] * num_questions

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
        mask: ArrayLike | None = None,
    ) -> StepResult:
        """Start an episode of every question in ``mask``; see :class:`BatchedEconEnv`."""
        rows = self._rows_in(mask)
        options = {} if options is None else options
        weights = [self.config.weights()] * self.num_questions
        if "reward_weights" in options:
            weights = RewardWeights.for_questions(options["reward_weights"], self.num_questions)
        seeds = self._schedule.seeds_of(rows, seed)
        game_config = self._loaded_game_config()
        self._schedule.restart(seeds)
        episodes = self._schedule.next_episodes(rows, options.get("question"))
        games = [
            Game(game_config, episode.question, env_seed=episode.env_seed, episode=episode.number)
            for episode in episodes
        ]
        for row, game in zip(rows, games, strict=True):
            self._games[row] = game
            self._weights[row] = weights[row]
        self._arrays.clear(rows)
        if rows:
            self._begin(rows, games)
        shape = self.config.n_agents, self.num_questions
        return self._result(np.zeros(shape), InfoBlock(*shape))

    def step(self, points: NDArray[np.float64]) -> StepResult:
        """Play one round of every active question.

        Args:
            points: actions, shape (n, B, 2); those of idle questions are ignored.

        Raises:
            ResetNeeded: no episode is running.
            ValueError: an action of an active question is not finite.
            NothingSucceeds: ``max_failures_in_a_row`` episodes have failed. Their transcripts can
                be read, and the next reset starts afresh.
        """
        rows = np.flatnonzero(self.active).tolist()
        if not rows:
            raise ResetNeeded(f"no episode is running{self.why_none()}: call reset() before step()")
        # The games take their actions in one list, so the axis of questions comes first.
        points = points[:, rows].swapaxes(0, 1)
        check_finite(points, self.agents, rows)
        sampling = self._bounds.to_sampling(points)
        self._arrays.actions[rows] = np.clip(points, -1.0, 1.0)
        games = [self._game(row) for row in rows]
        size = self.config.n_agents
        # Inactive while models are asked: after an exception, a half-played round needs a reset.
        self.active[rows] = False
        for index, game in enumerate(games):
            # A game whose strategy failed has ended before the first action.
            if game.awaiting_actions:
                game.act(sampling[index * size : (index + 1) * size])
        self._ask(games)
        return self._after_round(rows, games)

    @property
    def usage(self) -> Usage:
        """Tokens and requests spent on models; kept strategies and cached answers cost none."""
        return self._models.usage

    @property
    def usage_from_cache(self) -> Usage:
        """Usage of the answers from the cache, as it was when they were recorded."""
        return self._models.usage_from_cache

    @property
    def spending(self) -> Spending:
        """Requests, tokens and cost that count against the budget."""
        return self._models.spending

    @property
    def status(self) -> str:
        """Words on what is waited for now; "" if nothing is. It may be read from any thread.

        An example: ``executors answer; 6 requests in flight, slowest 42 s, 1 retried (time-out)``.
        """
        return self._waiting.describe(self._models.in_flight())

    def close(self) -> None:
        """Close the cache's file; may be called twice. Models stay loaded in the process."""
        if self._own_models is not None:
            self._own_models.close()

    def why_none(self) -> str:
        """Reason why no episode was ever started, as a part of a message; empty if it is plain."""
        if not self.of_a_copy or any(self._games):
            return ""
        return " in this copy, which has the settings of its original but not its episodes"

    def transcript(self, row: int) -> Transcript:
        """The transcript of one question's episode; ``ResetNeeded`` before its first reset."""
        return self._game(row).transcript

    def transcripts(self) -> list[Transcript]:
        """The transcripts of all questions that have been reset, in the order of the questions."""
        return [game.transcript for game in self._games if game is not None]

    def state(self) -> FloatArray:
        """The states, shape (B, state size): a fresh array; ``ResetNeeded`` before any reset."""
        if all(game is None for game in self._games):
            raise ResetNeeded(f"there is no state yet{self.why_none()}: call reset() first")
        return self._arrays.state()

    def _ask(self, games: list[Game]) -> None:
        """Let models answer the games' requests."""
        play(
            games,
            self._models,
            self._strategies,
            waiting=self._waiting,
            watch=self._watch_game,
        )

    def _begin(self, rows: list[int], games: list[Game]) -> None:
        """Ask for the strategies of new games, and embed questions and strategies."""
        self.active[rows] = False
        self._ask(games)
        texts = [game.question.text for game in games] + [game.strategy for game in games]
        embedded = self._embedder.embed(texts)
        self._arrays.question[rows] = embedded[: len(rows)]
        self._arrays.strategy[rows] = embedded[len(rows) :]
        # A failed strategy counts as none; the first step truncates its game.
        without = [r for r in rows if self._game(r).failed is not None or not self._planned]
        self._arrays.strategy[without] = 0.0
        self.active[rows] = True
        self._terminated[rows] = self._truncated[rows] = False

    def _after_round(self, rows: list[int], games: list[Game]) -> StepResult:
        """Embed the new texts, pay the decisions that closed, and fill the infos."""
        size = self.config.n_agents
        rewards = np.zeros((size, self.num_questions))
        infos = InfoBlock(size, self.num_questions)
        rounds = [game.round for game in games]
        outcomes: dict[int, Outcome] = {}
        played = [row for row, game in zip(rows, games, strict=True) if game.failed is None]
        closed = [row for row in played if self._game(row).phase is Phase.SETTLE]
        if played:
            self._observe(played)
        judged = [row for row in closed if self._game(row).question.gold]
        for row in set(closed).difference(judged):
            self._game(row).settle(None)
            outcomes[row] = NOT_JUDGED
        if judged:
            paid = self._pay(judged)
            rewards[:, judged] = paid.agents.T
            infos.write_agents(judged, paid.components)
            outcomes.update(zip(judged, paid.outcomes, strict=True))
        if self._watch_game is not None:
            for row in closed:
                self._watch_game(self._game(row))
        infos.write_team(
            rows,
            [
                team_report(game, rounds=played_rounds, outcome=outcomes.get(row))
                for row, game, played_rounds in zip(rows, games, rounds, strict=True)
            ],
        )
        # Read after settling: a game that goes on has begun its next decision.
        self._arrays.round[rows] = [game.round / self.config.bne_rounds for game in games]
        self._arrays.decision[rows] = [game.decision / self.config.max_rounds for game in games]
        self._truncated[rows] = [game.failed is not None for game in games]
        self._terminated[rows] = [game.done and game.failed is None for game in games]
        self.active[rows] = [not game.done for game in games]
        self._watch.note(game.failed for game in games if game.done)
        return self._result(rewards, infos)

    def _observe(self, rows: list[int]) -> None:
        """Embed the current responses and commitments."""
        games = [self._game(row) for row in rows]
        texts = [text for game in games for text in game.responses]
        texts += [self._conclusion(game) for game in games]
        embedded = self._embedder.embed(texts)
        size = self.config.n_agents
        split = len(rows) * size
        self._arrays.responses[rows] = embedded[:split].reshape(len(rows), size, -1)
        self._arrays.commitment[rows] = embedded[split:]

    def _conclusion(self, game: Game) -> str:
        """The commitment in the form of a response, so that their embeddings compare."""
        commitment = game.commitment
        if commitment is None:
            raise RuntimeError("a round was played without a commitment")
        return self._prompts.conclusion(commitment.value, commitment.reason)

    def _pay(self, rows: list[int]) -> Payment:
        """Settle the games of ``rows``, whose decisions are closed."""
        return settle(
            [self._game(row) for row in rows],
            responses=self._arrays.responses[rows],
            commitments=self._arrays.commitment[rows],
            weights=[self._weights[row] for row in rows],
            fidelity_weight=self.config.cc_fidelity_weight,
        )

    def _result(self, rewards: Values, infos: InfoBlock) -> StepResult:
        return StepResult(
            observations=self._arrays.observations(),
            rewards=rewards,
            terminated=self._terminated.copy(),
            truncated=self._truncated.copy(),
            infos=infos.as_dict(),
        )

    def _game(self, row: int) -> Game:
        game = self._games[row]
        if game is None:
            raise ResetNeeded(
                f"question {row} has no episode yet{self.why_none()}: call reset() first"
            )
        return game

    def _rows_in(self, mask: ArrayLike | None) -> list[int]:
        """The rows that a mask selects, in order; all of them without a mask."""
        if mask is None:
            return list(range(self.num_questions))
        flags = np.asarray(mask)
        if flags.dtype != np.bool_ or flags.shape != (self.num_questions,):
            raise ValueError(
                f"mask must be {self.num_questions} booleans, one per question; "
                f"got {flags.dtype} with shape {flags.shape}"
            )
        return np.flatnonzero(flags).tolist()

    def _loaded_game_config(self) -> GameConfig:
        """The settings that all games share; the first reset loads the models here.

        A model about which the cache holds all that a game needs is loaded only when it gets a
        request that is not recorded.
        """
        if self._game_config is None:
            names = self.config.team().names
            models = {name: self._models.model(name) for name in names}
            self._game_config = game_settings(self.config, models)
        return self._game_config
