"""The doctor proposes what to set for models that think and for servers that refuse a field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from econ_env.commands.cli import main
from econ_env.commands.doctor.refusals import advice_on
from tests.econ_env.commands.doctor.speaker import speaker
from tests.misbehaving_faults import Exchange
from tests.misbehaving_server import MisbehavingServer

pytestmark = pytest.mark.slow

Out = pytest.CaptureFixture[str]
OFF = {"chat_template_kwargs": {"enable_thinking": False}}


class Thinker(MisbehavingServer):
    """A server of a model that thinks in 600 words, unless its template is told not to.

    Args:
        hides: it reports no thoughts.
        begun: its template begins the thoughts, so that no reply has an opening tag.
        obeys: its template can be told.
    """

    def __init__(self, *, hides: bool = False, begun: bool = False, obeys: bool = True) -> None:
        super().__init__("vllm", answer=speaker())
        self._hides, self._obeys = hides, obeys
        self._tag = "" if begun else "<think>"

    def _completion(self, body: Any) -> dict[str, Any]:
        said = super()._completion(body)
        if self._obeys and body.get("chat_template_kwargs") == OFF["chat_template_kwargs"]:
            return said
        said["usage"]["completion_tokens"] = 600 + 24
        for choice in said["choices"]:
            whole = body["max_tokens"] > 600
            message = choice["message"]
            words = "hm " * min(body["max_tokens"], 600)
            if self._hides:
                message["content"] = message["content"] if whole else None
            elif whole:
                message["content"] = f"{self._tag}{words}</think>{message['content']}"
            else:
                message["content"] = f"{self._tag}{words}"
            choice["finish_reason"] = "stop" if whole else "length"
        return said


class Picky(MisbehavingServer):
    """A server that refuses requests for a reason of its own."""

    def __init__(self, reason: Any) -> None:
        super().__init__("vllm", answer=speaker())
        self._reason = reason

    def _respond(self, exchange: Exchange, chat: bool, path: str, body: Any) -> bool:
        words = self._reason(body, path) if chat else None
        if words is not None:
            return exchange.error(400, words, "invalid_request_error")
        return super()._respond(exchange, chat, path, body)


def examine(server: MisbehavingServer, out: Out, *flags: str) -> tuple[int, str]:
    code = main(["doctor", "--llm", f"vllm:any@{server.url}", *flags])
    return code, out.readouterr().out


@pytest.mark.parametrize("kind", [{}, {"hides": True}, {"begun": True}], ids=str)
def test_a_thinking_model_is_named_with_both_ways_out(kind: dict[str, bool], capsys: Out) -> None:
    switch = json.dumps(OFF)
    with Thinker(**kind) as server:
        code, printed = examine(server, capsys)
        assert code == 1
        assert "this model thinks before it answers" in printed
        assert "a strategy of 50" in printed
        assert f"switch it off: --extra-body '{switch}'" in printed
        assert "allow 1024 tokens: --max-tokens-strategy 1024" in printed
        code, printed = examine(server, capsys, "--extra-body", switch)
        assert code == 0, printed
        limits = [f"--max-tokens-{kind}=1024" for kind in ("strategy", "execute", "commit")]
        # The other probes ask for a few tokens only, which is too few where thoughts are hidden.
        _, printed = examine(server, capsys, *limits)
        assert "this model thinks" not in printed


def test_without_a_switch_that_works_only_tokens_are_proposed(capsys: Out) -> None:
    with Thinker(obeys=False) as server:
        _, printed = examine(server, capsys)
    assert "switch it off" not in printed
    assert "allow 1024 tokens" in printed


REASONS = {
    "--omit-field seed": lambda body, path: "Unsupported parameter: seed" * ("seed" in body),
    "--min-temperature 0.01": lambda body, path: (
        "temperature must be strictly positive" * (body.get("temperature") == 0)
    ),
    "--token-field max_completion_tokens": lambda body, path: (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead." * ("max_tokens" in body)
    ),
    "--query-parameters api-version=1": lambda body, path: (
        "Missing required query parameter: api-version" * ("api-version" not in path)
    ),
}


@pytest.mark.parametrize("flags", REASONS)
def test_the_flag_against_a_refusal_is_proposed_and_helps(flags: str, capsys: Out) -> None:
    def reason(body: Any, path: str) -> str | None:
        return REASONS[flags](body, path) or None

    with Picky(reason) as server:
        code, printed = examine(server, capsys)
        assert code == 1
        assert flags.replace("=1", "=VERSION") in printed
        code, printed = examine(server, capsys, *flags.split())
        assert code == 0, printed


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("'temperature' does not support 0.7 with this model. Only the default (1)", "executor"),
        ("temperature: must be greater than or equal to 0.05", "--min-temperature 0.05"),
        ("unknown fields: top_k, min_p", "--omit-fields min_p top_k"),
        ("`repetition_penalty` is not supported", "--second-action none"),
        ("the kitchen is on fire", ""),
    ],
)
def test_the_words_of_a_refusal_lead_to_a_flag(words: str, advice: str) -> None:
    sent = {"temperature", "top_k", "min_p", "repetition_penalty", "seed", "max_tokens"}
    proposed = advice_on(words, sent)
    assert advice in proposed
    assert bool(advice) == bool(proposed)


def test_a_model_without_a_system_role_is_ready(capsys: Out) -> None:
    def reason(body: Any, path: str) -> str | None:
        system = any(message["role"] == "system" for message in body["messages"])
        return "System role not supported" if system else None

    with Picky(reason) as server:
        code, printed = examine(server, capsys)
    assert code == 0, printed


def test_words_of_a_server_cannot_steer_the_terminal(capsys: Out) -> None:
    with Picky(lambda body, path: "\x1b]0;owned\x07 no") as server:
        _, printed = examine(server, capsys)
    assert "\x1b" not in printed
    assert "?]0;owned? no" in printed


def test_headers_are_sent_by_every_probe_and_shown_by_none(capsys: Out) -> None:
    secret = "a-secret-of-the-user"
    with MisbehavingServer("vllm", answer=lambda ask: f"you sent {secret}") as server:
        server.mix({"gzip_bomb": 0.02, "negative_chunk": 0.02, "many_choices": 0.02})
        _, printed = examine(server, capsys, "--extra-headers", f"X-Tenant={secret}")
    assert {seen.headers.get("x-tenant") for seen in server.seen} == {secret}
    assert secret not in printed
    assert "[key]" in printed


def test_play_says_why_nothing_was_read(capsys: Out) -> None:
    with Thinker() as server:
        words = ["play", "--llm", f"vllm:any@{server.url}", "--questions", "2", "--show", "0"]
        code = main([*words, "--embedder", "hashing"])
        printed = capsys.readouterr().out
        assert "2 of 2 strategies, 2 of 2 commitments ended inside a thought" in printed
        assert "--max-tokens-strategy N --max-tokens-commit N" in printed
        assert main([*words, "--embedder", "hashing", "--extra-body", json.dumps(OFF)]) == 0
    assert code == 0
    assert "ended inside a thought" not in capsys.readouterr().out
