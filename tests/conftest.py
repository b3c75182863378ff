"""Fixtures of all tests: one thread, no hub, no network, and the folder of real rows."""

from __future__ import annotations

import os

# Before any test module imports torch, tokenizers or a hub client: they read these once.
# The suite runs on small shared machines, where more threads than cores only cost time.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

import ipaddress
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.misbehaving_server import MisbehavingServer

# No deadline: how long an example takes says more about the machine than about the code.
# On CI the examples are the same in every run, so that a failure there can be repeated.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


# A shell without job control starts `pytest … &` with Ctrl-C ignored, and every process that a test
# starts would inherit that: tests of Ctrl-C would wait for what never stops.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class NetworkBlockedError(Exception):
    """A test tried to reach something outside this machine."""


def _require_loopback(host: object) -> None:
    """Raise :class:`NetworkBlockedError` unless ``host`` names this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        outside = not ipaddress.ip_address(str(name)).is_loopback
    except ValueError:  # a host name: asking for its address would already need the network
        outside = True
    if outside:
        raise NetworkBlockedError(
            f"A test tried to reach {name!r}. Tests need no network: use the simulated or the "
            "bundled model, a local file, or a server on 127.0.0.1."
        )


@pytest.fixture(scope="module", autouse=True)
def clients_end_with_their_module() -> Iterator[None]:
    """Close the process's shared clients of servers, so that no module finds another's threads."""
    yield
    if any(thread.name.startswith("econ-api") for thread in threading.enumerate()):
        from econ_env.llm import close_shared_models

        close_shared_models()


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Let sockets of this process reach this machine only."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            _require_loopback(address[0])

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _require_loopback(host)
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root folder of the source tree."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real rows (gsm8k/, ...) named by ``ECON_DATA``; skip if it is unset."""
    folder = os.environ.get("ECON_DATA")
    if not folder:
        pytest.skip("ECON_DATA is not set: it names the folder that holds gsm8k/, svamp/, ...")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"ECON_DATA names {folder!r}, which is not a folder")
    return path


@pytest.fixture
def misbehaving_server() -> Iterator[MisbehavingServer]:
    """Run a chat server on this machine in the dialect of OpenAI, without faults until asked."""
    from tests.misbehaving_server import MisbehavingServer

    with MisbehavingServer() as server:
        yield server
