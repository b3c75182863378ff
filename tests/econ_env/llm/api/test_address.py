"""Names of models on servers."""

from __future__ import annotations

import pytest

from econ_env.llm.api import PROFILES, ApiModel, ApiSettings, KeyProblem, WrongAddress
from econ_env.llm.api.address import names_a_server, parse_address

FREE = ApiSettings(second_action="none")


@pytest.mark.parametrize(
    ("name", "model", "url"),
    [
        ("together:meta-llama/Llama-3-8b", "meta-llama/Llama-3-8b", "https://api.together.xyz/v1"),
        ("openai:gpt-5-mini", "gpt-5-mini", "https://api.openai.com/v1"),
        ("openai:m@http://localhost:8000/v1", "m", "http://localhost:8000/v1"),
        ("vllm:org/m:tag@https://host/base/v1/", "org/m:tag", "https://host/base/v1"),
        ("sglang:@cf/m@http://127.0.0.1:3000/v1", "@cf/m", "http://127.0.0.1:3000/v1"),
        ("ollama:qwen3:0.6b", "qwen3:0.6b", "http://localhost:11434/v1"),
        ("ollama:qwen3@http://other:1/v1", "qwen3", "http://other:1/v1"),
        ("llamacpp:m@http://[::1]:8080/v1", "m", "http://[::1]:8080/v1"),
    ],
)
def test_a_name_gives_server_model_and_url(name: str, model: str, url: str) -> None:
    address = parse_address(name)
    assert (address.profile.name, address.model, address.url) == (name.split(":")[0], model, url)


def test_a_name_may_list_the_servers_of_one_model() -> None:
    name = "vllm:org/m@http://a:8000/v1/,https://b/v1,http://c/v1"
    address = parse_address(name)
    assert (address.name, address.model) == (name, "org/m")
    assert address.urls == ("http://a:8000/v1", "https://b/v1", "http://c/v1")
    assert address.url == address.urls[0]
    assert parse_address("openai:m").urls == ("https://api.openai.com/v1",)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("vllm:m", 'write "vllm:MODEL@URL"'),
        ("vllm:", "names no model"),
        ("vllm:@http://localhost:1/v1", "names no model"),
        ("openai:m@localhost:8000/v1", 'begins with "http://"'),
        ("openai:m@http://", "not a valid URL"),
        ("openai:m@http://host:99999/v1", "not a valid URL"),
        ("openai:m@http://a b/v1", "not a valid URL"),
        ("openai:m@http://host/v1/chat/completions", "give the base URL"),
        ("azure:m@http://host/v1", '"together:"'),
        ("vllm:m@http://a/v1,b:8000/v1", "each URL begins with"),
        ("vllm:m@http://a/v1,", "each URL begins with"),
        ("vllm:m@http://a/v1,http://a/v1/", "names a server twice"),
        ("vllm:m@http://a/v1,http://b/v1/chat/completions", "give the base URL"),
    ],
)
def test_a_name_that_cannot_be_used_says_what_to_write(name: str, remedy: str) -> None:
    with pytest.raises(WrongAddress, match=remedy):
        parse_address(name)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hunter22@host/v1",
        "http://a/v1,http://user:hunter22@host/v1",
        "http://host/v1?api-key=hunter22",
        "http://host/#hunter22",
    ],
)
def test_a_key_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(WrongAddress, match="environment variable") as caught:
        parse_address(f"openai:m@{url}")
    assert "hunter22" not in str(caught.value)


def test_other_names_are_no_servers() -> None:
    assert all(names_a_server(f"{prefix}:m") for prefix in PROFILES)
    for name in ("bundled", "bundled:0", "simulated:1", "hf:openai/gpt", "openai", ""):
        assert not names_a_server(name)


@pytest.mark.parametrize(
    ("name", "variable"),
    [("together:m", "TOGETHER_API_KEY"), ("openai:m", "OPENAI_API_KEY")],
)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key_is_an_error_at_once_that_names_the_variable(
    name: str, variable: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    with pytest.raises(KeyProblem, match=variable):
        ApiModel(name, FREE)
    ApiModel(name, ApiSettings(second_action="none", offline=True))
    monkeypatch.setenv(variable, " sk-something-long \n")
    ApiModel(name, FREE)


def test_servers_of_ones_own_need_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for profile in PROFILES.values():
        monkeypatch.delenv(profile.key_variable, raising=False)
        model = ApiModel(f"{profile.name}:m@http://localhost:1/v1", FREE)
        assert model.address.profile is profile


def test_a_key_that_cannot_be_a_header_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter22\r\nX-Evil: 1")
    with pytest.raises(KeyProblem, match="OPENAI_API_KEY") as caught:
        ApiModel("openai:m", FREE)
    assert "hunter22" not in str(caught.value)
