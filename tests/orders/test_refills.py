"""Refills over the API: asked for, bought upstream, followed to their end, or seen to by staff."""

from datetime import UTC, datetime, timedelta

import pytest

from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from hawker.orders.models import WorkKind
from panel import Panel
from processes import SandboxProcess, ServeProcess

TOO_EARLY = "The order was completed or refill was requested less than 24 hours ago"
RUNNING = "The refill task is not completed for this order"


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="10.00")


@pytest.fixture
def service(panel: Panel, sandbox: SandboxProcess) -> Service:
    """A service that offers refills, bought upstream."""
    return panel.service(provider=panel.provider(sandbox), refill=True)


def deliver(
    panel: Panel,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    service: Service,
    *,
    wishes: str = "fate=completed",
    days_ago: float = 3,
) -> int:
    """An order that was delivered so many days ago; the panel's clock is at the present again after it."""
    panel.clock.instant = datetime.now(UTC) - timedelta(days=days_ago)
    order: int = panel.place(customer, service, link=f"https://example.com/a?{wishes}")
    panel.clock.advance(seconds=1)
    panel.sweep()
    sandbox.advance(days=2)
    panel.clock.advance(seconds=10)
    panel.sweep()
    # From here on the provider too has waited for a day.
    sandbox.advance(days=2)
    panel.clock.instant = datetime.now(UTC) + timedelta(seconds=1)
    return order


def refill(server: ServeProcess, customer: OpenedCustomer, order: object) -> int:
    """The number of a refill that the API grants."""
    answer = server.call(customer.api_key, "refill", order=order).json
    assert list(answer) == ["refill"], answer
    return int(answer["refill"])


def status(server: ServeProcess, customer: OpenedCustomer, number: object) -> str:
    return str(server.call(customer.api_key, "refill_status", refill=number).json["status"])


def follow(panel: Panel, sandbox: SandboxProcess, **amount: float) -> None:
    """Let time pass on both sides, and the worker ask how things go."""
    sandbox.advance(**amount)
    panel.clock.advance(**amount)
    panel.sweep()


@pytest.mark.parametrize(("wish", "end"), [("completed", "Completed"), ("rejected", "Rejected")])
def test_a_refill_is_bought_upstream_and_followed_to_its_end(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    service: Service,
    wish: str,
    end: str,
) -> None:
    order = deliver(panel, sandbox, customer, service, wishes=f"fate=completed&refill={wish}")
    balance = panel.balance(customer)
    number = refill(server, customer, order)
    assert status(server, customer, number) == "Pending"
    panel.sweep()
    (call,) = sandbox.calls("refill")
    assert call["fields"] == {"order": str(panel.order(order)["upstream_order"])}
    follow(panel, sandbox, minutes=1)
    assert status(server, customer, number) == "Pending"
    follow(panel, sandbox, minutes=15)
    assert status(server, customer, number) == "In progress"
    follow(panel, sandbox, minutes=45)
    assert status(server, customer, number) == end
    shown = panel.order(order)
    assert (shown["state"], shown["work"]) == ("completed", [])
    assert shown["refills"][0]["upstream_refill"] == call["refills"][0]
    assert [attempt["state"] for attempt in shown["attempts"] if attempt["kind"] == "refill"] == ["accepted"]
    assert f"refill {number}: accepted as {call['refills'][0]}" in [event["reason"] for event in shown["events"]]
    assert panel.balance(customer) == balance, "a refill moves no money"


def test_a_hundred_refills_are_followed_in_one_call(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    panel.clock.instant = datetime.now(UTC) - timedelta(days=3)
    orders = [
        panel.place(customer, service, link="https://example.com/?fate=completed", quantity=50) for _ in range(100)
    ]
    panel.clock.advance(seconds=1)
    panel.sweep()
    sandbox.advance(days=2)
    panel.clock.advance(minutes=10)
    panel.sweep()
    sandbox.advance(days=2)
    panel.clock.instant = datetime.now(UTC) + timedelta(seconds=1)
    granted = server.call(customer.api_key, "refill", orders=",".join(map(str, orders))).json
    numbers = [row["refill"] for row in granted]
    assert [row["order"] for row in granted] == orders
    assert numbers == sorted(numbers)
    panel.sweep(WorkKind.REFILL)
    assert len(sandbox.calls("refill")) == 100
    follow(panel, sandbox, hours=2)
    (call,) = sandbox.calls("refill_status")
    assert len(call["fields"]["refills"].split(",")) == 100
    told = server.call(customer.api_key, "refill_status", refills=",".join(map(str, numbers))).json
    assert [row["refill"] for row in told] == numbers
    assert {row["status"] for row in told} <= {"Completed", "Rejected"}
