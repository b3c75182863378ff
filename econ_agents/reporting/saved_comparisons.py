"""Comparisons with other methods in the folder of a run, as ``benchmarks/compare.py`` left them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from econ_agents.reporting.saved_results import needed_interval, read_json
from econ_agents.statistics import Interval
from econ_pages.errors import PageError
from econ_pages.fields import Fields

FOLDER, FILE = "comparisons", "comparison.json"
"""Folder of the comparisons of a run, and the file in the folder of each of them."""
MOST = 50
"""Most comparisons of a run, and most methods of a comparison, that are read."""

_AGAIN = "compare again, or move the folder of this comparison away"

Finding: TypeAlias = Literal["better", "worse", "as good", "open"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Accuracy of one method minus that of another, on the same questions."""

    to: str
    """Name of the other method."""
    accuracy: Interval
    finding: Finding


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """Results of one method."""

    name: str
    """Name with settings, as in ``self_consistency:k=8``."""
    finished: int
    """Number of answers, over all seeds."""
    correct: int
    accuracy: Interval | None
    """None if nothing was answered."""
    tokens: float | None
    """Tokens per question; None if nothing was answered."""
    differences: tuple[Difference, ...]

    def minus(self, other: str) -> Difference | None:
        """Difference to another method; None if they were not compared."""
        return next((each for each in self.differences if each.to == other), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Worth of a part of the method: difference of two arms of which one lacks it."""

    name: str
    ours: str
    theirs: str
    worth: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedComparison:
    """Methods that answered the same questions."""

    folder: str
    """Name of its folder."""
    dataset: str
    llm: str
    questions: int
    seeds: int
    """Number of seeds, with each of which all questions were answered."""
    primary: tuple[str, str] | None
    """Contrast that was named before the run: a method, and the one that it is compared with."""
    target: str | None
    """Method whose tokens others were matched to."""
    matched: tuple[str, ...]
    """Methods that were matched to them."""
    tuned: frozenset[str]
    """Kinds of the methods whose sampling was tuned, such as ``self_consistency``; empty if none
    was, or if an older version compared."""
    margin: float
    """Loss of accuracy that still counts as "as good as"."""
    methods: tuple[Method, ...]
    parts: tuple[Part, ...]
    """Empty if no arm lacked a part, or if an older version compared."""

    @property
    def reference(self) -> str | None:
        """Method to compare the others with: of the primary contrast, else a vote, else greedy."""
        if self.primary is not None:
            return self.primary[1]
        compared = list(dict.fromkeys(d.to for method in self.methods for d in method.differences))
        usual = [
            each
            for kind in ("self_consistency", "greedy")
            for each in compared
            if each.partition(":")[0] == kind
        ]
        return next(iter([*usual, *compared]), None)

    def method(self, name: str) -> Method | None:
        """Results of a method; None if there are none."""
        return next((each for each in self.methods if each.name == name), None)


def read_comparisons(run: Path) -> list[SavedComparison]:
    """Read ``comparisons/*/comparison.json`` of a run, by name; [] if there are none.

    Raises:
        PageError: a file is damaged, a link, or one too many; the message names the place.
    """
    folder = run / FOLDER
    try:
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        places = [place for place in inside if (place / FILE).exists()]
    except OSError as error:
        raise PageError(f"{folder} cannot be read: {error.strerror}") from error
    for place in [folder, *places]:
        if place.is_symlink():
            raise PageError(f"{place} is a link, which may lead anywhere: put the folder there")
    if len(places) > MOST:
        raise PageError(f"{folder} holds {len(places)} comparisons, and at most {MOST} are read")
    return [_comparison(place) for place in places]


def _comparison(place: Path) -> SavedComparison:
    data = Fields(read_json(place / FILE, _AGAIN), f"{place.name}/{FILE}")
    about, methods = data.object("about"), data.objects("methods")
    if len(methods) > MOST:
        raise PageError(f"{data.where} has {len(methods)} methods, and at most {MOST} are read")
    return SavedComparison(
        folder=place.name,
        dataset=_needed(about, "dataset"),
        llm=_needed(about, "llm"),
        questions=about.count("questions"),
        seeds=len(about.numbers("seeds")),
        primary=_pair(about, "primary"),
        target=about.text("budget_target"),
        matched=about.texts("budget_matched"),
        tuned=frozenset(
            _needed(each, "method").partition(":")[0] for each in about.objects("tuned")
        ),
        margin=about.number("margin") or 0.0,
        methods=tuple(_method(method) for method in methods),
        parts=tuple(_part(part) for part in data.objects("parts")[:MOST]),
    )


def _method(data: Fields) -> Method:
    outcomes, accuracy = data.object("outcomes"), data.object("accuracy")
    return Method(
        name=_needed(data, "method"),
        finished=outcomes.count("finished"),
        correct=outcomes.count("correct"),
        accuracy=needed_interval(accuracy.object("overall"), _AGAIN)
        if "accuracy" in data
        else None,
        tokens=data.object("spending").number("tokens"),
        differences=tuple(_difference(each) for each in data.objects("differences")),
    )


def _difference(data: Fields) -> Difference:
    return Difference(
        to=_needed(data, "to"),
        accuracy=needed_interval(data.object("accuracy"), _AGAIN),
        finding=_finding(data),
    )


def _part(data: Fields) -> Part:
    return Part(
        name=_needed(data, "part"),
        ours=_needed(data, "ours"),
        theirs=_needed(data, "theirs"),
        worth=needed_interval(data.object("accuracy"), _AGAIN),
    )


def _finding(data: Fields) -> Finding:
    said = _needed(data, "finding")
    known: tuple[Finding, ...] = get_args(Finding)
    for finding in known:
        if finding == said:
            return finding
    raise PageError(f"{data.where}.finding must be one of {', '.join(known)}, got {said[:40]!r}")


def _pair(data: Fields, name: str) -> tuple[str, str] | None:
    texts = data.texts(name)
    if len(texts) not in (0, 2):
        raise PageError(f"{data.where}.{name} must have two methods, got {len(texts)}")
    return (texts[0], texts[1]) if texts else None


def _needed(data: Fields, name: str) -> str:
    text = data.text(name)
    if text is None:
        raise PageError(f"{data.where} lacks {name}: {_AGAIN}")
    return text
