"""The page about the API: complete, safe, and made for whoever looks at it."""

import html
import re
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import RequestFactory

from hawker.protocol.actions import ACTIONS
from hawker.protocol.errors import TEXTS
from hawker.protocol.reply_schemas import members_of
from hawker.protocol.service_types import TYPES
from hawker.web.api_page import api_page
from hawker.web.visitors import SHOWN_KEY
from processes import ServeProcess, start_serve
from raw_http import Wire


@pytest.fixture
def server(_serve_process: ServeProcess) -> ServeProcess:
    """A server over whatever panel there is: the page does not depend on it."""
    return _serve_process


def page_of(server: ServeProcess, **headers: str) -> str:
    answer = server.send("GET", path="/api", headers=headers)
    assert (answer.http_status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return answer.body.decode()


def section_of(text: str, slug: str) -> str:
    """From the section's own start up to the next one's."""
    return text.partition(f'<section id="{slug}"')[2].partition("<section")[0]


@pytest.mark.quick
def test_it_tells_of_every_action_type_parameter_reply_and_error(server: ServeProcess) -> None:
    text = page_of(server)
    for action in ACTIONS:
        section = section_of(text, action.slug)
        names = [*(param.name for param in action.params), *members_of(action.reply), "key", "action"]
        assert [name for name in names if f"<code>{name}</code>" not in section] == []
        assert re.findall(r'data-language="(\w+)"', section) == ["curl", "php", "python", "node"]
    for kind in TYPES:
        section = section_of(text, f"type-{kind.name.lower().replace(' ', '-')}")
        assert [param.name for param in kind.params if f"<code>{param.name}</code>" not in section] == []
        assert f"Type {kind.name}</h3>" in section
    errors = html.unescape(section_of(text, "errors"))
    assert [wire for wire in TEXTS.values() if f"<code>{wire}</code>" not in errors] == []


def test_every_link_inside_it_leads_somewhere(server: ServeProcess) -> None:
    text = page_of(server)
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)
    for path in re.findall(r'href="(/[^"]+)"', text):
        assert server.send("GET", path=path).http_status == 200, path


@pytest.mark.parametrize("host", ["panel.example:8080", "10.0.0.1", "[::1]:8000", "PANEL.example"])
def test_examples_hold_the_visitors_own_address(server: ServeProcess, host: str) -> None:
    text = html.unescape(page_of(server, host=host))
    assert text.count(f"http://{host}/api/v2") > 40
    assert "site.invalid" not in text


@pytest.mark.parametrize("host", ['"><script>', "a'b", "evil/path", "a b", "a" * 300, "user@host", "a$b", "a\\b", "é"])
def test_a_host_that_is_no_name_is_refused_and_not_repeated(server: ServeProcess, host: str) -> None:
    with Wire(server.url) as wire:
        answer = wire.ask(f"GET /api HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.status == 400
    assert host.encode() not in answer.body


def test_a_proxy_that_is_trusted_says_that_the_site_is_https(server: ServeProcess) -> None:
    told = {"host": "panel.example", "x-forwarded-proto": "https"}
    assert "https://panel.example" not in page_of(server, **told)
    with start_serve({"HAWKER_TRUSTED_PROXIES": "127.0.0.1"}) as behind:
        assert "https://panel.example/api/v2" in page_of(behind, **told)


def test_nothing_foreign_may_run_or_load(server: ServeProcess) -> None:
    answer = server.send("GET", path="/api")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    text = answer.body.decode()
    assert re.findall(r"<script|<style|style=|\son\w+=|javascript:", text) == []
    assert re.findall(r'(?:src|href)="(?!#|/)', text) == []


def test_the_style_sheet_may_be_kept_for_a_year(server: ServeProcess) -> None:
    (path,) = re.findall(r'rel="stylesheet" href="([^"]+)"', page_of(server))
    answer = server.send("GET", path=path)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert b"prefers-color-scheme: dark" in answer.body
    assert server.send("GET", path="/assets/style-0000000000000000.css").http_status == 404


def test_it_only_reads(server: ServeProcess) -> None:
    answer = server.send("POST", path="/api", content=b"a" * 100_000)
    assert (answer.http_status, answer.headers["allow"]) == (405, "GET, HEAD")
    head = server.send("HEAD", path="/api")
    assert (head.http_status, head.body) == (200, b"")
    assert server.send("GET", path="/api/").http_status == 200
    assert server.send("GET", path="/api/nothing").http_status == 404


def test_a_body_that_a_page_does_not_want_is_not_waited_for(server: ServeProcess) -> None:
    with Wire(server.url) as wire:
        answer = wire.ask(b"GET /api HTTP/1.1\r\nHost: panel\r\nContent-Length: 1000000000\r\n\r\nabc")
    assert answer.status == 200


def visitor(*, signed_in: bool, key: str) -> Any:
    request = RequestFactory().get("/api", headers={"host": "panel.example"})
    request.user = SimpleNamespace(is_authenticated=signed_in)
    request.session = {SHOWN_KEY: key}
    return request


def test_a_key_is_shown_to_its_owner_alone() -> None:
    """Nobody can sign in yet: the view is asked as middleware will ask it."""
    key = "mine'\"<b>$x"
    shown = api_page(visitor(signed_in=True, key=key))
    text = html.unescape(shown.content.decode())
    assert shown["Cache-Control"] == "private, no-store"
    assert "YOUR_API_KEY" not in text
    assert "<b>$x" not in shown.content.decode()
    assert '"key": "mine\'\\"<b>$x",' in text
    for other in (visitor(signed_in=False, key=key), visitor(signed_in=True, key="")):
        assert "YOUR_API_KEY" in api_page(other).content.decode()
        assert "mine" not in api_page(other).content.decode()
