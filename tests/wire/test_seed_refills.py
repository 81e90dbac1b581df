"""The seed's examples of refills and cancels, answered by a panel that holds the same orders: to the byte."""

from datetime import UTC, datetime, timedelta

import pytest
from seed_document import compact, example
from world import next_order_is, next_refill_is

from hawker.ledger.customers import OpenedCustomer
from hawker.orders import RefillDecision, StaffDelivery, record_deliveries, resolve_refills
from hawker.orders.models import RefillState, State
from panel import Panel
from people import STAFF
from processes import ServeProcess


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer()


@pytest.fixture
def delivered(panel: Panel, customer: OpenedCustomer) -> None:
    """The orders 1 and 2 of the examples, delivered by staff three days ago; the next refill is the first."""
    panel.clock.instant = datetime.now(UTC) - timedelta(days=3)
    next_order_is(1)
    service = panel.service(refill=True)
    orders = [panel.place(customer, service) for _ in range(2)]
    assert orders == [1, 2]
    record_deliveries(
        [StaffDelivery(order, State.COMPLETED, "") for order in orders], actor=STAFF, now=panel.clock.now()
    )
    next_refill_is(1)


def test_a_refill_is_the_seeds_to_the_byte(server: ServeProcess, customer: OpenedCustomer, delivered: None) -> None:
    assert server.call(customer.api_key, "refill", order=1).body == compact(example("Create refill"))


def test_refills_and_their_statuses_are_the_seeds_to_the_byte(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, delivered: None
) -> None:
    granted = server.call(customer.api_key, "refill", orders="1,2,3")
    assert granted.body == compact(example("Create multiple refill"))
    ends = [
        RefillDecision(1, RefillState.COMPLETED, "done"),
        RefillDecision(2, RefillState.REJECTED, "nothing was lost"),
    ]
    resolve_refills(ends, actor=STAFF, now=panel.clock.now())
    single = server.call(customer.api_key, "refill_status", refill=1)
    assert single.body == compact(example("Get refill status"))
    many = server.call(customer.api_key, "refill_status", refills="1,2,3")
    assert many.body == compact(example("Get multiple refill status"))


def test_cancels_are_the_seeds_to_the_byte(panel: Panel, server: ServeProcess, customer: OpenedCustomer) -> None:
    next_order_is(2)
    assert panel.place(customer, panel.service(cancel=True)) == 2
    answer = server.call(customer.api_key, "cancel", orders="9,2")
    assert answer.body == compact(example("Create cancel"))
    assert panel.order(2)["status"] == "Canceled"
