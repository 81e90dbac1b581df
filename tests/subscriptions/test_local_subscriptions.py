"""A subscription whose posts Hawker finds itself: from the feed to orders, cent by cent."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from feed_peer import FeedPeer
from subscribing import children, credit, later, links, shown_status, subscribe

from hawker.catalog.models import Service
from hawker.core.failpoints import InjectedFault, arm
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import hold_restored, order_for_posts, release_orders
from hawker.orders.models import Subscription
from hawker.providers.availability import resume_provider
from hawker.providers.models import Provider
from panel import Panel
from people import ANNA
from processes import SandboxProcess, ServeProcess


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="10.00")


@pytest.mark.quick
def test_each_new_post_becomes_an_order_and_existing_ones_do_not(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    feed: FeedPeer,
    service: Service,
    customer: OpenedCustomer,
) -> None:
    feed.post("anna", "b", "a")
    order = subscribe(server, customer, service)
    later(panel)
    assert children(panel, order) == []
    feed.post("anna", "c", "b", "a")
    later(panel)
    (child,) = children(panel, order)
    assert (child["quantity"], child["charge"]) == (100, "0.09")
    (call,) = sandbox.calls("add")
    assert call["fields"] == {"service": "1", "link": "https://posts.example/c", "quantity": "100"}
    sandbox.advance(days=30)
    later(panel)
    delivered = shown_status(server, customer, child["order"])
    assert delivered["status"] in ("Completed", "Partial", "Canceled")
    shown = server.call(customer.api_key, "status", order=order).body.decode()
    assert shown == (
        f'{{"charge":"{delivered["charge"]}","start_count":"0","status":"Active","remains":"0","currency":"USD",'
        f'"posts":"1","expiry":"","orders":["{child["order"]}"]}}'
    )


def test_the_sandbox_posts_by_itself(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, upstream: Provider, customer: OpenedCustomer
) -> None:
    service = panel.service(
        type="Subscriptions",
        provider=upstream,
        subscription="local",
        post_url=f"{sandbox.base}/sandbox/feed/{{username}}",
        post_private=True,
    )
    order = subscribe(server, customer, service, username="zoë & co")
    later(panel)
    later(panel)
    assert children(panel, order) == []
    sandbox.advance(hours=24)
    later(panel)
    first, second = links(panel, order)
    assert first.startswith("https://posts.example/zo%C3%AB%20%26%20co/")
    assert int(second.rpartition("/")[2]) == int(first.rpartition("/")[2]) + 1


def test_old_posts_are_the_newest_existing_ones_and_ordered_for_at_once(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    feed.post("anna", "d", "c", "b", "a")
    order = panel.place(customer, service, username="anna", min=100, max=100, old_posts=2, posts=0, delay=600)
    later(panel)
    assert links(panel, order) == ["https://posts.example/c", "https://posts.example/d"]
    assert panel.order(order)["status"] == "Completed"
    feed.post("anna", "e", "d", "c", "b", "a")
    later(panel)
    assert len(children(panel, order)) == 2


def test_it_ends_when_so_many_new_posts_are_ordered_for(
    panel: Panel, server: ServeProcess, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    feed.post("anna", "a")
    order = subscribe(server, customer, service, posts=3)
    later(panel)
    feed.post("anna", "b", "a")
    later(panel)
    assert shown_status(server, customer, order)["remains"] == "2"
    feed.post("anna", "f", "e", "d", "c", "b", "a")
    later(panel)
    assert links(panel, order) == [f"https://posts.example/{name}" for name in "bcd"]
    shown = shown_status(server, customer, order)
    assert (shown["status"], shown["remains"], shown["posts"]) == ("Completed", "0", "3")


def test_quantities_lie_within_the_bounds_and_differ(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    feed.post("anna", "a")
    order = panel.place(customer, service, username="anna", min=60, max=160, delay=0)
    later(panel)
    feed.post("anna", *"onmlkjihgfedcba")
    later(panel)
    quantities = [child["quantity"] for child in children(panel, order)]
    assert len(quantities) == 14
    assert all(60 <= quantity <= 160 for quantity in quantities)
    assert len(set(quantities)) > 7
    assert panel.balance(customer) == 10_000_000 - sum(quantities) * 900


def test_the_delay_is_waited_for(panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer) -> None:
    feed.post("anna", "a")
    order = panel.place(customer, service, username="anna", min=100, max=100, delay=30)
    later(panel)
    feed.post("anna", "b", "a")
    later(panel)
    assert children(panel, order) == []
    later(panel, minutes=20)
    assert children(panel, order) == []
    later(panel, minutes=10)
    assert len(children(panel, order)) == 1


def test_it_expires_at_the_end_of_its_day_and_drops_what_waits(
    panel: Panel, server: ServeProcess, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    feed.post("anna", "a")
    tomorrow = panel.clock.now().date().fromordinal(panel.clock.now().date().toordinal() + 1)
    order = subscribe(server, customer, service, expiry=f"{tomorrow:%d/%m/%Y}", delay=600)
    later(panel)
    panel.clock.instant = panel.clock.now().replace(
        year=tomorrow.year, month=tomorrow.month, day=tomorrow.day, hour=23, minute=40
    )
    feed.post("anna", "b", "a")
    later(panel)
    shown = shown_status(server, customer, order)
    assert (shown["status"], shown["expiry"]) == ("Active", f"{tomorrow:%d/%m/%Y}")
    later(panel, minutes=20)
    assert shown_status(server, customer, order)["status"] == "Expired"
    later(panel, hours=12)
    assert children(panel, order) == []


def test_a_cancel_ends_it_and_leaves_its_orders_alone(
    panel: Panel, server: ServeProcess, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    feed.post("anna", "a")
    order = subscribe(server, customer, service)
    later(panel)
    feed.post("anna", "b", "a")
    later(panel)
    assert server.call(customer.api_key, "cancel", orders=order).json == [{"order": order, "cancel": 1}]
    assert shown_status(server, customer, order)["status"] == "Canceled"
    feed.post("anna", "c", "b", "a")
    later(panel)
    later(panel)
    (child,) = children(panel, order)
    assert child["state"] == "submitted"
    asked = len(feed.asked)
    later(panel, hours=2)
    assert len(feed.asked) == asked


def test_it_pauses_on_an_empty_balance_and_goes_on_after_a_deposit(
    panel: Panel, server: ServeProcess, feed: FeedPeer, service: Service
) -> None:
    customer = panel.customer(credit="0.20")
    feed.post("anna", "a")
    order = subscribe(server, customer, service)
    later(panel)
    feed.post("anna", "d", "c", "b", "a")
    later(panel)
    assert len(children(panel, order)) == 2
    assert shown_status(server, customer, order)["status"] == "Paused"
    feed.post("anna", "e", "d", "c", "b", "a")
    later(panel)
    assert panel.balance(customer) == 20_000
    credit(panel, customer, 60_000)
    later(panel)
    assert len(children(panel, order)) == 2
    credit(panel, customer, 10_000)
    later(panel, seconds=1)
    assert (len(children(panel, order)), panel.balance(customer)) == (3, 0)
    assert shown_status(server, customer, order)["status"] == "Paused"
    credit(panel, customer, 1_000_000)
    later(panel, seconds=1)
    assert links(panel, order) == [f"https://posts.example/{name}" for name in "bcde"]
    assert shown_status(server, customer, order)["status"] == "Active"


def test_one_that_is_canceled_on_an_empty_balance_waits_for_funds_no_more(
    panel: Panel, server: ServeProcess, feed: FeedPeer, service: Service
) -> None:
    customer = panel.customer(credit="0")
    feed.post("anna", "a")
    order = subscribe(server, customer, service)
    later(panel)
    feed.post("anna", "b", "a")
    later(panel)
    assert shown_status(server, customer, order)["status"] == "Paused"
    assert server.call(customer.api_key, "cancel", orders=order).json == [{"order": order, "cancel": 1}]
    assert Subscription.objects.get(order_id=order).needed_micros is None
    credit(panel, customer, 10_000_000)
    later(panel)
    assert (shown_status(server, customer, order)["status"], children(panel, order)) == ("Canceled", [])


def test_a_service_off_sale_pauses_it_and_posts_wait(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    feed.post("anna", "a")
    order = panel.place(customer, service, username="anna", min=100, max=100, delay=0)
    later(panel)
    Service.objects.filter(id=service.id).update(enabled=False)
    feed.post("anna", "b", "a")
    later(panel)
    assert (panel.order(order)["status"], children(panel, order)) == ("Paused", [])
    Service.objects.filter(id=service.id).update(enabled=True, rate="1.80")
    later(panel, minutes=11)
    assert (panel.order(order)["status"], [c["charge"] for c in children(panel, order)]) == ("Active", ["0.18"])


def test_a_post_whose_link_the_operator_forbids_is_set_aside(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    from hawker.catalog.actions import forbid_links

    feed.post("anna", "a")
    order = panel.place(customer, service, username="anna", min=100, max=100, posts=1, delay=0)
    later(panel)
    forbid_links(["posts.example/bad*"], service_id=None, now=panel.clock.now())
    feed.post("anna", "bad", "a")
    later(panel)
    assert children(panel, order) == []
    feed.post("anna", "c", "bad", "a")
    later(panel)
    assert links(panel, order) == ["https://posts.example/c"]
    assert panel.order(order)["status"] == "Completed"


def test_subscriptions_to_one_feed_share_its_looks(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    feed.post("anna", "a")
    orders = [panel.place(customer, service, username="anna", min=100, max=100, delay=0) for _ in range(3)]
    later(panel)
    assert len(feed.asked_for("anna")) == 1
    feed.post("anna", "b", "a")
    later(panel)
    assert len(feed.asked_for("anna")) == 2
    assert [len(children(panel, order)) for order in orders] == [1, 1, 1]


def test_who_comes_later_sees_existing_posts_as_such_although_nothing_changed(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    from feed_peer import rss

    feed.say("anna", rss("b", "a"), etag='"1"')
    panel.place(customer, service, username="anna", min=100, max=100, delay=0)
    later(panel)
    later(panel)
    assert feed.asked_for("anna")[-1].headers["If-None-Match"] == '"1"'
    late = panel.place(customer, service, username="anna", min=100, max=100, delay=0, old_posts=1)
    later(panel, seconds=1)
    assert "If-None-Match" not in feed.asked_for("anna")[-1].headers
    assert links(panel, late) == ["https://posts.example/b"]


def test_workers_side_by_side_order_for_each_post_once(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    feed.post("anna", "a")
    orders = [panel.place(customer, service, username="anna", min=100, max=100, delay=0) for _ in range(8)]
    later(panel)
    feed.post("anna", "c", "b", "a")
    panel.clock.advance(minutes=6)
    arm("subscribe-before-commit=raise")
    with pytest.raises(InjectedFault, match="subscribe-before-commit"):
        panel.sweep()
    assert sum(len(children(panel, order)) for order in orders) == 0

    def order_all(_: int) -> None:
        from django.db import connection

        while order_for_posts(limit=2, now=panel.clock.now()):
            pass
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(order_all, range(4)))
    later(panel, seconds=1)
    assert [len(children(panel, order)) for order in orders] == [2] * 8
    assert panel.balance(customer) == 10_000_000 - 16 * 90_000


def test_a_look_that_dies_before_its_commit_is_done_again(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer
) -> None:
    feed.post("anna", "a")
    order = panel.place(customer, service, username="anna", min=100, max=100, delay=0)
    later(panel)
    feed.post("anna", "b", "a")
    panel.clock.advance(minutes=6)
    arm("look-before-commit=raise")
    with pytest.raises(InjectedFault, match="look-before-commit"):
        panel.sweep()
    later(panel, seconds=30)
    assert children(panel, order) == []
    later(panel, seconds=91)
    assert len(children(panel, order)) == 1


REFUSED = [
    ({"min": 49}, "Quantity less than minimal 50"),
    ({"max": 10_001}, "Quantity more than maximum 10000"),
    ({"min": 200, "max": 100}, "Incorrect max"),
    ({"min": 0}, "Incorrect min"),
    ({"delay": 7}, "Incorrect delay"),
    ({"delay": ""}, "Incorrect delay"),
    ({"username": ""}, "Incorrect username"),
    ({"username": ".."}, "Incorrect username"),
    ({"username": "ä" * 500}, "Incorrect username"),
    ({"expiry": "31/02/2027"}, "Incorrect expiry"),
    ({"expiry": "01/01/2020"}, "Incorrect expiry"),
    ({"posts": 0}, "Incorrect posts"),
    ({"posts": -1}, "Incorrect posts"),
    ({"posts": 10**30}, "Incorrect posts"),
    ({"old_posts": 1_001}, "Incorrect old_posts"),
]


def test_what_cannot_be_subscribed_to_is_refused_and_nothing_is_written(
    panel: Panel, server: ServeProcess, service: Service, customer: OpenedCustomer
) -> None:
    from hawker.orders.models import Order, Subscription
    from hawker.posts.models import Feed

    right: dict[str, Any] = {"username": "anna", "min": 100, "max": 200, "delay": 0}
    for wrong, text in REFUSED:
        answer = server.call(customer.api_key, "add", service=service.id, **right | wrong)
        assert (answer.http_status, answer.error) == (200, text), wrong
    Service.objects.filter(id=service.id).update(old_posts=False)
    answer = server.call(customer.api_key, "add", service=service.id, **right, old_posts=1)
    assert answer.error == "Incorrect old_posts"
    assert (Order.objects.count(), Subscription.objects.count(), Feed.objects.count()) == (0, 0, 0)
    assert panel.balance(customer) == 10_000_000


def test_after_a_restore_no_post_is_ordered_for_until_a_person_lets_it_go(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    upstream: Provider,
    feed: FeedPeer,
    service: Service,
    customer: OpenedCustomer,
) -> None:
    feed.post("anna", "a")
    order = subscribe(server, customer, service)
    later(panel)
    now = panel.clock.now()
    # The old panel may have ordered for this post, which the copy has not seen.
    feed.post("anna", "b", "a")
    found = hold_restored(taken_at=now - timedelta(minutes=1), now=now)
    assert found.held_subscriptions == [order]
    resume_provider(upstream.id, by="anna", now=now)
    later(panel)
    later(panel)
    assert (children(panel, order), sandbox.calls("add")) == ([], [])
    release_orders([order], at_a_loss=False, actor=ANNA, reason="it was not", now=panel.clock.now())
    later(panel)
    assert links(panel, order) == ["https://posts.example/b"]
