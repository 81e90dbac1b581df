"""Clients that send too much, too slowly or too often: they are turned out, and nobody else waits for them."""

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil
import psycopg
import pytest

from hawker.catalog.models import Service
from hawker.core.log_rate_limit import MOST as MOST_LINES
from hawker.core.log_rate_limit import SECONDS
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from hawker.orders.models import Order
from panel import Panel
from processes import ServeProcess, eventually, start_serve
from raw_http import FORM, Wire, post, post_form, post_json

PATIENCE_SECONDS = 1.0
MOST = 60
CPU_SECONDS = 2.0
"""Of the server, so that a busy machine does not count; promised is that nothing bad takes longer."""


@pytest.fixture(scope="module")
def door(database: None) -> Iterator[ServeProcess]:
    """A server of little patience."""
    limits = {"HAWKER_REQUEST_SECONDS": str(PATIENCE_SECONDS), "HAWKER_CONNECTIONS_PER_ADDRESS": str(MOST)}
    with start_serve(limits) as process:
        yield process


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer()


@pytest.fixture
def service(panel: Panel) -> Service:
    return panel.service()


def connect(door: ServeProcess, *, source: str = "127.0.0.1") -> socket.socket:
    """A connection from this address of our machine; any of 127.0.0.0/8 will do."""
    port = urlsplit(door.url).port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))


def is_closed(connection: socket.socket) -> bool:
    """Whether the server has hung up; whatever it still said is dropped."""
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.settimeout(30)
    return True


def balance(door: ServeProcess, customer: OpenedCustomer, *, source: str = "127.0.0.9") -> bytes:
    """What somebody else at another address is answered meanwhile."""
    with connect(door, source=source) as connection:
        connection.sendall(post_form(key=customer.api_key, action="balance"))
        return connection.recv(65_536)


HEAD = b"POST /api/v2 HTTP/1.1\r\nHost: panel\r\n"

BEGUN = {
    "nothing": b"",
    "a line": b"POST /api/v2 HT",
    "a head": HEAD + b"X-More: ",
    "a body": HEAD + b"Content-Type: " + FORM.encode() + b"\r\nContent-Length: 1000\r\n\r\nkey=",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nkey=\r\n",
    "another path": b"GET /api HTTP/1.1\r\nHost: panel\r\nX-More: ",
    "a body nobody wants": b"POST /api HTTP/1.1\r\nHost: panel\r\nContent-Length: 100000\r\n\r\nx",
    "a body too large": HEAD + b"Content-Length: 100000000\r\n\r\nx",
    "the second of two": post_form(action="balance") + HEAD + b"X-More: ",
}


ANSWERED = ("a body nobody wants", "a body too large")


@pytest.mark.parametrize("dripping", [False, True])
def test_who_does_not_get_on_is_turned_out_and_holds_nobody_up(
    door: ServeProcess, customer: OpenedCustomer, dripping: bool
) -> None:
    with ExitStack() as stack:
        # Whoever was answered before the end of its body, and is silent, rests as between two requests.
        names = [name for name in BEGUN if dripping or name not in ANSWERED]
        slow = {name: [stack.enter_context(connect(door)) for _ in range(5)] for name in names}
        for name, connections in slow.items():
            for connection in connections:
                connection.sendall(BEGUN[name])
        assert b'"balance"' in balance(door, customer)

        def all_are_out() -> bool:
            for name, connections in slow.items():
                for connection in connections:
                    if dripping and name != "nothing":
                        with suppress(ConnectionError):
                            connection.sendall(b"1" if name != "chunks" else b"1\r\nx\r\n")
            return all(is_closed(connection) for connections in slow.values() for connection in connections)

        eventually("all of them are turned out", all_are_out, seconds=30)
        assert b'"balance"' in balance(door, customer)
    assert not Order.objects.exists()


def test_who_does_not_read_is_cut_off(door: ServeProcess, customer: OpenedCustomer) -> None:
    with ExitStack() as stack:
        deaf = [stack.enter_context(connect(door)) for _ in range(5)]
        for connection in deaf:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"GET /api HTTP/1.1\r\nHost: panel\r\n\r\n" * 400)
        process = psutil.Process(door.pid)
        eventually("the server has let go of them", lambda: connections_of(process, deaf) == 0)
        assert b'"balance"' in balance(door, customer)


def connections_of(process: psutil.Process, clients: list[socket.socket]) -> int:
    """How many of these clients the process still holds."""
    ports = {client.getsockname()[1] for client in clients}
    return sum(bool(held.raddr) and held.raddr.port in ports for held in process.net_connections(kind="tcp"))


def test_a_connection_may_rest_between_requests_for_longer(door: ServeProcess, customer: OpenedCustomer) -> None:
    request = post_form(key=customer.api_key, action="balance")
    with Wire(door.url) as wire:
        assert b"balance" in wire.ask(request).body
        time.sleep(2.5 * PATIENCE_SECONDS)
        assert b"balance" in wire.ask(request).body


def test_who_waits_for_us_is_not_turned_out(door: ServeProcess, customer: OpenedCustomer, service: Service) -> None:
    order = post_form(
        key=customer.api_key, action="add", service=str(service.id), link="https://e.example/", quantity="100"
    )
    with psycopg.connect(settings().folder.embedded_url("hawker")) as owner, Wire(door.url) as wire:
        owner.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", [customer.account_id])
        wire.send(order)
        time.sleep(2.5 * PATIENCE_SECONDS)
        owner.rollback()
        assert b'"order"' in wire.answer().body


def test_one_address_cannot_take_everybodys_place(door: ServeProcess, customer: OpenedCustomer) -> None:
    def held() -> int:
        return sum(not is_closed(connection) for connection in crowd)

    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(door, source="127.0.0.5")) for _ in range(2 * MOST)]
        eventually("those beyond the limit are out", lambda: held() <= MOST)
        assert b'"balance"' in balance(door, customer, source="127.0.0.6")
    eventually("who has left makes room", lambda: b'"balance"' in tried(door, customer, "127.0.0.5"))


def tried(door: ServeProcess, customer: OpenedCustomer, source: str) -> bytes:
    with suppress(ConnectionError):
        return balance(door, customer, source=source)
    return b""


def test_a_thousand_requests_at_once_are_answered_in_order_and_hold_nobody_up(
    door: ServeProcess, customer: OpenedCustomer, service: Service
) -> None:
    """Pipelined in one write: good ones, wrong ones, orders."""
    fields = {"service": str(service.id), "link": "https://e.example/", "quantity": "100"}
    good, bad = post_form(key=customer.api_key, action="balance"), post_form(key="wrong" * 20, action="balance")
    order = post_form(key=customer.api_key, action="add", **fields)
    with Wire(door.url) as wire:
        wire.send((good * 98 + bad + order) * 10)
        assert b'"balance"' in balance(door, customer)
        bodies = [wire.answer().body for _ in range(1_000)]
    kinds = ["balance" if b"balance" in body else "order" if b"order" in body else "error" for body in bodies]
    assert kinds == (["balance"] * 98 + ["error", "order"]) * 10
    assert Order.objects.count() == 10


@contextmanager
def little_cpu(door: ServeProcess, what: str) -> Iterator[None]:
    """What the server does in this block costs it no more than it should."""
    times = psutil.Process(door.pid).cpu_times
    before = times()
    yield
    after = times()
    spent = after.user + after.system - before.user - before.system
    assert spent < CPU_SECONDS, (what, spent)


DIGITS = "9" * 1_000_000

REQUESTS = {
    "a key of a megabyte": post_form(key="k" * 1_000_000, action="balance"),
    "a key of 100 kB in a header": post(b"action=balance", headers=[f"Authorization: Bearer {'k' * 100_000}"]),
    "an action of a megabyte": post_form(key="k", action="a" * 1_000_000),
    "a field of a megabyte": post_form(key="k", action="add", link="https://e.example/" + "a" * 1_000_000),
    "a name of a megabyte": post(b"a" * 1_000_000 + b"=1&key=k&action=balance"),
    "percent signs": post(b"key=" + b"%25" * 330_000),
    "fields": post(b"&".join(b"f%d=1" % number for number in range(90_000))),
    "separators": post(b"&" * 1_000_000),
    "a deep list": post(b'{"key":' + b"[" * 900_000, content_type="application/json"),
    "a deep list, closed": post(b'{"key":' + b"[" * 500_000 + b"]" * 500_000 + b"}", content_type="application/json"),
    "deep objects": post(b'{"a":' * 200_000, content_type="application/json"),
    "a huge number": post(f'{{"key":"k","quantity":{DIGITS}}}'.encode(), content_type="application/json"),
    "a huge fraction": post(f'{{"key":"k","quantity":0.{DIGITS}}}'.encode(), content_type="application/json"),
    "a huge exponent": post(b'{"key":"k","quantity":1e999999999}', content_type="application/json"),
    "empty lists": post(b'{"key":[' + b"[]," * 300_000 + b"1]}", content_type="application/json"),
    "many members": post_json(**{f"m{number}": number for number in range(60_000)}),
    "escapes": post(b'{"key":"' + b"\\u0041" * 150_000 + b'"}', content_type="application/json"),
    "a huge quantity": post_form(key="k", action="add", quantity=DIGITS),
    "many ids": post_form(key="k", action="status", orders=",".join("1" * 250_000)),
    "parts": post(
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 15_000 + b"--x--\r\n",
        content_type="multipart/form-data; boundary=x",
    ),
    "almost boundaries": post(b"--x\r\n" + b"\r\n--" * 250_000, content_type="multipart/form-data; boundary=xx"),
    "a boundary of 50 kB": post(b"--x", content_type=f"multipart/form-data; boundary={'x' * 50_000}"),
    "parameters of a type": post(b"--x", content_type="multipart/form-data" + ";a=b" * 20_000),
    "headers": post(b"action=balance", headers=[f"X-{number}: y" for number in range(9_000)]),
    "the same header": post(b"action=balance", headers=["X-Forwarded-For: 1.1.1.1"] * 4_000),
    "a list of proxies": post(b"action=balance", headers=["X-Forwarded-For: " + "1.1.1.1," * 14_000]),
    "tags": post(b"action=services", headers=["If-None-Match: " + '"a",' * 25_000]),
    "encodings": post(b"action=services", headers=["Accept-Encoding: " + "gzip;q=0.1," * 9_000]),
    "an idempotency key of 100 kB": post(b"key=k&action=add", headers=["Idempotency-Key: " + "k" * 100_000]),
    "a long path": post(target="/api/v2?" + "a" * 100_000),
    "an escaped path": b"GET /" + b"%2f" * 30_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a long host": b"GET /api HTTP/1.1\r\nHost: " + b"a." * 40_000 + b"\r\n\r\n",
    "tags of a page": b"GET /api/v2/openapi.json HTTP/1.1\r\nHost: a\r\nIf-None-Match: "
    + b'"a",' * 25_000
    + b"\r\n\r\n",
}


@pytest.mark.parametrize("known", [False, True], ids=["anybody", "a customer"])
def test_nothing_that_is_too_much_takes_long_or_does_anything(
    door: ServeProcess, customer: OpenedCustomer, known: bool
) -> None:
    for name, asked in REQUESTS.items():
        head, blank, body = asked.partition(b"\r\n\r\n")
        bearer = f"\r\nAuthorization: Bearer {customer.api_key}".encode() if known else b""
        with Wire(door.url) as wire, little_cpu(door, name):
            answer = wire.ask(head + bearer + blank + body)
        assert answer.status in (200, 304, 400, 404, 413), name
        assert not answer.body.startswith(b'{"order":')
    assert not Order.objects.exists()
    assert b'"balance"' in balance(door, customer)


def test_bodies_in_crumbs_cost_no_more_than_their_bytes(door: ServeProcess, customer: OpenedCustomer) -> None:
    body = urlencode({"key": customer.api_key, "action": "balance"}).encode()
    crumbs = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    with Wire(door.url) as wire, little_cpu(door, "crumbs"):
        answer = wire.ask(HEAD + f"Content-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + crumbs)
        assert b'"balance"' in answer.body
        with suppress(ConnectionError):
            wire.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000)
            assert wire.answer().status in (400, 413)
    with connect(door) as connection, little_cpu(door, "a head in crumbs"):
        for byte in post_form(key=customer.api_key, action="balance"):
            connection.sendall(bytes([byte]))
        assert b'"balance"' in connection.recv(65_536)


def test_a_log_does_not_grow_at_a_strangers_word(panel: Panel, tmp_path: Path) -> None:
    """Things that the server has a line for: no HTTP, offers of other protocols, wrong keys, crowds."""
    upgrade = b"GET /api HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    path = tmp_path / "log"
    limits = {"HAWKER_CONNECTIONS_PER_ADDRESS": "50", "HAWKER_LOG_LEVEL": "info"}
    with path.open("wb") as log, start_serve(limits, log=log) as door:
        for _ in range(150):
            for request in (b"\x16\x03\x01 no HTTP\r\n\r\n", upgrade, post_form(key="wrong", action="balance")):
                with Wire(door.url) as wire, suppress(ConnectionError, AssertionError):
                    wire.ask(request)
        with ExitStack() as stack:
            for _ in range(150):
                stack.enter_context(connect(door))
        lines = path.read_text().splitlines()
    kinds = Counter(json.loads(line)["event"].partition(" (and")[0] for line in lines)
    assert kinds, "it says something"
    seconds_passed = 60
    assert max(kinds.values()) <= (seconds_passed / SECONDS + 1) * MOST_LINES, kinds
