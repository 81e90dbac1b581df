"""Cancels over the API: at once where nothing was sent, else when it is known where the order is."""

from typing import Any

import pytest
from canceling import cancel, events

from hawker.ledger.customers import OpenedCustomer
from hawker.orders import NotSent, Outcome, claim_dispatches, settle_attempts
from hawker.protocol.upstream import Accepted, Reason, Rejected, Unknown
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess, ServeProcess

DISABLED = {"error": "Cancel is disabled for this service"}
ENDED = {"error": "The order is already completed"}
INCORRECT = {"error": "Incorrect order ID"}
FUNDS = 10_000_000


@pytest.mark.quick
def test_an_order_that_waits_is_canceled_and_refunded_at_once(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, order: int
) -> None:
    assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
    shown = panel.order(order)
    assert (shown["status"], shown["refunded"], shown["work"]) == ("Canceled", "0.09", [])
    assert events(panel, order) == [("queued", "canceled", "the customer asked for a cancel")]
    assert panel.balance(customer) == FUNDS
    panel.clock.advance(hours=1)
    panel.sweep()
    assert sandbox.calls("add") == []


def test_a_cancel_that_is_asked_again_is_answered_alike_and_refunds_once(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, order: int
) -> None:
    answers = [cancel(server, customer, order) for _ in range(3)]
    assert answers == [[{"order": order, "cancel": 1}]] * 3
    assert len(panel.order(order)["events"]) == 1
    assert panel.balance(customer) == FUNDS


def test_the_same_order_asked_twice_in_one_list_is_canceled_once(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, order: int
) -> None:
    answer = cancel(server, customer, order, f"00{order}", order)
    assert answer == [{"order": order, "cancel": 1}] * 2
    assert panel.balance(customer) == FUNDS


def test_each_order_of_a_list_gets_its_own_answer(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, order: int
) -> None:
    foreign = panel.place(panel.customer(), panel.service(cancel=True))
    without = panel.place(customer, panel.service())
    before = panel.order(foreign), panel.order(without)
    answer = server.call(customer.api_key, "cancel", orders=f"{foreign}, {without},x,{order},999999999")
    assert answer.json == [
        {"order": foreign, "cancel": INCORRECT},
        {"order": without, "cancel": DISABLED},
        {"order": "x", "cancel": INCORRECT},
        {"order": order, "cancel": 1},
        {"order": 999999999, "cancel": INCORRECT},
    ]
    assert (panel.order(foreign), panel.order(without)) == before
    assert panel.order(order)["status"] == "Canceled"


def test_a_lone_order_is_a_list_of_one(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, order: int
) -> None:
    answer = server.call(customer.api_key, "cancel", order=order)
    assert answer.body == b'[{"order":%d,"cancel":1}]' % order
    assert panel.order(order)["status"] == "Canceled"


@pytest.mark.parametrize(
    ("verdict", "path"),
    [
        (NotSent("no connection"), ("sending", "queued", "canceled")),
        (Rejected(Reason.BUSY, "try again"), ("sending", "rejected", "canceled")),
        (Rejected(Reason.OTHER, "no"), ("sending", "rejected", "canceled")),
    ],
)
def test_a_cancel_while_the_order_is_sent_comes_true_when_it_was_not_taken(
    panel: Panel,
    server: ServeProcess,
    customer: OpenedCustomer,
    upstream: Provider,
    order: int,
    verdict: Any,
    path: tuple[str, ...],
) -> None:
    (claim,) = claim_dispatches(upstream.id, limit=1, token="busy/1", now=panel.clock.now())
    assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
    assert panel.order(order)["state"] == "sending"
    assert panel.balance(customer) == FUNDS - 90_000, "it may be on its way: nothing is refunded yet"
    settle_attempts([Outcome(claim.attempt_id, verdict)], now=panel.clock.now())
    shown = panel.order(order)
    assert (shown["state"], shown["refunded"], shown["work"]) == ("canceled", "0.09", [])
    assert tuple(event["to"] for event in shown["events"] if event["from"] != event["to"]) == path
    assert panel.balance(customer) == FUNDS


def test_a_cancel_of_an_unknown_order_waits_for_the_proof(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, upstream: Provider, order: int
) -> None:
    (claim,) = claim_dispatches(upstream.id, limit=1, token="lost/1", now=panel.clock.now())
    settle_attempts([Outcome(claim.attempt_id, Unknown("no answer"))], now=panel.clock.now())
    assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
    assert panel.order(order)["state"] == "unknown"
    assert panel.balance(customer) == FUNDS - 90_000
    settle_attempts([Outcome(claim.attempt_id, NotSent("it never left"))], now=panel.clock.now())
    assert [move[:2] for move in events(panel, order)][-1] == ("unknown", "canceled")
    assert panel.balance(customer) == FUNDS


def test_a_cancel_while_the_order_is_sent_goes_upstream_when_it_was_taken(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, upstream: Provider, order: int
) -> None:
    (claim,) = claim_dispatches(upstream.id, limit=1, token="busy/1", now=panel.clock.now())
    cancel(server, customer, order)
    settle_attempts([Outcome(claim.attempt_id, Accepted(777))], now=panel.clock.now())
    shown = panel.order(order)
    assert shown["state"] == "submitted"
    assert [due["kind"] for due in shown["work"]] == ["cancel", "poll"]
    assert panel.balance(customer) == FUNDS - 90_000
