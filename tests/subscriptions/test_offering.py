"""The operator's side: offering subscriptions, by feed or by a source that somebody else wrote."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from feed_peer import FeedPeer
from subscribing import children, later, links, subscribe

from hawker.catalog.models import Route, Service
from hawker.core.settings import settings
from hawker.orders import offer_subscription
from hawker.posts.errors import BadTemplate, NoSuchSource
from hawker.posts.source_registry import find_source
from hawker.providers.actions import access_of, ask_services
from hawker.providers.importing import import_services
from hawker.providers.models import Provider
from panel import Panel
from processes import ServeProcess, hawker

FEED = "https://feeds.example/{username}.xml"


def told(*words: object) -> Any:
    """What the command answers; fails where it did not succeed."""
    done = hawker(settings().data_dir, *map(str, words))
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


def refused(*words: object) -> str:
    """The sentence of a command that ends with exit code 1 and answers nothing."""
    done = hawker(settings().data_dir, *map(str, words))
    assert (done.returncode, done.stdout) == (1, ""), done.stdout
    return done.stderr


def test_a_service_by_the_piece_is_offered_as_a_subscription(
    panel: Panel, server: ServeProcess, upstream: Provider, feed: FeedPeer
) -> None:
    base = panel.service(provider=upstream, rate="0.90", cost_rate="0.50")
    shown = told(
        "service", "add-subscription", base.id, "--feed", feed.template, "--feed-private", "--name", "Each post"
    )
    assert shown["subscription"] == {
        "mode": "local",
        "old_posts": True,
        "source": "feed",
        "feed": feed.template,
        "private": True,
    }
    customer = panel.customer()
    (row,) = [row for row in server.call(customer.api_key, "services").json if row["type"] == "Subscriptions"]
    assert (row["service"], row["name"], row["rate"], row["min"]) == (shown["service"], "Each post", "0.90", "50")
    feed.post("anna", "a")
    order = subscribe(server, customer, Service.objects.get(id=row["service"]), old_posts=1)
    later(panel)
    assert links(panel, order) == ["https://posts.example/a"]
    printed = told("order", "show", order)
    assert printed["subscription"]["feed"]["url"] == f"{feed.base}/feeds/anna.xml"
    assert printed["subscription"]["posts"][0]["order"] == children(panel, order)[0]["order"]


@pytest.mark.parametrize(
    ("address", "source", "sentence"),
    [
        ("https://feeds.example/all.xml", "feed", "must have {username} in it once"),
        ("https://{username}.example/feed", "feed", "must come after the host"),
        ("http://feeds.example/{username}", "feed", "must begin with https://"),
        ("ftp://feeds.example/{username}", "feed", "is not an address"),
        ("https://[feeds.example/{username}", "feed", "is not an address"),
        ("https://me:secret@feeds.example/{username}", "feed", "must not hold a user name"),
        (f"https://feeds.example/{'x' * 500}/{{username}}", "feed", "must not be longer"),
        (FEED, "carrier-pigeon", "there is no post source 'carrier-pigeon'"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused_in_a_sentence(
    panel: Panel, address: str, source: str, sentence: str
) -> None:
    base = panel.service()
    with pytest.raises((BadTemplate, NoSuchSource), match=re.escape(sentence)):
        offer_subscription(base.id, address=address, source=source, allow_private=False, name="", now=panel.clock.now())
    assert Service.objects.count() == 1


def test_only_what_is_sold_by_link_and_quantity_can_be_subscribed_to(panel: Panel) -> None:
    package = panel.service(type="Package")
    assert "is of type Package" in refused("service", "add-subscription", package.id, "--feed", FEED)
    assert "is of type Package, not Subscriptions" in refused("service", "set", package.id, "--feed", FEED)
    assert Service.objects.count() == 1


def test_how_posts_are_found_can_be_changed(panel: Panel) -> None:
    service = panel.service(type="Subscriptions")
    assert "must have {username}" in refused("service", "set", service.id, "--subscription", "local")
    shown = told("service", "set", service.id, "--subscription", "local", "--feed", FEED, "--no-old-posts")
    assert shown["subscription"]["mode"] == "local"
    assert shown["subscription"]["old_posts"] is False
    assert told("service", "set", service.id, "--subscription", "forwarded")["subscription"] == {
        "mode": "forwarded",
        "old_posts": False,
    }


def test_an_import_refreshes_a_subscription_with_the_service_it_buys(panel: Panel, upstream: Provider) -> None:
    offered, _ = asyncio.run(ask_services(access_of(upstream)))
    drips = next(row for row in offered if row.type.name == "Default" and row.dripfeed)
    import_services(upstream, [drips], markup_percent=25, now=panel.clock.now())
    base = Service.objects.get()
    made = offer_subscription(base.id, address=FEED, source="feed", allow_private=False, name="", now=panel.clock.now())
    Route.objects.update(cost_rate="0.60" if drips.rate != "0.60" else "0.61")
    Service.objects.update(rate="5")
    import_services(upstream, [drips], markup_percent=25, accept_price_jumps=True, now=panel.clock.now())
    base, subscription = Service.objects.get(id=base.id), Service.objects.get(id=made)
    assert subscription.rate == base.rate != "5"
    assert {route.cost_rate for route in Route.objects.all()} == {drips.rate}
    assert (base.dripfeed, subscription.dripfeed, subscription.type) == (True, False, "Subscriptions")


BULLETIN = '''
from hawker.posts.errors import BadTemplate
from hawker.posts.rules import Post
from hawker.posts.errors import BadTemplate, NoSuchSource
from hawker.posts.source import Failed, Posts


class BulletinSource:
    """Posts one of its user's every time it is asked, until it falls over."""

    def __init__(self):
        self.looks = 0

    def check(self, template, *, allow_private):
        if not template.startswith("bulletin:"):
            raise BadTemplate("a bulletin's address begins with bulletin:")

    async def look(self, question):
        self.looks += 1
        if self.looks == 3:
            raise RuntimeError("the printer is on fire")
        return Posts(tuple(Post(str(n), f"https://posts.example/{n}") for n in range(self.looks, 0, -1)))
'''


def test_others_may_register_sources(
    panel: Panel, upstream: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "bulletins-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: bulletins\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[hawker.post_sources]\nbulletin = bulletins:BulletinSource\n")
    (tmp_path / "bulletins.py").write_text(BULLETIN)
    monkeypatch.syspath_prepend(tmp_path)
    base = panel.service(provider=upstream)
    offered = offer_subscription(
        base.id, address="bulletin:{username}", source="bulletin", allow_private=False, name="", now=panel.clock.now()
    )
    order = panel.place(panel.customer(), Service.objects.get(id=offered), username="anna", min=100, max=100, delay=0)
    for _ in range(2):
        later(panel)
    assert links(panel, order) == ["https://posts.example/2"]
    later(panel)
    assert panel.order(order)["subscription"]["feed"]["problem"] == "RuntimeError in the source 'bulletin'"
    later(panel)
    assert links(panel, order) == [f"https://posts.example/{n}" for n in (2, 3, 4)]
    find_source.cache_clear()
    sys.modules.pop("bulletins")
