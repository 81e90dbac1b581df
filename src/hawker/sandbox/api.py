"""API v2 itself: one readable request in, one answer out, shapes as tests/wire/seed-api.txt shows them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from hawker.core.errors import Refusal
from hawker.protocol.errors import TEXTS, IncorrectOrder, IncorrectRequest, InvalidKey, RefillNotFound, text_of
from hawker.protocol.params import read_ids, read_whole
from hawker.protocol.replies import (
    balance_reply,
    error_reply,
    order_reply,
    plain_error_reply,
    services_reply,
    statuses_reply,
)
from hawker.protocol.request import Request
from hawker.sandbox.catalogue import SERVICES
from hawker.sandbox.delivery import refill_status_at
from hawker.sandbox.panel import Panel
from hawker.sandbox.placing import place
from hawker.sandbox.tasks import ask_cancel, ask_refill
from hawker.sandbox.timeline import Moment
from hawker.sandbox.views import status_text

_encode = msgspec.json.Encoder().encode
_SERVICES_REPLY = services_reply(service.offered for service in SERVICES.values())
_WRITES = ("add", "refill", "cancel")


@dataclass(slots=True)
class ApiOutcome:
    """The answer's bytes, and what the call made: an order, refills, cancels; or the text it was refused with."""

    body: bytes
    order: int | None = None
    refills: tuple[int, ...] = ()
    cancels: tuple[int, ...] = ()
    error: str | None = None


def refused(refusal: Refusal) -> ApiOutcome:
    """The answer to a request that broke a rule."""
    return ApiOutcome(error_reply(refusal), error=text_of(refusal))


def answer(panel: Panel, request: Request, moment: Moment) -> ApiOutcome:
    """Carry out one request. The panel must have caught up to `moment`. Never raises a Refusal: it answers it."""
    try:
        if request.key not in panel.balances:
            raise InvalidKey
        action = _ACTIONS.get(request.action)
        # The sandbox is a panel with the usual setting: GET may read, never order.
        if action is None or (request.reads_only and request.action in _WRITES):
            raise IncorrectRequest
        return action(panel, request, moment)
    except Refusal as refusal:
        return refused(refusal)


def _services(panel: Panel, request: Request, moment: Moment) -> ApiOutcome:
    del panel, request, moment
    return ApiOutcome(_SERVICES_REPLY)


def _balance(panel: Panel, request: Request, moment: Moment) -> ApiOutcome:
    del moment
    return ApiOutcome(balance_reply(panel.balances[request.key], panel.config.currency))


def _add(panel: Panel, request: Request, moment: Moment) -> ApiOutcome:
    order = place(panel, request.key, request.fields, moment)
    return ApiOutcome(order_reply(order.id), order=order.id)


def _status(panel: Panel, request: Request, moment: Moment) -> ApiOutcome:
    if "orders" in request.fields:
        ids = read_ids(request.fields["orders"])
        found = {asked: panel.find_order(request.key, asked) for asked in ids}
        texts = {asked: status_text(panel, order, moment.tick) for asked, order in found.items() if order is not None}
        return ApiOutcome(statuses_reply(ids, texts))
    order = panel.find_order(request.key, request.fields.get("order", ""))
    if order is None:
        raise IncorrectOrder
    return ApiOutcome(status_text(panel, order, moment.tick).encode())


def _refill(panel: Panel, request: Request, moment: Moment) -> ApiOutcome:
    if "orders" in request.fields:
        return _refill_many(panel, request, moment)
    order = panel.find_order(request.key, request.fields.get("order", ""))
    if order is None:
        raise IncorrectOrder
    refill = ask_refill(panel, order, moment)
    if isinstance(refill, str):
        return ApiOutcome(plain_error_reply(refill), error=TEXTS[refill])
    return ApiOutcome(_encode({"refill": str(refill)}), refills=(refill,))


def _refill_many(panel: Panel, request: Request, moment: Moment) -> ApiOutcome:
    rows: list[dict[str, Any]] = []
    made: list[int] = []
    for asked in read_ids(request.fields["orders"]):
        order = panel.find_order(request.key, asked)
        refill = ask_refill(panel, order, moment) if order is not None else "incorrect_order"
        if isinstance(refill, int):
            made.append(refill)
        rows.append({"order": _id(asked), "refill": refill if isinstance(refill, int) else _error(refill)})
    return ApiOutcome(_encode(rows), refills=tuple(made))


def _refill_status(panel: Panel, request: Request, moment: Moment) -> ApiOutcome:
    if "refills" not in request.fields:
        refill = panel.find_refill(request.key, request.fields.get("refill", ""))
        if refill is None:
            raise RefillNotFound
        return ApiOutcome(_encode({"status": refill_status_at(refill, moment.tick)}))
    rows: list[dict[str, Any]] = []
    for asked in read_ids(request.fields["refills"]):
        refill = panel.find_refill(request.key, asked)
        status = refill_status_at(refill, moment.tick) if refill is not None else _error("refill_not_found")
        rows.append({"refill": _id(asked), "status": status})
    return ApiOutcome(_encode(rows))


def _cancel(panel: Panel, request: Request, moment: Moment) -> ApiOutcome:
    asked_for = request.fields.get("orders") or request.fields.get("order")
    if asked_for is None:
        raise IncorrectOrder
    rows: list[dict[str, Any]] = []
    taken: list[int] = []
    for asked in read_ids(asked_for):
        order = panel.find_order(request.key, asked)
        code = ask_cancel(panel, order, moment) if order is not None else "incorrect_order"
        if order is not None and code is None:
            taken.append(order.id)
        rows.append({"order": _id(asked), "cancel": 1 if code is None else _error(code)})
    return ApiOutcome(_encode(rows), cancels=tuple(taken))


def _id(asked: str) -> int | str:
    """An id as the arrays show it: a number, unless what was asked is none."""
    number = read_whole(asked)
    return asked if number is None else number


def _error(code: str) -> dict[str, str]:
    return {"error": TEXTS[code]}


_ACTIONS: dict[str, Callable[[Panel, Request, Moment], ApiOutcome]] = {
    "services": _services,
    "add": _add,
    "status": _status,
    "refill": _refill,
    "refill_status": _refill_status,
    "cancel": _cancel,
    "balance": _balance,
}
