"""Settings for servers that differ: fields, headers, parameters, limits of what is sent."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from typing import Any

import pytest

from econ_env.config import EnvConfig
from econ_env.llm.api import ApiModel, ApiSettings, KeyProblem
from econ_env.llm.api.body import request_body
from econ_env.llm.api.errors import Fault
from econ_env.llm.api.profiles import PROFILES
from econ_env.llm.api.reply import read_reply
from econ_env.llm.api.secret import Secret
from econ_env.llm.api.settings import all_secrets
from tests.econ_env.llm.api.support import KEY, model_on, request
from tests.misbehaving_server import Ask, MisbehavingServer

HEADER = "a-secret-of-the-user"


def body_of(profile: str = "vllm", temperature: float = 0.7, **changes: Any) -> dict[str, Any]:
    """The body of a request under these settings."""
    raw = request_body(
        request(temperature=temperature),
        model="m",
        profile=PROFILES[profile],
        settings=ApiSettings(**changes),
    )
    body: dict[str, Any] = json.loads(raw)
    return body


def test_fields_can_be_added_replaced_and_left_out() -> None:
    plain = body_of()
    body = body_of(
        extra_body={"chat_template_kwargs": {"enable_thinking": False}, "top_k": 20},
        omit_fields=("seed", "top_p", "never-sent"),
    )
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert (plain["top_k"], body["top_k"]) == (-1, 20)
    assert plain.keys() - body.keys() == {"seed", "top_p"}


def test_the_token_limit_and_the_lowest_temperature_can_be_set() -> None:
    limit: dict[str, Any] = {"token_field": "max_tokens"}
    body = body_of("openai", 0.0, second_action="none", **limit)
    assert "max_completion_tokens" not in body
    assert body["max_tokens"] == 64
    assert body_of(temperature=0.0, min_temperature=0.01)["temperature"] == 0.01
    assert body_of(temperature=0.7, min_temperature=0.01)["temperature"] == 0.7
    config = json.loads(body_of("transformers", 0.0, min_temperature=0.01)["generation_config"])
    assert (config["do_sample"], config["temperature"]) == (True, 0.01)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"extra_body": {"model": "other"}}, "extra_body cannot set model"),
        ({"extra_body": {"temperature": 1, "stream": True}}, "cannot set stream, temperature"),
        ({"extra_body": {"api_key": KEY}}, "extra_body cannot set api_key: bodies are kept"),
        ({"extra_body": {"X-Secret": KEY}}, "extra_body cannot set X-Secret"),
        ({"extra_body": {"a": float("nan")}}, "that JSON can express"),
        ({"extra_body": {"a": {1, 2}}}, "that JSON can express"),
        ({"extra_body": [1]}, "that JSON can express"),
        ({"omit_fields": ("messages",)}, "omit_fields cannot leave out messages"),
        ({"omit_fields": "seed"}, "omit_fields must be a list"),
        ({"extra_body": {"a": 1}, "omit_fields": ("a",)}, "in extra_body and in omit_fields"),
        ({"extra_headers": {"Authorization": HEADER}}, "cannot set Authorization"),
        ({"extra_headers": {"host": HEADER}}, "cannot set host"),
        ({"extra_headers": {"X": f"{HEADER}\r\nHost: x"}}, "the value of X must be printable"),
        ({"extra_headers": {"X: y": HEADER}}, "cannot be the name of a header"),
        ({"query_parameters": {"api-key": HEADER}}, "a key in a URL ends up in logs"),
        ({"query_parameters": {"a": 1}}, "the value of a must be a text"),
        ({"token_field": "tokens"}, "token_field must be one of"),
        ({"min_temperature": -1.0}, "min_temperature must be"),
        ({"replica_routing": "random"}, "replica_routing must be one of 'least_busy', 'prefix'"),
        ({"min_temperature": float("nan")}, "min_temperature must be"),
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_refused_without_showing_a_secret(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        ApiSettings(**changes)
    assert HEADER not in str(caught.value)


def test_headers_and_parameters_are_sent_and_shown_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    def tell(ask: Ask) -> str:
        return f"you sent {HEADER}"

    with MisbehavingServer("vllm", answer=tell) as server:
        model = model_on(server, extra_headers={"X-Tenant": HEADER})
        completion = model.generate([request()])[0]
        shown = f"{model!r} {model.settings!r} {model.version} {caplog.text}"
        model.close()
        seen = server.chats[0]
    assert seen.headers["x-tenant"] == HEADER
    assert HEADER not in completion.text + shown
    assert "[key]" in completion.text
    config = EnvConfig(extra_headers={"X-Tenant": HEADER})
    assert HEADER not in repr(config) + json.dumps(config.to_json())


def test_the_words_of_a_title_stay_in_answers_and_are_cut_out_of_errors() -> None:
    title = {"X-Title": "Quadratic equations benchmark"}
    with MisbehavingServer("vllm", answer=lambda ask: "Solve the equations") as server:
        model = model_on(server, extra_headers=title)
        completion = model.generate([request()])[0]
        model.close()
    assert completion.text == "Solve the equations"
    scrubber = all_secrets(Secret(KEY), ApiSettings(extra_headers=title))
    data = json.dumps({"error": {"message": f"{KEY} of equations"}}).encode()
    fault = read_reply(data, choices=1, max_tokens=64, secret=scrubber)
    assert isinstance(fault, Fault)
    assert fault.words.endswith(": [key] of [key]")
    assert scrubber.scrub_answer(f"{KEY} of equations") == "[key] of equations"


@pytest.mark.parametrize(
    "name",
    [
        *("X-Api-Key", "X-ApiKey", "api-key", "APIKEY", "Ocp-Apim-Subscription-Key", "X-Token"),
        *("X-Auth-Token", "X-Auth", "Proxy-Authorization", "Cookie", "CF-Access-Client-Secret"),
        *("AuthToken", "accesstoken", "X-AccessKey", "SecretKey", "X-Passwd", "X-Api-Keys"),
    ],
)
def test_the_value_of_a_header_with_a_key_is_in_no_answer(name: str) -> None:
    short = "short-9f8e"  # too short to be a key by its length
    for value in (HEADER, short):
        scrubber = all_secrets(None, ApiSettings(extra_headers={name: f"Bearer {value}"}))
        assert scrubber.scrub_answer(f"you sent {value}") == "you sent [key]"
        assert scrubber.scrub(f"you sent {value}") == "you sent [key]"
    other = all_secrets(None, ApiSettings(extra_headers={"X-Title": f"Bearer {short}"}))
    assert other.scrub_answer(f"you sent {short}") == f"you sent {short}"


def test_of_secrets_that_contain_one_another_nothing_is_left() -> None:
    longer = {"X-Api-Key": "prod-team-9f8e7d6c5b4a", "X-Token": "prod-team-9f8e7d6c5b4a-and-more"}
    scrubber = all_secrets(Secret("prod-team"), ApiSettings(extra_headers=longer))
    for value in ("prod-team", *longer.values()):
        assert scrubber.scrub(f"you sent {value}.") == "you sent [key]."
        assert scrubber.scrub_answer(f"you sent {value}.") == "you sent [key]."


def test_the_value_of_a_cookie_is_told_without_its_name() -> None:
    headers = {"Cookie": "sid=SECRETVALUE12345; theme=dark"}
    scrubber = all_secrets(None, ApiSettings(extra_headers=headers))
    assert scrubber.scrub("session SECRETVALUE12345 is dark") == "session [key] is dark"
    assert scrubber.scrub_answer("SECRETVALUE12345") == "[key]"


def test_a_field_that_only_sounds_like_a_key_can_be_set() -> None:
    body = {"prompt_cache_key": "team", "stop_token_ids": [1]}
    assert ApiSettings(extra_body=body).extra_body == body


@pytest.mark.parametrize("url", ["http://gpu.example.org/v1", "http://192.168.1.5:8000/v1"])
def test_a_key_in_a_header_crosses_no_network_in_plain_text(url: str) -> None:
    with pytest.raises(KeyProblem, match=r"X-Api-Key is not sent .* without https") as caught:
        ApiModel(f"vllm:m@{url}", ApiSettings(extra_headers={"X-Api-Key": HEADER}))
    assert HEADER not in str(caught.value)
    ApiModel(f"vllm:m@{url}", ApiSettings(extra_headers={"X-Title": "a team"})).close()


def test_query_parameters_are_part_of_the_address() -> None:
    with MisbehavingServer("vllm") as server:
        model = model_on(server, query_parameters={"api-version": "2024-10-21", "a": "b c"})
        model.generate([request()])
        model.close()
        assert server.seen[0].path == "/v1/chat/completions?api-version=2024-10-21&a=b+c"


def test_settings_can_be_copied_pickled_and_compared() -> None:
    settings = ApiSettings(extra_body={"a": {"b": 1}}, extra_headers={"X": HEADER})
    for other in (copy.deepcopy(settings), pickle.loads(pickle.dumps(settings))):  # noqa: S301
        assert (other, hash(other)) == (settings, hash(settings))
    assert settings != ApiSettings(extra_body={"a": {"b": 2}}, extra_headers={"X": HEADER})


def test_recordings_made_without_these_settings_keep_their_keys() -> None:
    assert ApiSettings().answers.keys() == {"second_action", "json_mode"}
    assert ApiSettings(min_temperature=0.1, extra_headers={"X": HEADER}).answers.keys() == {
        "second_action",
        "json_mode",
        "min_temperature",
    }
