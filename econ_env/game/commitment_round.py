"""The commitments of one round: up the tree of coordinators, from responses to the team's."""

from __future__ import annotations

from collections.abc import Sequence

from econ_env.game.closing_rules import GameConfig
from econ_env.game.coordinator_tree import (
    Node,
    Tree,
    clear_lead,
    consensus,
    majority,
    same,
    stands,
    strict_majority,
)
from econ_env.game.intake import bounded_answer, taken_in
from econ_env.game.parsing import guard_strategy, parse_commitment, whole_steps, within_tokens
from econ_env.game.prompts import MAX_STRATEGY_TOKENS
from econ_env.game.requests import RequestWriter
from econ_env.game.transcript import (
    CommitmentRecord,
    ExecutorRecord,
    ParseMethod,
    StrategyRecord,
)
from econ_env.grading.arithmetic import false_equations
from econ_env.grading.extraction import worked_steps
from econ_env.llm.types import ChatRequest, Completion, FinishReason, Role, Usage


class Coordination:
    """The commitments of one round: level by level, all nodes of a level at once.

    :meth:`ask` returns the requests of the next level that needs any, :meth:`take` reads their
    completions. A node above the groups sees the conclusions of its members, never a response.
    When ``ask`` returns no request, the last of :attr:`records` is the team's commitment.

    Args:
        config: the rules.
        tree: the coordinators.
        writer: writer of the game's requests.
        strategy: strategy of the team, for the nodes above the groups.
        group_strategies: one strategy per group.
        responses: full text per executor.
        answers: answer per executor, or None.
        sound: per executor, if its response counts before others under the rule ``checked``.
        decision: number of the decision, from 0.
        round_: number of the round in it, from 0.
    """

    def __init__(
        self,
        config: GameConfig,
        tree: Tree,
        writer: RequestWriter,
        *,
        strategy: str,
        group_strategies: Sequence[str],
        responses: Sequence[str],
        answers: Sequence[str | None],
        sound: Sequence[bool],
        decision: int,
        round_: int,
    ) -> None:
        self._config = config
        self._tree = tree
        self._writer = writer
        self._strategy = strategy
        self._group_strategies = group_strategies
        self._responses = responses
        self._answers = answers
        self._sound = sound
        self._when = (decision, round_)
        self._level = 0
        self._asked: list[Node] = []
        self._records: dict[int, CommitmentRecord] = {}

    @property
    def records(self) -> tuple[CommitmentRecord, ...]:
        """The commitments so far: those of the groups first, the team's last."""
        return tuple([self._records[index] for index in sorted(self._records)])

    def ask(self) -> list[ChatRequest]:
        """Return the requests of the next level that needs a call; empty if all nodes concluded.

        Raises:
            PromptTooLong: a prompt does not fit into the context limit.
        """
        for level in self._tree.levels[self._level :]:
            self._level += 1
            self._asked = []
            for node in level:
                agreed = self._settled(node)
                if agreed is None:
                    self._asked.append(node)
                else:
                    self._records[node.index] = self._agreement(node, agreed)
            if self._asked:
                return [self._request(node) for node in self._asked]
        return []

    def take(self, requests: Sequence[ChatRequest], completions: Sequence[Completion]) -> None:
        """Read the completions of the requests of :meth:`ask`, failed ones included."""
        casts_vote = self._config.commitment_rule == "casting_vote"
        read = read_casting_vote if casts_vote else read_commitment
        for node, request, completion in zip(self._asked, requests, completions, strict=True):
            self._records[node.index] = read(
                self._config,
                node,
                self._members_answers(node),
                self._members_reasons(node),
                request,
                completion,
            )

    def _settled(self, node: Node) -> str | None:
        """The answer that stands without a call under the commitment rule; None: call the model."""
        rule, equivalent = self._config.commitment_rule, self._config.equivalent
        if rule == "coordinator":
            return None
        answers = self._members_answers(node)
        agreed = consensus(answers, equivalent)
        # "guarded" needs the vote to be unanimous.
        if agreed is not None or rule == "guarded":
            return agreed
        if rule == "casting_vote":
            return clear_lead(answers, equivalent)
        return strict_majority(answers, equivalent)

    def _counted(self, node: Node) -> Sequence[int]:
        """The members whose answers count: under the rule ``checked`` the sound ones, if any."""
        if node.level > 0 or self._config.commitment_rule != "checked":
            return node.children
        return [child for child in node.children if self._sound[child]] or node.children

    def _members_answers(self, node: Node) -> list[str | None]:
        if node.level == 0:
            return [self._answers[child] for child in self._counted(node)]
        return [self._records[child].value for child in node.children]

    def _members_reasons(self, node: Node) -> list[str]:
        """The reason of every member: its worked steps, without the final answer."""
        if node.level == 0:
            return [worked_steps(self._responses[child]) for child in self._counted(node)]
        return [self._records[child].reason for child in node.children]

    def _request(self, node: Node) -> ChatRequest:
        if self._config.commitment_rule == "casting_vote":
            return self._writer.solve(node, self._role(node), self._strategy, *self._when)
        if node.level == 0:
            strategy = self._group_strategies[node.index]
            texts = [self._responses[child] for child in self._counted(node)]
        else:
            strategy = self._strategy
            below = [self._records[child] for child in node.children]
            conclude = self._config.prompts.conclusion
            texts = [conclude(record.value, record.reason) for record in below]
        return self._writer.commit(node, self._role(node), strategy, texts, *self._when)

    def _role(self, node: Node) -> Role:
        return "commit" if node is self._tree.nodes[-1] else "local_commit"

    def _agreement(self, node: Node, value: str) -> CommitmentRecord:
        """A commitment without a call, in the words of the first member that gave the value.

        Rewards compare a commitment with responses (AL and CC), so it must contain worked steps as
        they do: a mere statement that all members agree would lower the reward for agreeing.
        """
        answers = self._members_answers(node)
        # The votes for the value of those who count; their share of all members is the confidence.
        gave = [same(value, answer, self._config.equivalent) for answer in answers]
        reason = self._members_reasons(node)[gave.index(True)]
        agree = sum(gave) == len(node.children)
        return CommitmentRecord(
            agent=node.agent,
            role=self._role(node),
            model=self._config.coordinator_model,
            members=node.members,
            value=value,
            reason=reason,
            confidence=sum(gave) / len(node.children),
            checklist={"agree": agree},
            parse_method="consensus" if agree else "majority",
            novel=False,
            text=self._config.prompts.conclusion(value, reason),
            called=False,
            seed=0,
            finish_reason="stop",
            error=None,
            usage=Usage(),
        )


def read_strategy(
    config: GameConfig, agent: str, request: ChatRequest, completion: Completion
) -> StrategyRecord:
    """The strategy of ``agent``, cut before a leaked answer or an unfinished step.

    The limit of tokens is kept here, too, since a server may ignore it, and since more may be
    allowed for a thought in front of the strategy.
    """
    completion = taken_in(request, completion)
    strategy, leaked = guard_strategy(completion.text)
    in_sentences = config.prompts.plans_in_sentences
    if completion.finish_reason == "length" and in_sentences:
        strategy = whole_steps(strategy)
    strategy = within_tokens(
        strategy,
        min(request.max_tokens, MAX_STRATEGY_TOKENS),
        in_sentences=in_sentences,
    )
    return StrategyRecord(
        agent=agent,
        role=request.role,
        model=request.model,
        seed=request.seed,
        text=completion.text,
        strategy=strategy,
        leaked=leaked,
        finish_reason=completion.finish_reason,
        error=completion.error,
        usage=completion.usage,
        messages=request.messages if config.keep_messages else (),
    )


def read_response(
    config: GameConfig,
    index: int,
    group: int,
    request: ChatRequest,
    completion: Completion,
    *,
    before: ChatRequest | None,
) -> ExecutorRecord:
    """The response of executor number ``index``, with its answer.

    Its prompt is kept unless it is that of ``before``, the request of the executor before.
    """
    repeats = before is not None and before.messages == request.messages
    completion = taken_in(request, completion)
    checks = config.commitment_rule == "checked"
    return ExecutorRecord(
        agent=f"executor_{index}",
        group=group,
        model=request.model,
        temperature=request.temperature,
        repetition_penalty=request.repetition_penalty,
        seed=request.seed,
        text=completion.text,
        answer=bounded_answer(config.extract(completion.text)),
        finish_reason=completion.finish_reason,
        error=completion.error,
        usage=completion.usage,
        false_equations=tuple(false_equations(completion.text)) if checks else (),
        messages=request.messages if config.keep_messages and not repeats else (),
    )


def is_sound(
    answer: str | None, finish_reason: FinishReason, false_equations: Sequence[str]
) -> bool:
    """True if a response has an answer, was not cut off, and states no false equation."""
    return answer is not None and finish_reason != "length" and not false_equations


def read_commitment(
    config: GameConfig,
    node: Node,
    answers: Sequence[str | None],
    reasons: Sequence[str],
    request: ChatRequest,
    completion: Completion,
) -> CommitmentRecord:
    """The conclusion of ``node`` under the commitment rule.

    If the rule replaces the coordinator's value, the reason is that of the first member that gave
    the standing value, and the confidence is None, since the coordinator's own was about another
    value. ``text`` is the coordinator's reply in any case.

    Args:
        config: the rules.
        node: the coordinator.
        answers: answers of its members.
        reasons: reasons of its members for their answers.
        request: the request that was sent.
        completion: the completion that was received.
    """
    completion = taken_in(request, completion)
    task = "\n".join([m.content for m in request.messages if m.role == "system"])
    read = parse_commitment(completion.text, task)
    value, novel = read.value, False
    reason, confidence = read.reason, read.confidence
    if config.commitment_rule != "coordinator":
        # A value without a vote loses to the one with the most votes.
        value, novel = stands(value, answers, config.equivalent)
        if value != read.value:
            giver = [same(value, answer, config.equivalent) for answer in answers].index(True)
            reason, confidence = reasons[giver], None
    return _record(
        config,
        node,
        request,
        completion,
        value=value,
        reason=reason,
        confidence=confidence,
        checklist=read.checklist,
        parse_method=read.parse_method,
        novel=novel,
    )


def read_casting_vote(
    config: GameConfig,
    node: Node,
    answers: Sequence[str | None],
    reasons: Sequence[str],
    request: ChatRequest,
    completion: Completion,
) -> CommitmentRecord:
    """The vote of the members of ``node`` and of its coordinator, which decides between equals.

    The confidence is the share of these votes that the value has. ``text`` is the coordinator's own
    solution, and ``reason`` its steps, or those of the first member with the value that stands.

    Args:
        config: the rules.
        node: the coordinator.
        answers: answers of its members.
        reasons: reasons of its members for their answers.
        request: the request that was sent.
        completion: the completion that was received.
    """
    completion = taken_in(request, completion)
    own = bounded_answer(config.extract(completion.text))
    # Its own comes first: between answers with equally many votes the first one wins.
    votes = [own, *answers]
    value = majority(votes, config.equivalent)
    agrees = [same(value, vote, config.equivalent) for vote in votes]
    reason, confidence = "", None
    if value is not None:
        reason = [worked_steps(completion.text), *reasons][agrees.index(True)]
        confidence = sum(agrees) / len(votes)
    return _record(
        config,
        node,
        request,
        completion,
        value=value,
        reason=reason,
        confidence=confidence,
        checklist={"agree": all(agrees)},
        parse_method="vote",
        novel=False,
    )


def _record(
    config: GameConfig,
    node: Node,
    request: ChatRequest,
    completion: Completion,
    *,
    value: str | None,
    reason: str,
    confidence: float | None,
    checklist: dict[str, bool],
    parse_method: ParseMethod,
    novel: bool,
) -> CommitmentRecord:
    """The record of a commitment for which ``node`` was called, with its request and completion."""
    return CommitmentRecord(
        agent=node.agent,
        role=request.role,
        model=request.model,
        members=node.members,
        value=value,
        reason=reason,
        confidence=confidence,
        checklist=checklist,
        parse_method=parse_method,
        novel=novel,
        text=completion.text,
        called=True,
        seed=request.seed,
        finish_reason=completion.finish_reason,
        error=completion.error,
        usage=completion.usage,
        messages=request.messages if config.keep_messages else (),
    )
