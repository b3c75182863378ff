"""llama.cpp's own server with a public model: what the client sends means there what it says.

Skipped by name without the wheel ``xllamacpp`` or without the model (``econ-env models fetch``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from econ_env.commands.cli import main
from econ_env.llm.api import ApiModel
from econ_env.llm.local.catalogue import CATALOGUE, file_of
from econ_env.llm.types import ChatRequest, Message
from tests.econ_env.llm.api.real_servers import RealServer, find_program, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PUBLIC = CATALOGUE["smollm2-135m"]
Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    program, hint = find_program("xllamacpp")
    if program is None:
        pytest.skip(f"xllamacpp server: {hint}")
    file = file_of(PUBLIC)
    if file is None:
        pytest.skip(f"{PUBLIC.name} is not on this machine: econ-env models fetch {PUBLIC.name}")
    with running("xllamacpp", program, file, tmp_path_factory.mktemp("public")) as real:
        yield real


@pytest.fixture
def model(server: RealServer) -> Iterator[ApiModel]:
    opened = ApiModel(server.name())
    yield opened
    opened.close()


def ask(model: ApiModel, text: str, **changes: float) -> list[str]:
    """Answers to the same question under seeds 0, 1 and 2; none may fail."""
    settings = {"temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": 24, **changes}
    requests = [
        ChatRequest(
            messages=(Message(role="user", content=text),),
            temperature=settings["temperature"],
            repetition_penalty=settings["repetition_penalty"],
            max_tokens=int(settings["max_tokens"]),
            seed=seed,
            model=model.name,
            role="execute",
        )
        for seed in range(3)
    ]
    answers = model.generate(requests)
    assert [answer.error for answer in answers] == [None] * 3
    return [answer.text for answer in answers]


def test_it_answers_as_a_model_does_that_was_loaded_whole(model: ApiModel) -> None:
    answers = ask(model, "Name three colours.")
    assert all("Red" in answer for answer in answers), answers
    assert len(set(answers)) == 1


def test_temperature_and_seed_have_an_effect(model: ApiModel) -> None:
    assert len(set(ask(model, "Tell me a story about a boat.", temperature=1.5))) == 3


def test_a_penalty_has_an_effect(model: ApiModel) -> None:
    question = "Say the word boat many times."
    assert ask(model, question) != ask(model, question, repetition_penalty=1.5)


def test_a_schema_binds_the_answer(server: RealServer) -> None:
    import requests

    schema = {
        "type": "object",
        "properties": {"value": {"type": "string"}, "confidence": {"type": "number"}},
        "required": ["value", "confidence"],
        "additionalProperties": False,
    }
    body = {
        "model": server.model,
        "messages": [{"role": "user", "content": "How sure are you that 2 + 2 is 4?"}],
        "max_tokens": 200,
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
    }
    reply = requests.post(f"{server.url}/chat/completions", json=body, timeout=600).json()
    assert set(json.loads(reply["choices"][0]["message"]["content"])) == {"value", "confidence"}


def test_the_doctor_finds_that_actions_work(server: RealServer, capsys: Out) -> None:
    code = main(["doctor", "--llm", server.name()])
    printed = capsys.readouterr().out
    assert code == 0, printed
    for topic in ("temperature", "second action", "top-p"):
        assert re.search(rf"ok +{topic} +works", printed), printed


def test_a_game_is_played(server: RealServer, capsys: Out) -> None:
    flags = ["--dataset", "arithmetic", "--embedder", "hashing", "--questions", "1", "--show", "0"]
    assert main(["play", "--llm", server.name(), *flags]) == 0
    assert "1 finished, 0 failed" in capsys.readouterr().out
