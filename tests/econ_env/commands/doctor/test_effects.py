"""Replies count as changed by a setting, or by chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.commands.doctor.effects import Cell, Effect, distance, judge
from econ_env.commands.doctor.sampler import PROMPTS, Question, Sampler

texts = st.text(alphabet="ab ", max_size=6)


def cells(*rows: tuple[str, str, str, str]) -> list[Cell]:
    return [Cell(first=(a, b), second=(c, d)) for a, b, c, d in rows]


def test_equal_replies_throughout_mean_no_effect() -> None:
    effect = judge(cells(*[("x", "x", "x", "x")] * 5), large=False)
    assert (effect.kind, effect.p_value, effect.changed, effect.repeated) == ("none", 1.0, 0, 10)


def test_a_server_that_repeats_itself_needs_two_changed_cells() -> None:
    same, other = ("x y", "x y", "x y", "x y"), ("x y", "x y", "z y", "z y")
    assert judge(cells(other, other, same, same, same), large=False).kind == "works"
    assert judge(cells(other, same, same, same, same), large=False).kind == "unclear"


def test_a_server_that_never_repeats_itself_shows_nothing_small_and_no_effect_of_large_ones() -> (
    None
):
    noise = cells(*[("aa", "bb", "cc", "dd")] * 5)
    assert judge(noise, large=False).kind == "unclear"
    assert judge(noise, large=True).kind == "none"


def test_a_temperature_shows_on_a_server_without_seeds() -> None:
    cold_and_hot = cells(*[("the sea is", "the sea was", "purple", "xylem")] * 5)
    assert judge(cold_and_hot, large=True).kind == "works"


@given(st.lists(st.tuples(texts, texts, texts, texts), min_size=1, max_size=4))
def test_which_value_is_called_the_first_does_not_matter(
    rows: list[tuple[str, str, str, str]],
) -> None:
    turned = [(c, d, a, b) for a, b, c, d in rows]
    one, other = judge(cells(*rows), large=False), judge(cells(*turned), large=False)
    assert (one.kind, one.changed, one.repeated) == (other.kind, other.changed, other.repeated)
    assert one.p_value == pytest.approx(other.p_value)


@given(texts, texts)
def test_distance_is_symmetric_and_zero_for_equal_texts_only(one: str, other: str) -> None:
    assert distance(one, other) == distance(other, one)
    assert (distance(one, other) == 0) == (one == other)
    assert 0 <= distance(one, other) <= 1


# --- how often a verdict is wrong -------------------------------------------------------------

Server = Callable[[float, Question, random.Random], str]


def speak(heat: float, rng: random.Random) -> str:
    """Twelve words; each is the usual one unless the heat has it replaced by another."""
    return " ".join(f"w{rng.randrange(99)}" if rng.random() < heat else "w" for _ in range(12))


def verdicts(server: Server, first: float, second: float, *, large: bool) -> list[Effect]:
    """Findings of 100 doctors about a server."""
    found = []
    for number in range(100):
        rng = random.Random(number)

        def ask(value: float, questions: Sequence[Question], rng: random.Random = rng) -> list[str]:
            return [server(value, question, rng) for question in questions]

        found.append(Sampler(ask).effect(first, second, large=large))
    return found


def share(effects: Sequence[Effect], kind: str) -> float:
    return sum(effect.kind == kind for effect in effects) / len(effects)


def test_without_seeds_a_working_temperature_is_hardly_ever_called_dead() -> None:
    found = verdicts(lambda heat, _, rng: speak(heat, rng), 0.05, 0.9, large=True)
    assert share(found, "works") > 0.98
    assert share(found, "none") == 0


@pytest.mark.parametrize("heat", [0.05, 0.5, 0.9])
def test_without_seeds_a_dead_temperature_is_rarely_said_to_work(heat: float) -> None:
    found = verdicts(lambda _, __, rng: speak(heat, rng), 0.1, 2.0, large=True)
    assert share(found, "works") < 0.05
    assert share(found, "none") > 0.6


def test_a_weak_penalty_on_a_nearly_greedy_server_is_never_called_dead() -> None:
    def server(penalty: float, question: Question, rng: random.Random) -> str:
        changed = penalty > 1 and question.prompt != PROMPTS[0]
        return ("v" if changed else "w") + speak(0.05, rng)

    found = verdicts(server, 1.0, 1.5, large=False)
    assert share(found, "works") > 0.95
    assert share(found, "none") == 0


def test_a_dead_penalty_on_a_nearly_greedy_server_is_found_dead() -> None:
    found = verdicts(lambda _, __, rng: speak(0.03, rng), 1.0, 1.5, large=False)
    assert share(found, "works") < 0.05
    assert share(found, "none") > 0.6


def test_equal_requests_are_asked_twice_and_kept() -> None:
    asked: list[tuple[float, int]] = []

    def ask(value: float, questions: Sequence[Question]) -> list[str]:
        asked.append((value, len({question.prompt for question in questions})))
        return [f"{value} {question.seed}" for question in questions]

    sampler: Sampler[float] = Sampler(ask)
    assert sampler.effect(1.0, 2.0, large=True).kind == "works"
    assert sampler.effect(1.0, 3.0, large=True).kind == "works"
    five = len(PROMPTS)
    assert asked == [(1.0, five), (2.0, five)] * 2 + [(3.0, five)] * 2
