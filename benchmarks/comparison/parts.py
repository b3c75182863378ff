"""Worth of each part of ECON: differences between arms of which one lacks the part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from benchmarks.comparison import statistics
from benchmarks.comparison.findings import About, Part
from benchmarks.comparison.specs import (
    BestOfNCommitSpec,
    EconFixedSpec,
    EconProfileSpec,
    EconSpec,
    EconUntrainedSpec,
    FirstRoundVoteSpec,
    Spec,
    parse_spec,
)
from benchmarks.comparison.statistics import ByQuestion
from econ_env.game.closing_rules import CommitmentRule


def parts(correct: Mapping[str, ByQuestion], about: About) -> tuple[Part, ...]:
    """Return the worth of every part for which both arms were played, with its interval.

    These are estimates, not tests: they carry no finding, and no correction for their number.

    Args:
        correct: 1 for a right answer and 0 for a wrong one, by method.
        about: the comparison, whose methods may have been tuned.
    """
    found = []
    for part, ours, theirs in _pairs(about):
        pairs = statistics.pairs_of(correct[ours], correct[theirs])
        if pairs:
            contrast = statistics.paired_contrast(correct[ours], correct[theirs])
            found.append(
                Part(part=part, ours=ours, theirs=theirs, pairs=pairs, accuracy=contrast.interval)
            )
    return tuple(found)


def _pairs(about: About) -> Iterator[tuple[str, str, str]]:
    """Yield a part, the arm that has it, and the arm that differs from it by this part alone."""
    specs = {method: parse_spec(method) for method in about.methods}
    tuned = frozenset(parse_spec(each.chosen) for each in about.tuned)
    for ours, spec in specs.items():
        for theirs, other in specs.items():
            part = _part(spec, other, about, tuned)
            if part is not None:
                yield part, ours, theirs


def _part(ours: Spec, theirs: Spec, about: About, tuned: Set[Spec]) -> str | None:
    """Return the name of the part that ``ours`` has and ``theirs`` lacks; None if there is none.

    Args:
        ours: the arm that may have a part more.
        theirs: the other arm.
        about: the comparison.
        tuned: arms whose sampling was tuned.
    """
    if isinstance(theirs, FirstRoundVoteSpec):
        return "conclusion" if theirs.of == ours.canonical else None
    if isinstance(ours, EconSpec) and isinstance(theirs, EconFixedSpec | EconProfileSpec):
        # A constant action ends a decision after one round: with more, refinement would be in it.
        alike = ours.rounds == 1 and _game(ours) == _game(theirs)
        if not (about.all_learned and alike and theirs in tuned):
            return None
        return "learning" if isinstance(theirs, EconFixedSpec) else "choice by question"
    if isinstance(ours, EconProfileSpec) and isinstance(theirs, EconFixedSpec):
        both = {ours, theirs} <= tuned
        return "choice by executor" if both and _game(ours) == _game(theirs) else None
    if isinstance(ours, EconSpec) and isinstance(theirs, EconSpec):
        refined = ours.rounds > theirs.rounds == 1 and _game(ours)[1:] == _game(theirs)[1:]
        return "refinement" if refined else None
    if isinstance(ours, EconFixedSpec) and isinstance(theirs, BestOfNCommitSpec):
        as_many = about.executors in (None, theirs.n) and theirs.model is None
        plain = _game(ours) == _game(EconFixedSpec())
        sampled_alike = {ours, theirs} <= tuned or (
            ours.temperature == theirs.temperature
            and ours.repetition_penalty == theirs.repetition_penalty
        )
        one_part = about.with_strategy and as_many and plain and sampled_alike
        return "strategy" if one_part else None
    return None


def _game(spec: EconUntrainedSpec) -> tuple[int, CommitmentRule | None, int | None]:
    return spec.rounds, spec.rule, spec.group_size
