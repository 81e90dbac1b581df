"""A subscription that a provider runs: bought once, its orders followed here and charged one by one."""

from collections.abc import Iterator
from typing import Any

import pytest
from subscribing import children, credit, later, open_alerts, shown_status, subscribe

from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from hawker.providers.models import Provider
from panel import Panel
from plain_http import http_post
from processes import SandboxProcess, ServeProcess
from scripted_upstream import ScriptedUpstream, start_scripted_upstream


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="10.00")


@pytest.mark.quick
def test_it_is_bought_once_and_its_orders_are_charged_one_by_one(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, upstream: Provider, customer: OpenedCustomer
) -> None:
    offered = subscriptions_of(sandbox)
    service = panel.service(
        type="Subscriptions",
        rate="9.00",
        minimum=1,
        maximum=100_000,
        provider=upstream,
        upstream_service=offered["service"],
        cost_rate=offered["rate"],
    )
    low = int(offered["min"])
    asked = {"username": "anna?fate=completed", "min": low, "max": low + 7, "posts": 2, "old_posts": 1, "delay": 5}
    order = subscribe(server, customer, service, **asked)
    assert shown_status(server, customer, order)["status"] == "Active"
    later(panel)
    (call,) = sandbox.calls("add")
    assert call["fields"] == {"service": str(offered["service"]), **{name: str(text) for name, text in asked.items()}}
    for _ in range(3):
        sandbox.advance(hours=3)
        later(panel)
    assert len(sandbox.calls("add")) == 1
    made = children(panel, order)
    there = [row for row in sandbox.orders() if row["parent"] is not None]
    assert [child["quantity"] for child in made] == [row["quantity"] for row in there]
    assert [child["upstream_order"] for child in made] == [row["order"] for row in there]
    assert len(made) == 3
    shown = shown_status(server, customer, order)
    assert (shown["status"], shown["posts"], shown["remains"]) == ("Completed", "3", "0")
    assert shown["orders"] == [str(child["order"]) for child in made]
    sandbox.advance(days=30)
    later(panel)
    paid = sum(child["quantity"] for child in made) * 9_000
    assert panel.balance(customer) == 10_000_000 - paid
    assert {child["state"] for child in children(panel, order)} == {"completed"}


def subscriptions_of(sandbox: SandboxProcess) -> dict[str, Any]:
    """A service of type Subscriptions that the sandbox offers, with cancel."""
    form = {"key": sandbox.key, "action": "services"}
    offered = http_post(sandbox.url, data=form).json()
    found: dict[str, Any] = next(row for row in offered if row["type"] == "Subscriptions" and row["cancel"])
    return found


@pytest.fixture
def scripted(panel: Panel) -> Iterator[ScriptedUpstream]:
    """An upstream whose statuses the test writes."""
    with start_scripted_upstream() as upstream:
        yield upstream


@pytest.fixture
def service(panel: Panel, scripted: ScriptedUpstream) -> Service:
    """A subscription that the scripted upstream runs: 9.00 for 1,000, of which it takes 5.00."""
    return panel.service(
        type="Subscriptions", rate="9.00", provider=scripted.register(panel), cost_rate="5.00", cancel=True
    )


def tell(panel: Panel, upstream: ScriptedUpstream, orders: object, *, status: str = "Active", **more: object) -> None:
    """The upstream's only subscription made these orders, and the worker hears of it."""
    upstream.statuses["1"] = {"status": status, "charge": "0", "orders": orders, "posts": "0"} | more
    later(panel, minutes=40)


def order_there(upstream: ScriptedUpstream, number: int, **status: object) -> None:
    """An order that the upstream made by itself."""
    known = {"charge": "0.50", "start_count": "0", "status": "Pending", "remains": "100", "currency": "USD"}
    upstream.statuses[str(number)] = known | status


def begin(panel: Panel, customer: OpenedCustomer, service: Service, **fields: object) -> int:
    """A subscription of 50 to 150 for each post, taken by the upstream as its order 1."""
    asked: dict[str, Any] = {"username": "anna", "min": 50, "max": 150, "delay": 0} | fields
    order: int = panel.place(customer, service, **asked)
    later(panel, seconds=1)
    assert panel.order(order)["upstream_order"] == 1
    return order


QUANTITIES = [
    ({"status": "Pending", "remains": "120", "charge": "0"}, 120),
    ({"status": "In progress", "remains": "30", "charge": "0.60"}, 120),
    ({"status": "Completed", "remains": "0", "charge": "0.3"}, 60),
    ({"status": "Partial", "remains": "20", "charge": "0.40"}, 100),
    ({"status": "Completed", "remains": 0, "charge": 0.75}, 150),
]
UNREADABLE = [
    {"status": "Completed", "remains": "0", "charge": "0.81"},
    {"status": "Completed", "remains": "0", "charge": "0.10"},
    {"status": "In progress", "remains": "Unknown", "charge": None},
    {"status": "Partial", "remains": "Unknown", "charge": "0.40"},
    {"status": "In progress", "remains": "40", "charge": "0.60333"},
    {"error": "Incorrect order ID"},
    {"status": "Whatever"},
]


@pytest.mark.parametrize(("status", "quantity"), QUANTITIES)
def test_a_quantity_is_read_where_something_tells_it(
    panel: Panel,
    scripted: ScriptedUpstream,
    service: Service,
    customer: OpenedCustomer,
    status: dict[str, object],
    quantity: int,
) -> None:
    order = begin(panel, customer, service)
    order_there(scripted, 700, **status)
    tell(panel, scripted, ["700"])
    (child,) = children(panel, order)
    assert (child["quantity"], child["upstream_order"]) == (quantity, 700)
    assert panel.order(child["order"])["attempts"][0]["evidence"] == f"an order of the subscription {order}"


def test_what_cannot_be_read_is_not_charged_but_told(
    panel: Panel, scripted: ScriptedUpstream, service: Service, customer: OpenedCustomer
) -> None:
    order = begin(panel, customer, service)
    for number, status in enumerate(UNREADABLE, 700):
        scripted.statuses[str(number)] = status
    order_there(scripted, 800)
    for _ in range(8):
        tell(panel, scripted, [*range(700, 700 + len(UNREADABLE)), 800], status="Completed")
    assert [child["upstream_order"] for child in children(panel, order)] == [800]
    assert panel.balance(customer) == 10_000_000 - 900_000
    assert "subscription_unread" in open_alerts()
    assert panel.order(order)["status"] == "Active"
    for number in range(700, 700 + len(UNREADABLE)):
        order_there(scripted, number)
    for _ in range(3):
        tell(panel, scripted, [*range(700, 700 + len(UNREADABLE)), 800], status="Completed")
    assert len(children(panel, order)) == len(UNREADABLE) + 1
    assert panel.order(order)["status"] == "Completed"
    assert "subscription_unread" not in open_alerts()


@pytest.mark.parametrize("orders", [None, "seven hundred", [700, "x"], {"0": 700}, [0], [-1], [True], [[700]], [700.5]])
def test_orders_that_are_not_named_are_not_charged_but_told(
    panel: Panel, scripted: ScriptedUpstream, service: Service, customer: OpenedCustomer, orders: object
) -> None:
    order = begin(panel, customer, service)
    order_there(scripted, 700)
    tell(panel, scripted, orders, posts="1")
    assert children(panel, order) == []
    assert open_alerts() == {"subscription_unread"}


@pytest.mark.parametrize("orders", [[700, 701], ["700", "701"], "700,701", "701, 700,", [701, 700, 701]])
def test_lists_are_read_in_every_form(
    panel: Panel, scripted: ScriptedUpstream, service: Service, customer: OpenedCustomer, orders: object
) -> None:
    order = begin(panel, customer, service, min=100, max=100)
    order_there(scripted, 700)
    order_there(scripted, 701)
    tell(panel, scripted, orders)
    tell(panel, scripted, orders)
    assert [child["upstream_order"] for child in children(panel, order)] == [700, 701]


def test_an_order_that_another_one_has_is_not_taken(
    panel: Panel, scripted: ScriptedUpstream, service: Service, customer: OpenedCustomer
) -> None:
    order = begin(panel, customer, service, min=100, max=100)
    plain = panel.service(provider=Provider.objects.get(), cost_rate="0.50")
    other = panel.place(customer, plain)
    later(panel, seconds=1)
    taken = panel.order(other)["upstream_order"]
    order_there(scripted, taken)
    tell(panel, scripted, [taken, 1])
    assert children(panel, order) == []
    assert "upstream_id_twice" in open_alerts()


def test_more_posts_than_asked_for_are_not_charged(
    panel: Panel, scripted: ScriptedUpstream, service: Service, customer: OpenedCustomer
) -> None:
    order = begin(panel, customer, service, min=100, max=100, posts=1, old_posts=1)
    for number in range(700, 704):
        order_there(scripted, number)
    tell(panel, scripted, [700, 701, 702, 703])
    assert [child["upstream_order"] for child in children(panel, order)] == [700, 701]
    assert open_alerts() == {"subscription_unread"}


def test_what_is_delivered_on_an_empty_balance_is_owed_and_the_provider_stopped(
    panel: Panel, server: ServeProcess, scripted: ScriptedUpstream, service: Service
) -> None:
    customer = panel.customer(credit="1.00")
    order = begin(panel, customer, service, min=100, max=100)
    for number in range(700, 705):
        order_there(scripted, number)
    tell(panel, scripted, [700, 701])
    assert len(children(panel, order)) == 1
    assert shown_status(server, customer, order)["status"] == "Paused"
    assert open_alerts() == {"subscription_owed"}
    assert panel.order(order)["work"][-1]["kind"] != "cancel"
    tell(panel, scripted, [700, 701, 702, 703])
    assert shown_status(server, customer, order)["status"] == "Paused"
    assert any(form["action"] == ["cancel"] for form in scripted.forms)
    tell(panel, scripted, [700, 701, 702, 703], status="Canceled")
    assert shown_status(server, customer, order)["status"] == "Paused"
    credit(panel, customer, 5_000_000)
    tell(panel, scripted, [700, 701, 702, 703], status="Canceled")
    assert len(children(panel, order)) == 4
    assert panel.balance(customer) == 6_000_000 - 4 * 900_000
    later(panel, minutes=40)
    assert shown_status(server, customer, order)["status"] == "Canceled"
    assert open_alerts() == set()


def test_a_cancel_goes_to_the_provider_and_ends_by_its_status(
    panel: Panel, server: ServeProcess, scripted: ScriptedUpstream, service: Service, customer: OpenedCustomer
) -> None:
    order = begin(panel, customer, service)
    tell(panel, scripted, [])
    assert server.call(customer.api_key, "cancel", orders=order).json == [{"order": order, "cancel": 1}]
    later(panel)
    assert any(form["action"] == ["cancel"] and form["orders"] == ["1"] for form in scripted.forms)
    assert shown_status(server, customer, order)["status"] == "Active"
    tell(panel, scripted, [], status="Cancelled")
    assert shown_status(server, customer, order)["status"] == "Canceled"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("active", "Active"),
        ("Paused", "Paused"),
        ("EXPIRED", "Expired"),
        ("In progress", "Active"),
        ("Nonsense", "Active"),
    ],
)
def test_the_provider_says_how_it_stands(
    panel: Panel, scripted: ScriptedUpstream, service: Service, customer: OpenedCustomer, told: str, shown: str
) -> None:
    order = begin(panel, customer, service)
    tell(panel, scripted, [], status=told)
    assert panel.order(order)["status"] == shown


def test_it_is_sent_once_whatever_the_answer(panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer) -> None:
    provider = panel.provider(sandbox)
    offered = subscriptions_of(sandbox)
    service = panel.service(
        type="Subscriptions",
        minimum=1,
        maximum=100_000,
        provider=provider,
        upstream_service=offered["service"],
        cost_rate=offered["rate"],
    )
    sandbox.faults("add:reset-after-accept=1")
    low = int(offered["min"])
    order = panel.place(customer, service, username="anna", min=low, max=low, delay=0)
    later(panel, seconds=1)
    assert (panel.order(order)["state"], panel.order(order)["status"]) == ("unknown", "Active")
    sandbox.faults()
    for _ in range(3):
        later(panel, hours=1)
    assert len(sandbox.calls("add")) == 1


def test_an_order_that_two_subscriptions_list_at_once_is_one_s_and_told(
    panel: Panel, scripted: ScriptedUpstream, service: Service, customer: OpenedCustomer
) -> None:
    first = begin(panel, customer, service, min=100, max=100)
    second: int = panel.place(customer, service, username="berta", min=100, max=100, delay=0)
    later(panel, seconds=1)
    assert panel.order(second)["upstream_order"] == 2
    order_there(scripted, 700)
    scripted.statuses["2"] = {"status": "Active", "charge": "0", "orders": [700], "posts": "0"}
    tell(panel, scripted, [700])
    assert [child["upstream_order"] for order in (first, second) for child in children(panel, order)] == [700]
    assert "upstream_id_twice" in open_alerts()
    assert panel.balance(customer) == 10_000_000 - 900_000
