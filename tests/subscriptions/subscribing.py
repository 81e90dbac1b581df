"""The words in which the tests of subscriptions speak."""

from typing import Any

from hawker.accounts.models import User
from hawker.alerts.actions import describe_alerts
from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer, change_balance
from panel import Panel
from people import TEST
from processes import ServeProcess


def subscribe(server: ServeProcess, customer: OpenedCustomer, service: Service, **fields: object) -> int:
    """A subscription to anna of 100 for each post, without a delay, unless said otherwise."""
    asked = {"username": "anna", "min": 100, "max": 100, "delay": 0} | fields
    order: int = server.call(customer.api_key, "add", service=service.id, **asked).json["order"]
    return order


def later(panel: Panel, **amount: float) -> None:
    """Time goes by, six minutes unless said otherwise, and the worker does what is due then, and what comes of it."""
    panel.clock.advance(**(amount or {"minutes": 6}))
    for _ in range(4):
        panel.sweep()
        panel.clock.advance(seconds=1)


def shown_status(server: ServeProcess, customer: OpenedCustomer, order: int) -> dict[str, Any]:
    """What the customer reads of the order."""
    answer: dict[str, Any] = server.call(customer.api_key, "status", order=order).json
    return answer


def children(panel: Panel, order: int) -> list[dict[str, Any]]:
    """The orders made for the subscription."""
    found: list[dict[str, Any]] = panel.order(order)["children"]
    return found


def open_alerts() -> set[str]:
    """The kinds of the alerts that are open."""
    return {alert["kind"] for alert in describe_alerts(closed=False, limit=100)}


def links(panel: Panel, order: int) -> list[str]:
    """The links of the orders made for the subscription, in their order."""
    return [panel.order(child["order"])["link"] for child in children(panel, order)]


def feed_of(panel: Panel, order: int) -> dict[str, Any]:
    """The feed that the subscription looks at."""
    found: dict[str, Any] = panel.order(order)["subscription"]["feed"]
    return found


def credit(panel: Panel, customer: OpenedCustomer, micros: int) -> None:
    """Put money on the customer's balance, or take it away."""
    email = User.objects.get(id=customer.user_id).email
    change_balance(email, micros, transaction="", actor=TEST, reason="a test", now=panel.clock.now())
