"""The same answers in the loose forms of the wild: other types, other case, extra keys. All still readable.

These forms occur at real panels. What a tolerant client could not read with certainty is not made
here: it belongs to the other faults.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from hawker.protocol.statuses import OrderStatus, read_order_status
from hawker.sandbox.delivery import FINAL

_encode = msgspec.json.Encoder().encode

_ODD_STATUSES = {
    OrderStatus.PENDING: ("pending", "PENDING"),
    OrderStatus.IN_PROGRESS: ("In Progress", "inprogress"),
    OrderStatus.PROCESSING: ("processing", "PROCESSING"),
    OrderStatus.COMPLETED: ("completed", "COMPLETED"),
    OrderStatus.PARTIAL: ("partial", "PARTIAL"),
    OrderStatus.CANCELED: ("Cancelled", "Refunded"),
}


def loosen(action: str, body: bytes, turn: int) -> bytes:
    """The strict answer `body` in a loose form; `turn` (0 or 1) picks one of two. Errors stay as they are."""
    answer = msgspec.json.decode(body)
    if isinstance(answer, dict) and "error" in answer:
        return body
    return _encode(_LOOSE[action](answer, turn))


def _number(text: str) -> msgspec.Raw:
    """A decimal text as a JSON number, digit for digit: no float in between."""
    return msgspec.Raw(text.encode())


def _services(answer: Any, turn: int) -> Any:
    return [_service(row, turn) for row in answer]


def _service(row: dict[str, Any], turn: int) -> dict[str, Any]:
    return {
        "service": str(row["service"]),
        "name": row["name"],
        "type": row["type"].lower().replace(" ", "_"),
        "category": row["category"],
        "rate": _number(row["rate"]),
        "min": int(row["min"]),
        "max": int(row["max"]),
        "desc": "",
        **{flag: _flag(row[flag], turn) for flag in ("refill", "cancel", "dripfeed")},
    }


def _flag(value: bool, turn: int) -> int | str:
    return str(int(value)) if turn else int(value)


def _add(answer: Any, turn: int) -> Any:
    return {"status": "success", "order": str(answer["order"])} if turn else {"order": str(answer["order"])}


def _status(answer: Any, turn: int) -> Any:
    if "status" in answer:
        return _one_status(answer, turn)
    return {asked: row if "error" in row else _one_status(row, turn) for asked, row in answer.items()}


def _one_status(row: dict[str, Any], turn: int) -> dict[str, Any]:
    status = read_order_status(row["status"])
    if status is None:  # A subscription's: nobody has another spelling for it.
        return row | {"charge": _number(row["charge"])}
    # An unfinished order may hide its remains; a finished one must tell, or its refund would be guessed.
    remains = "Unknown" if turn and status not in FINAL else f"+{row['remains']}"
    return row | {
        "charge": _number(row["charge"]),
        "start_count": None if row["start_count"] == "0" else int(row["start_count"]),
        "status": _ODD_STATUSES[status][turn],
        "remains": remains,
    }


def _refill(answer: Any, turn: int) -> Any:
    if isinstance(answer, list):
        return [{"order": str(row["order"]), "refill": _as_text(row["refill"])} for row in answer]
    return {"refill": int(answer["refill"])} | ({"status": "success"} if turn else {})


def _refill_status(answer: Any, turn: int) -> Any:
    del turn
    if isinstance(answer, list):
        return [{"refill": str(row["refill"]), "status": _upper(row["status"])} for row in answer]
    return {"status": _upper(answer["status"])}


def _cancel(answer: Any, turn: int) -> Any:
    del turn
    return [{"order": str(row["order"]), "cancel": _as_text(row["cancel"])} for row in answer]


def _balance(answer: Any, turn: int) -> Any:
    return {
        "balance": _number(answer["balance"]),
        "currency": answer["currency"].lower() if turn else answer["currency"],
    }


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


_LOOSE: dict[str, Callable[[Any, int], Any]] = {
    "services": _services,
    "add": _add,
    "status": _status,
    "refill": _refill,
    "refill_status": _refill_status,
    "cancel": _cancel,
    "balance": _balance,
}
