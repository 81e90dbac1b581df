"""The actions of API v2 as data: what each does, takes and answers. Pages, documents and tests are made of this table.

Source: the examples of tests/wire/seed-api.txt; docs/api.md for what they leave out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hawker.protocol.params import BEFORE, LIMIT, REQUEST_ID, Param, ParamKind
from hawker.protocol.service_types import TYPES, ServiceType

KEY = Param("key", ParamKind.TEXT, "Your API key", max_length=512)
SERVICE = Param("service", ParamKind.SERVICE, "Service ID", minimum=1)
ORDER = Param("order", ParamKind.ID, "Order ID", minimum=1)
ORDERS = Param("orders", ParamKind.IDS, "Order IDs (separated by a comma, up to 100 IDs)")
REFILL = Param("refill", ParamKind.ID, "Refill ID", minimum=1)
REFILLS = Param("refills", ParamKind.IDS, "Refill IDs (separated by a comma, up to 100 IDs)")


@dataclass(frozen=True, slots=True)
class Action:
    """One way of calling an action.

    `answer` is an example reply as JSON has it, and `reply` the name of its schema (reply_schemas.py). `example` holds
    the parameters, beside key and action, that this answer belongs to. What `add` takes beside `params` is said by
    the type of the service.
    """

    name: str
    title: str
    doc: str
    params: tuple[Param, ...]
    example: Mapping[str, str]
    reply: str
    answer: object
    writes: bool = False

    @property
    def slug(self) -> str:
        """The title as part of an address."""
        return self.title.lower().replace(" ", "-")

    @property
    def schema_name(self) -> str:
        """The title as the name of a schema."""
        return "".join(word.capitalize() for word in self.title.split())


_INCORRECT_ORDER = {"error": "Incorrect order ID"}
_PARTIAL = {"charge": "0.27819", "start_count": "3572", "status": "Partial", "remains": "157", "currency": "USD"}
_STARTED = {"charge": "1.44219", "start_count": "234", "status": "In progress", "remains": "10", "currency": "USD"}

ACTIONS: tuple[Action, ...] = (
    Action(
        "services",
        "Service list",
        "Everything that is on sale, at your own rates.",
        (),
        {},
        "ServicesReply",
        [
            {
                "service": 1,
                "name": "Followers",
                "type": "Default",
                "category": "First Category",
                "rate": "0.90",
                "min": "50",
                "max": "10000",
                "refill": True,
                "cancel": True,
                "dripfeed": True,
            },
            {
                "service": 2,
                "name": "Comments",
                "type": "Custom Comments",
                "category": "Second Category",
                "rate": "8",
                "min": "10",
                "max": "1500",
                "refill": False,
                "cancel": True,
                "dripfeed": False,
            },
        ],
    ),
    Action(
        "add",
        "Add order",
        "Places an order and charges it. What is sent beside the service depends on the type of the service.",
        (SERVICE, REQUEST_ID),
        {"service": "1", "link": "https://example.com/page", "quantity": "100"},
        "AddReply",
        {"order": 23501},
        writes=True,
    ),
    Action(
        "status",
        "Order status",
        "How an order stands. After Partial and Canceled, charge is what was charged in the end.",
        (ORDER,),
        {"order": "1"},
        "StatusReply",
        _PARTIAL,
    ),
    Action(
        "status",
        "Multiple orders status",
        "How several orders stand, each by its ID as it was asked.",
        (ORDERS,),
        {"orders": "1,10,100"},
        "StatusesReply",
        {"1": _PARTIAL, "10": _INCORRECT_ORDER, "100": _STARTED},
    ),
    Action(
        "refill",
        "Create refill",
        "Asks for what was lost of a completed order to be delivered again.",
        (ORDER,),
        {"order": "1"},
        "RefillReply",
        {"refill": "1"},
        writes=True,
    ),
    Action(
        "refill",
        "Create multiple refill",
        "The same for several orders, each answered for itself.",
        (ORDERS,),
        {"orders": "1,2,3"},
        "RefillsReply",
        [{"order": 1, "refill": 1}, {"order": 2, "refill": 2}, {"order": 3, "refill": _INCORRECT_ORDER}],
        writes=True,
    ),
    Action(
        "refill_status",
        "Get refill status",
        "How a refill stands.",
        (REFILL,),
        {"refill": "1"},
        "RefillStatusReply",
        {"status": "Completed"},
    ),
    Action(
        "refill_status",
        "Get multiple refill status",
        "How several refills stand.",
        (REFILLS,),
        {"refills": "1,2,3"},
        "RefillStatusesReply",
        [
            {"refill": 1, "status": "Completed"},
            {"refill": 2, "status": "Rejected"},
            {"refill": 3, "status": {"error": "Refill not found"}},
        ],
    ),
    Action(
        "cancel",
        "Create cancel",
        "Asks for orders to be canceled. 1 says that it was asked for: the outcome shows in their status.",
        (ORDERS,),
        {"orders": "9,2"},
        "CancelsReply",
        [{"order": 9, "cancel": _INCORRECT_ORDER}, {"order": 2, "cancel": 1}],
        writes=True,
    ),
    Action(
        "orders",
        "Own orders",
        "Your own orders, newest first: how a program that lost an answer finds its order.",
        (LIMIT, BEFORE),
        {"limit": "1"},
        "OrdersReply",
        [
            {
                "order": 23501,
                "service": 1,
                "link": "https://example.com/page",
                "quantity": "100",
                **_STARTED,
                "charge": "0.09",
                "remains": "40",
                "created": "2026-11-25T00:02:50Z",
            }
        ],
    ),
    Action(
        "balance",
        "User balance",
        "The balance.",
        (),
        {},
        "BalanceReply",
        {"balance": "100.84292", "currency": "USD"},
    ),
)

EXAMPLE_VALUES: Mapping[str, str] = {
    "link": "https://example.com/page",
    "quantity": "100",
    "runs": "3",
    "interval": "60",
    "comments": "\n".join(f"Great picture, number {number}!" for number in range(1, 11)),
    "usernames": "\n".join(f"friend{number}" for number in range(1, 11)),
    "hashtags": "#tea\n#cup",
    "hashtag": "#tea",
    "username": "somebody",
    "media": "https://example.com/p/1",
    "answer_number": "2",
    "groups": "https://example.com/g/1\nhttps://example.com/g/2",
    "keywords": "green tea\ntea cup",
    "country": "WW",
    "device": "5",
    "type_of_traffic": "1",
    "google_keyword": "green tea",
    "referring_url": "https://example.com/from",
    "min": "100",
    "max": "200",
    "posts": "5",
    "old_posts": "0",
    "delay": "30",
    "expiry": "31/12/2099",
}
"""What examples send for each parameter of `add`, whatever the type."""

_SHOWN_TOO = {"Web Traffic": ("country", "device", "type_of_traffic", "google_keyword"), "Subscriptions": ("posts",)}


def example_order(service_type: ServiceType) -> dict[str, str]:
    """An example order of this type, beside key and action; its service has the number of the type in the table."""
    shown = [
        param.name
        for param in service_type.params
        if param.required or param.name in _SHOWN_TOO.get(service_type.name, ())
    ]
    return {"service": str(TYPES.index(service_type) + 1), **{name: EXAMPLE_VALUES[name] for name in shown}}
