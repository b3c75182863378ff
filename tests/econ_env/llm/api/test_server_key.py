"""Keys reach the host that they belong to, and others only on the user's word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from econ_env.commands.cli import main
from econ_env.errors import UsageError
from econ_env.llm.api import ApiError, ApiModel, ApiSettings, KeyProblem
from econ_env.llm.api.address import parse_address
from econ_env.llm.api.origin import origin_of, read_host
from econ_env.llm.api.profiles import PROFILES
from econ_env.llm.api.server_key import ALLOWED_HOSTS_VARIABLE, key_of, keys_allowed_for
from econ_env.llm.registry import close_shared_models
from tests.econ_env.commands.doctor.test_connecting import listener, reply
from tests.econ_env.llm.api.support import request
from tests.misbehaving_server import MisbehavingServer

KEY = "sk-of-the-user-0123456789"
FREE = ApiSettings(second_action="none", request_budget_s=5, connect_timeout_s=2)

ELSEWHERE = (
    "openai:m@https://api.openai.com.evil.org/v1",
    "openai:m@https://evil.org/api.openai.com/v1",
    "openai:m@https://api.openai.com:8443/v1",
    "openai:m@https://xapi.openai.com/v1",
    "openai:m@https://openai.com/v1",
    "openai:m@https://api-openai.com/v1",
    "openai:m@https://API.OPENAI.COM.EVIL.ORG/v1",
    "openai:m@https://ａｐｉ.openai.com/v1",
    "openai:m@https://api.openai.com\\.evil.org/v1",
    "openai:m@https://api.openai.com%2eevil.org/v1",
    "openai:m@http://api.openai.com/v1",
    "openai:m@http://api.openai.com:443/v1",
    "openai:m@http://127.0.0.1:8000/v1",
    "openai:m@http://localhost:8000/v1",
    "openai:m@http://[::1]:8000/v1",
    "openai:m@https://[2001:db8::1]/v1",
    "vllm:m@https://evil.org/v1",
    "vllm:m@http://evil.org/v1",
    "vllm:m@http://localhost:8000/v1",
    "together:m@https://api.openai.com/v1",
    "together:m@https://api.together.xyz.evil.org/v1",
    "ollama:m@http://evil.org:11434/v1",
    "ollama:m@http://localhost:11435/v1",
    "litellm:m@https://api.openai.com/v1",
)
"""Addresses that are not the profile's own server, however much they look like it."""


@pytest.fixture(autouse=True)
def _keys_of_all_profiles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for profile in PROFILES.values():
        monkeypatch.setenv(profile.key_variable, KEY)
    monkeypatch.delenv(ALLOWED_HOSTS_VARIABLE, raising=False)
    yield
    close_shared_models()


def has_key(name: str) -> bool:
    """True if the key would be sent to this address."""
    return key_of(parse_address(name)) is not None


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_key_of_a_profile_stays_away_from_other_hosts(name: str) -> None:
    assert not has_key(name)


@pytest.mark.parametrize(
    "name",
    [
        "openai:m",
        "openai:m@https://api.openai.com/v1",
        "openai:m@https://API.OpenAI.com/v1/",
        "openai:m@https://api.openai.com./v1",
        "openai:m@https://api.openai.com:443/v2",
        "together:m",
        "ollama:m",
        "ollama:m@http://localhost:11434/v1",
    ],
)
def test_the_key_of_a_profile_goes_to_its_own_server(name: str) -> None:
    assert has_key(name)


@pytest.mark.parametrize(
    "name",
    [
        "openai:m@https://api.openai.com@evil.org/v1",
        "openai:m@https://api.openai.com:x@evil.org/v1",
        "openai:m@https://api.openai.com\\@evil.org/v1",
    ],
)
def test_a_host_that_poses_as_a_user_name_is_refused(name: str) -> None:
    with pytest.raises(ApiError, match="without user"):
        key_of(parse_address(name))


@pytest.mark.parametrize(
    ("allowed", "name"),
    [
        ("gpu.example.org", "vllm:m@https://gpu.example.org/v1"),
        ("GPU.Example.org.", "vllm:m@https://gpu.example.org:8443/v1"),
        ("gpu.example.org:8443", "vllm:m@https://gpu.example.org:8443/v1"),
        ("other.org, localhost", "openai:m@http://localhost:8000/v1"),
        ("127.0.0.1:8000", "openai:m@http://127.0.0.1:8000/v1"),
        ("::1", "openai:m@http://[::1]:8000/v1"),
        ("[0:0::1]:8000", "openai:m@http://[::1]:8000/v1"),
    ],
)
def test_a_host_that_the_user_names_gets_the_key(
    allowed: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not has_key(name)
    monkeypatch.setenv(ALLOWED_HOSTS_VARIABLE, allowed)
    assert has_key(name)


@pytest.mark.parametrize(
    ("allowed", "name"),
    [
        ("example.org", "vllm:m@https://gpu.example.org/v1"),
        ("gpu.example.org", "vllm:m@https://example.org/v1"),
        ("gpu.example.org", "vllm:m@https://gpu.example.org.evil.org/v1"),
        ("gpu.example.org:8443", "vllm:m@https://gpu.example.org/v1"),
        ("localhost", "openai:m@http://127.0.0.1:8000/v1"),
        ("localhost", "openai:m@https://localhost.evil.org/v1"),
    ],
)
def test_an_allowed_host_is_this_host_and_no_other(
    allowed: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED_HOSTS_VARIABLE, allowed)
    assert not has_key(name)


@pytest.mark.parametrize(
    "host", ["gpu.example.org", "192.168.1.5", "localhost.example.org", "2130706433", "0x7f.1"]
)
def test_no_key_crosses_the_network_in_plain_text(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED_HOSTS_VARIABLE, host)
    with pytest.raises(KeyProblem, match=r"VLLM_API_KEY is not sent .* without https"):
        has_key(f"vllm:m@http://{host}:8000/v1")
    with pytest.raises(KeyProblem, match="without https") as caught:
        ApiModel(f"vllm:m@http://{host}:8000/v1", FREE, api_key=KEY)
    assert KEY not in str(caught.value)


def test_the_variable_of_a_host_holds_the_key_of_that_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ECON_KEY_GPU__1_EXAMPLE_ORG", "sk-of-the-host")
    found = key_of(parse_address("vllm:m@https://GPU-1.example.org:8443/v1"))
    assert found is not None
    assert found.reveal() == "sk-of-the-host"
    for other in ("gpu.1.example.org", "gpu--1.example.org", "1.example.org", "gpu-1.example.com"):
        assert not has_key(f"vllm:m@https://{other}/v1")
    with pytest.raises(KeyProblem, match="ECON_KEY_GPU__1_EXAMPLE_ORG is not sent"):
        has_key("vllm:m@http://gpu-1.example.org/v1")


def test_no_two_hosts_share_a_variable() -> None:
    letters = "a.-"
    hosts = [""]
    for _ in range(7):
        hosts += [host + letter for host in hosts for letter in letters if len(host) < 7]
    found: dict[str, str] = {}
    for host in set(hosts):
        origin = origin_of(f"https://{host}/v1")
        if origin is not None and origin.key_variable is not None:
            assert found.setdefault(origin.key_variable, origin.host) == origin.host
    assert len(found) > 50
    odd = origin_of("https://a_b.org")
    assert odd is not None
    assert odd.key_variable is None


@pytest.mark.parametrize(
    "text", ["https://a.org", "a.org/v1", "user@a.org", "*.org", "*", "", "a.org:0", "a b", "a:b"]
)
def test_only_a_host_can_be_allowed(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        read_host(text)
    with pytest.raises(UsageError, match="--allow-key-for"), keys_allowed_for([text]):
        pass
    if text:
        assert main(["play", "--allow-key-for", text]) == 2
        assert "--allow-key-for" in capsys.readouterr().err


def test_the_word_of_the_user_ends_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "openai:m@http://localhost:8000/v1"
    monkeypatch.setenv(ALLOWED_HOSTS_VARIABLE, "gpu.example.org")
    with keys_allowed_for(["localhost"]):
        assert has_key(name)
        assert has_key("openai:m@https://gpu.example.org/v1")
    assert not has_key(name)


def sent_keys(server: MisbehavingServer) -> set[str | None]:
    """Authorization headers that the server has got."""
    return {chat.headers.get("authorization") for chat in server.chats}


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_server_elsewhere_sees_no_key_and_an_allowed_one_does(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for expected, allowed in ((None, ""), (f"Bearer {KEY}", "127.0.0.1")):
        monkeypatch.setenv(ALLOWED_HOSTS_VARIABLE, allowed)
        with MisbehavingServer() as server:
            name = f"{profile}:test-model@{server.url}"
            model = ApiModel(name, FREE)
            model.generate([request()])
            model.close()
            assert sent_keys(server) == {expected}


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Moved"])
def test_a_key_does_not_follow_a_redirect(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_HOSTS_VARIABLE, "127.0.0.1")
    with MisbehavingServer() as target:
        moved = f"HTTP/1.1 {status}\r\nLocation: {target.url}/chat/completions\r\n"
        body = f"{moved}Content-Length: 0\r\n\r\n".encode()
        with listener(lambda connection: reply(connection, body)) as port:
            model = ApiModel(f"openai:m@http://127.0.0.1:{port}/v1", FREE)
            with suppress(ApiError):
                assert model.generate([request()])[0].error is not None
            model.close()
        assert not target.seen


def test_a_refusal_says_how_to_give_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer(key=KEY) as server:
        model = ApiModel(f"openai:test-model@{server.url}", FREE)
        with pytest.raises(KeyProblem) as caught:
            model.generate([request()])
        model.close()
    for word in ("OPENAI_API_KEY", "--allow-key-for 127.0.0.1", "ECON_KEY_127_0_0_1"):
        assert word in str(caught.value)


def test_replicas_share_a_key_only_if_it_may_go_to_each_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "sk-a-key-of-vllm")
    address = parse_address("vllm:m@https://a.example/v1,https://b.example/v1")
    monkeypatch.delenv("ECON_ALLOW_KEY_FOR", raising=False)
    assert key_of(address) is None
    monkeypatch.setenv("ECON_ALLOW_KEY_FOR", "a.example")
    with pytest.raises(KeyProblem, match="some of them only") as caught:
        key_of(address)
    assert "sk-a-key" not in str(caught.value)
    monkeypatch.setenv("ECON_ALLOW_KEY_FOR", "a.example,b.example")
    secret = key_of(address)
    assert secret is not None
    assert secret.reveal() == "sk-a-key-of-vllm"
