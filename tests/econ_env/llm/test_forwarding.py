"""A model that passes everything on."""

from __future__ import annotations

from collections.abc import Sequence

from econ_env.llm.forwarding import ForwardingModel
from econ_env.llm.incremental import Incremental
from econ_env.llm.types import ChatModel, ChatRequest, Completion, MeasuresTemplate, Message


class Upper:
    context_limit: int | None = 70
    tokens_per_message = 5

    def __init__(self) -> None:
        self.name = "upper"
        self.closed = 0

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        return [Completion(text=request.messages[0].content.upper()) for request in requests]

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        self.closed += 1


def ask(content: str) -> ChatRequest:
    message = Message(role="user", content=content)
    return ChatRequest(
        messages=(message,), temperature=0, max_tokens=9, seed=1, model="m", role="execute"
    )


def test_everything_is_what_the_other_model_says_and_does() -> None:
    other = Upper()
    model = ForwardingModel("m", lambda: other)
    assert isinstance(model, ChatModel)
    assert isinstance(model, Incremental)
    assert isinstance(model, MeasuresTemplate)
    assert (model.name, model.context_limit, model.tokens_per_message) == ("m", 70, 5)
    assert model.count_tokens("four") == 4
    assert [completion.text for completion in model.generate([ask("a"), ask("b")])] == ["A", "B"]
    model.close()
    assert other.closed == 1


def test_the_other_model_is_found_anew_at_every_use_and_not_before() -> None:
    found: list[Upper] = []

    def find() -> Upper:
        found.append(Upper())
        return found[-1]

    model = ForwardingModel("m", find)
    assert found == []
    model.generate([ask("a")])
    model.generate([ask("b")])
    assert len(found) == 2


def test_what_a_subclass_does_one_by_one_it_does_in_a_batch_too() -> None:
    class Louder(ForwardingModel):
        def generate_each(self, requests):
            for index, completion in super().generate_each(requests):
                yield index, Completion(text=completion.text + "!")

    assert Louder("m", Upper).generate([ask("a")]) == [Completion(text="A!")]
