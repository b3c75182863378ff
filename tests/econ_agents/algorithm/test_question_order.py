"""An evaluation plays every question once before any comes again."""

from __future__ import annotations

import pytest

from econ_agents.algorithm.builders import build_networks, build_policy, build_teams
from econ_agents.algorithm.question_order import question_order
from econ_agents.algorithm.rollout import play_episodes
from econ_agents.environments import Teams
from econ_env.questions import load_questions
from tests.econ_agents.builders import toy_teams
from tests.econ_agents.small_runs import small_config


@pytest.fixture
def teams() -> Teams:
    return build_teams(small_config("train.in_flight=4"), "test")


def test_no_question_comes_twice_before_all_were_played(teams: Teams) -> None:
    size = teams.num_questions(1)
    assert size is not None
    order = question_order(teams, size + 30, seed=0, purpose="test")
    assert order.numbers is not None
    assert sorted(order.numbers[:size]) == list(range(size))
    assert len(set(order.numbers[size:])) == 30
    assert order.numbers[size:] != order.numbers[:30]
    assert order.note is not None
    assert f"the data set has {size} questions" in order.note
    assert f"start over after {size}" in order.note


def test_an_evaluation_within_the_data_set_has_nothing_to_note(teams: Teams) -> None:
    order = question_order(teams, 50, seed=0, purpose="test")
    assert order.numbers is not None
    assert len(set(order.numbers)) == 50
    assert order.note is None


def test_the_order_depends_on_the_seed_and_the_purpose_alone(teams: Teams) -> None:
    def numbers(seed: int, purpose: str) -> list[int] | None:
        return question_order(teams, 20, seed=seed, purpose=purpose).numbers

    assert numbers(0, "test") == numbers(0, "test")
    assert numbers(0, "test") != numbers(1, "test")
    assert numbers(0, "test") != numbers(0, "probe")


def test_an_environment_without_questions_chooses_by_its_seeds() -> None:
    order = question_order(toy_teams(2), 5, seed=0, purpose="test")
    assert (order.numbers, order.note) == (None, None)


def test_the_questions_asked_for_are_those_played_in_any_number_of_places() -> None:
    asked = [5, 3, 8, 0, 2, 7]
    seen = []
    for places in (4, 1):
        teams = build_teams(small_config(f"train.in_flight={places}"), "test", bne=False)
        config = small_config("test.streams=6")
        policy = build_policy(config, build_networks(config, teams.space), teams.space, "test")
        texts: list[str] = []

        def watch(place: int, _: object, teams: Teams = teams, texts: list[str] = texts) -> None:
            trace = teams.trace(place)
            assert trace is not None
            texts.append(trace["question"]["id"])

        played = play_episodes(
            teams,
            policy,
            range(6),
            questions=asked,
            watch=watch,
        )
        assert len(played) == 6
        seen.append(texts)
        teams.close()
    assert seen[0] == seen[1]
    pool = load_questions("simulated", split="test")
    assert seen[0] == [pool[number].id for number in asked]
