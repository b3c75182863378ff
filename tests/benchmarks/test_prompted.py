"""Tests of the baselines on real models: the bundled ones, and a server on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from benchmarks.comparison.method import Attempt
from benchmarks.comparison.prompted import PromptedMethod
from benchmarks.comparison.records import Item, Record
from benchmarks.comparison.specs import PromptedSpec, build_prompted, parse_spec
from econ_env.config import EnvConfig
from econ_env.game.prompt_fitting import PromptTooLong
from econ_env.llm.budget.prices import Price
from econ_env.questions.arithmetic import ArithmeticQuestions
from econ_env.sampling_action import SamplingAction
from tests.asked import ITEM, asking
from tests.misbehaving_server import MisbehavingServer

pytestmark = pytest.mark.slow

FREE = Price(prompt_usd_per_million=0.0, completion_usd_per_million=0.0)
ARITHMETIC = ArithmeticQuestions(split="test", seed=77, size=3)
ITEMS = [Item(question=ARITHMETIC[index], run_seed=0) for index in range(3)]


def answered(config: EnvConfig, text: str, items: Sequence[Item] = ITEMS) -> list[Record]:
    spec = parse_spec(text)
    assert isinstance(spec, PromptedSpec)
    models = config.models()
    prompted = build_prompted(spec, config, models)
    return list(PromptedMethod(prompted, models, {}, in_flight=3).answer(items))


@pytest.mark.exhaustive
def test_bundled_models_discuss_and_conclude() -> None:
    config = EnvConfig(llm="bundled")
    debate = answered(config, "debate:rounds=2")
    best = answered(config, "best_of_n_commit:n=2,temperature=0.7")
    for records in (debate, best):
        assert [record.failed for record in records] == [None] * 3
        assert [record.question for record in records] == [item.question.id for item in ITEMS]
        assert any(record.correct for record in records)
    for said, concluded in zip(debate, best, strict=True):
        first, second = said.rounds
        # Both begin with the same request: the same seed, model and prompt.
        assert first.answers[0] == concluded.rounds[0].answers[0]
        assert None not in second.answers
        assert second.usage.prompt_tokens > first.usage.prompt_tokens
        assert said.usage == first.usage + second.usage


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer("vllm") as running:
        yield running


def on_server(server: MisbehavingServer) -> EnvConfig:
    return EnvConfig(llm=f"vllm:m@{server.url}")


def test_samples_of_one_model_travel_as_one_request(server: MisbehavingServer) -> None:
    (record,) = answered(on_server(server), "self_consistency:k=3", ITEMS[:1])
    assert [chat.body["n"] for chat in server.chats] == [3]
    assert record.failed is None
    assert len(record.rounds[0].answers) == 3


def test_a_failed_request_is_a_failure_and_no_wrong_answer(server: MisbehavingServer) -> None:
    server.schedule("400")
    (record,) = answered(on_server(server), "cot", ITEMS[:1])
    assert "400" in str(record.failed)
    assert (record.verdict, record.rounds, record.correct) == ("", (), False)


@dataclass(frozen=True)
class TooLong:
    """A method whose second prompt is too long."""

    model: str
    spec = "too_long"

    def play(self, item: Item) -> Attempt:
        yield [
            asking().request(
                item,
                self.model,
                sampling=SamplingAction(temperature=0.0, repetition_penalty=1.0),
                index=0,
            )
        ]
        raise PromptTooLong("no cut makes it fit")


@pytest.mark.parametrize("known", [False, True])
def test_a_prompt_that_fits_nowhere_is_a_failure_with_what_was_spent(
    server: MisbehavingServer, known: bool
) -> None:
    config = on_server(server)
    name = config.team().executors[0]
    prices = {name: FREE} if known else {}
    method = PromptedMethod(TooLong(name), config.models(), prices, in_flight=1)
    (record,) = method.answer([ITEM])
    assert record.failed == "no cut makes it fit"
    assert record.usage.requests == 1
    assert record.cost_usd == (0.0 if known else None)
