"""Asking for cancels, and what is written down of them."""

from typing import Any

from hawker.ledger.customers import OpenedCustomer
from panel import Panel
from processes import ServeProcess


def cancel(server: ServeProcess, customer: OpenedCustomer, *orders: object) -> Any:
    """What the API says of a cancel of these orders."""
    return server.call(customer.api_key, "cancel", orders=",".join(map(str, orders))).json


def events(panel: Panel, order: int) -> list[tuple[str, str, str]]:
    return [(event["from"], event["to"], event["reason"]) for event in panel.order(order)["events"]]
