"""Upstreams that send too much, too slowly or too deep: an answer costs a bounded time, and proves nothing."""

import asyncio
import gzip
import socket
import time
import zlib
from collections.abc import Callable

import pytest
from networks import saying

from hawker.orders.models import Attempt
from hawker.protocol.upstream import (
    MAX_ANSWER_BYTES,
    Unreadable,
    read_add,
    read_balance,
    read_cancels,
    read_refill,
    read_refill_statuses,
    read_services,
    read_statuses,
)
from hawker.providers.actions import ProviderAccess, ask_balance, ask_services
from hawker.providers.errors import CallFailed
from hawker.providers.http_client import MAX_REPLY_BYTES, open_line
from hawker.providers.models import Provider
from hawker.providers.rules import read_provider_url
from panel import Panel
from processes import SandboxProcess
from yardstick import in_cpu_time

CPU_SECONDS = 2.0
"""Of this process, so that a busy machine does not count; promised is that nothing bad takes longer."""

MEGABYTE = 1024**2
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def whole(body: bytes, *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in (*headers, f"Content-Length: {len(body)}"))
    return HEAD + lines.encode() + b"\r\n" + body


BOMB = gzip.compress(b"[" + b" " * (60 * MEGABYTE) + b"]")
"""Sixty megabytes in as many kilobytes."""

ENDLESS = b"%x\r\n%b\r\n" % (65_536, b" " * 65_536)

ANSWERS: dict[str, tuple[bytes, ...]] = {
    "a bomb": (whole(BOMB, "Content-Encoding: gzip"),),
    "a bomb by another name": (whole(BOMB, "Content-Encoding: x-gzip"),),
    "a bomb in a bomb": (whole(gzip.compress(BOMB), "Content-Encoding: gzip, gzip"),),
    "a deflated bomb": (whole(zlib.compress(b" " * (60 * MEGABYTE)), "Content-Encoding: deflate"),),
    "half a bomb": (whole(BOMB[:30_000], "Content-Encoding: gzip"),),
    "a strange encoding": (whole(b"\x0b\x02\x80order\x03", "Content-Encoding: br"),),
    "a body too large": (whole(b'{"order":1' + b" " * MAX_REPLY_BYTES + b"}"),),
    "a body without an end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", ENDLESS),
    "a body until it is cut off": (HEAD + b"\r\n", b" " * 65_536),
    "headers without an end": (HEAD, b"X-More: " + b"x" * 1_000 + b"\r\n"),
    "a header without an end": (HEAD + b"X-More: ", b"x" * 65_536),
    "a status line without an end": (b"HTTP/1.1 200 ", b"x" * 65_536),
    "a chunk of impossible size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n{}",),
    "a length that is none": (HEAD + b"Content-Length: -5\r\n\r\n{}",),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 11\r\n\r\n" + b'{"order":1}',),
    "a length beyond all": (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{", b" " * 65_536),
    "nested": (whole(b'{"order":' + b"[" * MEGABYTE + b"]" * MEGABYTE + b"}"),),
    "a number without an end": (whole(b'{"order":' + b"9" * MEGABYTE + b"}"),),
    "a number of no size": (whole(b'{"order":1e999999999}'),),
}


@pytest.fixture
def upstream(panel: Panel, sandbox: SandboxProcess) -> Provider:
    return panel.provider(sandbox)


def test_nothing_that_is_too_much_says_anything_of_an_order(panel: Panel, upstream: Provider) -> None:
    """Each answer to an `add` leaves it unknown; none brings the sweep down or holds it up."""
    service, customer = panel.service(provider=upstream), panel.customer()
    for name, told in ANSWERS.items():
        order = panel.place(customer, service)
        panel.clock.advance(hours=1)
        with saying(*told) as url:
            Provider.objects.filter(id=upstream.id).update(url=url, paused_until=None, pause_kind="")
            spent = time.process_time()
            panel.sweep()
            spent = time.process_time() - spent
        assert Attempt.objects.get(order_id=order).state == "unknown", name
        assert in_cpu_time(spent, CPU_SECONDS), name


def access(url: str) -> ProviderAccess:
    return ProviderAccess(0, "x", read_provider_url(url, allow_private=True), "a key", allow_private=True)


@pytest.mark.parametrize("ask", [ask_balance, ask_services])
@pytest.mark.parametrize("name", ["a bomb", "a body without an end", "headers without an end", "nested"])
def test_other_calls_fail_with_a_sentence(name: str, ask: Callable[[ProviderAccess], object]) -> None:
    with saying(*ANSWERS[name]) as url, pytest.raises(CallFailed):
        asyncio.run(ask(access(url)))  # type: ignore[arg-type]


def test_a_small_answer_may_come_packed_though_nobody_asked() -> None:
    packed = gzip.compress(b'{"balance":"5.00","currency":"USD"}')
    with saying(whole(packed, "Content-Encoding: gzip")) as url:
        assert asyncio.run(ask_balance(access(url))) == (5_000_000, "USD")


def test_an_answer_that_trickles_ends_at_the_deadline() -> None:
    async def call(url: str) -> None:
        line = await open_line(read_provider_url(url, allow_private=True), allow_private=True)
        await line.call({"action": "add"}, deadline_seconds=0.5)

    with saying(b"", b"HTTP/1.1 100 Continue\r\n\r\n") as url, pytest.raises(CallFailed, match=r"within 0\.5 s"):
        asyncio.run(call(url))


def test_a_handshake_that_never_ends_leaves_no_connection_behind() -> None:
    async def shake_hands(panel: socket.socket) -> None:
        url = read_provider_url(f"https://127.0.0.1:{panel.getsockname()[1]}/", allow_private=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await open_line(url, allow_private=True)
        await asyncio.sleep(0.1)
        connection, _ = panel.accept()
        with connection:
            connection.settimeout(1)
            while connection.recv(65_536):
                """The beginning of the handshake, and then the end of the connection."""

    with socket.create_server(("127.0.0.1", 0)) as panel:
        asyncio.run(shake_hands(panel))


@pytest.mark.parametrize(
    ("unit", "end"),
    [
        (b"[", b""),
        (b'{"a":', b""),
        (b"9", b""),
        (b"[],", b"[]]"),
        (b"\\u0000", b""),
        (b" ", b""),
        (b"<", b""),
        (b'"', b""),
        (b"\xff", b""),
    ],
    ids=str,
)
def test_an_answer_of_full_size_is_read_in_time(unit: bytes, end: bytes) -> None:
    readers: list[Callable[[bytes], object]] = [
        lambda body: read_add(200, body),
        lambda body: read_refill(200, body),
        lambda body: read_balance(200, body),
        lambda body: read_statuses(body, [1, 2]),
        lambda body: read_cancels(body, [1]),
        lambda body: read_refill_statuses(body, [1]),
    ]
    for begin in (b'{"error":"', b"["):
        body = (begin + unit * (MAX_REPLY_BYTES // len(unit) - 10)) + end
        for read in readers:
            spent = time.process_time()
            read(body)
            assert in_cpu_time(time.process_time() - spent, CPU_SECONDS), (begin, read)


def test_a_catalogue_of_full_size_is_refused_in_time() -> None:
    body = b"[" + b"[]," * (MAX_ANSWER_BYTES // 3 - 1) + b"1]"
    spent = time.process_time()
    assert isinstance(read_services(200, body), Unreadable)
    assert in_cpu_time(time.process_time() - spent, 2 * CPU_SECONDS)
