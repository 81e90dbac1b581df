"""The proxy itself: each fault, seen at the socket."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from proxy import Fault, Proxy, proxied

from processes import eventually


class Echo:
    """A server that answers every byte with the same byte."""

    def __init__(self) -> None:
        import threading

        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/v2"
        self.received = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    while piece := connection.recv(4096):
                        self.received += piece
                        connection.sendall(piece)
                except OSError:
                    continue

    def stop(self) -> None:
        # A close alone would leave the thread in its accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.stop()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with proxied(echo.url) as proxy:
        yield proxy


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def read_to_end(client: socket.socket) -> tuple[bytes, str]:
    """What came, and how it ended."""
    came = b""
    try:
        while piece := client.recv(4096):
            came += piece
    except ConnectionResetError:
        return came, "reset"
    except TimeoutError:
        return came, "silence"
    return came, "end"


@pytest.mark.quick
def test_without_a_fault_everything_passes(proxy: Proxy, echo: Echo) -> None:
    with closing(connect(proxy)) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        client.sendall(b"again")
        assert client.recv(100) == b"again"
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == (b"", "end")
    assert echo.received == b"helloagain"


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_reset_in_the_request_lets_exactly_so_many_bytes_through(proxy: Proxy, echo: Echo, after: int) -> None:
    proxy.spoil(Fault("reset", side="request", after=after))
    with closing(connect(proxy)) as client:
        client.sendall(b"hello")
        _, ended = read_to_end(client)
    assert ended == "reset"
    eventually("the echo has them", lambda: len(echo.received) == after)
    assert proxy.passages[0].request_passed == after


@pytest.mark.parametrize(("kind", "ended"), [("reset", "reset"), ("truncate", "end")])
@pytest.mark.parametrize("after", [0, 3, 5])
def test_an_answer_is_cut_at_its_byte(proxy: Proxy, echo: Echo, kind: str, ended: str, after: int) -> None:
    proxy.spoil(Fault(kind, after=after))  # type: ignore[arg-type]
    with closing(connect(proxy)) as client:
        client.sendall(b"hello")
        assert read_to_end(client) == (b"hello"[:after], ended)
    assert echo.received == b"hello"


def test_a_reset_at_once_leaves_nothing_to_write_to(proxy: Proxy, echo: Echo) -> None:
    proxy.spoil(Fault("reset", side="accept", seconds=0.1))
    with closing(connect(proxy)) as client:
        assert read_to_end(client) == (b"", "reset")
    assert echo.received == b""


def test_a_blackhole_swallows_and_says_nothing(proxy: Proxy, echo: Echo) -> None:
    proxy.spoil(Fault("blackhole", side="request", after=2), Fault("blackhole"))
    for received in (b"he", b"hehello"):
        with closing(connect(proxy)) as client:
            client.settimeout(0.3)
            client.sendall(b"hello")
            came, ended = read_to_end(client)
            assert (came, ended) == (b"he" if received == b"he" else b"", "silence")
        assert echo.received == received


def test_a_delay_and_a_trickle_take_their_time_and_lose_nothing(proxy: Proxy) -> None:
    for fault, least in ((Fault("delay", after=2, seconds=0.3), 0.3), (Fault("trickle", seconds=0.05), 0.25)):
        proxy.spoil(fault)
        with closing(connect(proxy)) as client:
            began = time.monotonic()
            client.sendall(b"hello")
            came = b""
            while len(came) < 5:
                came += client.recv(100)
            assert time.monotonic() - began >= least
            assert came == b"hello"


def test_it_refuses_while_told_to_and_spoils_only_the_next(proxy: Proxy) -> None:
    proxy.refusing()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.listening()
    proxy.spoil(Fault("reset", side="accept", seconds=0.1))
    for ended in ("reset", "end"):
        with closing(connect(proxy)) as client:
            if ended == "end":
                client.shutdown(socket.SHUT_WR)
            assert read_to_end(client) == (b"", ended)
