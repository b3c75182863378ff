"""Tests of the network guard: no test reaches anything outside this machine."""

from __future__ import annotations

import socket

import pytest

OUTSIDE = "192.0.2.1"  # RFC 5737: an address for examples, never routed


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_an_outside_address_is_refused(method: str) -> None:
    with socket.socket() as client, pytest.raises(Exception, match=f"tried to reach '{OUTSIDE}'"):
        getattr(client, method)((OUTSIDE, 443))


def test_a_host_name_is_not_even_looked_up() -> None:
    with pytest.raises(Exception, match=r"tried to reach 'huggingface\.co'"):
        socket.create_connection(("huggingface.co", 443))


def test_a_server_on_this_machine_can_be_reached() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()
