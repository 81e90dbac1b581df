"""The replies of API v2 as JSON Schema: what `replies.py` writes, for the document, the page and the tests."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from hawker.protocol.service_types import TYPES
from hawker.protocol.statuses import OrderStatus, RefillStatus, SubscriptionStatus

Schema: TypeAlias = dict[str, Any]


def ref(name: str) -> Schema:
    """A reference to a schema of this name among the components of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """An object with just these members, in this order."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _number(doc: str) -> Schema:
    return {"type": "integer", "minimum": 1, "description": doc}


def _money(doc: str) -> Schema:
    return {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,5}$", "description": doc}


def _digits(doc: str) -> Schema:
    return {"type": "string", "pattern": "^[0-9]+$", "description": doc}


def _text(doc: str) -> Schema:
    return {"type": "string", "description": doc}


def _flag(doc: str) -> Schema:
    return {"type": "boolean", "description": doc}


def _asked(doc: str) -> Schema:
    # What was asked for comes back as it was asked: a number, unless it was none.
    return {"type": ["integer", "string"], "description": doc}


_CURRENCY = _text("The panel's currency")
_STATUS_WORDS = list(dict.fromkeys([*map(str, OrderStatus), *map(str, SubscriptionStatus)]))

STATUS: Mapping[str, Schema] = {
    "charge": _money("What the order costs, after refunds"),
    "start_count": _digits("The count when delivery began; 0 until known"),
    "status": {"type": "string", "enum": _STATUS_WORDS, "description": "Status of the order"},
    "remains": _digits("What is not delivered yet"),
    "currency": _CURRENCY,
}
_OF_PARENTS: Mapping[str, Schema] = {
    "runs": _digits("Drip-feed: how many runs were started"),
    "posts": _digits("Subscription: number of posts ordered for so far"),
    "expiry": _text("Subscription: its last day, d/m/Y; empty without one"),
    "orders": {**_array(_digits("Order ID")), "description": "Drip-feed and subscription: the orders made so far"},
}

SCHEMAS: Mapping[str, Schema] = {
    "Error": _object({"error": _text("What is wrong; Errors lists the texts")}),
    "ServicesReply": _array(
        _object(
            {
                "service": _number("Service ID"),
                "name": _text("Name of the service"),
                "type": {"type": "string", "enum": [kind.name for kind in TYPES], "description": "Type of the service"},
                "category": _text("Its category"),
                "rate": {
                    "type": "string",
                    "pattern": r"^[0-9]+(\.[0-9]+)?$",
                    "description": "Your price for 1000, or for one package",
                },
                "min": _digits("Least quantity of an order"),
                "max": _digits("Largest quantity of an order"),
                "refill": _flag("Whether refills are offered"),
                "cancel": _flag("Whether cancels are offered"),
                "dripfeed": _flag("Whether runs and interval are offered"),
            }
        )
    ),
    "AddReply": _object({"order": _number("Order ID")}),
    "StatusReply": _object({**STATUS, **_OF_PARENTS}, optional=tuple(_OF_PARENTS)),
    "StatusesReply": {
        "type": "object",
        "additionalProperties": {"anyOf": [ref("StatusReply"), ref("Error")]},
        "description": "For each ID as you sent it, its status or its error",
    },
    "RefillReply": _object({"refill": _digits("Refill ID")}),
    "RefillsReply": _array(
        _object(
            {
                "order": _asked("Order ID"),
                "refill": {"anyOf": [_number("Refill ID"), ref("Error")], "description": "Refill ID, or its error"},
            }
        )
    ),
    "RefillStatusReply": _object(
        {"status": {"type": "string", "enum": list(map(str, RefillStatus)), "description": "Status of the refill"}}
    ),
    "RefillStatusesReply": _array(
        _object(
            {
                "refill": _asked("Refill ID"),
                "status": {
                    "anyOf": [{"type": "string", "enum": list(map(str, RefillStatus))}, ref("Error")],
                    "description": "Status of the refill, or its error",
                },
            }
        )
    ),
    "CancelsReply": _array(
        _object(
            {
                "order": _asked("Order ID"),
                "cancel": {"anyOf": [{"const": 1}, ref("Error")], "description": "1 when asked for, or its error"},
            }
        )
    ),
    "OrdersReply": _array(
        _object(
            {
                "order": _number("Order ID"),
                "service": _number("Service ID"),
                "link": _text("The link, or a subscription's user name"),
                "quantity": _digits("Quantity, of all runs together"),
                **STATUS,
                "created": {"type": "string", "format": "date-time", "description": "When it was placed, in UTC"},
                "parent": _number("The drip-feed or subscription that it belongs to"),
                "request_id": _text("Your own id for it"),
            },
            optional=("parent", "request_id"),
        )
    ),
    "BalanceReply": _object({"balance": _money("The balance"), "currency": _CURRENCY}),
}
"""By the names that the table of actions uses."""


def members_of(name: str) -> dict[str, Schema]:
    """The members of a reply's object, or of the objects of its list, by name; empty where ids are the names."""
    schema = SCHEMAS[name]
    members: dict[str, Schema] = schema.get("items", schema).get("properties", {})
    return members
