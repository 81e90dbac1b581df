"""Networks to test with: one that only writes down who was dialled, names that move, a door that counts."""

import ipaddress
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpcore2

from hawker.providers.actions import ProviderAccess
from hawker.providers.http_client import ProviderClient, open_line
from hawker.providers.rules import Address, ProviderUrl


class RecordingNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to nobody, and remembers to whom it should have."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def connect_tcp(self, host: str, port: int, *words: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        del port, words, options
        self.dialled.append(host)
        raise httpcore2.ConnectError("this network ends here")


@dataclass
class Names:
    """A resolver: each name's answers in turn, the last of them for ever. `asked` is how often which was asked for."""

    answers: Mapping[str, Iterable[Iterable[str]]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> list[Address]:
        del port
        turns = [list(turn) for turn in self.answers[host]]
        turn = turns[min(self.asked.count(host), len(turns) - 1)]
        self.asked.append(host)
        return [ipaddress.ip_address(address) for address in turn]


@dataclass
class Through:
    """Opens lines as the worker does, over a network and names of the test's own."""

    network: RecordingNetwork
    names: Names

    async def provider(self, access: ProviderAccess) -> ProviderClient:
        """An opener of providers."""
        return await self.feed(access.url, allow_private=access.allow_private)

    async def feed(self, url: ProviderUrl, *, allow_private: bool) -> ProviderClient:
        """An opener of feeds."""
        return await open_line(url, allow_private=allow_private, resolver=self.names, backend=self.network)


@dataclass
class CountingDoor:
    """A port of this machine, on both loopback addresses, that nobody should knock at."""

    port: int
    knocks: list[Any] = field(default_factory=list)


@contextmanager
def counting_door() -> Iterator[CountingDoor]:
    """The door, open while the block runs. It lets in and hangs up, so that whoever knocks is not kept waiting."""
    first = socket.create_server(("127.0.0.1", 0))
    door = CountingDoor(first.getsockname()[1])
    listeners = [first]
    with_six = socket.has_ipv6
    if with_six:
        try:
            listeners.append(socket.create_server(("::1", door.port), family=socket.AF_INET6))
        except OSError:
            with_six = False

    def let_in(listener: socket.socket) -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            door.knocks.append(peer)
            connection.close()

    threads = [threading.Thread(target=let_in, args=(listener,), daemon=True) for listener in listeners]
    for thread in threads:
        thread.start()
    try:
        yield door
    finally:
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in threads:
            thread.join(5)


@contextmanager
def saying(told: bytes, *more: bytes) -> Iterator[str]:
    """The address of an upstream that answers every call with these bytes, then sends `more` until it is cut off."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(peer: socket.socket) -> None:
        with peer, suppress(OSError):
            peer.settimeout(20)
            peer.recv(65_536)
            peer.sendall(told)
            while more:
                for piece in more:
                    peer.sendall(piece)

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v2"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
