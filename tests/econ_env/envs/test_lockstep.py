"""Games go on as soon as their own answers are there, where a model takes requests meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from econ_env import BatchedEconEnv, batched_parallel_env
from econ_env.llm import ModelError
from econ_env.llm.incremental import Answers, Feed
from econ_env.llm.types import ChatRequest, Completion
from tests.support import RecordingModel

SLOW = 40


class Streamed(RecordingModel):
    """A simulated model that answers one step after the other, late for some requests.

    Everything takes one step, the responses to a chosen question ``SLOW`` ones.
    """

    streams = True

    def __init__(self, name: str, *, stop_after: int | None = None) -> None:
        super().__init__(name)
        self.seen: list[tuple[str, ChatRequest]] = []
        self.slow: str | None = None
        self.stop_after = stop_after
        self.closed_early = 0

    def answer(self, feed: Feed) -> Answers:
        under_way: dict[int, tuple[ChatRequest, int]] = {}
        count = step = 0
        try:
            while True:
                requests = feed()
                for position, request in enumerate(requests, start=count):
                    self.seen.append(("asked", request))
                    under_way[position] = request, step + self._steps(request)
                count += len(requests)
                if not requests and not under_way:
                    return
                step += 1
                for position in [p for p, (_, due) in under_way.items() if due <= step]:
                    request, _ = under_way.pop(position)
                    if self.stop_after is not None and len(self.seen) >= self.stop_after:
                        raise KeyboardInterrupt
                    self.seen.append(("answered", request))
                    yield position, self.generate([request])[0]
        finally:
            self.closed_early += bool(under_way)

    def _steps(self, request: ChatRequest) -> int:
        slow = self.slow is not None and _is_of(request, self.slow)
        return SLOW if slow and request.role == "execute" else 1


def make(count: int, llm: Any, **settings: Any) -> BatchedEconEnv:
    base = {"dataset": "simulated", "prompts": "compact", "embedder": "hashing"}
    return batched_parallel_env(count, llm=llm, **{**base, **settings})


def step(env: BatchedEconEnv) -> Any:
    middle = np.zeros((env.num_questions, 2), dtype=np.float32)
    return env.step(dict.fromkeys(env.agents, middle))


def played(env: BatchedEconEnv) -> list[Any]:
    env.reset(seed=0)
    while env.active.any():
        step(env)
    return env.transcripts


def test_a_commitment_does_not_wait_for_another_questions_slowest_response() -> None:
    model = Streamed("m")
    env = make(4, model)
    env.reset(seed=0)
    texts = [transcript.question.text for transcript in env.transcripts]
    assert len(set(texts)) == 4
    model.slow, model.seen = texts[1], []
    step(env)
    answered = [request for kind, request in model.seen if kind == "answered"]
    first_late = next(i for i, one in enumerate(answered) if _is_of(one, texts[1]))
    commitments = [i for i, one in enumerate(answered) if one.role == "commit"]
    assert len([i for i in commitments if i < first_late]) == 3
    assert _is_of(answered[-1], texts[1])


def _is_of(request: ChatRequest, question: str) -> bool:
    return question in request.messages[-1].content


@pytest.mark.parametrize("rounds", [{}, {"bne_rounds": 3, "max_rounds": 2}])
def test_games_are_the_same_as_phase_by_phase(rounds: dict[str, int]) -> None:
    streaming, phases = Streamed("m"), RecordingModel("m")
    assert played(make(6, streaming, **rounds)) == played(make(6, phases, **rounds))
    assert streaming.closed_early == 0


def test_models_that_stream_and_models_that_do_not_play_together() -> None:
    def team(model: RecordingModel) -> dict[str, Any]:
        return {"llm": [model, RecordingModel("b"), model], "coordinator": RecordingModel("c")}

    mixed, plain = team(Streamed("a")), team(RecordingModel("a"))
    assert played(make(5, **mixed)) == played(make(5, **plain))
    # One call per phase of the others, as ever: strategies, responses, commitments.
    assert mixed["coordinator"].calls == plain["coordinator"].calls == [5, 5]
    assert mixed["llm"][1].calls == plain["llm"][1].calls == [5]


def test_two_models_that_stream_answer_in_turn() -> None:
    def games(a: RecordingModel, b: RecordingModel) -> list[Any]:
        return played(make(5, [a, b, a], coordinator=b))

    assert games(Streamed("a"), Streamed("b")) == games(RecordingModel("a"), RecordingModel("b"))


def test_an_interrupt_keeps_what_was_answered_and_gives_up_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    model = Streamed("m", stop_after=25)
    env = make(4, model, cache="read_write", cache_path=path)
    with pytest.raises(KeyboardInterrupt):
        played(env)
    env.close()
    answered = [request for kind, request in model.seen if kind == "answered"]
    assert answered

    again = Streamed("m")
    env = make(4, again, cache="read_write", cache_path=path)
    transcripts = played(env)
    env.close()
    asked = [request for kind, request in again.seen if kind == "asked"]
    assert asked
    assert not set(answered) & set(asked)
    assert transcripts == played(make(4, Streamed("m")))


def test_equal_requests_are_asked_once_and_hits_need_no_model(tmp_path: Path) -> None:
    settings = {"cache": "read_write", "cache_path": tmp_path / "cache.sqlite"}
    model = Streamed("m")
    env = make(3, model, **settings)
    first = played(env)
    env.close()
    asked = len(model.seen)
    env = make(3, model, **settings)
    assert played(env) == first
    assert len(model.seen) == asked
    assert env.usage.requests == 0
    assert env.usage_from_cache.requests > 0
    env.close()


def test_under_a_budget_games_go_phase_by_phase_and_the_limit_holds() -> None:
    model = Streamed("m")
    env = make(3, model, max_requests=8)
    with pytest.raises(ModelError, match="max_requests=8"):
        played(env)
    assert model.seen == []
    assert env.spending.requests <= 8


def test_what_is_asked_of_a_model_that_streams_is_counted() -> None:
    env, plain = make(3, Streamed("m")), make(3, RecordingModel("m"))
    played(env)
    played(plain)
    assert env.usage == plain.usage
    assert env.spending == plain.spending


def test_a_model_that_leaves_requests_unanswered_is_said_by_name() -> None:
    class Silent(Streamed):
        def answer(self, feed: Feed) -> Answers:
            feed()
            return
            yield

    with pytest.raises(ModelError, match="'m' left 3 requests without an answer"):
        make(3, Silent("m")).reset(seed=0)


class OnServer(RecordingModel):
    """A simulated model that waits for the others of its phase before it answers."""

    remote = True

    def __init__(self, name: str, together: threading.Barrier) -> None:
        super().__init__(name)
        self._together = together

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        if requests[0].role == "execute":
            self._together.wait(20)
        return super().generate(requests)


def test_executors_on_several_servers_answer_at_the_same_time_and_play_the_same() -> None:
    together = threading.Barrier(3)
    servers = [OnServer(name, together) for name in "abc"]
    plain = [RecordingModel(name) for name in "abc"]
    assert played(make(4, servers)) == played(make(4, plain))
    assert [model.log for model in servers] == [model.log for model in plain]
    assert [model.calls for model in servers] == [model.calls for model in plain]


def test_servers_and_models_of_this_process_play_together(tmp_path: Path) -> None:
    def team(kind: Any) -> dict[str, Any]:
        return {
            "llm": [kind("a"), RecordingModel("b"), kind("c")],
            "coordinator": RecordingModel("d"),
            "cache": "read_write",
            "cache_path": tmp_path / f"{kind.__name__}.sqlite",
            "max_requests": 1000,
        }

    class Waiting(OnServer):
        def __init__(self, name: str) -> None:
            super().__init__(name, pair)

    pair = threading.Barrier(2)
    first, second = make(4, **team(Waiting)), make(4, **team(RecordingModel))
    assert played(first) == played(second)
    assert (first.usage, first.spending) == (second.usage, second.spending)
    first.close()
    second.close()


def test_a_model_that_answers_too_little_is_said_by_name_and_ends_the_others() -> None:
    class Short(RecordingModel):
        remote = True

        def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
            answers = super().generate(requests)
            return answers[:-1] if requests[0].role == "execute" else answers

    env = make(3, [Short("a"), Short("b"), RecordingModel("c")], coordinator=RecordingModel("d"))
    env.reset(seed=0)
    with pytest.raises(ModelError, match=r"model '[ab]' returned 2 completions for 3 requests"):
        step(env)
