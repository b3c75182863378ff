"""JSON of local models: a schema is kept to at any sampling, and free text stays as it was."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from econ_env.game.prompts import COMMITMENT_SCHEMA
from econ_env.llm.local.grammar import Grammars
from econ_env.llm.local.model import LocalModel
from econ_env.llm.types import ChatRequest, Completion
from tests.econ_env.llm.local.test_model import TEMPLATE, ask, make_tokenizer, save_model

SHORT = json.dumps(
    {
        "type": "object",
        "properties": {"right": {"type": "boolean"}, "value": {"enum": ["12", "twelve"]}},
        "required": ["right", "value"],
        "additionalProperties": False,
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights, which never writes JSON by itself, and thinks of nothing."""
    folder = save_model(tmp_path_factory.mktemp("models") / "llama", ends=0)
    template = TEMPLATE.replace("<|assistant|><think>", "<|assistant|>")
    (folder / "chat_template.jinja").write_text(template)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalModel:
    return LocalModel(str(folder))


def commit(content: str, **settings: Any) -> ChatRequest:
    return ask(content, **({"schema": SHORT, "role": "commit", "max_tokens": 60} | settings))


def object_of(completion: Completion) -> Any:
    assert completion.finish_reason == "stop", completion
    return json.loads(completion.text)


@pytest.mark.parametrize("temperature", [0.0, 1.0, 1.8])
@pytest.mark.parametrize("penalty", [0.9, 1.0, 1.5])
def test_a_schema_is_kept_to(model: LocalModel, temperature: float, penalty: float) -> None:
    requests = [
        commit("tom has", temperature=temperature, repetition_penalty=penalty, top_p=top_p, seed=n)
        for n, top_p in enumerate((1.0, 0.9, 0.1))
    ]
    for completion in model.generate(requests):
        assert set(object_of(completion)) == {"right", "value"}
        assert completion.text.startswith('{"right": ')


def test_draws_differ_within_the_schema(model: LocalModel) -> None:
    requests = [commit("sam buys", temperature=1.8, seed=n) for n in range(20)]
    assert len({object_of(completion)["value"] for completion in model.generate(requests)}) == 2


def test_a_neighbour_with_a_schema_changes_no_free_text(model: LocalModel) -> None:
    free = [ask("each box of pens", seed=n) for n in range(5)]
    among = model.generate([request for each in free for request in (each, commit("more"))])
    assert among[::2] == model.generate(free)


def test_a_text_with_a_schema_does_not_depend_on_its_neighbours(model: LocalModel) -> None:
    (by_itself,) = model.generate([commit("sells half", seed=3)])
    crowd = [commit("sells half", seed=3), *(commit("gives", seed=n) for n in range(6)), ask("a")]
    assert model.generate(crowd)[0].text == by_itself.text


def test_a_text_that_reaches_its_limit_is_the_beginning_of_an_object(model: LocalModel) -> None:
    (completion,) = model.generate([commit("left", schema=COMMITMENT_SCHEMA, max_tokens=12)])
    assert completion.finish_reason == "length"
    assert completion.text.startswith('{"reason": "')


def test_a_schema_that_cannot_be_enforced_fails_its_request_alone(model: LocalModel) -> None:
    odd = json.dumps({"type": "object", "dependentSchemas": {"a": {}}})
    refused, broken, fine = model.generate(
        [commit("tom", schema=odd), commit("tom", schema="{"), commit("tom")]
    )
    assert refused.error is not None
    assert "the JSON schema cannot be enforced: Unimplemented keys" in refused.error
    assert broken.error is not None
    assert "the JSON schema is no JSON" in broken.error
    assert object_of(fine)


def test_a_text_that_begins_inside_a_thought_is_left_free(tmp_path: Path) -> None:
    thinker = LocalModel(str(save_model(tmp_path / "thinker")))
    (completion,) = thinker.generate([commit("tom")])
    assert completion.error is None
    assert "{" not in completion.text[:20]


def test_a_tokenizer_that_cannot_be_mapped_to_bytes_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Slow:
        """A tokenizer in pure Python, as some checkpoints bring."""

    slow: Any = Slow()
    grammars = Grammars(slow, vocabulary=320, end_tokens=[0], source="hf:old")
    with caplog.at_level(logging.WARNING):
        assert grammars.of(SHORT) is None
        assert grammars.of(COMMITMENT_SCHEMA) is None
    assert [record.getMessage() for record in caplog.records] == [
        "hf:old: JSON cannot be enforced with its tokenizer (Only fast tokenizers are supported); "
        "only the prompt asks for it"
    ]


def test_only_tokens_that_go_on_with_the_object_are_allowed() -> None:
    tokenizer = make_tokenizer()
    grammar = Grammars(
        tokenizer, vocabulary=len(tokenizer) + 4, end_tokens=[0, 5], source="here"
    ).of(SHORT)
    assert grammar is not None
    one, other = grammar.start(), grammar.start()
    for token in tokenizer.encode('{"right": true, "value": "12"}'):
        assert one.allowed()[token]
        one.accept(token)
    assert one.allowed().nonzero()[0].tolist() == [0, 5]
    assert len(one.allowed()) == len(tokenizer) + 4
    assert not other.allowed()[0]
    assert {tokenizer.decode([n])[:1] for n in other.allowed().nonzero()[0].tolist()} == {"{"}
