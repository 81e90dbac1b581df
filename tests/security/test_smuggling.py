"""Requests that two parsers read differently: a proxy before us and we must never see another number of requests."""

from contextlib import suppress

import pytest

from hawker.ledger.customers import OpenedCustomer
from hawker.orders.models import Order
from panel import Panel
from processes import ServeProcess
from raw_http import Wire, post_form

HEAD = b"POST /api/v2 HTTP/1.1\r\nHost: panel\r\n"


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    panel.service(id=1)
    return panel.customer()


def framings(hidden: bytes) -> dict[str, bytes]:
    """Requests whose body, by the reading that a proxy may have of their head, is another request."""
    length, chunk = b"Content-Length: %d\r\n" % len(hidden), b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden)
    chunked = b"Transfer-Encoding: chunked\r\n"
    return {
        "both framings": HEAD + chunked + b"Content-Length: 4\r\n\r\n0\r\n\r\n" + hidden,
        "both, the other way": HEAD + length + chunked + b"\r\n0\r\n\r\n" + hidden,
        "a space before the colon": HEAD + b"Transfer-Encoding : chunked\r\n" + length + b"\r\n" + chunk,
        "a strange coding": HEAD + b"Transfer-Encoding: xchunked\r\n" + length + b"\r\n" + hidden,
        "two codings": HEAD + b"Transfer-Encoding: chunked, identity\r\n" + length + b"\r\n" + hidden,
        "chunked twice": HEAD + chunked * 2 + b"\r\n0\r\n\r\n0\r\n\r\n" + hidden[:-1],
        "a folded coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n" + length + b"\r\n" + hidden,
        "a vertical tab": HEAD + b"Transfer-Encoding: \x0bchunked\r\n" + length + b"\r\n" + hidden,
        "two lengths": HEAD + b"Content-Length: 0\r\n" + length + b"\r\n" + hidden,
        "two lengths in one": HEAD + b"Content-Length: 0, %d\r\n\r\n" % len(hidden) + hidden,
        "a signed length": HEAD + b"Content-Length: +%d\r\n\r\n" % len(hidden) + hidden,
        "a length in hex": HEAD + b"Content-Length: 0x%x\r\n\r\n" % len(hidden) + hidden,
        "a length with an underscore": HEAD + b"Content-Length: 1_0\r\n\r\n" + hidden,
        "a length of spaces": HEAD + b"Content-Length:  \r\n\r\n" + hidden,
        "a length too long": HEAD + b"Content-Length: 18446744073709551616\r\n\r\n" + hidden,
        "a bare carriage return": HEAD + b"X: y\rContent-Length: 0\r\n" + length + b"\r\n" + hidden,
        "a nul": HEAD + b"X: \x00\r\n" + length + b"\r\n" + hidden,
        "a chunk of no size": HEAD + chunked + b"\r\n\r\n\r\n" + hidden,
        "a signed chunk": HEAD + chunked + b"\r\n+%x\r\n" % len(hidden) + hidden + b"\r\n0\r\n\r\n",
        "a chunk in 0x": HEAD + chunked + b"\r\n0x%x\r\n" % len(hidden) + hidden + b"\r\n0\r\n\r\n",
        "a chunk that is longer than it says": HEAD + chunked + b"\r\n1\r\nab" + hidden,
        "HTTP/1.0 in chunks": HEAD.replace(b"1.1", b"1.0") + chunked + length + b"\r\n0\r\n\r\n" + hidden,
        "a body that is a request": HEAD + length + b"\r\n" + hidden,
        "a chunk that is a request": HEAD + chunked + b"\r\n" + chunk,
        "an offer of another protocol": HEAD
        + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n"
        + length
        + b"\r\n"
        + hidden,
        "a websocket": HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + length + b"\r\n" + hidden,
    }


@pytest.mark.quick
def test_a_request_inside_another_is_never_carried_out(server: ServeProcess, customer: OpenedCustomer) -> None:
    hidden = post_form(key=customer.api_key, action="add", service="1", link="https://e.example/", quantity="100")
    for name, request in framings(hidden).items():
        with Wire(server.url) as wire, suppress(ConnectionError, AssertionError, TimeoutError):
            wire.send(request)
            while not wire.is_silent(seconds=0.3):
                wire.answer()
        assert not Order.objects.exists(), name
    with Wire(server.url) as wire:
        assert b'"order"' in wire.ask(hidden).body, "alone it is an order like any"
