"""Summarise the records of a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.comparison import statistics
from benchmarks.comparison.findings import (
    About,
    Accuracy,
    Comparison,
    Diagnosis,
    Difference,
    Finding,
    MethodReport,
    Outcomes,
    SeedAccuracy,
    Spending,
)
from benchmarks.comparison.parts import parts
from benchmarks.comparison.records import GradedRound, Record
from benchmarks.comparison.statistics import ByQuestion, Contrast, by_question
from econ_env.grading.answers import Verdict

REFERENCES = ("cot", "self_consistency", "greedy", "debate")
"""Names of the methods that every other method is compared with."""
SIGNIFICANCE = 0.05
LEAST_QUESTIONS = 100
"""Smallest number of questions that "as good" can rest on: with few, a bootstrap sees no loss that
is merely rare."""
ROUNDING = 1e-9
"""Bounds nearer to 0 than this count as 0, since sums of thirds leave rounding errors."""


def summarise(records: Iterable[Record], about: About) -> Comparison:
    """Summarise records; their order does not matter.

    Every method is compared with ``cot``, ``self_consistency``, ``greedy`` and ``debate``: among
    several of the same name with one whose budget was matched, else with the first; and with the
    second method of the primary contrast.

    Raises:
        ValueError: a record is of a method or seed that ``about`` does not list, or occurs twice.
    """
    of_method = _sorted_out(records, about)
    references = _references(about)
    correct = {method: by_question(own, _correct) for method, own in of_method.items()}
    target = None if about.budget_target is None else of_method[about.budget_target]
    differences = _differences(correct, references, about)
    return Comparison(
        about=about,
        references=references,
        methods=tuple(
            MethodReport(
                method=method,
                outcomes=_outcomes(own, about),
                accuracy=_accuracy(correct[method]),
                differences=tuple(differences[method]),
                spending=_spending(own, target),
                diagnosis=_diagnosis(own),
            )
            for method, own in of_method.items()
        ),
        parts=parts(correct, about),
    )


def _sorted_out(records: Iterable[Record], about: About) -> dict[str, list[Record]]:
    of_method: dict[str, list[Record]] = {method: [] for method in about.methods}
    if about.budget_target is not None and about.budget_target not in of_method:
        raise ValueError(
            f"the budget's target {about.budget_target!r} is not among the methods compared: "
            f"{', '.join(about.methods)}"
        )
    seen = set()
    for record in records:
        if record.method not in of_method or record.seed not in about.seeds:
            raise ValueError(
                f"a record of {record.method!r}, seed {record.seed}, is not of this comparison "
                f"(methods {', '.join(about.methods)}; seeds {', '.join(map(str, about.seeds))})"
            )
        if record.key in seen:
            raise ValueError(
                f"question {record.question!r} has two results of {record.method!r}, "
                f"seed {record.seed}: keep one"
            )
        seen.add(record.key)
        of_method[record.method].append(record)
    return of_method


def _references(about: About) -> tuple[str, ...]:
    found = [spec for name in REFERENCES if (spec := _reference(name, about)) is not None]
    primary = () if about.primary is None else about.primary[1:]
    return tuple(dict.fromkeys([*primary, *found]))


def _differences(
    correct: Mapping[str, ByQuestion], references: Sequence[str], about: About
) -> dict[str, list[Difference]]:
    """Return the contrasts of every method with the references, corrected for their number.

    Two references that are compared with each other count once.
    """
    contrasts = {
        (method, other): statistics.paired_contrast(correct[method], correct[other])
        for method in correct
        for other in references
        if other != method and statistics.pairs_of(correct[method], correct[other])
    }
    primary = None if about.primary is None else frozenset(about.primary)
    once = {frozenset(pair): contrast.p for pair, contrast in contrasts.items()}
    others = [pair for pair in once if pair != primary]
    corrected = dict(zip(others, statistics.holm([once[pair] for pair in others]), strict=True))
    found: dict[str, list[Difference]] = {method: [] for method in correct}
    for (method, other), contrast in contrasts.items():
        p_holm = corrected.get(frozenset((method, other)))
        pairs = statistics.pairs_of(correct[method], correct[other])
        questions = statistics.questions_of(correct[method], correct[other])
        margin = about.margin if questions >= LEAST_QUESTIONS else None
        found[method].append(
            Difference(
                to=other,
                pairs=pairs,
                accuracy=contrast.interval,
                p=contrast.p,
                p_holm=p_holm,
                finding=_finding(contrast, p_holm, margin),
                by_seed=statistics.mcnemar(correct[method], correct[other]),
            )
        )
    return found


def _finding(contrast: Contrast, p_holm: float | None, margin: float | None) -> Finding:
    low, high = contrast.interval.low, contrast.interval.high
    if p_holm is None or p_holm < SIGNIFICANCE:
        if low > ROUNDING:
            return "better"
        if high < -ROUNDING:
            return "worse"
    return "as good" if margin is not None and low > -margin else "open"


def _reference(name: str, about: About) -> str | None:
    candidates = [method for method in about.methods if method.partition(":")[0] == name]
    matched = [method for method in candidates if method in about.budget_matched]
    return next(iter([*matched, *candidates]), None)


def _correct(record: Record) -> float:
    return record.correct


def _outcomes(records: Sequence[Record], about: About) -> Outcomes:
    verdicts = Counter(record.verdict for record in _finished(records))
    return Outcomes(
        finished=verdicts.total(),
        correct=verdicts[Verdict.CORRECT.value],
        unparseable=verdicts[Verdict.UNPARSEABLE.value],
        timeout=verdicts[Verdict.TIMEOUT.value],
        failed=len(records) - verdicts.total(),
        missing=about.questions * len(about.seeds) - len(records),
    )


def _accuracy(correct: ByQuestion) -> Accuracy | None:
    if not correct:
        return None
    return Accuracy(
        overall=statistics.accuracy_interval(correct),
        by_seed=tuple(
            SeedAccuracy(seed=seed, accuracy=statistics.seed_interval(correct, seed))
            for seed in statistics.seeds_of(correct)
        ),
    )


def _spending(records: Sequence[Record], target: Sequence[Record] | None) -> Spending | None:
    finished = _finished(records)
    if not finished:
        return None
    costs = [record.cost_usd for record in records if record.cost_usd is not None]
    priced = len(costs) == len(records)
    tokens = _mean(finished, _tokens)
    reached = _finished(target or [])
    target_tokens = _mean(reached, _tokens) if reached else 0.0
    return Spending(
        calls=_mean(finished, lambda record: record.usage.requests),
        prompt_tokens=_mean(finished, lambda record: record.usage.prompt_tokens),
        completion_tokens=_mean(finished, lambda record: record.usage.completion_tokens),
        cached_tokens=_mean(finished, lambda record: record.usage.cached_tokens),
        tokens=tokens,
        tokens_to_target=tokens / target_tokens if target_tokens else None,
        cost_usd=_mean(finished, lambda record: record.cost_usd or 0.0) if priced else None,
        wall_s=_mean(finished, lambda record: record.wall_s),
        longest_prompt_tokens=max(record.longest_prompt_tokens for record in records),
        total_tokens=sum(record.usage.total_tokens for record in records),
        total_cost_usd=sum(costs) if priced else None,
    )


def _diagnosis(records: Sequence[Record]) -> Diagnosis | None:
    finished = _finished(records)
    if not finished:
        return None
    most = max(len(record.rounds) for record in finished)
    voted = any(len(played.answers) > 1 for record in finished for played in record.rounds)
    flips = Counter((_first(record).value_right, _last(record).value_right) for record in finished)
    votes = Counter((_last(record).vote_right, _last(record).value_right) for record in finished)
    return Diagnosis(
        rounds=_mean(finished, lambda record: len(record.rounds)),
        by_round=tuple(_mean(finished, _right_after(played)) for played in range(1, most + 1)),
        first_vote=_mean(finished, lambda record: _first(record).vote_right) if voted else None,
        oracle=_mean(finished, _any_right) if voted else None,
        unanimous=_mean(finished, lambda record: _last(record).unanimous) if voted else None,
        right_to_wrong=flips[True, False] if most > 1 else None,
        wrong_to_right=flips[False, True] if most > 1 else None,
        overruled_right=votes[True, False] if voted else None,
        overruled_wrong=votes[False, True] if voted else None,
    )


def _right_after(played: int) -> Callable[[Record], float]:
    """Return a function: 1 if the answer was right after ``played`` rounds, or all if fewer."""
    return lambda record: record.rounds[:played][-1].value_right


def _any_right(record: Record) -> float:
    return any(any(played.right) for played in record.rounds)


def _tokens(record: Record) -> float:
    return record.usage.total_tokens


def _first(record: Record) -> GradedRound:
    return record.rounds[0]


def _last(record: Record) -> GradedRound:
    return record.rounds[-1]


def _finished(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.failed is None]


def _mean(records: Sequence[Record], value: Callable[[Record], float]) -> float:
    return statistics.mean(by_question(records, value))
