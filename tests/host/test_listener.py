"""The listening socket: where it can be had, and how it is given up."""

import socket

import pytest

from hawker.host.errors import PortUnusable
from hawker.host.listener import listen, refuse_newcomers


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_newcomers_are_kept_out_and_those_before_them_are_still_let_in(host: str) -> None:
    listener = listen(host, 0).socket
    address = listener.getsockname()[:2]
    with listener, socket.create_connection(address) as waiting:
        waiting.sendall(b"sent before the server looked")
        refuse_newcomers(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.3)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(100) == b"sent before the server looked"
            accepted.sendall(b"answered")
            assert waiting.recv(100) == b"answered"
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 65_536, "there is no port 65536"),
        ("192.0.2.1", 0, "192.0.2.1 is not an address of this machine"),
        ("no-such-name.invalid", 0, "no-such-name.invalid is not an address of this machine"),
    ],
)
def test_what_cannot_be_listened_on_is_said_in_a_sentence(host: str, port: int, words: str) -> None:
    with pytest.raises(PortUnusable, match=words):
        listen(host, port)


def test_a_port_in_use_is_said_to_be() -> None:
    first = listen("127.0.0.1", 0)
    with first.socket, pytest.raises(PortUnusable, match="in use by another program: choose another with --port"):
        listen("127.0.0.1", first.socket.getsockname()[1])
