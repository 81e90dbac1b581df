"""Every caller at every door: the tables of matrix.py against a running server, and against what the code has."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.urls import get_resolver
from matrix import ACTIONS, NOWHERE, OTHER_METHODS, PATHS, READS, table

from hawker.accounts.actions import find_customer, issue_key, revoke_key, set_customer_active
from hawker.accounts.models import ApiKey, KeyScope, User
from hawker.api.connection import API_PATHS
from hawker.api.endpoint import Endpoint
from hawker.catalog.models import Service
from hawker.core.addresses import read_network
from hawker.health.endpoints import HEALTH_ROUTES
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import RefillAsk, StaffDelivery, record_deliveries, request_refills
from hawker.orders.models import State
from hawker.protocol import actions as protocol
from hawker.web.files import STYLE_PATH
from hawker.web.urls import is_page
from panel import Panel
from people import STAFF
from processes import ServeProcess, start_serve
from raw_http import Wire, post

TOKEN = "a token of tests, long"
PROXIED = "X-Forwarded-For: 198.18.7.7"
CELLS = table(ACTIONS)
ROLES = tuple(CELLS["balance"])
DOORS = table(PATHS.format(style=STYLE_PATH))
NOBODYS_NUMBER = 9_999_999


@pytest.fixture(scope="module")
def door(database: None) -> Iterator[ServeProcess]:
    """A server behind a proxy of its own, with limits that a matrix does not meet."""
    settings = {
        "HAWKER_TRUSTED_PROXIES": "127.0.0.1",
        "HAWKER_METRICS_TOKEN": TOKEN,
        "HAWKER_LIMIT_FAILED_KEYS_PER_MINUTE": "0",
    }
    with start_serve(settings) as process:
        yield process


@dataclass
class Callers:
    """The keys of every role, and a service to order from."""

    panel: Panel
    service: Service
    owner: OpenedCustomer
    keys: dict[str, str]

    def completed(self) -> int:
        """An order of the owner that was delivered long ago, and may be refilled."""
        now, self.panel.clock.instant = self.panel.clock.instant, self.panel.clock.instant - timedelta(days=30)
        order: int = self.panel.place(self.owner, self.service)
        record_deliveries([StaffDelivery(order, State.COMPLETED, "by hand")], actor=STAFF, now=self.panel.clock.now())
        self.panel.clock.instant = now
        return order

    def fields(self, action: str) -> dict[str, str]:
        """What the owner could ask by this action, with numbers of its own."""
        match action:
            case "add":
                return {"service": str(self.service.id), "link": "https://example.com/page", "quantity": "100"}
            case "status":
                return {"order": str(self.panel.place(self.owner, self.service))}
            case "orders":
                self.panel.place(self.owner, self.service)
            case "cancel":
                return {"orders": str(self.panel.place(self.owner, self.service))}
            case "refill":
                return {"order": str(self.completed())}
            case "refill_status":
                ask = RefillAsk(self.owner.account_id, [str(self.completed())])
                (answers,) = request_refills([ask], now=self.panel.clock.now())
                return {"refill": str(next(iter(answers.values())))}
        return {}


@pytest.fixture
def callers(panel: Panel) -> Callers:
    owner, stranger, disabled = (panel.customer() for _ in range(3))
    now = datetime.now(UTC)
    user = User.objects.get(id=owner.user_id)
    read = issue_key(user, now=now, scope=KeyScope.READ)
    expired, revoked = issue_key(user, now=now), issue_key(user, now=now)
    ApiKey.objects.filter(id=expired.key_id).update(expires_at=now - timedelta(seconds=1))
    revoke_key(revoked.key_id, now=now)
    elsewhere = issue_key(user, now=now, networks=[read_network("203.0.113.0/24")])
    set_customer_active(User.objects.get(id=disabled.user_id).email, active=False)
    assert find_customer(user.email) == user
    keys = {
        "nobody": "",
        "garbage": "x" * 43,
        "read": read.key,
        "order": owner.api_key,
        "stranger": stranger.api_key,
        "expired": expired.key,
        "revoked": revoked.key,
        "elsewhere": elsewhere.key,
        "disabled": disabled.api_key,
    }
    assert tuple(keys) == ROLES
    # Delivered by staff, so that nothing has to be bought for an order to end.
    return Callers(panel, panel.service(refill=True, cancel=True), owner, keys)


def written() -> Any:
    """All that a refused call must not change, row by row."""
    tables = ("orders", "order_event", "transfer", "account", "work", "refill", "order_request", "deposit")
    digest = "SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {} t"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(digest.format(name) for name in tables))
        return cursor.fetchall()


def requests(action: str, key: str, fields: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """The same call in every way to show a key."""
    named = {"action": action, **fields}
    keyed = {"key": key, **named} if key else named
    bearer = [f"Authorization: Bearer {key}"] if key else []
    yield "body", post(urlencode(keyed).encode(), headers=[PROXIED])
    yield "bearer", post(urlencode(named).encode(), headers=[PROXIED, *bearer])
    yield "query", post(b"", target=f"/api/v2?{urlencode(keyed)}", headers=[PROXIED])
    yield "GET", f"GET /api/v2?{urlencode(keyed)} HTTP/1.1\r\nHost: a\r\n{PROXIED}\r\n\r\n".encode()


def outcome(action: str, body: bytes, fields: dict[str, str], missing: bytes) -> str:
    """Which cell of the table this answer is."""
    if body == b'{"error":"Invalid API key"}':
        return "key"
    if body == b'{"error":"Incorrect request"}':
        return "request"
    number = next(iter(fields.values()), "")
    if missing and body.replace(number.encode(), b"%d" % NOBODYS_NUMBER) == missing:
        return "missing"
    if body in (b"[]", b'{"orders":[]}'):
        return "nothing"
    assert b'"error"' not in body, (action, body)
    return "ok"


def test_the_tables_have_every_action_and_path_of_the_code() -> None:
    assert set(CELLS) - {"dance"} == Endpoint().actions == {action.name for action in protocol.ACTIONS}
    routed = {f"/{pattern.pattern}" for pattern in get_resolver().url_patterns}
    assert not [path for path in routed if not is_page(path)], "the web process passes all that Django routes on to it"
    assert set(DOORS) == {*HEALTH_ROUTES, *routed, *(path.decode() for path in API_PATHS)}


@pytest.mark.parametrize("action", CELLS)
def test_every_caller_gets_of_an_action_what_the_table_says(door: ServeProcess, callers: Callers, action: str) -> None:
    seen: dict[tuple[str, str], str] = {}
    expected: dict[tuple[str, str], str] = {}
    with Wire(door.url) as wire:
        for role, way in product(ROLES, ("body", "bearer", "query", "GET")):
            fields = callers.fields(action)
            nobodys = fields if action == "add" else dict.fromkeys(fields, str(NOBODYS_NUMBER))
            missing = dict(requests(action, callers.keys["order"], nobodys))["body"] if fields else b""
            answer = wire.ask(missing).body if missing and action != "add" else b""
            cell = CELLS[action][role]
            if way == "GET" and action not in READS and role in ("read", "order", "stranger"):
                cell = "request"
            before = written()
            told = wire.ask(dict(requests(action, callers.keys[role], fields))[way])
            assert told.status == 200
            seen[role, way] = outcome(action, told.body, fields, answer)
            expected[role, way] = cell
            assert (written() == before) == (cell != "ok" or action in READS), (role, way)
    assert seen == expected


def answer_of(wire: Wire, method: str, path: str, *headers: str) -> Any:
    """The answer to a request without a body; that to HEAD is read to the end of its head."""
    lines = [f"{method} {path} HTTP/1.1", "Host: panel.example", *headers, "", ""]
    wire.send("\r\n".join(lines).encode())
    return wire.answer(to_head=method == "HEAD")


def test_every_caller_gets_of_a_path_what_the_table_says(door: ServeProcess, callers: Callers) -> None:
    callers_headers = {
        "anybody": [PROXIED],
        "this_machine": [],
        "token": [PROXIED, f"Authorization: Bearer {TOKEN}"],
        "customer": [PROXIED, f"Authorization: Bearer {callers.keys['order']}"],
    }
    before = written()
    with Wire(door.url) as wire:
        for (path, row), (role, headers) in product(DOORS.items(), callers_headers.items()):
            answer, head = (answer_of(wire, method, path, *headers) for method in ("GET", "HEAD"))
            assert (answer.status, head.status, head.body) == (int(row[role]), int(row[role]), b""), (path, role)
            if answer.status == 403:
                assert answer.body == b'{"error":"Forbidden"}'
            for method in OTHER_METHODS:
                other = answer_of(wire, method, path, *headers)
                if path.encode() in API_PATHS:
                    # Only with a good key does it matter what is asked; a POST of nothing shows none.
                    said = "Invalid API key" if method == "POST" and role != "customer" else "Incorrect request"
                    assert (other.status, other.json) == (200, {"error": said}), (path, role, method)
                else:
                    assert (other.status, other.headers.get("allow")) == (405, "GET, HEAD"), (path, role, method)
    assert written() == before


def test_nobody_finds_anything_elsewhere(door: ServeProcess, callers: Callers) -> None:
    key = [f"Authorization: Bearer {callers.keys['order']}"]
    with Wire(door.url) as wire:
        for path, method, headers in product(NOWHERE, ("GET", *OTHER_METHODS), ([], key)):
            answer = answer_of(wire, method, path, *headers)
            assert (answer.status, answer.body) == (404, b'{"error":"Not found"}'), (method, path)


def test_a_metrics_token_opens_metrics_alone(door: ServeProcess, callers: Callers) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for action in CELLS:
        answer = door.send("POST", data={"action": action, **callers.fields(action)}, headers=bearer)
        assert answer.json == {"error": "Invalid API key"}
    shown = ("", "Bearer", f"{TOKEN}", f"bearer {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}")
    with Wire(door.url) as wire:
        for word in shown:
            answer = answer_of(wire, "GET", "/metrics", PROXIED, f"Authorization: {word}")
            assert (answer.status, answer.body) == (403, b'{"error":"Forbidden"}')
        for name in ("Forwarded", "Via", "X-Real-IP", "X-Forwarded-For"):
            assert answer_of(wire, "GET", "/metrics", f"{name}: 127.0.0.1").status == 403
