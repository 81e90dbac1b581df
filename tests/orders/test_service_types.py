"""Every type of the protocol's table: priced, checked, and bought upstream under the same names."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from hawker.ledger.models import Transfer
from hawker.orders.models import Order
from hawker.protocol.params import ParamKind
from hawker.protocol.service_types import TYPES, QuantityRule, ServiceType, find_type
from hawker.sandbox.catalogue import SERVICES
from panel import Panel
from processes import SandboxProcess, ServeProcess

LINK = "https://example.com/a?fate=completed"
RATE = "2.50"


@dataclass(frozen=True)
class Example:
    """An order of one type as a client sends it, and what must come of it."""

    type_name: str
    fields: dict[str, str]
    quantity: int
    charge: str
    forwarded: dict[str, str] = field(default_factory=dict)
    """What differs upstream from what was sent."""

    @property
    def type(self) -> ServiceType:
        found = find_type(self.type_name)
        assert found is not None
        return found

    def __str__(self) -> str:
        return self.type_name


EXAMPLES = (
    Example("Default", {"quantity": "500"}, 500, "1.25"),
    Example("Package", {}, 1, "2.50"),
    Example(
        "Custom Comments",
        {"comments": "one\r\n\r\n  two 😀 \n" + "three\n" * 8},
        10,
        "0.025",
        {"comments": "one\ntwo 😀" + "\nthree" * 8},
    ),
    Example("Custom Comments Package", {"comments": "one\ntwo"}, 1, "2.50"),
    Example("Mentions", {"quantity": "500", "usernames": "ann\nbob"}, 500, "1.25"),
    Example(
        "Mentions with Hashtags",
        {"quantity": "500", "usernames": "ann\r\nbob", "hashtags": "#tea\r\n#cup"},
        500,
        "1.25",
        {"usernames": "ann\nbob", "hashtags": "#tea\n#cup"},
    ),
    Example("Mentions Custom List", {"usernames": "\n".join(f"user{n}" for n in range(20))}, 20, "0.05"),
    Example("Mentions Hashtag", {"quantity": "500", "hashtag": "#tea"}, 500, "1.25"),
    Example("Mentions User Followers", {"quantity": "500", "username": "@ann.bob_1"}, 500, "1.25"),
    Example("Mentions Media Likers", {"quantity": "500", "media": "https://example.com/p/1?x=a&y=b"}, 500, "1.25"),
    Example("Comment Likes", {"quantity": "500", "username": "ann"}, 500, "1.25"),
    Example("Comment Replies", {"username": "ann", "comments": "\n".join(["thank you"] * 10)}, 10, "0.025"),
    Example("Poll", {"quantity": "500", "answer_number": "3"}, 500, "1.25"),
    Example("Invites from Groups", {"quantity": "500", "groups": "https://example.com/g/1\ngroup two"}, 500, "1.25"),
    Example("SEO", {"quantity": "500", "keywords": "green tea\ntea cup"}, 500, "1.25"),
    Example(
        "Web Traffic",
        {
            "quantity": "500",
            "country": "WW",
            "device": "5",
            "type_of_traffic": "2",
            "referring_url": "https://example.com/from",
        },
        500,
        "1.25",
    ),
)

EVERY_EXAMPLE = pytest.mark.parametrize("example", EXAMPLES, ids=str)


def sold(panel: Panel, example: Example, sandbox: SandboxProcess | None = None) -> Service:
    """A service of this type, bought from the sandbox's that takes the example's quantity."""
    upstream = next(
        number
        for number, service in SERVICES.items()
        if service.type is example.type and service.offered.minimum <= example.quantity <= service.offered.maximum
    )
    return panel.service(
        type=example.type_name,
        rate=RATE,
        minimum=1 if example.type.quantity is QuantityRule.FIXED else 10,
        maximum=1_000,
        provider=None if sandbox is None else panel.provider(sandbox),
        upstream_service=upstream,
        cost_rate="0.01",
    )


def add(server: ServeProcess, customer: OpenedCustomer, service: Service, fields: dict[str, str]) -> Any:
    return server.call(customer.api_key, "add", service=service.id, **{"link": LINK, **fields}).json


def test_there_is_an_example_of_every_type_that_has_a_link() -> None:
    assert [example.type for example in EXAMPLES] == [type_ for type_ in TYPES if type_.name != "Subscriptions"]


@pytest.mark.quick
@EVERY_EXAMPLE
def test_an_order_is_priced_and_bought_under_the_same_names(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, example: Example
) -> None:
    customer = panel.customer()
    service = sold(panel, example, sandbox)
    # Parameters of other types are ignored, here and upstream.
    others = {"posts": "3", "nonsense": "x"} | ({} if "answer_number" in example.fields else {"answer_number": "1"})
    order = add(server, customer, service, example.fields | others)["order"]
    panel.clock.pass_by_the_server()
    panel.sweep()
    (call,) = sandbox.calls("add")
    expected = {"link": LINK, **example.fields, **example.forwarded}
    assert call["fields"] == {"service": call["fields"]["service"], **expected}
    shown = panel.order(order)
    assert (shown["state"], shown["type"], shown["quantity"], shown["charge"]) == (
        "submitted",
        example.type_name,
        example.quantity,
        example.charge,
    )
    assert panel.balance(customer) == 100_000_000 - Transfer.objects.get(kind="charge").amount_micros
    (received,) = sandbox.orders()
    assert received["quantity"] == example.quantity
    sandbox.advance(days=60)
    panel.clock.advance(minutes=5)
    panel.sweep()
    status = server.call(customer.api_key, "status", order=order).json
    assert (status["status"], status["charge"], status["remains"]) == ("Completed", example.charge, "0")


BAD = {
    ParamKind.LINK: ("javascript:alert(1)", "https://user@example.com", "a b", "x" * 3_000),
    ParamKind.QUANTITY: ("1e3", "-1", "100.5", "1_000", "٥٠٠", "9" * 20),
    ParamKind.COUNT: ("-1", "1.5", "x", "9" * 20),
    ParamKind.CHOICE: ("0", "9", "x", "1.0"),
    ParamKind.TEXT: ("two\nlines", "x" * 501, "\x07", "a\rb"),
    ParamKind.LINES: ("one\rtwo", "\x07", "x" * 2_001, "a\n" * 100_001, " \n\r\n "),
}
"""Values that no parameter of the kind takes. NUL and bad UTF-8 make the whole request unreadable (tests/wire)."""


def texts_of(name: str) -> str:
    return {"link": "Incorrect link", "quantity": "Incorrect quantity"}.get(name, f"Incorrect {name}")


@EVERY_EXAMPLE
def test_a_bad_or_missing_parameter_is_refused_by_its_name(
    panel: Panel, server: ServeProcess, example: Example
) -> None:
    customer = panel.customer()
    service = sold(panel, example)
    whole = {"link": LINK, **example.fields}
    for param in example.type.params:
        for value in BAD[param.kind]:
            assert add(server, customer, service, whole | {param.name: value}) == {"error": texts_of(param.name)}, value
        if param.required:
            for nothing in ("", "undefined", "null"):
                refused = add(server, customer, service, whole | {param.name: nothing})
                assert refused == {"error": texts_of(param.name)}
    assert not Order.objects.exists()
    assert panel.balance(customer) == 100_000_000


@EVERY_EXAMPLE
def test_the_quantity_is_held_against_the_limits_of_the_service(
    panel: Panel, server: ServeProcess, example: Example
) -> None:
    customer = panel.customer()
    service = sold(panel, example)
    match example.type.quantity:
        case QuantityRule.GIVEN:
            few, many = {"quantity": "9"}, {"quantity": "1001"}
        case QuantityRule.LINES:
            few, many = ({example.type.counted: "\n".join(["x"] * count)} for count in (9, 1_001))
        case _:
            few = many = {}
    below = add(server, customer, service, example.fields | few)
    above = add(server, customer, service, example.fields | many)
    if few:
        assert (below, above) == (
            {"error": "Quantity less than minimal 10"},
            {"error": "Quantity more than maximum 1000"},
        )
        assert not Order.objects.exists()
    else:
        assert panel.balance(customer) == 100_000_000 - 2 * 2_500_000


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"type_of_traffic": "1"}, "Incorrect google_keyword"),
        ({"type_of_traffic": "2", "google_keyword": "tea"}, "Incorrect referring_url"),
        ({"runs": "2", "interval": "5"}, "Incorrect runs"),
        ({"runs": "2"}, "Incorrect interval"),
    ],
)
def test_parameters_that_belong_together_are_asked_for_together(
    panel: Panel, server: ServeProcess, fields: dict[str, str], error: str
) -> None:
    service = panel.service(type="Web Traffic")
    assert add(server, panel.customer(), service, {"quantity": "100", **fields}) == {"error": error}
    assert not Order.objects.exists()


def test_web_traffic_by_drip_feed_carries_its_parameters_with_every_run(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess
) -> None:
    example = next(example for example in EXAMPLES if example.type_name == "Web Traffic")
    service = sold(panel, example, sandbox)
    Service.objects.filter(id=service.id).update(dripfeed=True)
    customer = panel.customer()
    add(server, customer, service, example.fields | {"runs": "2", "interval": "1"})
    panel.clock.pass_by_the_server()
    for _ in range(2):
        for _ in range(2):
            panel.sweep()
        panel.clock.advance(minutes=1)
    calls = [call["fields"] for call in sandbox.calls("add")]
    assert calls == [{"service": calls[0]["service"], "link": LINK, **example.fields}] * 2
    assert panel.balance(customer) == 100_000_000 - 2_500_000
