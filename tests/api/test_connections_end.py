"""A connection that has ended is gone at once: nothing of it waits for the collector."""

import asyncio
import gc
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from hawker.api.connection import HttpConnection
from hawker.api.exchange import HttpExchange

CONNECTIONS = 20
REQUEST = b"POST /api/v2 HTTP/1.1\r\nHost: panel\r\nContent-Length: 3\r\n\r\na=b"
OTHER = b"GET /elsewhere HTTP/1.1\r\nHost: panel\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


class Endpoint:
    """Answers all, as late as it is told to."""

    max_body = 1_000

    def __init__(self, late: float) -> None:
        self.late = late
        self.ended = 0
        self.connection_limits = SimpleNamespace(admit=lambda _: True, release=self._release)

    def _release(self, _: object) -> None:
        self.ended += 1

    def take(self, exchange: HttpExchange) -> None:
        asyncio.get_running_loop().call_later(self.late, exchange.answer, 200, b"{}")


async def elsewhere(scope: object, receive: object, send: object) -> None:
    """A page that is never finished."""


def alive() -> int:
    return sum(isinstance(thing, HttpConnection | HttpExchange) for thing in gc.get_objects())


@contextmanager
def without_the_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def come_and_go(port: int, request: bytes, *, waits: bool, resets: bool) -> None:
    for _ in range(CONNECTIONS):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(request)
            if waits:
                assert client.recv(1_000).startswith(b"HTTP/1.1 ")
            if resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    ("request_", "waits", "late"),
    [
        (REQUEST, True, 0.0),
        (REQUEST, False, 0.1),
        (REQUEST * 3, False, 0.05),
        (OTHER, False, 0.0),
        (b"POST /api/v2 HTT", False, 0),
    ],
    ids=["answered", "answered too late", "pipelined", "a page", "half a request"],
)
def test_what_ended_is_gone(request_: bytes, waits: bool, late: float, resets: bool) -> None:
    async def main() -> None:
        loop, endpoint = asyncio.get_running_loop(), Endpoint(late)
        config = uvicorn.Config(elsewhere, http=HttpConnection, ws="none", lifespan="off", log_config=None)
        config.load()
        state = ServerState()
        server = await loop.create_server(
            lambda: HttpConnection(config=config, server_state=state, app_state={"endpoint": endpoint}, _loop=loop),
            "127.0.0.1",
            0,
        )
        try:
            port = server.sockets[0].getsockname()[1]
            with without_the_collector():
                before = alive()
                await asyncio.to_thread(come_and_go, port, request_, waits=waits, resets=resets)
                for _ in range(100):
                    await asyncio.sleep(0.02)
                    if endpoint.ended == CONNECTIONS and alive() == before:
                        break
                found = endpoint.ended, alive() - before
        finally:
            server.close()
            await server.wait_closed()
        assert found == (CONNECTIONS, 0)

    uvloop.run(main())
