"""What the game makes of a completion: one record per kind of call, failed calls included."""

from __future__ import annotations

from collections.abc import Sequence

from econ_env.hierarchy import Node, same, stands
from econ_env.llm.types import ChatRequest, Completion
from econ_env.parsing import encodable, guard_strategy, parse_commitment
from econ_env.rules import GameConfig
from econ_env.transcript import CommitmentRecord, ExecutorRecord, StrategyRecord


def read_strategy(agent: str, request: ChatRequest, completion: Completion) -> StrategyRecord:
    """The strategy of ``agent``, cut where it states an answer."""
    text = encodable(completion.text)
    strategy, leaked = guard_strategy(text)
    return StrategyRecord(
        agent=agent,
        role=request.role,
        model=request.model,
        seed=request.seed,
        text=text,
        strategy=strategy,
        leaked=leaked,
        finish_reason=completion.finish_reason,
        error=completion.error,
        usage=completion.usage,
    )


def read_response(
    config: GameConfig, index: int, group: int, request: ChatRequest, completion: Completion
) -> ExecutorRecord:
    """The response of executor number ``index``, with its answer."""
    text = encodable(completion.text)
    return ExecutorRecord(
        agent=f"executor_{index}",
        group=group,
        model=request.model,
        temperature=request.temperature,
        repetition_penalty=request.repetition_penalty,
        seed=request.seed,
        text=text,
        answer=config.extract(text),
        finish_reason=completion.finish_reason,
        error=completion.error,
        usage=completion.usage,
    )


def read_commitment(
    config: GameConfig,
    node: Node,
    answers: Sequence[str | None],
    reasons: Sequence[str],
    request: ChatRequest,
    completion: Completion,
) -> CommitmentRecord:
    """The conclusion of ``node`` under the commitment rule.

    Where the rule replaces the coordinator's value, the reason is that of the first member that
    gave the standing value, and there is no confidence: what the coordinator said was about
    another value. ``text`` is the coordinator's reply all the same.

    Args:
        config: the rules.
        node: the coordinator.
        answers: of its members.
        reasons: of its members for their answers.
        request: the request that was made.
        completion: what came back.
    """
    text = encodable(completion.text)
    read = parse_commitment(text)
    value, novel = read.value, False
    reason, confidence = read.reason, read.confidence
    if config.commitment_rule == "guarded":
        value, novel = stands(value, answers, config.equivalent)
        if value != read.value:
            giver = [same(value, answer, config.equivalent) for answer in answers].index(True)
            reason, confidence = reasons[giver], None
    return CommitmentRecord(
        agent=node.agent,
        role=request.role,
        model=request.model,
        members=node.members,
        value=value,
        reason=reason,
        confidence=confidence,
        checklist=read.checklist,
        parse_method=read.parse_method,
        novel=novel,
        text=text,
        called=True,
        seed=request.seed,
        finish_reason=completion.finish_reason,
        error=completion.error,
        usage=completion.usage,
    )
