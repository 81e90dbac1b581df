"""Cancels against everything that may happen at the same moment: never both a delivery and a full refund."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from canceling import cancel
from slowly import slowly

from hawker.catalog.models import Service
from hawker.core.money import format_micros
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import (
    CancelAsk,
    NotSent,
    Outcome,
    Reading,
    apply_readings,
    claim_dispatches,
    claim_polls,
    request_cancels,
    settle_attempts,
)
from hawker.orders.models import WorkKind
from hawker.protocol.statuses import OrderStatus
from hawker.protocol.upstream import Accepted, UpstreamStatus
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess, ServeProcess, eventually, start_sandbox, start_serve, start_worker

FUNDS = 10_000_000
CHARGE = 90_000


def test_a_cancel_waits_for_a_claim_that_is_being_committed(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, upstream: Provider, order: int
) -> None:
    claim = {"limit": 1, "token": "a/1", "now": panel.clock.now()}
    with slowly("claim-before-commit", claim_dispatches, upstream.id, **claim) as answers:
        assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
    ((claimed,),) = answers
    shown = panel.order(order)
    assert (shown["state"], shown["refunded"]) == ("sending", "0.00"), "it may be on its way"
    settle_attempts([Outcome(claimed.attempt_id, Accepted(777))], now=panel.clock.now())
    assert panel.order(order)["state"] == "submitted"
    assert panel.balance(customer) == FUNDS - CHARGE


def test_a_claim_passes_over_an_order_that_is_being_canceled(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, order: int
) -> None:
    ask = [CancelAsk(customer.account_id, [str(order)])]
    with slowly("cancel-before-commit", request_cancels, ask, now=panel.clock.now()):
        panel.sweep(WorkKind.DISPATCH)
        assert panel.order(order)["state"] == "queued"
    panel.sweep(WorkKind.DISPATCH)
    assert sandbox.calls("add") == []
    assert panel.order(order)["state"] == "canceled"
    assert panel.balance(customer) == FUNDS


@pytest.mark.parametrize("verdict", [Accepted(777), NotSent("the line broke")])
def test_a_cancel_waits_for_an_answer_that_is_being_settled(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, upstream: Provider, order: int, verdict: Any
) -> None:
    (claim,) = claim_dispatches(upstream.id, limit=1, token="a/1", now=panel.clock.now())
    with slowly("settle-before-commit", settle_attempts, [Outcome(claim.attempt_id, verdict)], now=panel.clock.now()):
        assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
    shown = panel.order(order)
    if isinstance(verdict, Accepted):
        assert (shown["state"], shown["refunded"]) == ("submitted", "0.00")
        assert [due["kind"] for due in shown["work"]] == ["cancel", "poll"]
    else:
        assert (shown["state"], shown["refunded"], shown["work"]) == ("canceled", "0.09", [])


def finish(panel: Panel, provider: Provider) -> list[Reading[Any, Any]]:
    """The answer of a poll: the order is completed."""
    panel.clock.advance(minutes=1)
    completed = UpstreamStatus(OrderStatus.COMPLETED, remains=0, start_count=None, charge_micros=None)
    return [Reading(poll, completed) for poll in claim_polls(provider.id, limit=10, now=panel.clock.now())]


def test_a_cancel_waits_for_the_poll_that_completes_the_order(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, upstream: Provider, order: int
) -> None:
    panel.sweep(WorkKind.DISPATCH)
    with slowly("follow-before-commit", apply_readings, finish(panel, upstream), now=panel.clock.now()):
        answer = cancel(server, customer, order)
    assert answer == [{"order": order, "cancel": {"error": "The order is already completed"}}]
    shown = panel.order(order)
    assert (shown["state"], shown["earned"], shown["work"]) == ("completed", "0.09", [])
    assert panel.balance(customer) == FUNDS - CHARGE


def test_the_poll_that_completes_an_order_takes_its_cancel_with_it(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, order: int
) -> None:
    panel.sweep(WorkKind.DISPATCH)
    readings = finish(panel, upstream)
    with slowly(
        "cancel-before-commit", request_cancels, [CancelAsk(customer.account_id, [str(order)])], now=panel.clock.now()
    ):
        apply_readings(readings, now=panel.clock.now())
    shown = panel.order(order)
    assert (shown["state"], shown["earned"], shown["work"]) == ("completed", "0.09", [])
    panel.sweep()
    assert sandbox.calls("cancel") == []
    assert panel.balance(customer) == FUNDS - CHARGE


def test_many_who_cancel_one_order_at_once_have_it_refunded_once(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, order: int
) -> None:
    with ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(cancel, server, customer, order) for _ in range(32)]
    assert [call.result() for call in calls] == [[{"order": order, "cancel": 1}]] * 32
    assert Counter(t["kind"] for t in panel.order(order)["transfers"]) == {"charge": 1, "refund": 1}
    assert panel.balance(customer) == FUNDS


@pytest.mark.parametrize("point", ["claimed", "send-before-write", "answered", "settle-before-commit"])
def test_an_order_whose_worker_was_killed_is_not_refunded_by_a_cancel(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    order: int,
    point: str,
) -> None:
    with start_worker({"HAWKER_TESTING": "1", "HAWKER_FAILPOINTS": f"{point}=kill"}) as worker:
        assert worker.wait(60) == -9
    received = len(sandbox.calls("add"))
    assert cancel(server, customer, order) == [{"order": order, "cancel": 1}]
    panel.clock.instant = datetime.now(UTC)
    panel.clock.advance(minutes=3)
    panel.sweep()
    panel.sweep()
    assert (len(sandbox.calls("add")), len(sandbox.orders())) == (received, received)
    shown = panel.order(order)
    assert (shown["state"], shown["refunded"]) == ("unknown", "0.00")
    assert panel.balance(customer) == FUNDS - CHARGE


@pytest.mark.parametrize("point", ["cancel-answer-before-commit", "follow-before-commit"])
def test_a_cancel_survives_the_death_of_its_worker(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, order: int, point: str
) -> None:
    panel.sweep(WorkKind.DISPATCH)
    cancel(server, customer, order)
    with start_worker({"HAWKER_TESTING": "1", "HAWKER_FAILPOINTS": f"{point}=kill"}) as worker:
        assert worker.wait(60) == -9
    assert panel.order(order)["state"] == "submitted"
    sandbox.advance(minutes=5)
    panel.clock.instant = datetime.now(UTC)
    for _ in range(2):
        panel.clock.advance(minutes=1)
        panel.sweep()
    shown = panel.order(order)
    assert shown["state"] in ("canceled", "partial")
    (upstream,) = sandbox.orders()
    assert panel.balance(customer) == FUNDS - CHARGE + 900 * upstream["remains"]


def test_orders_canceled_at_any_moment_cost_exactly_what_was_delivered(panel: Panel) -> None:
    """Two servers, two workers, an upstream in a hurry, and cancels that come when they come."""
    count, seed = 60, 20261125
    chance = random.Random(seed)
    waits = [chance.choice((0, 0, 0.05, 0.2, 0.5, 1, 2, 4)) for _ in range(count)]
    with start_sandbox("--speed", "300") as sandbox, start_serve() as one, start_serve() as two:
        customer = panel.customer(credit="10.00")
        service: Service = panel.service(provider=panel.provider(sandbox), cancel=True)

        def live(number: int) -> int:
            link = f"https://example.com/{number}?fate=completed"
            placed = one.call(customer.api_key, "add", service=service.id, link=link, quantity=100).json["order"]
            time.sleep(waits[number])
            assert cancel((one, two)[number % 2], customer, placed)[0]["cancel"]
            return int(placed)

        with start_worker(), start_worker(), ThreadPoolExecutor(12) as pool:
            orders = list(pool.map(live, range(count)))
            ids = ",".join(map(str, orders))

            def statuses() -> dict[str, Any]:
                told: dict[str, Any] = two.call(customer.api_key, "status", orders=ids).json
                return told

            ends = ("Completed", "Partial", "Canceled")
            eventually("all orders end", lambda: all(row["status"] in ends for row in statuses().values()), seconds=120)
        told = statuses()
        received = {row["order"]: row for row in sandbox.orders()}
    links = Counter(row["link"] for row in received.values())
    assert set(links.values()) <= {1}, "no order was sent twice"
    for order in orders:
        bound = panel.order(order)["upstream_order"]
        delivered = 100 - received.pop(bound)["remains"] if bound is not None else 0
        assert told[str(order)]["charge"] == format_micros(900 * delivered), panel.order(order)
    assert received == {}, "nothing is delivered that no order has"
