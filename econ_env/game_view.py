"""What can be seen of a game: its state, read-only, and its transcript so far."""

from __future__ import annotations

from enum import Enum

from econ_env.coordination import Coordination
from econ_env.hierarchy import build_tree
from econ_env.llm.types import ChatRequest, Usage
from econ_env.questions.base import Question
from econ_env.request_writer import RequestWriter
from econ_env.rules import GameConfig
from econ_env.sampling import SamplingAction
from econ_env.transcript import (
    ClosedBy,
    CommitmentRecord,
    DecisionRecord,
    ExecutorRecord,
    RoundRecord,
    ShortenedRecord,
    StrategyRecord,
    Transcript,
)


class Phase(str, Enum):
    """What the game waits for."""

    STRATEGY = "strategy"
    """Completions of strategies: the team's, then those of the groups where there are several."""
    EXECUTE = "execute"
    """Actions, and then responses."""
    COMMIT = "commit"
    """Completions of commitments, one level of coordinators after the other."""
    SETTLE = "settle"
    """The rewards of the decision that has just closed."""
    DONE = "done"
    """Nothing: the episode is over, or was abandoned."""


class GameView:
    """State of one episode. :class:`~econ_env.game.Game` adds the rules that change it."""

    def __init__(
        self, config: GameConfig, question: Question, *, env_seed: int, episode: int
    ) -> None:
        self._config = config
        self._question = question
        self._env_seed = env_seed
        self._episode = episode
        self._tree = build_tree(config.n_agents, config.group_size)
        self._writer = RequestWriter(config, question.text, env_seed, episode)
        self._phase = Phase.STRATEGY
        self._failed: str | None = None
        self._closed_by: ClosedBy | None = None
        self._spent: list[Usage] = []
        self._strategy = ""
        self._group_strategies: tuple[str, ...] = ()
        self._strategies: list[StrategyRecord] = []
        self._strategies_shortened: tuple[ShortenedRecord, ...] = ()
        self._decisions: list[DecisionRecord] = []
        # The open decision.
        self._rounds: list[RoundRecord] = []
        self._values: list[str | None] = []
        self._round = 0
        # The open round.
        self._executors: tuple[ExecutorRecord, ...] = ()
        self._coordination: Coordination | None = None
        # The last round.
        self._actions: tuple[SamplingAction, ...] | None = None
        self._responses: tuple[str, ...] = ()
        self._answers: tuple[str | None, ...] = ()
        self._commitment: CommitmentRecord | None = None
        self._pending: list[ChatRequest] = []

    @property
    def question(self) -> Question:
        """What is asked."""
        return self._question

    @property
    def phase(self) -> Phase:
        """What the game waits for."""
        return self._phase

    @property
    def awaiting_actions(self) -> bool:
        """Whether :meth:`act` is the next call."""
        return self._phase is Phase.EXECUTE and not self._pending

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return self._phase is Phase.DONE

    @property
    def failed(self) -> str | None:
        """Why the episode was abandoned, for people; None where it was not."""
        return self._failed

    @property
    def closed_by(self) -> ClosedBy | None:
        """Why the last closed decision closed; None before the first."""
        return self._closed_by

    @property
    def decision(self) -> int:
        """Decisions settled so far."""
        return len(self._decisions)

    @property
    def round(self) -> int:
        """Rounds played in the current decision; in the last one once the episode is over."""
        return self._round

    @property
    def strategy(self) -> str:
        """The team's strategy, without a leaked answer; empty before there is one."""
        return self._strategy

    @property
    def responses(self) -> tuple[str, ...]:
        """Full text of every executor's last response; empty before the first."""
        return self._responses

    @property
    def answers(self) -> tuple[str | None, ...]:
        """The answers extracted from ``responses``."""
        return self._answers

    @property
    def commitment(self) -> CommitmentRecord | None:
        """The team's standing commitment; None before the first."""
        return self._commitment

    @property
    def actions(self) -> tuple[SamplingAction, ...] | None:
        """The actions that ``responses`` were sampled with; None before the first."""
        return self._actions

    @property
    def usage(self) -> Usage:
        """Everything spent so far, failed requests included."""
        return sum(self._spent, Usage())

    @property
    def transcript(self) -> Transcript:
        """Everything that happened so far, open rounds and decisions included."""
        decisions = tuple(self._decisions)
        rounds = (*self._rounds, *self._open_round())
        if rounds:
            closed_by = self._closed_by if self._failed or self._phase is Phase.SETTLE else None
            decisions += (DecisionRecord(rounds=rounds, closed_by=closed_by, rewards=None),)
        return Transcript(
            question=self._question,
            env_seed=self._env_seed,
            episode=self._episode,
            prompts=self._config.prompts.name,
            commitment_rule=self._config.commitment_rule,
            strategies=tuple(self._strategies),
            strategies_shortened=self._strategies_shortened,
            decisions=decisions,
            failed=self._failed,
            usage=self.usage,
        )

    def _open_round(self) -> tuple[RoundRecord, ...]:
        """The round that has begun and not ended, as far as it got; none before its responses."""
        if not self._executors:
            return ()
        commitments = () if self._coordination is None else self._coordination.records
        return (
            RoundRecord(
                executors=self._executors,
                commitments=commitments,
                shortened=tuple(self._writer.shortened),
            ),
        )
