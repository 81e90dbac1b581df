"""What a fault makes of an answer. Whether the action was carried out is decided before, by the fault's kind."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from hawker.protocol.replies import order_reply, plain_error_reply
from hawker.sandbox.api import ApiOutcome
from hawker.sandbox.faults import Hit
from hawker.sandbox.loose import loosen
from hawker.sandbox.replies import HTML, Effect, SandboxReply

_encode = msgspec.json.Encoder().encode

_GATE_PAGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"
)
_BAD_GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_ERROR_KEYS = (
    "neworder.error.not_enough_funds",
    "neworder.error.min_quantity",
    "neworder.error.link",
    "neworder.error.link_duplicate",
    "error.incorrect_service_id",
)


class Spoilt(NamedTuple):
    """What a fault works on: the call's action and number, the right answer, and this key's id before it."""

    hit: Hit
    action: str
    number: int
    outcome: ApiOutcome
    before: int | None


def spoil(spoilt: Spoilt) -> SandboxReply:
    """The answer that the fault gives in place of the right one (which is empty where nothing was carried out)."""
    return _SPOILERS[spoilt.hit.kind.name](spoilt)


def _late(spoilt: Spoilt) -> SandboxReply:
    return SandboxReply(spoilt.outcome.body, seconds=spoilt.hit.seconds)


def _hang(spoilt: Spoilt) -> SandboxReply:
    return SandboxReply(b"", effect=Effect.HANG, seconds=spoilt.hit.seconds)


def _reset(spoilt: Spoilt) -> SandboxReply:
    del spoilt
    return SandboxReply(b"", effect=Effect.RESET)


def _bad_gateway(spoilt: Spoilt) -> SandboxReply:
    del spoilt
    return SandboxReply(_BAD_GATEWAY_PAGE, 502, HTML)


def _html(spoilt: Spoilt) -> SandboxReply:
    del spoilt
    return SandboxReply(_GATE_PAGE, content_type=HTML)


def _empty(spoilt: Spoilt) -> SandboxReply:
    del spoilt
    return SandboxReply(b"")


def _truncated(spoilt: Spoilt) -> SandboxReply:
    """Cut in the middle, so that no shorter JSON value is left standing by chance."""
    body = spoilt.outcome.body
    kept = body[: max(1, len(body) * 2 // 3)]
    if spoilt.hit.turn:
        return SandboxReply(kept, effect=Effect.CUT, missing_bytes=len(body) - len(kept))
    return SandboxReply(kept)


def _wrong_types(spoilt: Spoilt) -> SandboxReply:
    return SandboxReply(loosen(spoilt.action, spoilt.outcome.body, spoilt.hit.turn))


def _duplicate_id(spoilt: Spoilt) -> SandboxReply:
    made, before = spoilt.outcome.order, spoilt.before
    if spoilt.outcome.refills and before is not None:
        return SandboxReply(_encode({"refill": str(before)}))
    return SandboxReply(spoilt.outcome.body if made is None or before is None else order_reply(before))


def _out_of_funds(spoilt: Spoilt) -> SandboxReply:
    del spoilt
    return SandboxReply(plain_error_reply("not_enough_funds"))


def _active_order(spoilt: Spoilt) -> SandboxReply:
    del spoilt
    return SandboxReply(plain_error_reply("active_order"))


def _rate_limit(spoilt: Spoilt) -> SandboxReply:
    if spoilt.hit.turn:
        return SandboxReply(b"<html><body>429 Too Many Requests</body></html>", 429, HTML)
    return SandboxReply(plain_error_reply("too_many_requests"), 429)


def _both(spoilt: Spoilt) -> SandboxReply:
    made = {"order": spoilt.outcome.order} if spoilt.outcome.order is not None else None
    if spoilt.outcome.refills:
        made = {"refill": spoilt.outcome.refills[0]}
    return SandboxReply(_encode(made | {"error": "Something went wrong"}) if made is not None else spoilt.outcome.body)


def _error_key(spoilt: Spoilt) -> SandboxReply:
    return SandboxReply(_encode({"error": _ERROR_KEYS[spoilt.number % len(_ERROR_KEYS)]}))


def _redirect(spoilt: Spoilt) -> SandboxReply:
    del spoilt
    return SandboxReply(b"", 302, HTML, location=b"/login")


_SPOILERS: dict[str, Callable[[Spoilt], SandboxReply]] = {
    "delay": _late,
    "hang-after-accept": _hang,
    "reset-before-accept": _reset,
    "reset-after-accept": _reset,
    "502-before-accept": _bad_gateway,
    "502-after-accept": _bad_gateway,
    "html": _html,
    "html-after-accept": _html,
    "empty": _empty,
    "truncated": _truncated,
    "wrong-types": _wrong_types,
    "duplicate-id": _duplicate_id,
    "out-of-funds": _out_of_funds,
    "active-order": _active_order,
    "rate-limit": _rate_limit,
    "both-order-and-error": _both,
    "error-key": _error_key,
    "redirect": _redirect,
}
