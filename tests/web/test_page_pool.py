"""Pages have threads and database connections of their own, few and bounded, and are asked as HTTP is."""

import select
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from views_of_tests import LOCK

from panel import Panel
from processes import Reply, ServeProcess, eventually, start_serve
from raw_http import Wire, post, post_form

THREADS, QUEUE = 2, 3
PROGRAM = (str(Path(__file__).with_name("hawker_with_test_views.py")),)
SETTINGS = {
    "HAWKER_PAGE_THREADS": str(THREADS),
    "HAWKER_PAGE_QUEUE": str(QUEUE),
    "HAWKER_PAGE_MAX_BODY_BYTES": "100000",
    "HAWKER_REQUEST_SECONDS": "5",
    "HAWKER_ALLOWED_HOSTS": "panel.example, .shop.example, [::1], 127.0.0.1",
}
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%/* a page */' AND wait_event_type = 'Lock'"
_PAGE_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%/* a page */'"


@pytest.fixture(scope="module")
def server(database: None) -> Iterator[ServeProcess]:
    with start_serve(SETTINGS, program=PROGRAM) as process:
        yield process


def asked(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


@contextmanager
def waiting_pages(server: ServeProcess, count: int) -> "Iterator[list[Any]]":
    """So many requests for a page that waits until the block is left, as futures."""
    with ThreadPoolExecutor(count) as clients:
        asked(f"SELECT pg_advisory_lock({LOCK})::text")
        try:
            pages = [clients.submit(server.send, "GET", path="/api/waits") for _ in range(count)]
            eventually("the threads are busy", lambda: asked(_WAITING) == min(count, THREADS))
            yield pages
        finally:
            asked(f"SELECT pg_advisory_unlock({LOCK})::text")


def test_pages_hold_as_many_connections_as_there_are_threads_and_wait_in_a_bounded_queue(
    server: ServeProcess, panel: Panel
) -> None:
    customer = panel.customer(credit="3.00")
    with waiting_pages(server, THREADS + QUEUE + 4) as pages:
        eventually("all without a place are refused", lambda: sum(page.done() for page in pages) == 4)
        for page in pages:
            if page.done():
                refused: Reply = page.result()
                assert (refused.http_status, refused.headers["retry-after"]) == (503, "2")
                assert refused.json == {"error": "Service temporarily unavailable, please try again later"}
        assert asked(_PAGE_CONNECTIONS) == THREADS
        # The API has threads and connections of its own.
        assert server.call(customer.api_key, "balance").json == {"balance": "3.00", "currency": "USD"}
        assert server.send("GET", path="/healthz").http_status == 200
        assert sum(page.done() for page in pages) == 4
    answers = [answer for answer in (page.result() for page in pages) if answer.http_status == 200]
    assert len(answers) == THREADS + QUEUE
    assert len({answer.json["pid"] for answer in answers}) <= THREADS
    assert len({answer.json["thread"] for answer in answers}) <= THREADS
    assert server.send("GET", path="/api/html").http_status == 200


def test_a_client_that_left_makes_room_in_the_queue(server: ServeProcess, panel: Panel) -> None:
    del panel
    request = b"GET /api/waits HTTP/1.1\r\nHost: panel.example\r\n\r\n"

    def is_accepted() -> bool:
        with Wire(server.url) as wire:
            wire.send(request)
            return wire.is_silent()

    with waiting_pages(server, THREADS):
        wires = [Wire(server.url) for _ in range(QUEUE + 1)]
        for wire in wires:
            wire.send(request)
        select.select(wires, [], [], 30)
        for wire in wires:
            wire.close()
        eventually("there is room again", is_accepted)
    assert server.send("GET", path="/api/html").http_status == 200


def test_who_sends_slowly_holds_no_thread(server: ServeProcess) -> None:
    head = post(b"a" * 50_000, target="/api/form").replace(b"Host: panel", b"Host: panel.example")[:-1]
    wires = [Wire(server.url) for _ in range(THREADS + QUEUE + 1)]
    try:
        for wire in wires:
            wire.send(head)
        assert server.send("GET", path="/api/html").http_status == 200
    finally:
        for wire in wires:
            wire.close()


def test_forms_and_files_are_posted(server: ServeProcess) -> None:
    plain = server.send("POST", path="/api/form", data={"a": "1 & 2", "é": "ü"})
    assert plain.json == {"fields": {"a": "1 & 2", "é": "ü"}, "files": {}}
    assert plain.headers["set-cookie"].count("=") >= 2
    mixed = server.send("POST", path="/api/form", data={"a": "1"}, files={"f": ("f.txt", b"x" * 50_000)})
    assert mixed.json == {"fields": {"a": "1"}, "files": {"f": "x" * 50_000}}
    assert server.send("PUT", path="/api/form", content=b"x").http_status == 200
    chunks = (b"a=%d&" % number for number in range(900))
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert server.send("POST", path="/api/form", content=chunks, headers=form).json["fields"] == {"a": "899"}


def test_methods_and_paths_that_are_none_are_refused(server: ServeProcess) -> None:
    for method in ("GET", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = server.send(method, path="/api/form")
        assert (answer.http_status, answer.headers["allow"]) == (405, "POST, PUT")
    assert server.send("POST", path="/api/html").headers["allow"] == "GET, HEAD"
    for method in ("GET", "POST", "DELETE"):
        answer = server.send(method, path="/api/nothing")
        assert (answer.http_status, answer.json) == (404, {"error": "Not found"})
    head = server.send("HEAD", path="/api/html")
    assert (head.http_status, head.body, head.headers["content-length"]) == (200, b"", "3")


def test_a_body_too_large_is_refused_before_a_thread_has_it(server: ServeProcess) -> None:
    announced = server.send("POST", path="/api/form", content=b"x" * 100_001)
    chunks = server.send("POST", path="/api/form", content=(b"x" * 10_000 for _ in range(11)))
    for answer in (announced, chunks):
        assert (answer.http_status, answer.json) == (413, {"error": "Incorrect request: the body is too large"})
    assert server.send("POST", path="/api/form", content=b"x" * 100_000).http_status == 200


def test_what_is_streamed_comes_whole_or_not_at_all(server: ServeProcess, panel: Panel) -> None:
    panel.customer()
    answer = server.send("GET", path="/api/streams")
    rows = answer.body.splitlines()
    assert (answer.http_status, len(rows), rows[-1]) == (200, 100_000, b"99999,0")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert server.send("HEAD", path="/api/streams").body == b""
    assert server.send("GET", path="/api/streams?fails").http_status == 500


def test_failures_say_nothing_of_the_inside(server: ServeProcess) -> None:
    bug = server.send("GET", path="/api/breaks")
    assert bug.http_status == 500
    assert b"inside" not in bug.body
    outage = server.send("GET", path="/api/breaks?database")
    assert (outage.http_status, outage.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("panel.example", 200),
        ("PANEL.example:8080", 200),
        ("shop.example", 200),
        ("a.shop.example", 200),
        ("[::1]:80", 200),
        ("evil.example", 400),
        ("panel.example.evil.example", 400),
        ("", 400),
    ],
)
def test_pages_answer_under_the_names_that_are_allowed(
    server: ServeProcess, panel: Panel, host: str, status: int
) -> None:
    with Wire(server.url) as wire:
        answer = wire.ask(f"GET /api/html HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert answer.status == status
        assert not host or status == 200 or host.encode() not in answer.body
        # The API and the health endpoints answer under every name.
        key = panel.customer(credit="1.00").api_key
        asked = post_form(key=key, action="balance").replace(b"Host: panel", b"Host: " + host.encode())
        assert wire.ask(asked).json == {"balance": "1.00", "currency": "USD"}
        assert wire.ask(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == 200


def test_only_a_trusted_proxy_says_who_the_visitor_is_and_where(server: ServeProcess) -> None:
    told = {
        "host": "panel.example",
        "x-forwarded-for": "203.0.113.9, 198.51.100.7",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example",
        "x-real-ip": "203.0.113.9",
    }
    plain = server.send("GET", path="/api/visitor", headers=told)
    assert plain.json == {"address": "127.0.0.1", "site": "http://panel.example/", "headers": {}}
    assert "strict-transport-security" not in plain.headers
    with start_serve({**SETTINGS, "HAWKER_TRUSTED_PROXIES": "127.0.0.1"}, program=PROGRAM) as behind:
        proxied = behind.send("GET", path="/api/visitor", headers=told)
        assert proxied.json == {"address": "198.51.100.7", "site": "https://panel.example/", "headers": {}}
        for path in ("/api/html", "/api/nothing", "/nowhere", "/healthz"):
            assert (
                behind.send("GET", path=path, headers=told).headers["strict-transport-security"] == "max-age=31536000"
            )
            unsafe = behind.send("GET", path=path, headers={**told, "x-forwarded-proto": "http"})
            assert "strict-transport-security" not in unsafe.headers


def test_a_view_cannot_loosen_the_policy_of_pages(server: ServeProcess) -> None:
    headers = server.send("GET", path="/api/html").headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert headers["x-frame-options"] == "DENY"
