"""Orders that staff deliver: begun, ended and settled by hand, through the same moves as all others."""

import json
from typing import Any

import pytest
from canceling import cancel, events

from hawker.catalog.models import Route
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import CancelAsk, Canceling, StaffDelivery, record_deliveries, request_cancels
from hawker.orders.errors import NoSuchOrder, NotForStaff
from hawker.orders.models import State, WorkKind
from hawker.protocol.errors import OrderCompleted
from panel import Panel
from people import ANNA
from processes import SandboxProcess, ServeProcess, run_hawker

FUNDS = 10_000_000
CHARGE = 90_000


@pytest.fixture
def order(panel: Panel, customer: OpenedCustomer) -> int:
    """An order of 100 at 0.90 per 1,000, of a service without a route."""
    placed: int = panel.place(customer, panel.service(cancel=True))
    return placed


def record(panel: Panel, order: int, state: State, remains: int | None = None) -> object:
    (answer,) = record_deliveries([StaffDelivery(order, state, "as told", remains)], actor=ANNA, now=panel.clock.now())
    return answer


def staff_cancel(panel: Panel, order: int) -> object:
    (answers,) = request_cancels([CancelAsk(None, [str(order)])], actor=ANNA, reason="asked", now=panel.clock.now())
    return answers[str(order)]


@pytest.mark.quick
def test_staff_begin_and_complete_an_order(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, order: int
) -> None:
    assert record(panel, order, State.IN_PROGRESS) is State.IN_PROGRESS
    assert server.call(customer.api_key, "status", order=order).json["status"] == "In progress"
    panel.assert_verified()
    assert record(panel, order, State.COMPLETED) is State.COMPLETED
    assert server.call(customer.api_key, "status", order=order).json["status"] == "Completed"
    shown = panel.order(order)
    assert (shown["earned"], shown["remains"]) == ("0.09", 0)
    assert events(panel, order) == [("queued", "in_progress", "as told"), ("in_progress", "completed", "as told")]
    assert panel.balance(customer) == FUNDS - CHARGE


def test_staff_deliver_a_part_and_the_rest_is_refunded(panel: Panel, customer: OpenedCustomer, order: int) -> None:
    assert record(panel, order, State.PARTIAL, 33) is State.PARTIAL
    shown = panel.order(order)
    assert (shown["refunded"], shown["earned"], shown["remains"]) == ("0.0297", "0.0603", 33)
    assert panel.balance(customer) == FUNDS - CHARGE + 29_700


@pytest.mark.parametrize("remains", [None, 0, 100, 101, -1])
def test_a_part_is_neither_nothing_nor_all(
    panel: Panel, customer: OpenedCustomer, order: int, remains: int | None
) -> None:
    before = panel.order(order)
    answer = record(panel, order, State.PARTIAL, remains)
    assert isinstance(answer, NotForStaff)
    assert "between 1 and 99 remain" in str(answer)
    assert panel.order(order) == before


def test_what_a_provider_delivers_is_not_for_staff(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer
) -> None:
    order = panel.place(customer, panel.service(provider=panel.provider(sandbox)))
    for _ in range(2):
        before = panel.order(order)
        for state in (State.IN_PROGRESS, State.COMPLETED, State.PARTIAL):
            assert isinstance(record(panel, order, state, 5), NotForStaff)
        assert panel.order(order) == before
        panel.clock.advance(seconds=1)
        panel.sweep(WorkKind.DISPATCH)
    assert panel.order(order)["state"] == "submitted"
    assert isinstance(record(panel, 99_999_999, State.COMPLETED), NoSuchOrder)


def test_staff_may_deliver_what_is_on_hold(panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer) -> None:
    dear = panel.service(provider=panel.provider(sandbox), rate="0.90", cost_rate="0.91")
    order = panel.place(customer, dear)
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert panel.order(order)["work"][0]["hold"]
    assert record(panel, order, State.IN_PROGRESS) is State.IN_PROGRESS
    Route.objects.update(cost_rate="0.50")
    panel.clock.advance(days=1)
    panel.sweep()
    assert record(panel, order, State.COMPLETED) is State.COMPLETED
    assert sandbox.calls("add") == []


def test_what_has_ended_stays(panel: Panel, order: int) -> None:
    record(panel, order, State.COMPLETED)
    before = panel.order(order)
    for state in (State.IN_PROGRESS, State.COMPLETED, State.PARTIAL):
        assert isinstance(record(panel, order, state, 5), NotForStaff)
    assert isinstance(staff_cancel(panel, order), OrderCompleted)
    assert panel.order(order) == before


def test_what_staff_have_begun_only_they_cancel(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, order: int
) -> None:
    record(panel, order, State.IN_PROGRESS)
    assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
    shown = panel.order(order)
    assert (shown["state"], shown["work"]) == ("in_progress", [])
    assert shown["cancel_requested_at"] is not None
    assert panel.balance(customer) == FUNDS - CHARGE
    assert staff_cancel(panel, order) is Canceling.DONE
    assert panel.balance(customer) == FUNDS


def test_staff_cancel_what_is_on_hold_or_offers_no_cancel(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer
) -> None:
    dear = panel.service(provider=panel.provider(sandbox), rate="0.90", cost_rate="0.91")
    order = panel.place(customer, dear)
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert staff_cancel(panel, order) is Canceling.DONE
    shown = panel.order(order)
    assert (shown["state"], shown["refunded"], shown["work"]) == ("canceled", "0.09", [])
    assert shown["events"][-1] | {"at": None} == {
        "at": None, "from": "queued", "to": "canceled", "actor": "staff:anna", "reason": "asked",
    }  # fmt: skip


def test_staff_have_a_provider_asked_once_more(panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer) -> None:
    service = panel.service(provider=panel.provider(sandbox))
    order = panel.place(customer, service, link="https://example.com/?fate=completed&cancel=ignored")
    panel.clock.advance(seconds=1)
    panel.sweep(WorkKind.DISPATCH)
    for times in (1, 2):
        assert staff_cancel(panel, order) is Canceling.ASKED
        panel.clock.advance(seconds=1)
        panel.sweep(WorkKind.CANCEL)
        assert len(sandbox.calls("cancel")) == times


def command(*words: str) -> "tuple[int, Any, str]":
    """Run `hawker` over this test's panel: its exit code, its answer, and what it says."""
    run = run_hawker(*words)
    return run.returncode, json.loads(run.stdout) if run.stdout else None, run.stderr


def test_the_commands_of_staff(panel: Panel, customer: OpenedCustomer, order: int) -> None:
    assert command("order", "start", str(order))[:2] == (0, {"order": order, "state": "in_progress"})
    done = command("order", "partial", str(order), "--remains", "40", "--reason", "the rest was sold out")
    assert done[:2] == (0, {"order": order, "state": "partial"})
    ended = command("order", "cancel", str(order), "--reason", "too late")
    assert ended == (1, None, f"hawker: order {order} has ended already; nothing was changed\n")
    missing = command("refill", "resolve", "77777", "--completed", "--reason", "x")
    assert missing == (1, None, "hawker: there is no refill 77777\n")
    assert panel.balance(customer) == FUNDS - CHARGE + 36_000
