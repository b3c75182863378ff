"""Many episodes in lock-step: the driver on which every view of the environment stands.

It holds one game per question, asks the models, embeds what they wrote, pays rewards, and keeps
the arrays of which observations and states are made. Arrays in, arrays out: n executors, B
questions. Views deal them out to agents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike, NDArray

from econ_env.answers import equivalent, extract
from econ_env.config import EnvConfig
from econ_env.embeddings import load_embedder
from econ_env.game import Game, GameConfig, ModelLimits, Phase
from econ_env.infos import CLOSED_BY_CODES, Infos, count_commitments, zero_infos
from econ_env.llm.types import Usage
from econ_env.lockstep import play
from econ_env.observation import FloatArray, Spaces, ViewArrays
from econ_env.questions import Question, QuestionOrder, load_questions
from econ_env.rewards import RewardWeights
from econ_env.settlement import settle
from econ_env.transcript import Transcript

Flags: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StepResult:
    """What one step of all questions returned. Every array is fresh."""

    observations: FloatArray
    """Shape (n, B, observation size)."""
    rewards: Values
    """Shape (n, B)."""
    terminated: Flags
    """Shape (B,): the last decision is closed. Stays true until the question is reset."""
    truncated: Flags
    """Shape (B,): a request failed. Stays true until the question is reset."""
    infos: Infos
    """One array of shape (n, B) for every key of ``INFO_KEYS``."""


class Episodes:
    """B games, each with its own seed, order of questions and reward weights.

    Question b of an environment with seed s is played as the only question of an environment
    with seed s + b would be. A question whose episode has ended stays idle until it is reset.
    """

    def __init__(self, config: EnvConfig, num_questions: int) -> None:
        if num_questions < 1:
            raise ValueError(f"num_questions must be at least 1, got {num_questions}")
        self.config = config
        self.num_questions = num_questions
        self.agents = config.agents
        self.questions = load_questions(
            config.dataset,
            split=config.split,
            question_field_name=config.question_field_name,
            answer_field_name=config.answer_field_name,
            max_question_length=config.max_question_length,
            max_answer_length=config.max_answer_length,
        )
        embedder = config.resolved_embedder()
        self.embedder = load_embedder(embedder) if isinstance(embedder, str) else embedder
        self.spaces = Spaces.of(self.agents, self.embedder.dim)
        self.arrays = ViewArrays(
            num_questions=num_questions, n_agents=config.n_agents, dim=self.embedder.dim
        )
        self.active: Flags = np.zeros(num_questions, dtype=np.bool_)
        """Shape (B,): questions whose episode is running."""
        self.terminated: Flags = np.zeros(num_questions, dtype=np.bool_)
        self.truncated: Flags = np.zeros(num_questions, dtype=np.bool_)
        self._bounds = config.bounds()
        self._prompts = config.prompt_set()
        self._team = config.team()
        self._game_config: GameConfig | None = None
        self._games: list[Game | None] = [None] * num_questions
        self._weights = [config.weights()] * num_questions
        self._seeds = [config.seed + row for row in range(num_questions)]
        self._orders = [self._order(seed) for seed in self._seeds]
        self._next_episode = [0] * num_questions
        self._spent = Usage()

    def reset(
        self,
        *,
        seed: int | None = None,
        options: Mapping[str, Any] | None = None,
        mask: ArrayLike | None = None,
    ) -> StepResult:
        """Start an episode of every question in ``mask``; see :class:`BatchedEconEnv`."""
        rows = self._rows_in(mask)
        if seed is not None:
            for row in rows:
                self._seeds[row] = seed + row
                self._orders[row] = self._order(seed + row)
                self._next_episode[row] = 0
        options = {} if options is None else options
        weights = self.config.weights()
        if "reward_weights" in options:
            weights = RewardWeights.from_options(options["reward_weights"])
        chosen = self._questions_for(rows, options.get("question"))
        game_config = self._loaded_game_config()
        for row, question in zip(rows, chosen, strict=True):
            old = self._games[row]
            if old is not None:
                self._spent += old.usage
            self._games[row] = Game(
                game_config, question, env_seed=self._seeds[row], episode=self._next_episode[row]
            )
            self._next_episode[row] += 1
            self._weights[row] = weights
        games = [self._game(row) for row in rows]
        play(games, self._team)
        self.arrays.clear(rows)
        self.active[rows] = True
        self.terminated[rows] = self.truncated[rows] = False
        texts = [game.question.text for game in games] + [game.strategy for game in games]
        embedded = self.embedder.embed(texts)
        self.arrays.question[rows], self.arrays.strategy[rows] = np.split(embedded, 2)
        self.arrays.strategy[[row for row in rows if self._game(row).failed is not None]] = 0.0
        size = self.config.n_agents, self.num_questions
        return self._result(np.zeros(size), zero_infos(*size))

    def step(self, points: NDArray[np.floating[Any]]) -> StepResult:
        """Play one round of every active question.

        Args:
            points: actions, shape (n, B, 2); those of idle questions are not read.

        Raises:
            ResetNeeded: no episode is running.
            ValueError: an action of an active question is not finite.
        """
        rows = np.flatnonzero(self.active).tolist()
        if not rows:
            raise ResetNeeded("no episode is running: call reset() before step()")
        points = points[:, rows].swapaxes(0, 1)
        self._check_finite(points, rows)
        sampling = self._bounds.to_sampling(points)
        self.arrays.actions[rows] = np.clip(points, -1.0, 1.0)
        size = self.config.n_agents
        for index, row in enumerate(rows):
            # A game whose strategy failed has ended before the first action.
            if self._game(row).awaiting_actions:
                self._game(row).act(sampling[index * size : (index + 1) * size])
        play([self._game(row) for row in rows], self._team)
        return self._after_round(rows)

    def transcripts(self) -> list[Transcript]:
        """The transcript of every question's episode.

        Raises:
            ResetNeeded: a question has not been reset yet.
        """
        return [self._game(row).transcript for row in range(self.num_questions)]

    def state(self) -> FloatArray:
        """The states, shape (B, state size): a fresh array; ``ResetNeeded`` before any reset."""
        if all(game is None for game in self._games):
            raise ResetNeeded("there is no state yet: call reset() first")
        return self.arrays.state()

    @property
    def usage(self) -> Usage:
        """Tokens and requests of all episodes so far."""
        running = (game.usage for game in self._games if game is not None)
        return sum(running, self._spent)

    def _after_round(self, rows: list[int]) -> StepResult:
        """Observe what was said, pay the decisions that closed, and report."""
        config = self.config
        rewards = np.zeros((config.n_agents, self.num_questions))
        infos = zero_infos(config.n_agents, self.num_questions)
        failed = [row for row in rows if self._game(row).failed is not None]
        played = [row for row in rows if self._game(row).failed is None]
        self._observe(played)
        for row in played:
            game = self._game(row)
            self.arrays.round[row] = game.round / config.bne_rounds
            infos["round"][:, row] = game.round
        closed = [row for row in played if self._game(row).phase is Phase.SETTLE]
        self._pay(closed, rewards, infos)
        ended = [row for row in closed if self._game(row).done]
        self.terminated[ended] = True
        self.truncated[failed] = True
        self.active[[*ended, *failed]] = False
        self._count(rows, infos)
        return self._result(rewards, infos)

    def _observe(self, rows: list[int]) -> None:
        """Embed the responses and commitments that stand."""
        if not rows:
            return
        games = [self._game(row) for row in rows]
        texts = [text for game in games for text in game.responses]
        texts += [self._conclusion(game) for game in games]
        embedded = self.embedder.embed(texts)
        size = self.config.n_agents
        self.arrays.commitment[rows] = embedded[len(rows) * size :]
        self.arrays.responses[rows] = embedded[: len(rows) * size].reshape(len(rows), size, -1)

    def _conclusion(self, game: Game) -> str:
        """The commitment in the form of a response, so that the two can be compared."""
        commitment = game.commitment
        if commitment is None:
            return ""
        return self._prompts.conclusion(commitment.value, commitment.reason)

    def _pay(self, rows: list[int], rewards: Values, infos: Infos) -> None:
        """Settle the games of ``rows``, whose decisions are closed, and write what it was worth."""
        if not rows:
            return
        games = [self._game(row) for row in rows]
        settled = settle(
            games,
            responses=self.arrays.responses[rows],
            commitments=self.arrays.commitment[rows],
            weights=[self._weights[row] for row in rows],
            fidelity_weight=self.config.cc_fidelity_weight,
        )
        rewards[:, rows] = np.array([paid.agents for paid in settled]).T
        infos["ts"][:, rows] = np.array([paid.components["TS"] for paid in settled]).T
        infos["al"][:, rows] = np.array([paid.components["AL"] for paid in settled]).T
        infos["cc"][:, rows] = np.array([paid.components["CC"] for paid in settled]).T
        infos["team_reward"][:, rows] = [paid.team for paid in settled]
        infos["correct"][:, rows] = [paid.team_components["TS"] for paid in settled]
        infos["decision_closed"][:, rows] = 1
        self.arrays.decision[rows] = [game.decision / self.config.max_rounds for game in games]
        goes_on = [row for row, game in zip(rows, games, strict=True) if not game.done]
        self.arrays.round[goes_on] = 0.0

    def _count(self, rows: list[int], infos: Infos) -> None:
        """Write how every game of ``rows`` went, and the tokens of its episode so far."""
        for row in rows:
            game = self._game(row)
            infos["failed"][:, row] = game.failed is not None
            infos["decision"][:, row] = game.decision
            infos["prompt_tokens"][:, row] = game.usage.prompt_tokens
            infos["completion_tokens"][:, row] = game.usage.completion_tokens
            closed = infos["decision_closed"][0, row] or game.failed is not None
            if closed and game.closed_by is not None:
                infos["closed_by"][:, row] = CLOSED_BY_CODES[game.closed_by]
            if game.failed is None and not (closed and game.closed_by == "no_deviation"):
                asked, json, novel = count_commitments(game.transcript.decisions[-1].rounds[-1])
                infos["commitments_asked"][:, row] = asked
                infos["commitments_json"][:, row] = json
                infos["commitments_novel"][:, row] = novel

    def _result(self, rewards: Values, infos: Infos) -> StepResult:
        return StepResult(
            observations=self.arrays.observations(),
            rewards=rewards,
            terminated=self.terminated.copy(),
            truncated=self.truncated.copy(),
            infos=infos,
        )

    def _game(self, row: int) -> Game:
        game = self._games[row]
        if game is None:
            raise ResetNeeded(f"question {row} has no episode yet: call reset() first")
        return game

    def _order(self, seed: int) -> QuestionOrder:
        return QuestionOrder(
            self.questions, order=self.config.order, loop=self.config.loop, seed=seed
        )

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

    def _questions_for(self, rows: list[int], asked: Any) -> list[Question]:
        """The next question of every row, or those that the option "question" names."""
        if asked is None:
            return [self._orders[row].next() for row in rows]
        if isinstance(asked, Question) or not isinstance(asked, Sequence | np.ndarray):
            return [self._question(asked)] * len(rows)
        if len(asked) != self.num_questions:
            raise ValueError(
                f'options["question"] lists {len(asked)} questions for {self.num_questions}: '
                "give one for all or one for each"
            )
        return [self._question(asked[row]) for row in rows]

    def _question(self, asked: Any) -> Question:
        if isinstance(asked, Question):
            return asked
        if not isinstance(asked, int | np.integer) or isinstance(asked, bool):
            raise ValueError(f'options["question"] takes a Question or its index, got {asked!r}')
        if not 0 <= asked < len(self.questions):
            raise ValueError(
                f'options["question"] is {asked}, but {self.questions.name!r} has the questions '
                f"0 to {len(self.questions) - 1}"
            )
        return self.questions[int(asked)]

    def _loaded_game_config(self) -> GameConfig:
        """What all games have in common; the models are loaded here, at the first reset."""
        if self._game_config is None:
            config, team = self.config, self._team
            models = {name: team.model(name) for name in team.names}
            self._game_config = GameConfig(
                n_agents=config.n_agents,
                group_size=config.group_size,
                bne_rounds=config.bne_rounds,
                max_rounds=config.max_rounds,
                convergence_threshold=config.convergence_threshold,
                bounds=self._bounds,
                prompts=self._prompts,
                commitment_rule=config.resolved_commitment_rule(),
                executor_models=team.executors,
                coordinator_model=team.coordinator,
                limits={
                    name: ModelLimits(
                        context_limit=model.context_limit, count_tokens=model.count_tokens
                    )
                    for name, model in models.items()
                },
                extract=extract,
                equivalent=equivalent,
            )
        return self._game_config

    def _check_finite(self, points: NDArray[np.floating[Any]], rows: list[int]) -> None:
        finite = np.isfinite(points).all(axis=2)
        if finite.all():
            return
        index, agent = np.argwhere(~finite)[0]
        raise ValueError(
            f"the action of {self.agents[agent]} for question {rows[index]} must be finite, "
            f"got {points[index, agent].tolist()}"
        )
