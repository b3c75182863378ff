"""Worth of each part of ECON: differences between arms of which one lacks the part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.comparison import statistics
from benchmarks.comparison.findings import About, Part
from benchmarks.comparison.statistics import ByQuestion

_VOTE = "first_round_vote"
_ARMS = (
    ("learning", "econ", "econ_fixed"),
    ("strategy", "econ_fixed", "best_of_n_commit"),
)
"""Part, the method that has it, and the method that differs from it by this part alone."""


def parts(correct: Mapping[str, ByQuestion], about: About) -> tuple[Part, ...]:
    """Return the worth of every part for which both arms were played, with its interval.

    These are estimates, not tests: they carry no finding, and no correction for their number.

    Args:
        correct: 1 for a right answer and 0 for a wrong one, by method.
        about: the comparison, whose methods may have been tuned.
    """
    found = []
    for part, ours, theirs in _pairs(about.methods):
        pairs = statistics.pairs_of(correct[ours], correct[theirs])
        if pairs:
            contrast = statistics.paired_contrast(correct[ours], correct[theirs])
            found.append(
                Part(part=part, ours=ours, theirs=theirs, pairs=pairs, accuracy=contrast.interval)
            )
    return tuple(found)


def _pairs(methods: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for part, *names in _ARMS:
        ours, theirs = (_first(name, methods) for name in names)
        if ours is not None and theirs is not None:
            yield part, ours, theirs
    for vote in methods:
        name, _, settings = vote.partition(":")
        if name == _VOTE:
            ours = _first(settings.removeprefix("of=") or "econ", methods)
            if ours is not None:
                yield "conclusion", ours, vote
    for ours in methods:
        if ours.startswith("econ:rounds=") and "econ" in methods:
            yield "refinement", ours, "econ"


def _first(spec: str, methods: tuple[str, ...]) -> str | None:
    """Return the method of this spec, else the first one of this name and further settings."""
    if spec in methods:
        return spec
    begin = f"{spec}," if ":" in spec else f"{spec}:"
    return next((method for method in methods if method.startswith(begin)), None)
