"""A front for several nodes: takes each connection and passes its bytes on to the next node that answers.

    python deploy/front.py --port 8000 127.0.0.1:8101 127.0.0.1:8102

For trying out several nodes on one machine. It does not read HTTP: a node that hangs is not noticed, and nodes see
the front's address instead of the client's. Between machines use a balancer that asks `/healthz` and sends
X-Forwarded-For, and name it in `trusted_proxies`.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
from collections.abc import Iterator, Sequence
from typing import cast

import uvloop

_CONNECT_SECONDS = 2.0
_LAST_BYTES_SECONDS = 35.0
"""As long as a stopping node finishes the answers it has in hand."""

Address = tuple[str, int]


class _End(asyncio.Protocol):
    """One of the two connections of a client's way to its node: what it receives goes out of the other."""

    def __init__(self, other: "_End | None" = None) -> None:
        self.other = other
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        # Who reads slowly slows down who sends; else all of it would wait here.
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class _Client(_End):
    """A client's connection. What it sends before its node is found is kept, and no more of it is read."""

    def __init__(self, front: "Front") -> None:
        super().__init__()
        self._front = front
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._front.join(self)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            super().data_received(data)
        elif self.transport is not None:
            self._early += data
            self.transport.pause_reading()

    def lead_to(self, node: _End) -> None:
        """Its way goes on to this node."""
        self.other = node
        if self._early and self.transport is not None:
            super().data_received(self._early)
            self._early = b""
            self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._front.leave(self)


class Front:
    """The nodes, taken in turn."""

    def __init__(self, nodes: Sequence[Address]) -> None:
        self._nodes = nodes
        self._turns: Iterator[int] = itertools.cycle(range(len(nodes)))
        self._joining: set[asyncio.Task[None]] = set()
        self._clients: set[_Client] = set()
        self._left = asyncio.Event()

    def join(self, client: _Client) -> None:
        """Find a node for this client."""
        self._clients.add(client)
        task = asyncio.get_running_loop().create_task(self._join(client))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    def leave(self, client: _Client) -> None:
        """This client's connection has ended."""
        self._clients.discard(client)
        self._left.set()

    async def empty(self) -> None:
        """Wait until no client is left."""
        while self._clients:
            self._left.clear()
            await self._left.wait()

    async def _join(self, client: _Client) -> None:
        loop, first = asyncio.get_running_loop(), next(self._turns)
        assert client.transport is not None, "connected"
        for place in range(len(self._nodes)):
            host, port = self._nodes[(first + place) % len(self._nodes)]
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    _, node = await loop.create_connection(lambda: _End(client), host, port)
                client.lead_to(node)
                # A client that has hung up meanwhile must not leave its node a connection that never ends.
                if client.transport.is_closing():
                    client.connection_lost(None)
                return
        client.transport.close()


async def _serve(port: int, nodes: Sequence[Address]) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    front = Front(nodes)
    try:
        server = await loop.create_server(lambda: _Client(front), "127.0.0.1", port, backlog=2048)
    except OSError as error:
        raise SystemExit(f"front: port {port} cannot be listened on: {os.strerror(error.errno or 0)}") from None
    print(json.dumps({"ready": True, "url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}), flush=True)
    await stop.wait()
    server.close()
    # The nodes are told to stop next: they answer what they have and close, and so do their clients' connections.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_BYTES_SECONDS):
            await front.empty()


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main() -> None:
    """Pass connections on until SIGTERM."""
    parser = argparse.ArgumentParser(description="Pass connections on to several nodes in turn.")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1; 0 for any free one")
    parser.add_argument("nodes", nargs="+", type=_address, metavar="HOST:PORT")
    options = parser.parse_args()
    # A greater number would be cut to 16 bits on the way, and another port listened on.
    if not 0 <= options.port <= 65_535:
        parser.error(f"there is no port {options.port}: ports go from 0 (any free one) to 65535")
    uvloop.run(_serve(options.port, options.nodes))


if __name__ == "__main__":
    main()
