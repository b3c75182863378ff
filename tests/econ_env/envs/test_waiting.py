"""Words on what games wait for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from econ_env import BatchedEconEnv, EnvConfig
from econ_env.envs.waiting import Waiting
from econ_env.game.transcript import Transcript
from econ_env.llm import ChatRequest, Completion
from econ_env.llm.in_flight import InFlight
from tests.support import RecordingModel


def test_it_says_who_does_what_and_for_how_long_it_is_waited() -> None:
    now_s = 10.0
    waiting = Waiting(clock=lambda: now_s)
    assert waiting.describe(InFlight()) == ""
    waiting.asked("a", "execute")
    now_s = 40.0
    waiting.asked("b", "execute")
    now_s = 52.0
    said = "executors answer; 2 requests in flight, slowest 42 s"
    assert waiting.describe(InFlight()) == said
    waiting.answered("a")
    assert waiting.describe(InFlight()) == "executors answer; 1 request in flight, slowest 12 s"
    waiting.clear()
    assert waiting.describe(InFlight()) == ""


def test_a_model_that_tells_of_its_requests_knows_better() -> None:
    waiting = Waiting(clock=lambda: 0.0)
    for place in range(6):
        waiting.asked(place, "commit")
    told = InFlight(sent=2, waiting=4, slowest_s=42.4, retried={"time-out": 1})
    assert waiting.describe(told) == (
        "the coordinator concludes; 2 requests in flight, 4 waiting, slowest 42 s, "
        "1 retried (time-out)"
    )


def test_games_in_different_phases_are_counted_apart() -> None:
    waiting = Waiting(clock=lambda: 0.0)
    for place, role in enumerate(("execute", "execute", "commit")):
        waiting.asked(place, "execute" if role == "execute" else "commit")
    said = waiting.describe(InFlight())
    assert said.startswith("executors answer (2), the coordinator concludes (1); 3 requests")


def test_the_requests_of_several_models_add_up() -> None:
    one = InFlight(sent=1, slowest_s=3.0, retried={"time-out": 1})
    other = InFlight(sent=2, waiting=1, slowest_s=2.0, retried={"time-out": 1, "throttled": 1})
    both = one + other
    assert (both.sent, both.waiting, both.slowest_s) == (3, 1, 3.0)
    assert both.retried == {"time-out": 2, "throttled": 1}


def test_an_environment_says_what_it_waits_for_while_a_model_answers() -> None:
    said: list[str] = []

    class Slow(RecordingModel):
        def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
            said.append(env.status.partition(",")[0])
            return super().generate(requests)

    config = EnvConfig(
        dataset="simulated", llm=Slow(), prompts="compact", embedder="hashing", strategy=True
    )
    env = BatchedEconEnv(config, num_questions=1)
    env.reset()
    env.step({agent: np.zeros((1, 2), np.float32) for agent in env.agents})
    assert said == [
        "the coordinator plans; 1 request in flight",
        "executors answer; 3 requests in flight",
        "the coordinator concludes; 1 request in flight",
    ]
    assert env.status == ""


def test_a_game_is_shown_whenever_it_goes_on() -> None:
    shown: list[tuple[int, int, int, bool]] = []

    def note(transcript: Transcript) -> None:
        rounds = list(transcript.rounds())
        paid = any(decision.rewards for decision in transcript.decisions)
        count = (sum(len(r.executors) for r in rounds), sum(len(r.commitments) for r in rounds))
        shown.append((len(transcript.strategies), *count, paid))

    config = EnvConfig(dataset="simulated", llm="simulated")
    env = BatchedEconEnv(config, num_questions=1, watch=note)
    env.reset()
    env.step({agent: np.zeros((1, 2), np.float32) for agent in env.agents})
    assert list(dict.fromkeys(shown)) == [
        (0, 0, 0, False),
        (1, 0, 0, False),
        (1, 3, 0, False),
        (1, 3, 1, True),
    ]
