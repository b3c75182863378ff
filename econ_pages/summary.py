"""Results of games in a few plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from econ_pages.games import Game
from econ_pages.text import plural

_MOST_NAMED = 4
"""Most models, and most groups of games, that are told one by one."""


def summarise(games: Sequence[Game]) -> list[str]:
    """Sentences on how often the team was right and for how much, one per file or arm of a test."""
    groups: dict[tuple[str, str], list[Game]] = {}
    for game in games:
        groups.setdefault((game.source, game.arm), []).append(game)
    if not 1 < len(groups) <= _MOST_NAMED:
        return [_sentence(games)]
    of_one_file = len({source for source, _ in groups}) == 1
    return [
        f"{len(games):,} games:",
        *(
            f"{arm if of_one_file or arm else source}: {_sentence(played)}"
            for (source, arm), played in groups.items()
        ),
    ]


def players(games: Sequence[Game]) -> str:
    """The models that played, by their part, as in ``executors a, b, c · coordinator d``."""
    rounds = [each for game in games for decision in game.decisions for each in decision.rounds]
    executors = (made.model for each in rounds for made in each.responses)
    coordinators = (made.model for each in rounds for made in each.commitments if made.called)
    named = {"executors": _names(executors), "coordinator": _names(coordinators)}
    return " · ".join(f"{part} {names}" for part, names in named.items() if names)


def _names(models: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(model for model in models if model))
    rest = len(distinct) - _MOST_NAMED
    return ", ".join(distinct[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _sentence(games: Sequence[Game]) -> str:
    played = [game for game in games if game.failed is None]
    judged = [game for game in played if game.correct is not None]
    right = sum(game.correct is True for game in judged)
    said = [_level(right, judged, played)]
    if any(game.flipped for game in played):
        helped = sum(game.flipped == "wrong to right" for game in played)
        harmed = sum(game.flipped == "right to wrong" for game in played)
        said.append(
            f"Later rounds turned {_count(helped, 'wrong answer')} right and "
            f"{_count(harmed, 'right answer')} wrong."
        )
    if len(played) < len(games):
        failed = len(games) - len(played)
        said.append(f"{failed:,} failed and {'does' if failed == 1 else 'do'} not count.")
    return " ".join(said)


def _level(right: int, judged: Sequence[Game], played: Sequence[Game]) -> str:
    if not played:
        return "No game was played to its end."
    counted = judged or played
    tokens = sum(game.tokens.total for game in counted) / len(counted)
    rounds = sum(len(each.rounds) for game in counted for each in game.decisions) / len(counted)
    spent = f"for {tokens:,.0f} tokens a question, in {rounds:.3g} {plural(rounds, 'round')}."
    if judged:
        share = f"{right:,} of {len(judged):,} questions right ({right / len(judged):.1%})"
        return f"The team answered {share}, {spent}"
    return f"The team answered {_count(len(played), 'question')}, {spent} No answer is judged."


def _count(number: int, name: str) -> str:
    return f"{number:,} {plural(number, name)}"
