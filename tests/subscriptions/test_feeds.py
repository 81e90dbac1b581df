"""Feeds as they occur, broken and hostile ones too: never a guess, never a crash, nobody else delayed."""

import threading
from datetime import timedelta
from email.utils import format_datetime

import pytest
from feed_peer import ITEM, FeedPeer, dated, document, rss, start_feed_peer
from subscribing import children, feed_of, later, links, open_alerts

from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from panel import Panel
from processes import eventually

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">'
    + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    + b']><rss version="2.0"><channel><title>&l9;</title><item><link>https://x.example/1</link></item></channel></rss>'
)
HOSTILE = {
    "entity bomb": BOMB,
    "outside entity": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><item>'
    b"<link>&x;</link><guid>&x;</guid></item></channel></rss>",
    "three megabytes": rss(*(f"{n:030}" for n in range(30_000))),
    "five thousand posts": rss(*map(str, range(5_001))),
    "a page": b"<!doctype html><html><body>nothing here</body></html>",
    "cut short": rss("b", "a")[:-40],
    "nested": b'<rss version="2.0"><channel>' + b"<a>" * 20_000,
    "not text": bytes(range(256)) * 50,
    "empty": b"",
    "no links": rss("b", item="<item><title>{0}</title><guid isPermaLink='false'>{0}</guid></item>"),
    "bad links": rss("b", "c", item="<item><link>javascript:alert('{0}')</link><guid>data:{0}</guid></item>"),
}


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="100.00")


@pytest.fixture
def order(panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer) -> int:
    """A subscription to anna, who has posted a and b."""
    feed.post("anna", "b", "a")
    placed: int = panel.place(customer, service, username="anna", min=100, max=100, delay=0)
    later(panel)
    return placed


def test_hostile_feeds_order_nothing_and_hold_nobody_up(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer, order: int
) -> None:
    hostile = {}
    for name, body in HOSTILE.items():
        feed.say(name, body)
        hostile[name] = panel.place(customer, service, username=name, min=100, max=100, old_posts=5, delay=0)
    feed.post("anna", "c", "b", "a")
    later(panel)
    assert links(panel, order) == ["https://posts.example/c"]
    for name, placed in hostile.items():
        assert children(panel, placed) == [], name
        assert panel.order(placed)["status"] == "Active"
        feed.post(name, "x1", "x0")
    for _ in range(3):
        later(panel)
    for name, placed in hostile.items():
        # What was no feed is one now, and its posts existing ones, of which five were asked for. A feed that was one
        # without a single post, and has two at once, is not believed.
        expected = [] if name in ("no links", "bad links") else ["x0", "x1"]
        assert [link.rpartition("/")[2] for link in links(panel, placed)] == expected, name


def test_feeds_that_are_only_odd_are_read(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer, order: int
) -> None:
    odd = {
        "latin": '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><item><title>caf\xe9</title>'
        "<link>https://posts.example/1</link></item></channel></rss>".encode("latin-1"),
        "relative": b'<rss version="2.0"><channel><item><link>/p/1</link></item></channel></rss>',
        "atom": b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>urn:1</id><link href="https://posts.example/1"/>'
        b"<updated>2024-01-01T00:00:00Z</updated></entry></feed>",
        "twice": rss("1", "1", "1"),
        "wild date": document(dated("1", "99 Foo 99999")),
    }
    placed = {}
    for name, body in odd.items():
        feed.say(name, body)
        placed[name] = panel.place(customer, service, username=name, min=100, max=100, old_posts=5, posts=0, delay=0)
    later(panel)
    for name, number in placed.items():
        (link,) = links(panel, number)
        assert link == (f"{feed.base}/p/1" if name == "relative" else "https://posts.example/1"), name


def test_a_post_is_known_again_by_its_link_when_its_id_changes(panel: Panel, feed: FeedPeer, order: int) -> None:
    changed = "<item><link>https://posts.example/{0}</link><guid isPermaLink='false'>{0} at noon</guid></item>"
    feed.say("anna", rss("c", "b", "a", item=changed))
    later(panel)
    assert links(panel, order) == ["https://posts.example/c"]


def test_a_list_with_nothing_left_of_it_is_not_believed(panel: Panel, feed: FeedPeer, order: int) -> None:
    feed.post("anna", "z", "y", "x")
    later(panel)
    assert children(panel, order) == []
    assert feed_of(panel, order)["problem"] == "none of the posts that were seen before is in the feed"
    assert "feed_trouble" in open_alerts()
    feed.post("anna", "w", "z", "y", "x")
    later(panel)
    assert links(panel, order) == ["https://posts.example/w"]
    assert "feed_trouble" not in open_alerts()


def test_a_flood_of_posts_is_not_believed(panel: Panel, feed: FeedPeer, order: int) -> None:
    feed.post("anna", *(f"n{n}" for n in range(101)), "b", "a")
    later(panel)
    assert (children(panel, order), feed_of(panel, order)["problem"]) == ([], "101 new posts at once")


def test_old_posts_that_come_back_are_not_new(panel: Panel, feed: FeedPeer, order: int) -> None:
    known = [ITEM.format("b"), ITEM.format("a")]
    feed.say("anna", document(dated("x", format_datetime(panel.clock.now() - timedelta(days=7))), *known))
    later(panel)
    assert children(panel, order) == []
    feed.say("anna", document(dated("y", format_datetime(panel.clock.now())), *known))
    later(panel)
    assert links(panel, order) == ["https://posts.example/y"]


def test_a_post_of_the_future_waits_for_its_time(panel: Panel, feed: FeedPeer, order: int) -> None:
    date = format_datetime(panel.clock.now() + timedelta(days=3))
    feed.say("anna", document(dated("soon", date), ITEM.format("b"), ITEM.format("a")), etag='"1"')
    later(panel)
    assert children(panel, order) == []
    later(panel, days=3)
    assert links(panel, order) == ["https://posts.example/soon"]


def test_failures_are_waited_out_longer_each_time_and_told(panel: Panel, feed: FeedPeer, order: int) -> None:
    feed.say("anna", b"", status=500)
    for _ in range(40):
        later(panel)
    asked = len(feed.asked_for("anna"))
    assert asked < 12
    assert feed_of(panel, order)["problem"] == "HTTP 500"
    assert "feed_trouble" in open_alerts()
    feed.post("anna", "c", "b", "a")
    later(panel, hours=7)
    assert links(panel, order) == ["https://posts.example/c"]
    assert "feed_trouble" not in open_alerts()


def test_a_feed_that_asks_for_patience_gets_it(panel: Panel, feed: FeedPeer, order: int) -> None:
    feed.say("anna", b"", status=429, retry_after="7200")
    later(panel)
    asked = len(feed.asked)
    later(panel, minutes=100)
    assert len(feed.asked) == asked
    later(panel, minutes=40)
    assert len(feed.asked) == asked + 1


def test_redirects_are_not_followed(panel: Panel, feed: FeedPeer, order: int) -> None:
    feed.say("anna", b"", status=302, location=f"{feed.base}/feeds/secret.xml")
    later(panel)
    assert feed.asked_for("secret") == []
    assert feed_of(panel, order)["problem"] == "HTTP 302: a redirect"


def test_a_slow_host_delays_no_other(
    panel: Panel, feed: FeedPeer, service: Service, customer: OpenedCustomer, order: int
) -> None:
    release = threading.Event()
    with start_feed_peer() as slow:
        slow_service = panel.service(
            type="Subscriptions", subscription="local", post_url=slow.template, post_private=True
        )
        for number in range(40):
            slow.post(str(number), "a")
            slow.held[str(number)] = release
            panel.place(customer, slow_service, username=str(number), min=100, max=100, delay=0)
        feed.post("anna", "c", "b", "a")
        panel.clock.advance(minutes=6)
        sweep = threading.Thread(target=panel.sweep)
        sweep.start()
        try:
            eventually("a post is ordered for", lambda: links(panel, order) == ["https://posts.example/c"])
            eventually("the slow host is asked", lambda: slow.asked)
            assert len(slow.asked) <= 4
        finally:
            release.set()
            sweep.join()
        assert len(slow.asked) == 40


@pytest.mark.parametrize(
    "template",
    [
        "https://127.0.0.1:{port}/feeds/{{username}}.xml",
        "https://localhost:{port}/feeds/{{username}}.xml",
        "https://[::ffff:127.0.0.1]:{port}/feeds/{{username}}.xml",
        "https://2130706433:{port}/feeds/{{username}}.xml",
        "http://127.0.0.1:{port}/feeds/{{username}}.xml",
    ],
)
def test_private_addresses_are_not_dialled(
    panel: Panel, feed: FeedPeer, customer: OpenedCustomer, template: str
) -> None:
    feed.post("anna", "a")
    port = feed.base.rpartition(":")[2]
    service = panel.service(
        type="Subscriptions", subscription="local", post_url=template.format(port=port), post_private=False
    )
    order = panel.place(customer, service, username="anna", min=100, max=100, delay=0)
    later(panel)
    assert (feed.asked, children(panel, order)) == ([], [])
    assert feed_of(panel, order)["failures"] == 1
