"""Grade the solutions of methods, with one extractor and one grader for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.comparison.records import Bill, GradedRound, Item, Record, Round, Solution
from econ_env.game.coordinator_tree import consensus, majority
from econ_env.grading.answers import equivalent, gold_answer, grade_answer, is_correct


def graded(method: str, item: Item, solution: Solution, bill: Bill, wall_s: float) -> Record:
    """Return the record of an answered question."""
    question = item.question
    return Record(
        method=method,
        seed=item.run_seed,
        question=question.id,
        failed=None,
        verdict=grade_answer(solution.value, gold_answer(question.gold)).value,
        rounds=tuple([_graded_round(played, question.gold) for played in solution.rounds]),
        closed_by=solution.closed_by,
        usage=bill.usage,
        cost_usd=bill.cost_usd,
        longest_prompt_tokens=bill.longest_prompt_tokens,
        wall_s=wall_s,
    )


def failure(method: str, item: Item, reason: str, bill: Bill, wall_s: float) -> Record:
    """Return the record of a question with a failed request."""
    return Record(
        method=method,
        seed=item.run_seed,
        question=item.question.id,
        failed=reason,
        verdict="",
        rounds=(),
        closed_by="",
        usage=bill.usage,
        cost_usd=bill.cost_usd,
        longest_prompt_tokens=bill.longest_prompt_tokens,
        wall_s=wall_s,
    )


def vote(answers: Sequence[str | None]) -> str | None:
    """Return the majority by graded equivalence; None if there is no answer."""
    return majority(answers, equivalent)


def _graded_round(played: Round, gold: str) -> GradedRound:
    return GradedRound(
        answers=played.answers,
        right=tuple([is_correct(answer, gold) for answer in played.answers]),
        value=played.value,
        value_right=is_correct(played.value, gold),
        vote_right=is_correct(vote(played.answers), gold),
        unanimous=consensus(played.answers, equivalent) is not None,
        usage=played.usage,
        answering=played.answering,
    )
