"""Requests that the HTTP connection refuses before anybody reads them, and offers that it ignores."""

import select
import socket
import time
from contextlib import suppress
from itertools import pairwise
from urllib.parse import urlsplit

import psutil
import pytest
from world import World, everything_written

from processes import ServeProcess, eventually, start_serve
from raw_http import Answer, Wire, post, post_form

BALANCE = b'{"balance":"100.84292","currency":"USD"}'
MAX_HEAD_BYTES = 131_072
SLACK_BYTES = 4_000_000
"""More than both sockets of a connection hold between them."""


def balance_request(world: World) -> bytes:
    return post_form(key=world.names["seed_key"], action="balance")


def request_with_head_of(size: int, world: World) -> bytes:
    """A request for the balance whose head has just this size."""
    query = f"key={world.names['seed_key']}&action=balance&a="
    bare = post(target=f"/api/v2?{query}")
    return post(target=f"/api/v2?{query}{'x' * (size - len(bare))}")


def cut(request: bytes, size: int) -> list[bytes]:
    return [request[start : start + size] for start in range(0, len(request), size)]


@pytest.mark.parametrize("piece", [1_000_000, 50_000, 1_460], ids=["whole", "large pieces", "small pieces"])
@pytest.mark.parametrize("before", [0, 2], ids=["first", "third"])
def test_a_head_has_at_most_131072_bytes(world: World, piece: int, before: int) -> None:
    others = balance_request(world) * before
    fits, too_large = (request_with_head_of(MAX_HEAD_BYTES + more, world) for more in (0, 1))
    assert (len(fits), len(too_large)) == (MAX_HEAD_BYTES, MAX_HEAD_BYTES + 1)
    with Wire(world.server.url) as wire:
        wire.send(*cut(others + fits, piece))
        assert [wire.answer().body for _ in range(before + 1)] == [BALANCE] * (before + 1)
        wire.send(*cut(others + too_large, piece))
        assert [wire.answer().body for _ in range(before)] == [BALANCE] * before
        refusal = wire.answer()
        assert (refusal.status, refusal.headers["connection"]) == (431, "close")
        assert wire.is_closed()


def test_headers_of_a_page_are_bounded_too(world: World) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X-More: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n"
    with Wire(world.server.url) as wire:
        assert wire.ask(head).status == 431
        assert wire.is_closed()


HOSTLESS = {
    "none": "",
    "two": "Host: a\r\nHost: b\r\n",
    "the same one twice": "Host: a\r\nHost: a\r\n",
    "a path": "Host: a/b\r\n",
    "a space": "Host: a b\r\n",
    "a user": "Host: u@a\r\n",
    "two ports": "Host: a:1:2\r\n",
    "no port": "Host: a:x\r\n",
    "half a bracket": "Host: [::1\r\n",
    "markup": "Host: <b>\r\n",
    "letters that are none": "Host: \xe9\r\n",
    "a list": "Host: a, b/c\r\n",
}


@pytest.mark.parametrize("target", ["/api/v2", "/api", "/healthz", "/nowhere"])
@pytest.mark.parametrize("host", HOSTLESS.values(), ids=HOSTLESS)
def test_a_request_without_one_good_host_is_refused(world: World, host: str, target: str) -> None:
    before = everything_written()
    body = b"key=x&action=add"
    head = f"POST {target} HTTP/1.1\r\n{host}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")
    with Wire(world.server.url) as wire:
        assert wire.ask(balance_request(world)).body == BALANCE
        refusal = wire.ask(head + body)
        assert (refusal.status, refusal.headers["connection"]) == (400, "close")
        assert wire.is_closed()
    assert everything_written() == before


@pytest.mark.parametrize("host", ["a", "a_b.example:8080", "10.0.0.1", "[::1]", "[2001:db8::1]:443", "", "a:"])
def test_a_good_host_is_any_name_or_address(world: World, host: str) -> None:
    request = balance_request(world).replace(b"Host: panel", f"Host: {host}".encode())
    with Wire(world.server.url) as wire:
        assert wire.ask(request).body == BALANCE
        assert wire.ask(balance_request(world)).body == BALANCE


def test_http_1_0_needs_no_host(world: World) -> None:
    request = balance_request(world).replace(b"HTTP/1.1\r\nHost: panel\r\n", b"HTTP/1.0\r\n")
    with Wire(world.server.url) as wire:
        assert wire.ask(request).body == BALANCE
        assert wire.is_closed()


OFFERS = {
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n",
    "another": b"Connection: keep-alive, upgrade\r\nUPGRADE: TLS/1.0, IRC/6.9\r\n",
    "without Connection": b"Upgrade: websocket\r\n",
}


def requests_of(world: World) -> "dict[str, tuple[bytes, bytes]]":
    """Requests of every framing, each with what it is answered."""
    asked = balance_request(world)
    body = asked.partition(b"\r\n\r\n")[2]
    chunks = b"%x\r\n%b\r\n3\r\n%b\r\n0\r\n\r\n" % (len(body) - 3, body[:-3], body[-3:])
    form = b"Content-Type: application/x-www-form-urlencoded\r\n"
    chunked = b"POST /api/v2 HTTP/1.1\r\nHost: panel\r\n" + form + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    query = f"/api/v2?key={world.names['seed_key']}&action=balance"
    return {
        "form": (asked, BALANCE),
        "chunks": (chunked, BALANCE),
        "query": (f"GET {query} HTTP/1.1\r\nHost: panel\r\n\r\n".encode(), BALANCE),
        "page": (b"GET /healthz HTTP/1.1\r\nHost: panel\r\n\r\n", b'{"ok":true}'),
    }


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_an_offer_of_another_protocol_is_ignored(world: World, offer: bytes) -> None:
    kinds = requests_of(world)
    offered = {name: request.replace(b"\r\n", b"\r\n" + offer, 1) for name, (request, _) in kinds.items()}
    asked = [name for name in kinds for _ in range(2)]
    stream = b"".join(request for name, (plain, _) in kinds.items() for request in (offered[name], plain))
    for step in (len(stream), 700, 37, 5):
        cuts = [*range(0, len(stream), step), len(stream)]
        with Wire(world.server.url) as wire:
            wire.send(*(stream[start:end] for start, end in pairwise(cuts)))
            assert [wire.answer().body for _ in asked] == [kinds[name][1] for name in asked], step
            assert wire.ask(balance_request(world)).body == BALANCE


def test_a_tunnel_is_refused(world: World) -> None:
    with Wire(world.server.url) as wire:
        wire.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + balance_request(world))
        assert wire.answer().status == 400
        assert wire.is_closed()


def test_answers_to_good_requests_go_before_a_refusal(world: World) -> None:
    """The good ones may still be with the database when what follows them is read."""
    for bad in (b"POST /api/v2 HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n", post(b"").replace(b"Length: 0", b"Length: x")):
        with Wire(world.server.url) as wire:
            wire.send(balance_request(world) * 20 + bad)
            assert [wire.answer().body for _ in range(20)] == [BALANCE] * 20
            assert wire.answer().status == 400
            assert wire.is_closed()


def test_a_broken_body_is_refused_behind_the_answers_before_it(world: World) -> None:
    broken = b"POST %b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n"
    for target in (b"/api/v2", b"/api", b"/nowhere"):
        for before in (0, 1, 5):
            with Wire(world.server.url) as wire:
                wire.send(balance_request(world) * before + broken % target)
                assert [wire.answer().body for _ in range(before)] == [BALANCE] * before
                assert wire.answer().status in (400, 404, 405)


def answer_to_a_writer(server: ServeProcess, head: bytes, body: bytes) -> Answer:
    """What a client reads that writes all of its request first, in pieces, while the answer is there already."""
    with Wire(server.url) as wire:
        wire.send(head, body[:1_000])
        select.select([wire], [], [], 10)
        for piece in cut(body[1_000:], 100_000):
            wire.send(piece)
        return wire.answer()


WRITERS = {
    "a body too large": ("/api/v2", "", 413),
    "the last of a connection": ("/api/v2", "Connection: close\r\n", 413),
    "not allowed": ("/healthz", "Connection: close\r\n", 405),
    "nowhere": ("/nowhere", "Connection: close\r\n", 404),
    "a page": ("/api", "Connection: close\r\n", 413),
    "two hosts": ("/api/v2", "Host: b\r\n", 400),
}


@pytest.mark.parametrize(("target", "headers", "status"), WRITERS.values(), ids=WRITERS)
def test_who_writes_a_large_body_first_and_reads_later_gets_the_refusal(
    world: World, target: str, headers: str, status: int
) -> None:
    body = b"x" * 3_000_000
    head = f"POST {target} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode()
    answer = answer_to_a_writer(world.server, head, body)
    assert answer.status == status
    with Wire(world.server.url) as wire:
        assert wire.ask(balance_request(world)).body == BALANCE


def test_a_client_that_waits_for_100_continue_may_send_its_large_body_or_not(world: World) -> None:
    head = b"POST /api/v2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3000000\r\n\r\n"
    for body in (b"", b"x" * 3_000_000):
        with Wire(world.server.url) as wire:
            wire.send(head)
            refusal = wire.answer()
            assert (refusal.status, refusal.headers["connection"]) == (413, "close")
            wire.send(*cut(body, 100_000))
            assert wire.is_closed()


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("target", ["/api/v2", "/nowhere"])
def test_what_is_discarded_is_bounded_in_bytes(world: World, target: str, connection: str) -> None:
    head = f"POST {target} HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\nContent-Length: 900000000\r\n\r\n"
    sent = 0
    with Wire(world.server.url) as wire, suppress(ConnectionError):
        wire.send(head.encode())
        while sent < 900_000_000:
            wire.send(b"x" * 1_000_000)
            sent += 1_000_000
    assert 3_000_000 < sent < 40_000_000


def test_what_is_discarded_is_bounded_in_time(world: World) -> None:
    requests = [b"GET /api HTTP/1.1\r\n\r\n", post(b"").replace(b"Length: 0", b"Length: 9000000\r\nConnection: close")]
    with start_serve({"HAWKER_REQUEST_SECONDS": "1"}) as server:
        address = urlsplit(server.url)
        assert address.hostname is not None
        process = psutil.Process(server.pid)
        for request in requests:
            with socket.create_connection((address.hostname, address.port or 0), timeout=30) as client:
                client.sendall(request)
                while client.recv(65_536):
                    """Its answer, and the end of what the server says."""
                port, began = client.getsockname()[1], time.monotonic()
                eventually(
                    "the server lets go of a client that stays",
                    lambda port=port: port not in {held.raddr.port for held in process.net_connections() if held.raddr},
                )
                assert time.monotonic() - began < 20
