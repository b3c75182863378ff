"""Findings of ``econ-env doctor`` about each kind of server, by measurement."""

from __future__ import annotations

import re
from typing import Any

import pytest

from econ_env.commands.cli import main
from tests.econ_env.commands.doctor.speaker import speaker
from tests.misbehaving_dialects import DIALECTS
from tests.misbehaving_faults import Exchange
from tests.misbehaving_server import Answer, MisbehavingServer

pytestmark = pytest.mark.slow

Out = pytest.CaptureFixture[str]


def examine(server: MisbehavingServer, profile: str, out: Out, *flags: str) -> tuple[int, str]:
    """Exit code, and what was printed."""
    code = main(["doctor", "--llm", f"{profile}:any@{server.url}", *flags])
    return code, out.readouterr().out


def line(printed: str, topic: str) -> str:
    """State and text of the finding on ``topic``, with its advice."""
    pattern = rf"^  (\w+) +{re.escape(topic)}  +(.*(?:\n +→.*)?)"
    found = re.search(pattern, printed, re.M)
    assert found is not None, printed
    return f"{found[1]} {found[2]}"


# What each server does with the fields that punish repetition, in the order of the doctor.
FIELDS = {
    "together": "works, ignored, works, ignored",
    "vllm": "works, ignored, works, ignored",
    "sglang": "works, ignored, works, ignored",
    "llamacpp": "ignored, works, works, ignored",
    "llamacpp_python": "ignored, works, works, ignored",
    "ollama": "ignored, ignored, works, ignored",
    "openai": "refused, refused, works, ignored",
    "transformers": "refused, refused, works, works",
    "litellm": "works, ignored, works, ignored",
}


@pytest.mark.parametrize("dialect", FIELDS)
def test_the_fields_that_a_server_obeys_are_found(dialect: str, capsys: Out) -> None:
    answer = speaker(seeds=DIALECTS[dialect].seed)
    with MisbehavingServer(dialect, answer=answer, models=("any",)) as server:
        code, printed = examine(server, dialect, capsys)
    fields = re.findall(r"_\w+ (works|ignored|refused|unclear)", line(printed, "penalty fields"))
    assert ", ".join(fields) == FIELDS[dialect]
    without_penalty = dialect in ("openai", "ollama")
    assert code == (1 if without_penalty else 0)
    assert line(printed, "temperature").startswith("ok works")
    if without_penalty:
        assert "--second-action frequency_penalty" in line(printed, "what to set")
    else:
        assert line(printed, "second action").startswith("ok works")


def test_a_server_under_the_name_of_another_kind_is_called_by_its_own(capsys: Out) -> None:
    with MisbehavingServer("llamacpp", answer=speaker()) as server:
        code, printed = examine(server, "vllm", capsys)
        assert code == 1
        assert line(printed, "second action").startswith("PROBLEM has no effect")
        assert f'"llamacpp:any@{server.url}"' in line(printed, "what to set")


def test_a_server_that_refuses_all_that_a_name_sends_says_so_once(capsys: Out) -> None:
    with MisbehavingServer("transformers", answer=speaker()) as server:
        code, printed = examine(server, "llamacpp", capsys)
        assert code == 1
        assert "Unsupported parameter: min_p, repeat_penalty, top_k" in line(printed, "requests")
        assert printed.count("PROBLEM") == 1
        assert f'"transformers:any@{server.url}"' in line(printed, "what to set")


def test_a_range_that_a_server_refuses_can_be_narrowed(capsys: Out) -> None:
    with MisbehavingServer("vllm", answer=speaker()) as server:
        respond = server._respond

        def picky(exchange: Exchange, chat: bool, path: str, body: Any) -> bool:
            if chat and body.get("temperature", 0) > 1:
                return exchange.error(400, "temperature must be at most 1", "invalid")
            return respond(exchange, chat, path, body)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "_respond", picky)
            code, printed = examine(server, "vllm", capsys)
            assert code == 1
            assert "temperature 2 with penalty 0.8 fails" in line(printed, "range")
            assert "temperature must be at most 1" in line(printed, "range")
            code, printed = examine(server, "vllm", capsys, "--temperature-max", "1")
    assert code == 0
    assert "0 and 1 gave different texts" in line(printed, "temperature")


def test_a_range_that_is_none_is_a_mistake_of_the_user(capsys: Out) -> None:
    assert main(["doctor", "--llm", "simulated", "--temperature-min", "3"]) == 2
    assert "--temperature-min and --temperature-max" in capsys.readouterr().err


def test_a_server_that_ignores_every_penalty_can_be_played_with_temperatures(capsys: Out) -> None:
    with MisbehavingServer("vllm", answer=speaker(penalty=False)) as server:
        code, printed = examine(server, "vllm", capsys)
        assert code == 1
        assert "--second-action none" in line(printed, "what to set")
        code, printed = examine(server, "vllm", capsys, "--second-action", "none")
        assert code == 0
        assert "what to set" not in printed


def test_a_frequency_penalty_can_be_the_second_action(capsys: Out) -> None:
    with MisbehavingServer("openai", answer=speaker()) as server:
        code, printed = examine(server, "openai", capsys, "--second-action", "frequency_penalty")
    assert code == 0
    assert line(printed, "second action").startswith("ok works")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (speaker(greedy=True), "PROBLEM has no effect: 0 and 2 gave the same texts"),
        (speaker(temperature=False), "PROBLEM has no effect: 0 and 2 gave the same texts"),
        (speaker(temperature=False, seeds=False), "PROBLEM has no effect: texts vary as much"),
    ],
)
def test_a_temperature_without_effect_is_a_problem(answer: Answer, words: str, capsys: Out) -> None:
    with MisbehavingServer("vllm", answer=answer) as server:
        code, printed = examine(server, "vllm", capsys)
    assert code == 1
    assert line(printed, "temperature").startswith(words)


def test_seeds_that_are_not_kept_are_noted(capsys: Out) -> None:
    with MisbehavingServer("vllm", answer=speaker(seeds=False)) as server:
        code, printed = examine(server, "vllm", capsys)
    assert code == 0
    assert re.match(r"note not kept: .* [0-3] times of (10|20)", line(printed, "seed"))
    assert line(printed, "temperature").startswith("ok works")
    assert line(printed, "second action").startswith("ok works")


def test_a_top_p_without_effect_is_noted(capsys: Out) -> None:
    with MisbehavingServer("vllm", answer=speaker(top_p=False)) as server:
        code, printed = examine(server, "vllm", capsys)
    assert code == 0
    assert line(printed, "top-p").startswith("note has no effect")


def test_replies_that_run_on_are_a_problem(capsys: Out) -> None:
    with MisbehavingServer("vllm", answer=speaker(max_tokens=False)) as server:
        code, printed = examine(server, "vllm", capsys)
    assert code == 1
    assert line(printed, "max tokens").startswith("PROBLEM not kept: asked for 4 tokens")


@pytest.mark.slow
def test_a_profile_that_counts_on_several_choices_is_checked(capsys: Out) -> None:
    with MisbehavingServer("llamacpp_python", answer=speaker()) as server:
        code, printed = examine(server, "vllm", capsys)
        assert code == 1
        assert line(printed, "n").startswith("PROBLEM ignored: one reply came instead of two")
        code, printed = examine(server, "llamacpp_python", capsys)
        assert code == 0
        assert line(printed, "n").startswith("note ignored")
    with MisbehavingServer("vllm", answer=speaker()) as server:
        assert line(examine(server, "vllm", capsys)[1], "n").startswith("ok two replies")


def test_empty_replies_are_a_problem(capsys: Out) -> None:
    with MisbehavingServer("vllm", answer=lambda ask: "") as server:
        code, printed = examine(server, "vllm", capsys)
    assert code == 1
    assert "empty" in line(printed, "replies")


def test_faults_that_pass_change_no_verdict(capsys: Out) -> None:
    with MisbehavingServer("vllm", answer=speaker()) as server:
        server.mix({"429": 0.02, "500": 0.01, "reset": 0.01}, seed=1)
        code, printed = examine(server, "vllm", capsys)
    assert code == 0
    assert "PROBLEM" not in printed
