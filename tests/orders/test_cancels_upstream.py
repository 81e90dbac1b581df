"""Cancels of orders that a provider has: asked for there, and settled by what their status then says."""

from typing import Any

import pytest
from canceling import cancel, events

from hawker.alerts.actions import describe_alerts
from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import Reading, apply_readings, claim_polls
from hawker.orders.models import WorkKind
from hawker.protocol.statuses import OrderStatus
from hawker.protocol.upstream import UpstreamStatus
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess, ServeProcess

FUNDS = 10_000_000
CHARGE = 900_000


@pytest.fixture
def service(panel: Panel, sandbox: SandboxProcess) -> Service:
    return panel.service(provider=panel.provider(sandbox), cancel=True)


def send(panel: Panel, customer: OpenedCustomer, service: Service, wishes: str = "fate=completed") -> int:
    """An order of 1,000 for 0.90 that the provider has."""
    order: int = panel.place(customer, service, quantity=1000, link=f"https://example.com/a?{wishes}")
    panel.clock.advance(seconds=1)
    panel.sweep(WorkKind.DISPATCH)
    assert panel.order(order)["state"] == "submitted"
    return order


def pass_time(panel: Panel, sandbox: SandboxProcess, **amount: float) -> None:
    sandbox.advance(**amount)
    panel.clock.advance(**amount)
    panel.sweep()


def shown_by_api(server: ServeProcess, customer: OpenedCustomer, order: int) -> tuple[str, str, str]:
    told = server.call(customer.api_key, "status", order=order).json
    return told["status"], told["charge"], told["remains"]


def test_a_cancel_before_the_delivery_begins_refunds_everything(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = send(panel, customer, service)
    assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
    panel.clock.advance(seconds=30)
    panel.sweep(WorkKind.CANCEL)
    (call,) = sandbox.calls("cancel")
    assert call["fields"] == {"orders": str(panel.order(order)["upstream_order"])}
    assert panel.balance(customer) == FUNDS - CHARGE, "taken is not yet canceled"
    # Looked at while it has not begun: the sandbox ends what it did not begin with nothing delivered.
    sandbox.advance(minutes=3)
    pass_time(panel, sandbox, minutes=1)
    status, charge, remains = shown_by_api(server, customer, order)
    assert status in ("Canceled", "Partial")
    assert panel.balance(customer) == FUNDS - micros(charge)
    if status == "Canceled":
        assert (charge, remains) == ("0.00", "1000")
    assert panel.order(order)["work"] == []


def micros(text: str) -> int:
    from hawker.core.money import read_micros

    amount = read_micros(text)
    assert amount is not None
    return amount


@pytest.mark.quick
def test_a_cancel_in_the_middle_refunds_what_was_not_delivered(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = send(panel, customer, service)
    pass_time(panel, sandbox, minutes=15)
    pass_time(panel, sandbox, minutes=10)
    assert panel.order(order)["state"] in ("in_progress", "processing")
    cancel(server, customer, order)
    panel.clock.advance(seconds=30)
    panel.sweep(WorkKind.CANCEL)
    pass_time(panel, sandbox, minutes=4)
    status, charge, remains = shown_by_api(server, customer, order)
    (upstream,) = sandbox.orders()
    assert (status, remains) == ("Partial", str(upstream["remains"]))
    assert 0 < int(remains) < 1000
    # 0.90 × remains / 1000 is exact to five decimals.
    assert panel.balance(customer) == FUNDS - CHARGE + 900 * int(remains) == FUNDS - micros(charge)
    assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
    assert len(sandbox.calls("cancel")) == 1, "asked for twice, sent once"


def test_a_cancel_that_is_refused_changes_nothing_and_may_be_asked_for_anew(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = send(panel, customer, service, "fate=completed&cancel=refused")
    for times in (1, 2):
        assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
        panel.clock.advance(seconds=30)
        panel.sweep(WorkKind.CANCEL)
        assert len(sandbox.calls("cancel")) == times
        shown = panel.order(order)
        assert shown["events"][-1]["reason"] == "the provider refused the cancel: Cancel is disabled for this service"
        assert ([due["kind"] for due in shown["work"]], shown["cancel_requested_at"]) == (["poll"], None)
    sandbox.advance(days=2)
    pass_time(panel, sandbox, minutes=1)
    assert shown_by_api(server, customer, order) == ("Completed", "0.90", "0")
    assert cancel(server, customer, order) == [{"order": order, "cancel": {"error": "The order is already completed"}}]
    assert panel.balance(customer) == FUNDS - CHARGE


def test_a_cancel_that_comes_to_nothing_upstream_lets_the_order_complete(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = send(panel, customer, service, "fate=completed&cancel=ignored")
    cancel(server, customer, order)
    panel.clock.advance(seconds=30)
    panel.sweep(WorkKind.CANCEL)
    sandbox.advance(days=2)
    pass_time(panel, sandbox, minutes=1)
    assert shown_by_api(server, customer, order) == ("Completed", "0.90", "0")
    assert panel.balance(customer) == FUNDS - CHARGE


@pytest.mark.parametrize(
    "fault", ["html", "empty", "truncated", "502-after-accept", "reset-after-accept", "redirect", "rate-limit"]
)
def test_a_cancel_without_a_clear_answer_is_asked_for_again(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    service: Service,
    fault: str,
) -> None:
    order = send(panel, customer, service)
    cancel(server, customer, order)
    sandbox.faults(f"cancel:{fault}=1")
    panel.clock.advance(seconds=30)
    panel.sweep(WorkKind.CANCEL)
    sandbox.faults()
    assert [due["kind"] for due in panel.order(order)["work"]] == ["cancel", "poll"]
    panel.clock.advance(minutes=30)
    panel.sweep(WorkKind.CANCEL)
    assert len(sandbox.calls("cancel")) == 2
    pass_time(panel, sandbox, minutes=4)
    assert shown_by_api(server, customer, order)[0] in ("Canceled", "Partial")


def test_a_hundred_cancels_go_upstream_in_one_call_and_each_has_its_own_end(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, service: Service
) -> None:
    customer = panel.customer(credit="100.00")
    wishes = ("cancel=refused", "cancel=ignored", "cancel=taken")
    orders = []
    for place in range(100):
        link = f"https://example.com/{place}?fate=completed&{wishes[place % 3]}"
        orders.append(panel.place(customer, service, quantity=100, link=link))
    panel.clock.advance(seconds=1)
    panel.sweep(WorkKind.DISPATCH)
    assert cancel(server, customer, *orders) == [{"order": order, "cancel": 1} for order in orders]
    panel.clock.advance(seconds=30)
    panel.sweep(WorkKind.CANCEL)
    (call,) = sandbox.calls("cancel")
    assert len(call["fields"]["orders"].split(",")) == 100
    sandbox.advance(days=1)
    pass_time(panel, sandbox, hours=1)
    states = [panel.order(order)["state"] for order in orders]
    assert {state for place, state in enumerate(states) if place % 3 < 2} == {"completed"}
    assert {state for place, state in enumerate(states) if place % 3 == 2} <= {"canceled", "partial"}


def test_a_cancel_brings_the_next_look_forward(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = send(panel, customer, service)
    panel.clock.advance(hours=5)
    panel.sweep(WorkKind.POLL)
    asked = len(sandbox.calls("status"))
    panel.clock.advance(seconds=30)
    panel.sweep(WorkKind.POLL)
    assert len(sandbox.calls("status")) == asked, "an old order is asked about rarely"
    # A poll that is under way when the cancel comes does not put the next look off.
    provider = Provider.objects.get()
    panel.clock.advance(hours=1)
    polls = claim_polls(provider.id, limit=10, now=panel.clock.now())
    server_clock_is_behind(panel, customer, order)
    panel.sweep(WorkKind.CANCEL)
    apply_readings([Reading(poll, told(OrderStatus.IN_PROGRESS, 900)) for poll in polls], now=panel.clock.now())
    panel.clock.advance(seconds=3)
    panel.sweep(WorkKind.POLL)
    assert len(sandbox.calls("status")) == asked + 1
    panel.clock.advance(seconds=3)
    panel.sweep(WorkKind.POLL)
    assert len(sandbox.calls("status")) == asked + 2, "and it is asked about often from then on"


def server_clock_is_behind(panel: Panel, customer: OpenedCustomer, order: int) -> None:
    """A cancel at the time of the test's own clock, which runs ahead of the server's."""
    from hawker.orders import CancelAsk, request_cancels

    request_cancels([CancelAsk(customer.account_id, [str(order)])], now=panel.clock.now())


def told(status: OrderStatus, remains: int) -> UpstreamStatus:
    return UpstreamStatus(status, remains=remains, start_count=None, charge_micros=None)


FLIPS: list[tuple[Any, Any]] = [
    (told(OrderStatus.CANCELED, 1000), told(OrderStatus.COMPLETED, 0)),
    (told(OrderStatus.COMPLETED, 0), told(OrderStatus.CANCELED, 1000)),
    (told(OrderStatus.PARTIAL, 300), told(OrderStatus.COMPLETED, 0)),
]


@pytest.mark.parametrize(("first", "second"), FLIPS)
def test_a_flip_after_the_end_is_recorded_and_alerted_and_takes_nothing_back(
    panel: Panel, customer: OpenedCustomer, service: Service, first: UpstreamStatus, second: UpstreamStatus
) -> None:
    order = send(panel, customer, service)
    panel.clock.advance(minutes=1)
    provider = Provider.objects.get()
    # Two workers ask about the order side by side, and their answers come in one after the other.
    ahead = claim_polls(provider.id, limit=10, now=panel.clock.now())
    panel.clock.advance(minutes=1)
    behind = claim_polls(provider.id, limit=10, now=panel.clock.now())
    apply_readings([Reading(poll, first) for poll in ahead], now=panel.clock.now())
    ended, balance = panel.order(order), panel.balance(customer)
    apply_readings([Reading(poll, second) for poll in behind], now=panel.clock.now())
    shown = panel.order(order)
    assert (shown["state"], shown["transfers"]) == (ended["state"], ended["transfers"])
    assert panel.balance(customer) == balance
    sentence = f"it ended {ended['state']}, and the provider now reports {second.status}"
    assert events(panel, order)[-1] == (ended["state"], ended["state"], sentence)
    (alert,) = describe_alerts(closed=False, limit=10)
    assert (alert["kind"], alert["subject"], alert["text"]) == ("status_flip", f"order {order}", sentence)


def test_an_answer_from_before_the_end_is_no_flip(panel: Panel, customer: OpenedCustomer, service: Service) -> None:
    order = send(panel, customer, service)
    provider = Provider.objects.get()
    panel.clock.advance(minutes=1)
    ahead = claim_polls(provider.id, limit=10, now=panel.clock.now())
    panel.clock.advance(minutes=1)
    behind = claim_polls(provider.id, limit=10, now=panel.clock.now())
    apply_readings([Reading(poll, told(OrderStatus.COMPLETED, 0)) for poll in ahead], now=panel.clock.now())
    before = panel.order(order)
    apply_readings([Reading(poll, told(OrderStatus.IN_PROGRESS, 5)) for poll in behind], now=panel.clock.now())
    assert panel.order(order) == before
    assert describe_alerts(closed=False, limit=10) == []
