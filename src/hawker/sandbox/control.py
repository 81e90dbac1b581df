"""The control door: what a test asks and sets over HTTP, beside the API that the panel under test uses.

  GET  /sandbox/calls?since=N&action=add&limit=M  {"calls":[…],"next":N,"more":false,"dropped":0}
  GET  /sandbox/orders?since=ID&limit=M           {"orders":[…],"more":false}
  GET  /sandbox/summary                           counts, balances, speed, faults
  POST /sandbox/faults   {"html":0.1,"delay":"0.2:5","status:empty":0.05}  takes the place of all faults
  POST /sandbox/speed    {"speed":600}
  POST /sandbox/advance  {"seconds":3600}         lets so much of the sandbox's own time pass at once
  POST /sandbox/balance  {"key":"…","balance":"12.50"}
  POST /sandbox/orders   {"key":"…","count":1000,"fields":{"service":"1",…}}  places so many orders alike at once
  POST /sandbox/reset    forgets orders, refills, calls and balances; ids go on
  GET  /sandbox/feed/NAME                         RSS of a user who posts as time goes by (feed.py)

Every POST answers {"ok":true}; what cannot be done answers HTTP 400 with {"error":"a sentence"}.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from hawker.core.errors import Refusal
from hawker.core.money import Money, format_micros
from hawker.protocol.errors import text_of
from hawker.protocol.params import read_whole
from hawker.sandbox.config import check_speed
from hawker.sandbox.exchange import SandboxExchange
from hawker.sandbox.faults import Faults
from hawker.sandbox.placing import place
from hawker.sandbox.replies import SandboxReply
from hawker.sandbox.sandbox import Sandbox
from hawker.sandbox.timeline import SECOND
from hawker.sandbox.views import row_of, view_of

_CALLS_PER_PAGE = 1_000
_ALL = 10**12
_MOST_PLACED = 1_000_000
_LONGEST_ADVANCE = 10 * 366 * 86_400

_encode = msgspec.json.Encoder().encode


class NotPossible(ValueError):
    """What was asked of the control door cannot be done, and why."""


def answer_control(sandbox: Sandbox, exchange: SandboxExchange) -> SandboxReply:
    """The reply to a request under /sandbox/. Only this machine may ask."""
    if not exchange.local:
        return _failure(403, "the control door is for this machine only")
    reading = _READINGS.get(exchange.path) if exchange.method == "GET" else None
    setting = _SETTINGS.get(exchange.path) if exchange.method == "POST" else None
    try:
        if reading is not None:
            return SandboxReply(reading(sandbox, dict(parse_qsl(exchange.query.decode("ascii", "replace")))))
        if setting is not None:
            setting(sandbox, _read_object(exchange.body))
            return SandboxReply(b'{"ok":true}')
    except ValueError as error:
        return _failure(400, str(error))
    return _failure(404, f"there is no {exchange.method} {exchange.path}")


def _failure(http_status: int, sentence: str) -> SandboxReply:
    return SandboxReply(_encode({"error": sentence}), http_status)


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError) as error:
        raise NotPossible(f"the body must be a JSON object: {error}") from error


def _count(asked: dict[str, str], name: str, default: int) -> int:
    value = read_whole(asked[name]) if name in asked else default
    if value is None:
        raise NotPossible(f"{name} must be a whole number")
    return value


# --- questions -------------------------------------------------------------------------------------


def _calls(sandbox: Sandbox, asked: dict[str, str]) -> bytes:
    limit = _count(asked, "limit", _CALLS_PER_PAGE)
    page = sandbox.calls.page(since=_count(asked, "since", 0), action=asked.get("action"), limit=limit)
    tail = _encode({"next": page.next, "more": page.more, "dropped": sandbox.calls.dropped})
    return b'{"calls":[' + b",".join(page.calls) + b"]," + tail[1:]


def _orders(sandbox: Sandbox, asked: dict[str, str]) -> bytes:
    tick = sandbox.catch_up().tick
    since, limit = _count(asked, "since", 0), _count(asked, "limit", _ALL)
    orders = [order for order in sandbox.panel.orders.values() if order.id > since]
    rows = [row_of(sandbox.panel, order, tick) for order in orders[:limit]]
    return _encode({"orders": rows, "more": len(orders) > limit})


def _summary(sandbox: Sandbox, asked: dict[str, str]) -> bytes:
    """Counts of all that happened since the last reset; `created_by_fault` tells which faults left orders behind."""
    del asked
    panel, tick = sandbox.panel, sandbox.catch_up().tick
    return _encode(
        {
            "orders": len(panel.orders),
            "orders_by_status": Counter(view_of(panel, order, tick).status for order in panel.orders.values()),
            "refills": len(panel.refills),
            "calls": sandbox.calls_by_action,
            "calls_by_fault": sandbox.calls_by_fault,
            "created_by_fault": sandbox.created_by_fault,
            "balances": {key: format_micros(micros) for key, micros in panel.balances.items()},
            "next_order_id": panel.next_order_id,
            "speed": sandbox.timeline.bend.speed,
            "seconds": tick // SECOND,
            "faults": sandbox.faults.specifications(),
        }
    )


# --- settings --------------------------------------------------------------------------------------


def _set_faults(sandbox: Sandbox, asked: dict[str, Any]) -> None:
    sandbox.faults = Faults.parse(f"{name}={_rate_text(rate)}" for name, rate in asked.items())


def _rate_text(rate: object) -> str:
    # 1e-05 is how a small float prints, and no rate as people write it.
    return f"{rate:.9f}" if isinstance(rate, float) else str(rate)


def _set_speed(sandbox: Sandbox, asked: dict[str, Any]) -> None:
    sandbox.set_speed(check_speed(_number(asked, "speed")))


def _advance(sandbox: Sandbox, asked: dict[str, Any]) -> None:
    seconds = _number(asked, "seconds")
    if not 0 <= seconds <= _LONGEST_ADVANCE:
        raise NotPossible("seconds must be between 0 and ten years")
    sandbox.advance(int(seconds * SECOND))


def _number(asked: dict[str, Any], name: str) -> float:
    value = asked.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotPossible(f"{name} must be a number")
    return float(value)


def _set_balance(sandbox: Sandbox, asked: dict[str, Any]) -> None:
    key, balance = asked.get("key"), asked.get("balance")
    if not isinstance(key, str) or not key:
        raise NotPossible("key must be the text of an API key")
    if not isinstance(balance, str):
        raise NotPossible('balance must be an amount as text, such as "12.50"')
    sandbox.set_balance(key, Money.parse(balance).micros)


def _place(sandbox: Sandbox, asked: dict[str, Any]) -> None:
    """Orders that did not come over the API: those of other programs with the same key, or a panel's past."""
    key, fields, count = asked.get("key"), asked.get("fields"), asked.get("count", 1)
    if not isinstance(key, str) or key not in sandbox.panel.balances:
        raise NotPossible("key must be the text of an API key of this panel")
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST_PLACED:
        raise NotPossible(f"count must be a whole number up to {_MOST_PLACED}")
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise NotPossible("fields must be the parameters of an add, as texts")
    moment = sandbox.catch_up()
    try:
        for _ in range(count):
            place(sandbox.panel, key, fields, moment)
    except Refusal as refusal:
        raise NotPossible(text_of(refusal)) from refusal


def _reset(sandbox: Sandbox, asked: dict[str, Any]) -> None:
    del asked
    sandbox.reset()


_READINGS: dict[str, Callable[[Sandbox, dict[str, str]], bytes]] = {
    "/sandbox/calls": _calls,
    "/sandbox/orders": _orders,
    "/sandbox/summary": _summary,
}

_SETTINGS: dict[str, Callable[[Sandbox, dict[str, Any]], None]] = {
    "/sandbox/faults": _set_faults,
    "/sandbox/speed": _set_speed,
    "/sandbox/advance": _advance,
    "/sandbox/balance": _set_balance,
    "/sandbox/orders": _place,
    "/sandbox/reset": _reset,
}
