"""Words of the doctor before there is anything to measure, and when it is stopped."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from econ_env.commands.cli import main
from econ_env.commands.doctor.endpoint import Answer, Endpoint
from econ_env.llm.api.errors import Kind
from tests.econ_env.commands.doctor.speaker import speaker
from tests.misbehaving_server import MisbehavingServer

Out = pytest.CaptureFixture[str]
KEY = "sk-test-0123456789-abcdef"


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where every connection is handed to ``serve`` and closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


def reply(connection: socket.socket, data: bytes) -> None:
    """Send ``data``, whatever was asked."""
    connection.recv(65536)
    connection.sendall(data)


def examine(model: str, out: Out) -> tuple[int, str]:
    code = main(["doctor", "--llm", model])
    printed = out.readouterr()
    assert KEY not in printed.out + printed.err
    return code, printed.out + printed.err


def test_nothing_listens(capsys: Out) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code, printed = examine(f"vllm:m@http://127.0.0.1:{port}/v1", capsys)
    assert code == 1
    assert f"nothing listens at http://127.0.0.1:{port}: start the server, or check" in printed


def test_a_host_name_that_is_not_known(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    code, printed = examine("vllm:m@http://no-such-host.invalid/v1", capsys)
    assert code == 1
    assert "the host name 'no-such-host.invalid' is not known" in printed


def test_https_where_the_server_has_no_tls(capsys: Out) -> None:
    with listener(
        lambda connection: reply(connection, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    ) as port:
        code, printed = examine(f"vllm:m@https://127.0.0.1:{port}/v1", capsys)
    assert code == 1
    assert "write http:// instead of https://" in printed


def test_a_server_that_hangs_up(capsys: Out) -> None:
    with listener(lambda connection: None) as port:
        code, printed = examine(f"vllm:m@http://127.0.0.1:{port}/v1", capsys)
    assert code == 1
    assert "closed the connection without an answer: it may need https://" in printed


def test_a_server_that_says_nothing(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("econ_env.commands.doctor.endpoint.READ_TIMEOUT_S", 0.05)
    with MisbehavingServer("vllm") as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "_respond", lambda *args: server.stopping.wait(0.5))
        code, printed = examine(f"vllm:m@{server.url}", capsys)
    assert code == 1
    assert "said nothing for 0.05 s" in printed


def test_a_redirect_is_not_followed_but_named(capsys: Out) -> None:
    moved = b"HTTP/1.1 308 Moved\r\nLocation: https://new.example/v1\r\nContent-Length: 0\r\n\r\n"
    with listener(lambda connection: reply(connection, moved)) as port:
        code, printed = examine(f"vllm:m@http://127.0.0.1:{port}/v1", capsys)
    assert code == 1
    assert "it redirects to https://new.example/v1" in printed


def test_a_url_without_its_last_part(capsys: Out) -> None:
    with MisbehavingServer("vllm") as server:
        url = server.url.removesuffix("/v1")
        code, printed = examine(f"vllm:m@{url}", capsys)
    assert code == 1
    assert f"no chat endpoint at {url}: give the base URL, {url}/v1 for example" in printed


def test_a_wrong_key_and_a_missing_one(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer("vllm", key=KEY[::-1]) as server:
        monkeypatch.setenv("VLLM_API_KEY", KEY)
        monkeypatch.setenv("ECON_ALLOW_KEY_FOR", "127.0.0.1")
        code, printed = examine(f"vllm:m@{server.url}", capsys)
        assert code == 1
        assert "the server does not accept the key of VLLM_API_KEY" in printed
        monkeypatch.delenv("VLLM_API_KEY")
        code, printed = examine(f"vllm:m@{server.url}", capsys)
        assert code == 1
        assert "set the environment variable VLLM_API_KEY" in printed


def test_a_key_is_used_and_never_shown(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    monkeypatch.setenv("ECON_ALLOW_KEY_FOR", "127.0.0.1")
    with MisbehavingServer("vllm", key=KEY, answer=lambda ask: f"my key is {KEY}") as server:
        code, printed = examine(f"vllm:m@{server.url}", capsys)
    assert code == 1  # this server always says the same
    assert "[key]" in printed


def test_a_server_that_shows_the_key_in_an_error(
    capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    monkeypatch.setenv("ECON_ALLOW_KEY_FOR", "127.0.0.1")
    with MisbehavingServer("vllm") as server:
        server.schedule("401_echo_key")
        code, _ = examine(f"vllm:m@{server.url}", capsys)
    assert code == 1


def test_a_model_that_the_server_does_not_have(capsys: Out) -> None:
    with MisbehavingServer("vllm", models=("llama-8b", "qwen-7b")) as server:
        code, printed = examine(f"vllm:lama-8b@{server.url}", capsys)
    assert code == 1
    assert "it has: llama-8b" in printed


def test_names_that_any_server_accepts_are_noted(capsys: Out) -> None:
    with MisbehavingServer("llamacpp", answer=speaker(), models=("any",)) as server:
        code, printed = examine(f"llamacpp:other@{server.url}", capsys)
    assert code == 0
    assert "every name is answered, even one that does not exist" in printed


def test_mistakes_of_the_user_end_with_2(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    for model in ("nonsense", "vllm:m", "together:m"):
        assert main(["doctor", "--llm", model]) == 2
        printed = capsys.readouterr().err
        assert printed.startswith("econ-env doctor: ")
        assert "Traceback" not in printed


def test_costs_are_said_before_anything_is_asked(capsys: Out) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    _, printed = examine(f"vllm:m@http://127.0.0.1:{port}/v1", capsys)
    assert "short questions" in printed.splitlines()[1]
    assert "tokens" in printed.splitlines()[1]


def test_the_number_of_requests_is_about_what_was_said(capsys: Out) -> None:
    with MisbehavingServer("vllm", answer=speaker()) as server:
        _, printed = examine(f"vllm:m@{server.url}", capsys)
        said = int(printed.split("Asks about ")[1].split()[0])
        assert 0.8 * said <= len(server.seen) <= said
        sizes = [sum(len(m["content"]) for m in one.body["messages"]) for one in server.chats]
    assert sum(size > 100 for size in sizes) == 3, "the prompts of the game"


def test_ctrl_c_keeps_what_was_found(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Endpoint.chat
    calls = 0

    def interrupted(self: Endpoint, body: Any) -> Answer:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return chat(self, body)

    monkeypatch.setattr(Endpoint, "chat", interrupted)
    with MisbehavingServer("vllm", answer=speaker()) as server:
        code, printed = examine(f"vllm:m@{server.url}", capsys)
    assert code == 130
    assert "works: 0 and 2 gave different texts" in printed
    assert "Interrupted" in printed
    assert "Ready" not in printed


def test_several_models_are_examined_one_after_another(capsys: Out) -> None:
    assert main(["doctor", "--llm", "simulated", "simulated:2"]) == 0
    printed = capsys.readouterr().out
    assert printed.index("simulated:0") < printed.index("simulated:2")


def test_bad_luck_is_tried_again_and_refusals_are_not() -> None:
    with MisbehavingServer("vllm") as server:
        endpoint = Endpoint(server.url, None, pause_s=0.001)
        body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
        server.schedule("429", "reset", "500", None)
        assert endpoint.chat(body).fault is None
        assert len(server.chats) == 4
        server.schedule("400")
        fault = endpoint.chat(body).fault
        assert fault is not None
        assert fault.kind is Kind.REFUSED
        assert len(server.chats) == 5
        endpoint.close()
