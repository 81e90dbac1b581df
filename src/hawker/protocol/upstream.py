"""Reading other panels' answers, which are loose, hostile or both. Nothing uncertain is ever guessed.

docs/providers.md has the table of responses and what each means for the order.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from hawker.protocol.service_types import ServiceType, find_type
from hawker.protocol.statuses import OrderStatus, RefillStatus, read_order_status, read_refill_status

MAX_ANSWER_BYTES = 10 * 1024 * 1024
MAX_CREATED_BYTES = 1024 * 1024
"""An answer to `add` or `refill` is one small object; ten megabytes of nested lists take a second to read."""

MAX_SERVICES = 100_000
MAX_COUNT = 10**12
_MAX_ERROR = 300

_WHOLE = re.compile(r"[+-]?[0-9]{1,15}(\.0{1,8})?", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,20})?", re.ASCII)
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,8})?", re.ASCII)
_GROUPED = re.compile(r"-?[0-9]{1,3}((,[0-9]{3})+\.[0-9]{1,20}|(,[0-9]{3}){2,})", re.ASCII)
_UPSTREAM_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


class Reason(StrEnum):
    """Why a panel rejected an order, as far as it changes what we do next."""

    FUNDS = "funds"  # our balance there is too low: pause the panel, the order waits
    KEY = "key"  # our key there is refused: pause the panel, the order waits
    ACTIVE_LINK = "active_link"  # an order with this link is running there: the order waits
    BUSY = "busy"  # rate limit or maintenance: the order waits
    OTHER = "other"  # this panel will not take this order: the next one, or cancel and refund


@dataclass(frozen=True, slots=True)
class Accepted:
    """The panel took the order under `upstream_id`."""

    upstream_id: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The panel said in JSON that it did not take the order."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer does not prove either; `why` is for the evidence of the attempt.

    `pause` asks for the panel to be paused: the answer came from something before the panel.
    """

    why: str
    pause: bool = False


Verdict = Accepted | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """One order's status as a panel tells it; None for what it did not tell readably."""

    status: OrderStatus
    remains: int | None
    start_count: int | None
    charge_micros: int | None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamService:
    """One row of another panel's catalogue, read and clamped."""

    service: int
    name: str
    type: ServiceType
    category: str
    rate: str
    minimum: int
    maximum: int
    refill: bool
    cancel: bool
    dripfeed: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row or answer that cannot be used, and why, in a person's words. `told`: in the panel's own words."""

    what: str
    why: str
    told: bool = False


# --- add -------------------------------------------------------------------------------------------


def read_add(http_status: int, body: bytes) -> Verdict:
    """The verdict on the answer to an `add`."""
    return read_created(http_status, body, id_key="order")


def read_refill(http_status: int, body: bytes) -> Verdict:
    """The verdict on the answer to a `refill` of one order."""
    return read_created(http_status, body, id_key="refill")


def read_created(http_status: int, body: bytes, *, id_key: str) -> Verdict:
    """Classify the answer to a call that creates something, as the table in docs/providers.md says.

    Accepted needs HTTP 200, a JSON object, a positive whole `id_key` and no `error`. Rejected needs a
    JSON object with `error`, no `id_key`, and HTTP below 500. All else is Unknown.
    """
    answer = _decode(body) if len(body) <= MAX_CREATED_BYTES else None
    if 300 <= http_status < 400:
        return Unknown(f"HTTP {http_status}: a redirect", pause=True)
    if http_status >= 500:
        return Unknown(f"HTTP {http_status}")
    if not isinstance(answer, dict):
        gate = http_status in (401, 403, 429)
        return Unknown(f"HTTP {http_status}, {_describe(body)}", pause=gate)
    error, created = answer.get("error"), answer.get(id_key)
    has_error = "error" in answer and error not in (None, "", False)
    if has_error and id_key not in answer:
        if not error:
            return Unknown("an empty error")  # `"error":[]` is how PHP writes that there is none
        text = _error_text(error)
        return Rejected(read_reason(text), text)
    if has_error:
        return Unknown(f"both an error and `{id_key}`")
    if http_status != 200:
        return Unknown(f"HTTP {http_status} without an error")
    upstream_id = read_id(created)
    return Accepted(upstream_id) if upstream_id is not None else Unknown(f"no usable `{id_key}`")


def read_id(value: object) -> int | None:
    """A positive whole id, as a number or in digits; None for anything else (true is no id)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 < value < 10**18 else None
    if isinstance(value, str) and _UPSTREAM_ID.fullmatch(value.strip()):
        return int(value) or None
    return None


_REASONS: tuple[tuple[Reason, re.Pattern[str]], ...] = (
    (Reason.FUNDS, re.compile(r"not.{0,3}enough.{0,3}funds|insufficient|low.{0,3}balance|balance.{0,9}low")),
    (
        Reason.KEY,
        re.compile(r"(invalid|incorrect|wrong).{0,12}key|unauthori[sz]ed|account.{0,15}(disabled|suspended|blocked)"),
    ),
    (
        Reason.ACTIVE_LINK,
        re.compile(r"active.{0,3}order|link.?duplicate|duplicate.{0,3}link|order.{0,20}(in progress|until)"),
    ),
    (
        Reason.BUSY,
        re.compile(r"too.{0,3}many.{0,3}request|rate.?limit|temporar|maintenance|try.{0,3}again|timeout|timed out"),
    ),
)


def read_reason(text: str) -> Reason:
    """What an error text means for the order: the panel's trouble, a reason to wait, or a refusal."""
    lowered = text.lower()
    return next((reason for reason, pattern in _REASONS if pattern.search(lowered)), Reason.OTHER)


# --- status ----------------------------------------------------------------------------------------


def read_statuses(body: bytes, ids: Sequence[int]) -> dict[int, UpstreamStatus | Unreadable] | Unreadable:
    """The answer to `status` for `ids`: each id's own answer, or why the whole cannot be read.

    An id that the answer leaves out is left out here too. A single-order answer is taken where one
    id was asked.
    """
    rows = status_rows(body, ids)
    return rows if isinstance(rows, Unreadable) else {asked: read_status(row) for asked, row in rows.items()}


def status_rows(body: bytes, ids: Sequence[int]) -> dict[int, object] | Unreadable:
    """What the answer says of each of `ids`, still to be read, or why the whole cannot be read."""
    answer = _decode(body)
    if not isinstance(answer, dict):
        return Unreadable("status", _describe(body))
    if answer.get("error") and not any(str(asked) in answer for asked in ids):
        return Unreadable("status", _error_text(answer["error"]))
    if len(ids) == 1 and "status" in answer:
        return {ids[0]: answer}
    found = {asked: answer.get(str(asked)) for asked in ids}
    return {asked: row for asked, row in found.items() if row is not None}


def read_status(row: object) -> UpstreamStatus | Unreadable:
    """One order's own answer."""
    if not isinstance(row, dict):
        return Unreadable("status", "not an object")
    if row.get("error"):
        return Unreadable("status", _error_text(row["error"]), told=True)
    word = row.get("status")
    status = read_order_status(word) if isinstance(word, str) else None
    if status is None:
        return Unreadable("status", f"unknown status {str(word)[:40]!r}")
    return UpstreamStatus(
        status=status,
        remains=read_count(row.get("remains")),
        start_count=read_count(row.get("start_count")),
        charge_micros=read_cost(row.get("charge")),
        currency=_clean(row.get("currency")) or None,
    )


def read_count(value: object) -> int | None:
    """A whole number as a number or text (`"157"`, `"+5"`, `157.0`); None for `"Unknown"`, null and the like."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < MAX_COUNT else None
    if isinstance(value, int):
        return value if abs(value) < MAX_COUNT else None
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        number = int(value.strip().partition(".")[0])
        return number if abs(number) < MAX_COUNT else None
    return None


def read_cost(value: object) -> int | None:
    """An amount in micros, rounded up to the next micro: a cost is never understated. None if unreadable."""
    if isinstance(value, bool):
        return None
    text = _plain(value)
    if text is None or not _AMOUNT.fullmatch(text):
        return None
    whole, _, decimals = text.partition(".")
    micros = int(whole) * 1_000_000 + int(decimals[:6].ljust(6, "0"))
    return micros + (1 if decimals[6:].strip("0") else 0)


def _plain(value: object) -> str | None:
    """A number or text as a plain decimal text, without exponent."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0").rstrip(".")
    return None


# --- refill_status, cancel -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CancelTaken:
    """The panel took the cancel; how much of the order it still delivers is told by the order's status."""


@dataclass(frozen=True, slots=True)
class CancelRefused:
    """The panel does not cancel the order, or (by the reason) not now."""

    reason: Reason
    text: str


def read_refill_statuses(body: bytes, ids: Sequence[int]) -> dict[int, RefillStatus | Unreadable] | Unreadable:
    """The answer to `refill_status` for `ids`: each refill's own, or why the whole cannot be read.

    Read are an array of `{refill,status}`, an object keyed by the ids, and a single `{status}` where one was
    asked for. A refill that the answer leaves out is left out here too.
    """
    rows = _rows(body, ids, id_key="refill", value_key="status")
    if isinstance(rows, Unreadable):
        return rows
    return {asked: _read_refill_status(row) for asked, row in rows.items()}


def _read_refill_status(value: object) -> RefillStatus | Unreadable:
    if isinstance(value, dict):
        if value.get("error"):
            return Unreadable("refill_status", _error_text(value["error"]))
        value = value.get("status")
    status = read_refill_status(value) if isinstance(value, str) else None
    return status if status is not None else Unreadable("refill_status", f"unknown status {str(value)[:40]!r}")


def read_cancels(body: bytes, ids: Sequence[int]) -> dict[int, CancelTaken | CancelRefused | Unreadable] | Unreadable:
    """The answer to `cancel` for `ids`: each order's own, or why the whole cannot be read.

    An error in place of the list is the answer for every order: a panel that cannot cancel says so that way.
    """
    rows = _rows(body, ids, id_key="order", value_key="cancel")
    if isinstance(rows, Unreadable):
        return rows
    return {asked: _read_cancel(row) for asked, row in rows.items()}


def _read_cancel(value: object) -> CancelTaken | CancelRefused | Unreadable:
    error = value.get("error") if isinstance(value, dict) else None
    if error:
        text = _error_text(error)
        return CancelRefused(read_reason(text), text)
    if isinstance(value, dict):
        value = value.get("cancel")
    # Most panels answer 1, some the number of the cancel.
    return CancelTaken() if value is True or read_id(value) is not None else Unreadable("cancel", "neither 1 nor error")


def _rows(body: bytes, ids: Sequence[int], *, id_key: str, value_key: str) -> dict[int, object] | Unreadable:
    """What an answer says of each id that was asked for: a value, or an object with the value or an error in it."""
    answer = _decode(body)
    if isinstance(answer, list):
        rows = [row for row in answer if isinstance(row, dict) and value_key in row]
        found = {read_id(row.get(id_key)): row[value_key] for row in rows}
    elif not isinstance(answer, dict):
        return Unreadable(value_key, _describe(body))
    elif answer.get("error"):
        found = dict.fromkeys(ids, answer)
    elif len(ids) == 1 and value_key in answer:
        found = {ids[0]: answer[value_key]}
    else:
        found = {asked: answer[str(asked)] for asked in ids if str(asked) in answer}
    return {asked: found[asked] for asked in ids if asked in found}


# --- balance, services -----------------------------------------------------------------------------


def read_balance(http_status: int, body: bytes) -> tuple[int, str] | Unreadable:
    """Our balance there in micros of its currency, and that currency."""
    answer = _decode(body)
    if not isinstance(answer, dict):
        return Unreadable("balance", f"HTTP {http_status}, {_describe(body)}")
    if answer.get("error"):
        return Unreadable("balance", _error_text(answer["error"]))
    text = _plain(answer.get("balance"))
    sign = -1 if text is not None and text.startswith("-") else 1
    if text is not None and _GROUPED.fullmatch(text):
        # Only where commas can be nothing but groups of thousands: `100,842` may be a hundred and a bit.
        text = text.replace(",", "")
    micros = read_cost(text.removeprefix("-")) if text is not None else None
    currency = answer.get("currency", "USD")
    if micros is None or not isinstance(currency, str) or not re.fullmatch("[A-Za-z]{3}", currency):
        return Unreadable("balance", f"HTTP {http_status}, no readable `balance`")
    return sign * micros, currency.upper()


def read_services(http_status: int, body: bytes) -> tuple[list[UpstreamService], list[Unreadable]] | Unreadable:
    """A panel's catalogue: the rows that can be sold, and the rows that cannot with the reason of each."""
    answer = _decode(body)
    if isinstance(answer, dict) and answer.get("error"):
        return Unreadable("services", _error_text(answer["error"]))
    if not isinstance(answer, list):
        return Unreadable("services", f"HTTP {http_status}, {_describe(body)}")
    if len(answer) > MAX_SERVICES:
        return Unreadable("services", f"more than {MAX_SERVICES} rows")
    services: list[UpstreamService] = []
    skipped: list[Unreadable] = []
    seen: set[int] = set()
    for row in answer:
        read = _read_service(row)
        if isinstance(read, UpstreamService) and read.service in seen:
            read = Unreadable(str(read.service), "listed twice")
        if isinstance(read, UpstreamService):
            seen.add(read.service)
            services.append(read)
        else:
            skipped.append(read)
    return services, skipped


def _read_service(row: Any) -> UpstreamService | Unreadable:
    if not isinstance(row, dict):
        return Unreadable("?", "not an object")
    service = read_id(row.get("service"))
    what = str(row.get("service"))[:40]
    if service is None:
        return Unreadable(what, "no usable service id")
    type_name = row.get("type", "Default")
    service_type = find_type(type_name) if isinstance(type_name, str) else None
    if service_type is None:
        return Unreadable(what, f"unknown type {str(row.get('type'))[:40]!r}")
    rate = _plain(row.get("rate"))
    if rate is None or not _RATE.fullmatch(rate):
        return Unreadable(what, f"unreadable rate {str(row.get('rate'))[:40]!r}")
    minimum, maximum = read_count(row.get("min")), read_count(row.get("max"))
    if minimum is None or maximum is None or not 0 <= minimum <= maximum or maximum == 0:
        return Unreadable(what, "unreadable min or max")
    name = _clean(row.get("name"))
    if not name:
        return Unreadable(what, "no name")
    return UpstreamService(
        service=service,
        name=name,
        type=service_type,
        category=_clean(row.get("category")) or "Other",
        rate=rate,
        minimum=max(minimum, 1),
        maximum=maximum,
        refill=_flag(row.get("refill")),
        cancel=_flag(row.get("cancel")),
        dripfeed=_flag(row.get("dripfeed", row.get("drip_feed"))) and service_type.drip_feed,
    )


def _flag(value: object) -> bool:
    return value is True or (isinstance(value, int | str) and str(value).strip().lower() in ("1", "true", "yes"))


def _clean(value: object) -> str:
    """Somebody else's text on one line, without control characters, at most 255 characters."""
    if not isinstance(value, str | int):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())[:255]


# --- shared ----------------------------------------------------------------------------------------


def _decode(body: bytes) -> Any:
    """The JSON value of a body, or None (which is never a usable answer) where it is not JSON."""
    if len(body) > MAX_ANSWER_BYTES:
        return None
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _describe(body: bytes) -> str:
    if not body.strip():
        return "an empty body"
    head = body[:200].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html")) or b"<html" in head:
        return "HTML"
    return "not a JSON object"


def _error_text(error: object) -> str:
    text = error if isinstance(error, str) else msgspec.json.encode(error).decode("utf-8", "replace")
    return _clean(text)[:_MAX_ERROR] or "(empty error)"
