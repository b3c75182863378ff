"""From the transcript of an episode to what a record keeps of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.comparison.records import Bill, Round, Solution
from econ_env.llm.prices import Price
from econ_env.llm.types import Usage
from econ_env.transcript import CommitmentRecord, ExecutorRecord, StrategyRecord, Transcript

Call = StrategyRecord | ExecutorRecord | CommitmentRecord
"""What one request came to; a commitment may have come without one."""


def solution_of(transcript: Transcript, prices: Mapping[str, Price]) -> Solution:
    """Answers, commitments and tokens of every round of an episode that has ended well."""
    rounds = []
    planning: tuple[StrategyRecord, ...] = transcript.strategies
    for played in transcript.rounds():
        answering = bill([*planning, *played.executors], prices)
        rounds.append(
            Round(
                answers=tuple([record.answer for record in played.executors]),
                value=played.commitments[-1].value,
                usage=answering.usage + bill(played.commitments, prices).usage,
                answering=answering,
            )
        )
        planning = ()
    return Solution(rounds=tuple(rounds), closed_by=transcript.decisions[-1].closed_by or "")


def bill_of(transcript: Transcript, prices: Mapping[str, Price]) -> Bill:
    """What the whole episode took, failed requests included."""
    calls: list[Call] = list(transcript.strategies)
    for played in transcript.rounds():
        calls += [*played.executors, *played.commitments]
    return bill(calls, prices)


def bill(calls: Iterable[Call], prices: Mapping[str, Price]) -> Bill:
    """What these requests took; a model without a price makes the cost unknown."""
    usage, cost, longest = Usage(), 0.0, 0
    unknown = False
    for call in calls:
        if isinstance(call, CommitmentRecord) and not call.called:
            continue
        usage += call.usage
        longest = max(longest, call.usage.prompt_tokens)
        price = prices.get(call.model)
        if price is None:
            unknown = True
        else:
            cost += price.cost_usd(call.usage)
    return Bill(usage=usage, cost_usd=None if unknown else cost, longest_prompt_tokens=longest)
