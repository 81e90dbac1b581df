"""Callers of API v2 at addresses of their own, asking two servers over one database."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count, cycle
from urllib.parse import urlencode

import psycopg

from hawker.core.settings import settings
from processes import ServeProcess, start_serve
from raw_http import Answer, Wire, post

BEHIND_PROXIES = {"HAWKER_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8"}
"""Whoever connects from this machine is a proxy, so a test can be at any address."""

INVALID = b'{"error":"Invalid API key"}'
TOO_MANY = b'{"error":"Too many requests"}'

_numbers = count(1)


def new_address() -> str:
    """An address that nobody has asked from."""
    number = next(_numbers)
    return f"198.18.{number // 250}.{number % 250 + 1}"


@contextmanager
def two_servers(environment: Mapping[str, str]) -> Iterator[list[ServeProcess]]:
    """Two `hawker serve` over this process's database."""
    with start_serve(environment) as one, start_serve(environment) as two:
        yield [one, two]


def request(key: str, action: str = "balance", *, address: str | None = None, **fields: object) -> bytes:
    """The bytes of a request by this caller; from a new address where none is given."""
    form = {"key": key, "action": action, **fields}
    return post(urlencode(form).encode(), headers=[f"X-Forwarded-For: {address or new_address()}"])


def ask(server: ServeProcess, key: str, action: str = "balance", **more: object) -> Answer:
    """One request over a connection of its own."""
    with Wire(server.url) as wire:
        return wire.ask(request(key, action, **more))  # type: ignore[arg-type]


def ask_at_once(servers: Sequence[ServeProcess], requests: Sequence[bytes]) -> list[Answer]:
    """Every request over a connection of its own, to each server in turn, written before an answer is read."""
    with ExitStack() as stack:
        urls = cycle(server.url for server in servers)
        wires = [stack.enter_context(Wire(url)) for url, _ in zip(urls, requests, strict=False)]
        for wire, asked in zip(wires, requests, strict=True):
            wire.send(asked)
        return [wire.answer() for wire in wires]


@contextmanager
def owner() -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """A connection to whom everything belongs."""
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as connection:
        yield connection
