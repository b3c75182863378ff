"""Read the solution and the bill of an episode from its transcript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.comparison.billing import bill
from benchmarks.comparison.records import Bill, Round, Solution
from econ_env.game.transcript import CommitmentRecord, ExecutorRecord, StrategyRecord, Transcript
from econ_env.llm.budget.prices import Price

Call = StrategyRecord | ExecutorRecord | CommitmentRecord
"""Result of one request; a commitment may have needed no request."""


def solution_of(transcript: Transcript, prices: Mapping[str, Price]) -> Solution:
    """Return answers, commitments and tokens of every round of an episode without failures."""
    rounds = []
    planning: tuple[StrategyRecord, ...] = transcript.strategies
    for played in transcript.rounds():
        answering = _bill([*planning, *played.executors], prices)
        rounds.append(
            Round(
                answers=tuple([record.answer for record in played.executors]),
                value=played.commitments[-1].value,
                usage=answering.usage + _bill(played.commitments, prices).usage,
                answering=answering,
            )
        )
        planning = ()
    return Solution(rounds=tuple(rounds), closed_by=transcript.decisions[-1].closed_by or "")


def bill_of(transcript: Transcript, prices: Mapping[str, Price]) -> Bill:
    """Return tokens and cost of the whole episode, failed requests included."""
    calls: list[Call] = list(transcript.strategies)
    for played in transcript.rounds():
        calls += [*played.executors, *played.commitments]
    return _bill(calls, prices)


def _bill(calls: Iterable[Call], prices: Mapping[str, Price]) -> Bill:
    asked = [call for call in calls if not isinstance(call, CommitmentRecord) or call.called]
    return bill([(call.model, call.usage) for call in asked], prices)
