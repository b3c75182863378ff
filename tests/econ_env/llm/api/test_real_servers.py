"""Servers of others, with a bundled checkpoint: their profiles are right, and the doctor finds out.

Skipped by name where a server is not installed; ``real_servers`` says how each is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from econ_env.commands.cli import main
from econ_env.game.prompts import COMPACT
from econ_env.llm.api import ApiModel
from econ_env.llm.local.model import LocalModel
from econ_env.llm.types import ChatModel, ChatRequest
from econ_env.questions.arithmetic import ArithmeticQuestions
from tests.econ_env.llm.api.real_servers import RealServer, find_program, running

pytestmark = pytest.mark.slow

KINDS = ("transformers", "llamacpp", "llamacpp_python", "xllamacpp")
Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealServer]:
    """One kind of server after the other."""
    kind = str(request.param)
    program, hint = find_program(kind)
    if program is None:
        pytest.skip(f"{kind} server: {hint}")
    checkpoint = repository / "econ_env" / "llm" / "bundled" / "weights" / "0"
    with running(kind, program, checkpoint, tmp_path_factory.mktemp(kind)) as real:
        yield real


def requests_to(model: str, count: int, temperature: float, penalty: float) -> list[ChatRequest]:
    questions = ArithmeticQuestions(split="test", seed=5, size=count)
    return [
        ChatRequest(
            messages=COMPACT.execute(questions[index].text, ""),
            temperature=temperature,
            repetition_penalty=penalty,
            max_tokens=64,
            seed=index,
            model=model,
            role="execute",
        )
        for index in range(count)
    ]


def texts_of(model: ChatModel, penalty: float) -> list[str]:
    """Greedy answers; none may fail."""
    answers = model.generate(requests_to(model.name, 12, 0.0, penalty))
    assert [answer.error for answer in answers] == [None] * len(answers)
    return [answer.text for answer in answers]


@pytest.fixture(scope="module")
def local(repository: Path) -> Iterator[LocalModel]:
    checkpoint = repository / "econ_env" / "llm" / "bundled" / "weights" / "0"
    model = LocalModel(str(checkpoint), name="local", device="cpu")
    yield model
    model.close()


@pytest.fixture
def served(server: RealServer) -> Iterator[ApiModel]:
    model = ApiModel(server.name())
    yield model
    model.close()


def test_greedy_answers_over_http_equal_those_in_process(
    served: ApiModel, local: LocalModel
) -> None:
    assert texts_of(served, 1.0) == texts_of(local, 1.0)


def test_a_penalty_means_over_http_what_it_means_in_process(
    server: RealServer, served: ApiModel, local: LocalModel
) -> None:
    penalised = texts_of(served, 1.3)
    assert penalised != texts_of(local, 1.0)
    # llama-cpp-python penalises what was generated, but not what stands in the prompt.
    assert (penalised == texts_of(local, 1.3)) == (server.kind != "llamacpp_python")


# What each server does with fields that punish repetition, and with n and JSON mode.
FOUND = {
    "transformers": ("refused, refused, works, works", "ignored", "ignored"),
    "llamacpp": ("ignored, works, works, ignored", "two replies", "works"),
    "llamacpp_python": ("ignored, works, works, ignored", "ignored", "works"),
}


def test_the_doctor_finds_by_measurement_what_a_server_ignores(
    server: RealServer, capsys: Out
) -> None:
    code = main(["doctor", "--llm", server.name()])
    printed = capsys.readouterr().out
    print(printed)
    assert code == 0, printed
    for topic in ("temperature", "second action", "top-p"):
        assert re.search(rf"ok +{topic} +works", printed), printed
    fields = re.search(r"penalty fields (.*)", printed)
    assert fields is not None
    outcomes = re.findall(r"_\w+ (works|ignored|refused|unclear)", fields[1])
    penalties, several, json_mode = FOUND[server.kind]
    assert ", ".join(outcomes) == penalties
    assert re.search(rf" n +{several}", printed)
    assert re.search(rf" JSON mode +{json_mode}", printed)


def test_a_wrong_profile_is_found_out(server: RealServer, capsys: Out) -> None:
    code = main(["doctor", "--llm", server.name("together")])
    printed = capsys.readouterr().out
    print(printed)
    assert code == 1, printed
    if server.kind == "transformers":  # it refuses what it does not know
        assert re.search(r"PROBLEM +requests +every request fails: .*Unexpected fields", printed)
        assert "transformers:" in printed.split("what to set")[1]
    else:
        assert re.search(r"PROBLEM +second action +has no effect", printed)
        assert "llamacpp:bundled@" in printed


def test_a_game_is_played(server: RealServer, capsys: Out) -> None:
    flags = ["--prompts", "compact", "--embedder", "hashing", "--questions", "3", "--show", "0"]
    assert main(["play", "--llm", server.name(), *flags]) == 0
    assert "3 finished, 0 failed" in capsys.readouterr().out
