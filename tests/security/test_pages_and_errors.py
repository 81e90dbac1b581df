"""What strangers are told: nothing of the inside when something fails, and headers that keep browsers in check."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import psycopg
import pytest
from django.urls import get_resolver

from hawker.core.settings import settings
from hawker.health.endpoints import HEALTH_ROUTES
from hawker.ledger.customers import OpenedCustomer
from hawker.web.files import OPENAPI_PATH
from panel import Panel
from processes import ServeProcess
from raw_http import Wire, post_form

UNAVAILABLE = b'{"error":"Service temporarily unavailable, please try again later"}'


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    panel.service(id=1)
    return panel.customer()


@contextmanager
def without_table(name: str) -> Iterator[None]:
    """The table has another name meanwhile: every statement on it fails as no statement should."""
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute(f"ALTER TABLE {name} RENAME TO {name}_gone")  # type: ignore[arg-type]
        try:
            yield
        finally:
            owner.execute(f"ALTER TABLE {name}_gone RENAME TO {name}")  # type: ignore[arg-type]


def add(key: str) -> bytes:
    return post_form(key=key, action="add", service="1", link="https://e.example/", quantity="100")


@pytest.mark.parametrize("table", ["orders", "account", "api_key", "service"])
def test_a_failure_inside_is_told_to_nobody_and_leaves_no_trace(
    server: ServeProcess, customer: OpenedCustomer, table: str
) -> None:
    requests = [
        add(customer.api_key),
        post_form(key="nobody's", action="balance"),
        *(post_form(key=customer.api_key, action=action) for action in ("services", "balance", "orders")),
        post_form(key=customer.api_key, action="status", orders="1,2"),
        post_form(key=customer.api_key, action="cancel", orders="1"),
        *(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for path in ("metrics", "readyz", "healthz", "api")),
    ]
    with Wire(server.url) as wire:
        with without_table(table):
            answers = [wire.ask(request) for request in requests]
        bad = [answer for answer in answers if answer.status >= 500]
        assert bad, "something did fail"
        for answer in bad:
            assert answer.status == 503
            assert answer.body == UNAVAILABLE or answer.json["error"] == "Not ready", answer.body
        for answer in answers:
            for word in (b"Traceback", b"relation", b"psycopg", b"SELECT", b"_gone", b".py", customer.api_key.encode()):
                assert word not in answer.body or answer.headers["content-type"].startswith("text/html")
        # And every connection to the database that failed is as good as new.
        for _ in range(12):
            assert b'"order"' in wire.ask(add(customer.api_key)).body
            assert b'"balance"' in wire.ask(post_form(key=customer.api_key, action="balance")).body


EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def paths() -> list[str]:
    """Every path that the web process answers, but for the API's own; and some that it does not."""
    routed = [f"/{pattern.pattern}" for pattern in get_resolver().url_patterns]
    return [*routed, *HEALTH_ROUTES, "/nowhere", "/", "/api/nowhere", "/assets/nowhere.css"]


@pytest.mark.quick
def test_every_page_and_path_keeps_browsers_in_check(server: ServeProcess) -> None:
    for path, method, host in product(paths(), ("GET", "HEAD", "POST", "PUT"), ("panel.example", "p'", "<script>", "")):
        with Wire(server.url) as wire:
            lines = f"Host: {host}\r\nOrigin: https://evil.example\r\nX-Forwarded-Proto: https\r\n"
            wire.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
            answer = wire.answer(to_head=method == "HEAD" and host != "<script>")
        headers = answer.headers
        assert {name: headers.get(name) for name in EVERYWHERE} == EVERYWHERE, (path, method, host)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not any(word in policy for word in ("unsafe", "script-src", "*"))
        open_to_all = path == OPENAPI_PATH and answer.status == 200
        assert headers.get("access-control-allow-origin") == ("*" if open_to_all else None)
        for name in ("access-control-allow-credentials", "server", "strict-transport-security"):
            assert name not in headers, "what comes over HTTP, and from no trusted proxy, is not HTTPS"


def test_the_api_lets_no_page_of_another_site_read_its_answers(server: ServeProcess, customer: OpenedCustomer) -> None:
    evil = "Origin: https://evil.example"
    with Wire(server.url) as wire:
        request = post_form(key=customer.api_key, action="balance")
        answer = wire.ask(request.replace(b"Host: panel", f"Host: panel\r\n{evil}".encode()))
        asked = f"OPTIONS /api/v2 HTTP/1.1\r\nHost: a\r\n{evil}\r\nAccess-Control-Request-Method: POST\r\n\r\n"
        preflight = wire.ask(asked.encode())
    for told in (answer, preflight):
        assert not [name for name in told.headers if name.startswith("access-control")]
        assert told.headers["content-type"] == "application/json"


HOSTS = [
    '"><script>alert(1)</script>',
    "panel.example/<b>",
    "panel.example' onload='x",
    "panel.example\tx",
    "panel.example:80:80",
    "panel.example:abc",
    "user@panel.example",
    "panel.example?x",
    "panel.example#x",
    "panel.example\\x",
    "pänel.example",
    "[::1",
    "[<b>]",
    "",
    "a" * 300,
]


def test_a_host_that_is_none_is_not_repeated(server: ServeProcess) -> None:
    for host in HOSTS:
        with Wire(server.url) as wire:
            answer = wire.ask(f"GET /api HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert answer.status == 400, host
        assert not host or host.encode() not in answer.body


def test_what_a_visitor_says_of_itself_comes_into_no_page(server: ServeProcess) -> None:
    mark = "zz<script>zz"
    names = (
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "Referer",
        "User-Agent",
        "Cookie",
        "X-Original-URL",
    )
    headers = "".join(f"{name}: {mark}\r\n" for name in names)
    with Wire(server.url) as wire:
        plain = wire.ask(b"GET /api HTTP/1.1\r\nHost: panel.example\r\n\r\n")
        other = wire.ask(f"GET /api?q={mark} HTTP/1.1\r\nHost: panel.example\r\n{headers}\r\n".encode())
        absolute = wire.ask(b"GET http://evil.example/api HTTP/1.1\r\nHost: panel.example\r\n\r\n")
    assert plain.status == 200
    assert other.body == plain.body
    assert b"evil.example" not in absolute.body
