"""A subscription whose posts Hawker finds itself: from the feed to orders, cent by cent."""

from typing import Any

import pytest
from feed_peer import FeedPeer

from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from panel import Panel
from processes import SandboxProcess, ServeProcess


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="10.00")


def subscribe(server: ServeProcess, customer: OpenedCustomer, service: Service, **fields: object) -> int:
    """A subscription of 100 to 100 for each post, without a delay, unless said otherwise."""
    asked = {"username": "anna", "min": 100, "max": 100, "delay": 0} | fields
    order: int = server.call(customer.api_key, "add", service=service.id, **asked).json["order"]
    return order


def look(panel: Panel) -> None:
    """An interval goes by, and the worker looks."""
    panel.clock.advance(minutes=6)
    panel.sweep()


def status(server: ServeProcess, customer: OpenedCustomer, order: int) -> dict[str, Any]:
    answer: dict[str, Any] = server.call(customer.api_key, "status", order=order).json
    return answer


def children(panel: Panel, order: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = panel.order(order)["children"]
    return found


def test_each_new_post_becomes_an_order_and_existing_ones_do_not(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, feed: FeedPeer, service: Service, customer: Any
) -> None:
    feed.post("anna", "b", "a")
    order = subscribe(server, customer, service)
    look(panel)
    assert children(panel, order) == []
    feed.post("anna", "c", "b", "a")
    look(panel)
    panel.sweep()
    (child,) = children(panel, order)
    assert (child["quantity"], child["charge"]) == (100, "0.09")
    (call,) = sandbox.calls("add")
    assert call["fields"] == {"service": "1", "link": "https://posts.example/c", "quantity": "100"}
    sandbox.advance(days=30)
    look(panel)
    assert status(server, customer, child["order"])["status"] in ("Completed", "Partial", "Canceled")
    shown = server.call(customer.api_key, "status", order=order).body.decode()
    charge = status(server, customer, child["order"])["charge"]
    assert shown == (
        f'{{"charge":"{charge}","start_count":"0","status":"Active","remains":"0","currency":"USD",'
        f'"posts":"1","expiry":"","orders":["{child["order"]}"]}}'
    )


def test_the_sandbox_posts_by_itself(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, upstream: Any
) -> None:
    service = panel.service(
        type="Subscriptions",
        provider=upstream,
        subscription="local",
        post_url=f"{sandbox.base}/sandbox/feed/{{username}}",
        post_private=True,
    )
    customer = panel.customer()
    order = subscribe(server, customer, service, username="zoë & co")
    look(panel)
    assert children(panel, order) == []
    look(panel)
    assert children(panel, order) == []
    sandbox.advance(hours=24)
    look(panel)
    made = children(panel, order)
    assert len(made) == 2
    first, second = (panel.order(child["order"])["link"] for child in made)
    assert first.startswith("https://posts.example/zo%C3%AB%20%26%20co/")
    assert int(second.rpartition("/")[2]) == int(first.rpartition("/")[2]) + 1
