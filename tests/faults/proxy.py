"""A TCP proxy that spoils connections on purpose: real sockets between a worker and the sandbox.

with proxied(sandbox.url) as proxy:
    proxy.spoil(Fault("reset", side="response", after=20), Fault("blackhole"))   # the next two connections
    proxy.spoil_all(Fault("trickle", seconds=0.01))                             # every one from now on
    proxy.refusing()                                                            # nobody listens any more

Faults count bytes, not requests: `after` bytes of a side pass unharmed, then it strikes.
"""

import asyncio
import random
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

_NO_LINGER = struct.pack("ii", 1, 0)
_PIECE = 65_536


@dataclass(frozen=True)
class Fault:
    """What happens to a connection once `after` bytes of a side have passed.

    reset      the client gets a TCP reset; with `side="accept"` as soon as it is connected, or `seconds` later
    truncate   the client gets an orderly end
    blackhole  nothing passes any more on this side, and nobody closes
    delay      the rest of the side passes `seconds` later
    trickle    the rest of the side passes byte by byte, `seconds` apart

    What is held back is dropped when the client goes, unless it `lingers`, as in a gate that has it in a queue.
    """

    kind: Literal["reset", "truncate", "blackhole", "delay", "trickle"]
    side: Literal["accept", "request", "response"] = "response"
    after: int = 0
    seconds: float = 0.0
    lingers: bool = False


@dataclass
class Passage:
    """One connection: how many bytes came from either end, and how many were let through."""

    fault: Fault | None
    requested: int = 0
    request_passed: int = 0
    responded: int = 0
    response_passed: int = 0


class Proxy:
    """Accepts connections in a thread of its own and passes them on to one address."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._next: deque[Fault] = deque()
        self._draw: Callable[[], Fault | None] = lambda: None
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.passages: list[Passage] = []
        self.port = 0

    @property
    def url(self) -> str:
        """The target's address, by way of this proxy."""
        return f"{self._target.scheme}://127.0.0.1:{self.port}{self._target.path}"

    def spoil(self, *faults: Fault) -> None:
        """Spoil the next connections, one fault each; the following ones as `spoil_all` has said last."""
        self._next.extend(faults)

    def spoil_all(self, fault: Fault | None) -> None:
        """Spoil every connection from now on, or none."""
        self._next.clear()
        self._draw = lambda: fault

    def spoil_some(self, faults: list[Fault], rate: float, seed: int) -> None:
        """Spoil this share of all connections from now on, each with one of these faults by chance."""
        chance = random.Random(seed)
        self._draw = lambda: chance.choice(faults) if chance.random() < rate else None

    def refusing(self) -> None:
        """Nobody listens any more; connections that are open stay."""
        self._ask(self._stop_listening())

    def listening(self) -> None:
        """Listen again, at the same address."""
        self._ask(self._listen())

    # --- the thread --------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread and listen on a free port."""
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ask(self._listen())

    def stop(self) -> None:
        """Close everything and end the thread."""
        self._ask(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _ask(self, what: "asyncio.Future[None]") -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _close(self) -> None:
        await self._stop_listening()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        passage = Passage(self._next.popleft() if self._next else self._draw())
        self.passages.append(passage)
        try:
            await self._pass(passage, reader, writer)
        except (asyncio.CancelledError, OSError):
            # The test is over, or the other end has gone: there is nobody to tell.
            pass
        finally:
            writer.close()
            self._open.discard(task)

    async def _pass(self, passage: Passage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = passage.fault
        if fault is not None and fault.side == "accept":
            await asyncio.sleep(fault.seconds)
            _reset(writer)
            return
        up_reader, up_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        try:
            sides = [
                asyncio.create_task(_carry(passage, "request", reader, up_writer, writer)),
                asyncio.create_task(_carry(passage, "response", up_reader, writer, writer)),
            ]
            try:
                await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for side in sides:
                    side.cancel()
                await asyncio.gather(*sides, return_exceptions=True)
        finally:
            up_writer.close()


async def _carry(
    passage: Passage,
    side: Literal["request", "response"],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    client: asyncio.StreamWriter,
) -> None:
    """Carry one side of a connection until it ends or its fault ends it."""
    fault = passage.fault if passage.fault is not None and passage.fault.side == side else None
    room = fault.after if fault is not None else None
    with suppress(ConnectionError):
        while piece := await reader.read(_PIECE):
            _count(passage, side, came=len(piece))
            if fault is None or room is None:
                await _write(passage, side, writer, piece)
                continue
            await _write(passage, side, writer, piece[:room])
            rest, room = piece[room:], room - min(room, len(piece))
            if room == 0 and fault.kind in ("reset", "truncate"):
                # Also right behind the last byte of a piece: nothing more may pass.
                await _end(fault, client)
                return
            if fault.kind == "blackhole" or not rest:
                continue
            for held in [rest] if fault.kind == "delay" else [bytes([byte]) for byte in rest]:
                await asyncio.sleep(fault.seconds)
                if side == "request" and reader.at_eof() and not fault.lingers:
                    return
                await _write(passage, side, writer, held)


async def _write(
    passage: Passage, side: Literal["request", "response"], writer: asyncio.StreamWriter, piece: bytes
) -> None:
    if piece:
        writer.write(piece)
        await writer.drain()
        _count(passage, side, passed=len(piece))


async def _end(fault: Fault, client: asyncio.StreamWriter) -> None:
    # What was let through is to arrive first: a reset would overtake it.
    await asyncio.sleep(0.02)
    if fault.kind == "reset":
        _reset(client)
    else:
        client.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()


def _count(passage: Passage, side: str, *, came: int = 0, passed: int = 0) -> None:
    if side == "request":
        passage.requested += came
        passage.request_passed += passed
    else:
        passage.responded += came
        passage.response_passed += passed


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """A proxy before this address while the block runs."""
    proxy = Proxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
