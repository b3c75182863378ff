"""The game as a pure state machine that emits requests and takes completions.

It has no I/O, no clock and no randomness of its own; the seed of every request derives from
(environment seed, episode, decision, round, agent, role). So the rules are tested without a model,
and one driver plays one question or a thousand in lock-step::

    game = Game(config, question, env_seed=0, episode=0)
    while not game.done:
        while requests := game.pending():
            game.feed(answer(requests))
        if game.awaiting_actions:
            game.act(actions)
        elif game.phase is Phase.SETTLE:
            game.settle(rewards)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from econ_env.game.closing_rules import GameConfig, closes, deviates, period
from econ_env.game.commitment_round import (
    Coordination,
    is_sound,
    read_response,
    read_strategy,
)
from econ_env.game.coordinator_tree import COORDINATOR, build_tree
from econ_env.game.prompt_fitting import ModelLimits, PromptTooLong
from econ_env.game.requests import RequestWriter
from econ_env.game.transcript import (
    ClosedBy,
    CommitmentRecord,
    DecisionRecord,
    ExecutorRecord,
    RoundRecord,
    SettledRewards,
    ShortenedRecord,
    StrategyRecord,
    Transcript,
)
from econ_env.llm.types import ChatRequest, Completion, Usage
from econ_env.questions.base import Question
from econ_env.sampling_action import SamplingAction

__all__ = ["Game", "GameConfig", "ModelLimits", "Phase"]


class Phase(StrEnum):
    """The input that the game waits for."""

    STRATEGY = "strategy"
    """Completions of strategies: the team's, then those of the groups if there are several."""
    EXECUTE = "execute"
    """Actions, then the completions of responses."""
    COMMIT = "commit"
    """Completions of commitments, one level of coordinators after the other."""
    SETTLE = "settle"
    """The rewards of the decision that has just closed."""
    DONE = "done"
    """Nothing: the episode is over, or was abandoned."""


class Game:
    """One episode on one question.

    A failed request, or a prompt that fits into no context, ends the episode: ``done`` and
    ``failed`` are set, ``closed_by`` is ``"failed"``, and the transcript keeps what was written.

    Args:
        config: the rules, equal for all games of an environment.
        question: the question to answer.
        env_seed: seed of the environment.
        episode: number of the episode in that environment; it changes the seeds of all requests.
    """

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
        self._period = 0
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
        if not config.strategy:
            self._group_strategies = ("",) * len(self._tree.groups)
            self._phase = Phase.EXECUTE
            return
        try:
            self._pending = [self._writer.strategy()]
        except PromptTooLong as problem:
            self._fail(str(problem))

    # --- observable state ----------------------------------------------------------------------

    @property
    def question(self) -> Question:
        """The question of the episode."""
        return self._question

    @property
    def phase(self) -> Phase:
        """The input that the game waits for."""
        return self._phase

    @property
    def awaiting_actions(self) -> bool:
        """True if :meth:`act` is the next call."""
        return self._phase is Phase.EXECUTE and not self._pending

    @property
    def done(self) -> bool:
        """True if the episode is over."""
        return self._phase is Phase.DONE

    @property
    def failed(self) -> str | None:
        """Reason for abandoning the episode, in plain words; None if it was not abandoned."""
        return self._failed

    @property
    def closed_by(self) -> ClosedBy | None:
        """Reason for closing the last closed decision; None before the first."""
        return self._closed_by

    @property
    def decision(self) -> int:
        """Number of decisions settled so far."""
        return len(self._decisions)

    @property
    def round(self) -> int:
        """Number of rounds played in the current decision, or in the last one of the episode."""
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
    def commitment_period(self) -> int:
        """Rounds since the standing commitment's value was committed before in its decision.

        It is 1 if the value repeats that of the round before, 2 if the values went A, B, A, else 0.
        """
        return self._period

    @property
    def actions(self) -> tuple[SamplingAction, ...] | None:
        """The actions with which ``responses`` were sampled; None before the first."""
        return self._actions

    @property
    def usage(self) -> Usage:
        """Tokens and requests spent so far, failed requests included."""
        return sum(self._spent, Usage())

    @property
    def transcript(self) -> Transcript:
        """The record of the episode so far, open rounds and decisions included."""
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

    # --- requests and inputs -------------------------------------------------------------------

    def pending(self) -> list[ChatRequest]:
        """The requests that :meth:`feed` must answer next; they may be none."""
        return list(self._pending)

    def feed(self, completions: Sequence[Completion]) -> None:
        """Take one completion per pending request, in the same order.

        Raises:
            RuntimeError: nothing is pending.
            ValueError: the number of completions differs; the game is unchanged.
        """
        requests = self._pending
        if not requests:
            raise RuntimeError(f"nothing is pending in phase {self._phase.value!r}: see pending()")
        if len(completions) != len(requests):
            raise ValueError(
                f"{len(requests)} requests are pending, but {len(completions)} completions were "
                "given"
            )
        self._pending = []
        self._spent += [completion.usage for completion in completions]
        try:
            if self._phase is Phase.STRATEGY:
                self._take_strategies(requests, completions)
            elif self._phase is Phase.EXECUTE:
                self._take_responses(requests, completions)
            elif self._coordination is not None:
                self._take_commitments(self._coordination, requests, completions)
        except PromptTooLong as problem:
            self._fail(str(problem))

    def act(self, actions: Sequence[SamplingAction]) -> None:
        """Open the next round with one action per executor, in order.

        From the second round of a decision on, actions that all stay within the convergence
        threshold of the round before close the decision instead: nothing is generated, and
        :attr:`actions` stays that of the last responses.

        Raises:
            RuntimeError: no actions are awaited.
            ValueError: the number of actions differs from the number of executors.
        """
        if not self.awaiting_actions:
            raise RuntimeError(f"no actions are awaited in phase {self._phase.value!r}")
        if len(actions) != self._config.n_agents:
            raise ValueError(
                f"{self._config.n_agents} executors need one action each, got {len(actions)}"
            )
        if self._round and self._actions and not deviates(self._actions, actions, self._config):
            self._close("no_deviation")
            return
        self._actions = tuple(actions)
        standing = None if self._commitment is None else self._commitment.value
        try:
            self._pending = self._writer.execute(
                self._tree,
                self._group_strategies,
                standing,
                self._actions,
                len(self._decisions),
                self._round,
            )
        except PromptTooLong as problem:
            self._fail(str(problem))

    def settle(self, rewards: SettledRewards | None) -> None:
        """Record the rewards of the closed decision; open the next one or end the episode.

        Args:
            rewards: the rewards; None if there are none, since there is no gold answer.

        Raises:
            RuntimeError: no decision has closed.
            ValueError: there is not one reward per executor.
        """
        if self._phase is not Phase.SETTLE:
            raise RuntimeError(f"no decision has closed in phase {self._phase.value!r}")
        if rewards is not None and len(rewards.agents) != self._config.n_agents:
            raise ValueError(
                f"{self._config.n_agents} executors need one reward each, got {len(rewards.agents)}"
            )
        self._decisions.append(
            DecisionRecord(rounds=tuple(self._rounds), closed_by=self._closed_by, rewards=rewards)
        )
        self._rounds = []
        self._values = []
        if len(self._decisions) == self._config.max_rounds:
            self._phase = Phase.DONE
        else:
            self._phase = Phase.EXECUTE
            self._round = 0

    # --- the rules ----------------------------------------------------------------------------

    def _take_strategies(
        self, requests: Sequence[ChatRequest], completions: Sequence[Completion]
    ) -> None:
        groups = self._tree.groups
        local = requests[0].role == "local_strategy"
        agents = [group.agent for group in groups] if local else [COORDINATOR]
        asked = zip(agents, requests, completions, strict=True)
        records = [read_strategy(self._config, *one) for one in asked]
        self._strategies += records
        self._strategies_shortened += self._writer.take_shortened()
        if self._any_failed(records):
            return
        if not local:
            self._strategy = records[0].strategy
            if len(groups) > 1:
                write = self._writer.local_strategy
                self._pending = [write(group, self._strategy) for group in groups]
                return
        self._group_strategies = tuple([record.strategy for record in records])
        self._phase = Phase.EXECUTE

    def _take_responses(
        self, requests: Sequence[ChatRequest], completions: Sequence[Completion]
    ) -> None:
        asked = zip(self._tree.group_of, requests, completions, strict=True)
        before = [None, *requests]
        records = [
            read_response(self._config, i, *one, before=before[i]) for i, one in enumerate(asked)
        ]
        self._executors = tuple(records)
        self._responses = tuple([record.text for record in records])
        self._answers = tuple([record.answer for record in records])
        if self._any_failed(records):
            return
        self._phase = Phase.COMMIT
        self._coordination = Coordination(
            self._config,
            self._tree,
            self._writer,
            strategy=self._strategy,
            group_strategies=self._group_strategies,
            responses=self._responses,
            answers=self._answers,
            sound=[is_sound(r.answer, r.finish_reason, r.false_equations) for r in records],
            decision=len(self._decisions),
            round_=self._round,
        )
        self._ask_coordinators(self._coordination)

    def _take_commitments(
        self,
        coordination: Coordination,
        requests: Sequence[ChatRequest],
        completions: Sequence[Completion],
    ) -> None:
        coordination.take(requests, completions)
        if not self._any_failed(coordination.records):
            self._ask_coordinators(coordination)

    def _ask_coordinators(self, coordination: Coordination) -> None:
        self._pending = coordination.ask()
        if self._pending:
            return
        self._rounds += self._open_round()
        self._executors = ()
        self._coordination = None
        self._writer.take_shortened()
        self._round += 1
        self._commitment = self._rounds[-1].commitments[-1]
        self._values.append(self._commitment.value)
        self._period = period(self._values, self._config)
        reason = closes(self._values, self._period, self._config)
        if reason is None:
            self._phase = Phase.EXECUTE
        else:
            self._close(reason)

    def _close(self, reason: ClosedBy) -> None:
        self._closed_by = reason
        self._phase = Phase.SETTLE

    def _any_failed(
        self, records: Sequence[StrategyRecord | ExecutorRecord | CommitmentRecord]
    ) -> bool:
        """End the episode if a request failed; the first failure is the reason."""
        for record in records:
            if record.error is not None or record.finish_reason == "error":
                self._fail(f"{record.agent} (model {record.model!r}): {record.error}")
                return True
        return False

    def _open_round(self) -> tuple[RoundRecord, ...]:
        """The round in progress as a tuple of one; empty before its responses."""
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

    def _fail(self, reason: str) -> None:
        self._failed = reason
        self._closed_by = "failed"
        self._phase = Phase.DONE
