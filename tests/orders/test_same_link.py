"""Services that take one unfinished order for a link at a time."""

import pytest

from hawker.catalog.links import comparable_link
from hawker.catalog.models import Service
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import CancelAsk, Draft, change_guarded_services, place_orders, request_cancels
from hawker.orders.models import ActiveLink, Order
from panel import Panel
from processes import SandboxProcess, ServeProcess, hawker

ACTIVE = "You have active order with this link. Please wait until order being completed."
LINK = "https://example.com/page?fate=completed"


def drafts(service: Service, *whose: tuple[OpenedCustomer, str]) -> list[Draft]:
    """An order of 100 for 0.09 each."""
    fields = {"service": str(service.id), "quantity": "100"}
    return [Draft(who.account_id, {**fields, "link": link}) for who, link in whose]


@pytest.mark.quick
def test_a_link_is_free_again_when_its_order_has_ended(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer
) -> None:
    service = panel.service(provider=panel.provider(sandbox), one_active_per_link=True)
    other = panel.service()
    order = {"link": LINK, "quantity": 100}
    assert "order" in server.call(customer.api_key, "add", service=service.id, **order).json
    stranger = panel.customer()
    for who in (customer, stranger):
        assert server.call(who.api_key, "add", service=service.id, **order).error == ACTIVE
    assert "order" in server.call(customer.api_key, "add", service=other.id, **order).json
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert server.call(customer.api_key, "add", service=service.id, **order).error == ACTIVE
    assert panel.balance(customer) == 10_000_000 - 180_000
    sandbox.advance(days=30)
    panel.clock.advance(seconds=10)
    panel.sweep()
    assert not ActiveLink.objects.exists()
    assert "order" in server.call(stranger.api_key, "add", service=service.id, **order).json


def test_a_cancel_and_a_rejection_free_the_link_too(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer
) -> None:
    service = panel.service(
        provider=panel.provider(sandbox), upstream_service=199_999, one_active_per_link=True, cancel=True
    )
    canceled = panel.place(customer, service, link=LINK)
    request_cancels([CancelAsk(customer.account_id, [str(canceled)])], now=panel.clock.now())
    assert panel.order(canceled)["state"] == "canceled"
    rejected = panel.place(customer, service, link=LINK)
    assert isinstance(rejected, int)
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert panel.order(rejected)["state"] == "canceled"
    assert isinstance(panel.place(customer, service, link=LINK), int)


def test_a_refused_order_does_not_take_the_link(panel: Panel, customer: OpenedCustomer) -> None:
    """Within one batch as well: who cannot pay leaves it to the next, and the one after that is refused."""
    service = panel.service(one_active_per_link=True)
    poor = panel.customer(credit="0.08")
    answers = place_orders(
        drafts(service, (poor, LINK), (customer, LINK), (poor, LINK), (customer, "https://example.com/other")),
        now=panel.clock.now(),
    )
    assert [type(answer).__name__ for answer in answers] == ["NotEnoughFunds", "int", "ActiveOrder", "int"]
    assert ActiveLink.objects.count() == Order.objects.count() == 2
    assert (panel.balance(poor), panel.balance(customer)) == (80_000, 10_000_000 - 180_000)


def test_a_repeated_request_answers_its_order_and_not_that_the_link_is_taken(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer
) -> None:
    service = panel.service(one_active_per_link=True)
    order = {"service": service.id, "link": LINK, "quantity": 100}
    first = server.call(customer.api_key, "add", request_id="a", **order)
    assert server.call(customer.api_key, "add", request_id="a", **order).body == first.body
    assert server.call(customer.api_key, "add", request_id="b", **order).error == ACTIVE
    # A refusal is not remembered under its name.
    assert server.call(customer.api_key, "add", request_id="b", **{**order, "link": "@other"}).json["order"]


def test_a_drip_feed_holds_its_link_until_its_last_run_has_ended(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer
) -> None:
    service = panel.service(provider=panel.provider(sandbox), one_active_per_link=True, dripfeed=True, maximum=1_000)
    parent = panel.place(customer, service, link=LINK, runs=2, interval=60)
    assert isinstance(parent, int)
    for _ in range(2):
        panel.clock.advance(hours=1, minutes=1)
        panel.sweep()
        panel.sweep()
        sandbox.advance(days=30)
        assert not isinstance(panel.place(customer, service, link=LINK), int)
        panel.clock.advance(minutes=5)
        panel.sweep()
    panel.clock.advance(minutes=5)
    panel.sweep()
    panel.sweep()
    assert panel.order(parent)["state"] == "completed"
    assert isinstance(panel.place(customer, service, link=LINK), int)


def test_switched_on_the_guard_knows_the_orders_that_are_under_way(panel: Panel, customer: OpenedCustomer) -> None:
    service, other = panel.service(cancel=True), panel.service()
    first, second = (panel.place(customer, service, link=LINK) for _ in range(2))
    ended = panel.place(customer, service, link="@ended")
    request_cancels([CancelAsk(customer.account_id, [str(ended)])], now=panel.clock.now())
    panel.place(customer, other, link="@other")
    done = hawker(settings().data_dir, "service", "set", str(service.id), "--one-active-per-link")
    assert '"one_active_per_link":true' in done.stdout, done.stderr
    assert list(ActiveLink.objects.values_list("service_id", "order_id")) == [(service.id, second)]
    assert not isinstance(panel.place(customer, service, link=LINK), int)
    assert isinstance(panel.place(customer, service, link="@ended"), int)
    change_guarded_services([service.id], {"one_active_per_link": True})
    assert ActiveLink.objects.count() == 2
    # Of two orders for one link the newest counts.
    request_cancels([CancelAsk(customer.account_id, [str(first)])], now=panel.clock.now())
    assert not isinstance(panel.place(customer, service, link=LINK), int)
    request_cancels([CancelAsk(customer.account_id, [str(second)])], now=panel.clock.now())
    assert isinstance(panel.place(customer, service, link=LINK), int)
    change_guarded_services([service.id], {"one_active_per_link": False})
    assert isinstance(panel.place(customer, service, link=LINK), int)


@pytest.mark.parametrize(
    ("links", "different"),
    [
        (
            [
                "https://example.com/Page",
                "HTTP://www.EXAMPLE.com:80/Page/",
                "example.com:443/P%61ge?utm_source=a&fbclid=b&igsh=c#",
            ],
            ["https://example.com/page", "https://example.com/Page/2", "https://example.com:8080/Page"],
        ),
        (
            ["https://v.example/watch?v=a", "v.example/watch/?utm_medium=x&v=a"],
            [
                "https://v.example/watch?v=A",
                "https://v.example/watch",
                "https://v.example/watch?v=a&t=1",
                "v.example/a#v",
            ],
        ),
        (["@John.Doe", "john.doe", "https://john.doe/"], ["#john.doe", "johndoe"]),
        (["name", "@NAME"], ["#name", "https://example.com/name"]),
        (["#Tag", "#tag"], ["tag"]),
        (["https://bücher.example", "xn--bcher-kva.example"], ["https://bucher.example"]),
    ],
)
def test_links_that_lead_to_the_same_place_are_the_same(links: list[str], different: list[str]) -> None:
    (same,) = {comparable_link(link) for link in links}
    assert same not in {comparable_link(link) for link in different}
