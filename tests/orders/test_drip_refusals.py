"""Drip-feeds that cannot be: the right text, and nothing written."""

from typing import Any

import pytest
from django.db import connection

from hawker.ledger.customers import OpenedCustomer
from panel import Panel
from processes import Reply, ServeProcess

FUNDS = 100_000_000


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer()


def add(panel: Panel, server: ServeProcess, customer: OpenedCustomer, **fields: Any) -> Reply:
    service = panel.service(rate="0.90", minimum=50, maximum=10_000, dripfeed=fields.pop("dripfeed", True))
    asked = {"link": "https://example.com/a", "quantity": 100, "runs": 3, "interval": 10, **fields}
    return server.call(customer.api_key, "add", service=service.id, **asked)


def assert_nothing_written(panel: Panel, customer: OpenedCustomer) -> None:
    assert panel.balance(customer) == FUNDS
    with connection.cursor() as cursor:
        for table in ("orders", "drip", "work", "order_event"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"dripfeed": False}, "Incorrect runs"),
        ({"interval": ""}, "Incorrect interval"),
        ({"runs": ""}, "Incorrect runs"),
        ({"interval": "undefined"}, "Incorrect interval"),
        ({"runs": 0}, "Incorrect runs"),
        ({"runs": 10_001}, "Incorrect runs"),
        ({"runs": -1}, "Incorrect runs"),
        ({"runs": "2.5"}, "Incorrect runs"),
        ({"runs": "1e3"}, "Incorrect runs"),
        ({"runs": "٣"}, "Incorrect runs"),
        ({"runs": 2**63}, "Incorrect runs"),
        ({"runs": "9" * 100_000}, "Incorrect runs"),
        ({"interval": 0}, "Incorrect interval"),
        ({"interval": 525_601}, "Incorrect interval"),
        ({"interval": "9" * 5_000}, "Incorrect interval"),
        ({"quantity": 49}, "Quantity less than minimal 50"),
        ({"quantity": 0}, "Quantity less than minimal 50"),
        ({"quantity": 10_001, "runs": 1}, "Quantity more than maximum 10000"),
        ({"quantity": 5_001, "runs": 2}, "Quantity more than maximum 10000"),
        ({"quantity": 50, "runs": 201}, "Quantity more than maximum 10000"),
        ({"quantity": 999_999_999_999, "runs": 10_000}, "Quantity more than maximum 10000"),
        ({"quantity": 2**63, "runs": 2}, "Incorrect quantity"),
        ({"quantity": 2**62, "runs": 4}, "Incorrect quantity"),
    ],
)
def test_what_cannot_be_is_refused_and_writes_nothing(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, fields: dict[str, Any], error: str
) -> None:
    reply = add(panel, server, customer, **fields)
    assert (reply.http_status, reply.error) == (200, error)
    assert_nothing_written(panel, customer)


def test_funds_for_one_run_are_not_enough_for_all(panel: Panel, server: ServeProcess) -> None:
    poor = panel.customer(credit="0.2699")
    assert add(panel, server, poor).error == "Not enough funds on balance"
    exact = panel.customer(credit="0.27")
    assert list(add(panel, server, exact).json) == ["order"]
    assert panel.balance(exact) == 0


def test_the_largest_that_can_be_written_down_is_beyond_all_funds(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer
) -> None:
    service = panel.service(rate="999999999.99999999", minimum=1, maximum=10**12, dripfeed=True)
    reply = server.call(
        customer.api_key,
        "add",
        service=service.id,
        link="https://example.com",
        quantity=10**8,
        runs=10_000,
        interval=525_600,
    )
    assert reply.error == "Not enough funds on balance"
    assert_nothing_written(panel, customer)


def test_both_absent_is_an_order_as_ever(panel: Panel, server: ServeProcess, customer: OpenedCustomer) -> None:
    """One SDK sends `runs=undefined&interval=undefined` with every order."""
    order = add(panel, server, customer, runs="undefined", interval="undefined").json["order"]
    assert panel.order(order)["state"] == "queued"
    assert panel.order(order)["drip"] is None
