"""Every door behind which we connect somewhere: commands, the worker's calls, price lists, feeds. All use one guard."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hostile_urls import NAMES
from networks import CountingDoor, Names, RecordingNetwork, Through, counting_door

from hawker.catalog.models import Route, Service
from hawker.core.settings import settings
from hawker.orders.models import Attempt, WorkKind
from hawker.posts.feed import FeedSource
from hawker.posts.models import Feed
from hawker.posts.source import Failed, FeedQuestion
from hawker.providers.models import Provider
from hawker.worker.sweeps import Sweeps
from panel import Panel
from processes import SandboxProcess, hawker

HOSTILE = [
    "https://127.0.0.1:{port}/api/v2",
    "https://localhost:{port}/api/v2",
    "https://2130706433:{port}/api/v2",
    "https://[::1]:{port}/api/v2",
    "https://[::ffff:127.0.0.1]:{port}/api/v2",
    "http://127.0.0.1:{port}/api/v2",
    "https://panel.example@127.0.0.1:{port}/api/v2",
]

INSIDE = [name for name in NAMES if NAMES[name]]


@pytest.fixture
def door() -> Iterator[CountingDoor]:
    with counting_door() as door:
        yield door


@pytest.fixture
def upstream(panel: Panel, sandbox: SandboxProcess) -> Provider:
    return panel.provider(sandbox)


@pytest.fixture
def network() -> Through:
    return Through(RecordingNetwork(), Names({name: [row] for name, row in NAMES.items()}))


def move(provider: Provider, url: str) -> None:
    """Have the provider be there from now on: a row that was saved before the guard knew of this."""
    Provider.objects.filter(id=provider.id).update(
        url=url, allow_private=False, balance_every_seconds=1, prices_every_seconds=1
    )


def a_life_of_calls(panel: Panel, upstream: Provider) -> list[int]:
    """One order that is followed and one that is to be sent: what calls to the provider there will be."""
    service = panel.service(provider=upstream, refill=True, cancel=True)
    customer = panel.customer()
    followed = panel.place(customer, service)
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert panel.order(followed)["state"] == "submitted"
    return [followed, panel.place(customer, service)]


def heard(sandbox: SandboxProcess) -> int:
    """How often the sandbox was called."""
    return sum(len(sandbox.calls(action)) for action in ("add", "status", "balance", "services"))


def all_calls(panel: Panel, network: Through | None = None) -> None:
    """An hour later, everything that is due is done, all calls to providers among it."""
    panel.clock.advance(hours=1)
    if network is None:
        panel.sweep()
        panel.upkeep()
    else:
        panel.sweep(opener=network.provider)
        panel.upkeep(opener=network.provider)


def test_the_worker_knocks_nowhere_inside(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, door: CountingDoor
) -> None:
    followed, queued = a_life_of_calls(panel, upstream)
    calls = heard(sandbox)
    for url in HOSTILE:
        move(upstream, url.format(port=door.port))
        all_calls(panel)
    assert (door.knocks, heard(sandbox)) == ([], calls)
    assert [panel.order(order)["state"] for order in (followed, queued)] == ["submitted", "queued"]
    assert Attempt.objects.count() == 1, "an order that cannot be sent costs no attempt"


def test_the_worker_follows_no_name_inside(panel: Panel, upstream: Provider, network: Through) -> None:
    followed, queued = a_life_of_calls(panel, upstream)
    for name in INSIDE:
        move(upstream, f"https://{name}/api/v2")
        all_calls(panel, network)
        assert network.names.asked.count(name) >= 3, "an order to follow, the balance and the prices"
    assert network.network.dialled == []
    assert [panel.order(order)["state"] for order in (followed, queued)] == ["submitted", "queued"]


def test_a_name_that_moves_inside_is_dialled_only_where_it_was_checked(panel: Panel, upstream: Provider) -> None:
    a_life_of_calls(panel, upstream)
    move(upstream, "https://moving.example/api/v2")
    turns = [["93.184.215.14"], ["127.0.0.1"], ["169.254.169.254"], ["93.184.215.14", "10.0.0.1"]]
    network = Through(RecordingNetwork(), Names({"moving.example": turns}))
    for _ in range(3):
        all_calls(panel, network)
    assert network.network.dialled == ["93.184.215.14"]
    assert len(network.names.asked) >= 4


def test_orders_of_a_provider_that_leads_inside_go_to_the_next_one(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, door: CountingDoor
) -> None:
    second = panel.provider(sandbox, name="second")
    service = panel.service(provider=upstream)
    Route.objects.create(service=service, provider=second, upstream_service=1, cost_rate="0.50", position=2)
    order = panel.place(panel.customer(), service)
    move(upstream, f"https://127.0.0.1:{door.port}/api/v2")
    for _ in range(12):
        panel.clock.advance(minutes=2)
        panel.sweep()
    assert (panel.order(order)["state"], panel.order(order)["provider"]) == ("submitted", second.id)
    assert door.knocks == []


def test_feeds_knock_nowhere_inside(panel: Panel, door: CountingDoor) -> None:
    customer = panel.customer()
    for url in HOSTILE:
        template = url.format(port=door.port).replace("/api/v2", "/{username}.xml")
        service = panel.service(type="Subscriptions", subscription="local", post_url=template, post_private=False)
        panel.place(customer, service, username="anna", min=100, max=100, delay=0)
    panel.clock.advance(minutes=6)
    panel.sweep()
    assert (door.knocks, Feed.objects.filter(failures=1).count()) == ([], len(HOSTILE))


@pytest.mark.parametrize("name", NAMES)
def test_feeds_follow_no_name_inside(network: Through, name: str) -> None:
    source = FeedSource(opener=network.feed)
    look = asyncio.run(source.look(FeedQuestion(f"https://{name}/anna.xml", allow_private=False)))
    assert isinstance(look, Failed)
    assert (network.network.dialled, network.names.asked) == ([], [name])


def test_a_subscriber_cannot_choose_where_a_feed_is(panel: Panel, door: CountingDoor) -> None:
    """What stands for the user in an address is escaped: it adds no host, no port and no path."""
    network = Through(RecordingNetwork(), Names({"feeds.example": [["93.184.215.14"]]}))
    service = panel.service(
        type="Subscriptions", subscription="local", post_url="https://feeds.example/{username}.xml", post_private=False
    )
    customer = panel.customer()
    for username in (f"@127.0.0.1:{door.port}/", f"../../127.0.0.1:{door.port}", "a%2f..%2f", "x\\@127.0.0.1", "?#"):
        panel.place(customer, service, username=username, min=100, max=100, delay=0)
    panel.clock.advance(minutes=6)
    sweeps = Sweeps(clock=panel.clock, find_source=lambda name: FeedSource(opener=network.feed) if name else None)
    asyncio.run(sweeps.run(0, WorkKind.SUBSCRIBE))
    assert set(network.names.asked) <= {"feeds.example"}
    assert set(network.network.dialled) <= {"93.184.215.14"}
    assert door.knocks == []


def refused_command(*words: str) -> str:
    done = hawker(settings().data_dir, *words)
    assert (done.returncode, done.stdout) == (1, ""), done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_commands_knock_nowhere_inside(panel: Panel, upstream: Provider, door: CountingDoor) -> None:
    service = panel.service(type="Subscriptions", provider=upstream)
    move(upstream, f"https://localhost:{door.port}/api/v2")
    before = (list(Provider.objects.values()), list(Service.objects.values()))
    add = ("provider", "add", "inside", "--key", "k", "--url", f"https://2130706433:{door.port}/api/v2")
    assert "not a host name" in refused_command(*add)
    moved = ("provider", "set", upstream.name, "--key", "k", "--url", f"https://[::ffff:127.0.0.1]:{door.port}/api/v2")
    assert "not a public address" in refused_command(*moved)
    assert "not a public address" in refused_command("provider", "import", upstream.name)
    feed = ("--subscription", "local", "--feed", f"https://127.0.0.1:{door.port}/{{username}}.xml")
    assert "not a public address" in refused_command("service", "set", str(service.id), *feed)
    assert door.knocks == []
    assert (list(Provider.objects.values()), list(Service.objects.values())) == before


@contextmanager
def redirecting_to(target: str, status: int) -> Iterator[str]:
    """An upstream that answers every call with a redirect."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name is http.server's
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Location", target)
            self.send_header("Refresh", f"0; url={target}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *words: object) -> None:  # noqa: A002 - the name is http.server's
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v2"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [302, 308])
def test_redirects_are_followed_nowhere(panel: Panel, upstream: Provider, door: CountingDoor, status: int) -> None:
    order = panel.place(panel.customer(), panel.service(provider=upstream))
    with redirecting_to(f"http://127.0.0.1:{door.port}/api/v2", status) as url:
        Provider.objects.filter(id=upstream.id).update(url=url, balance_every_seconds=1, prices_every_seconds=1)
        all_calls(panel)
    assert door.knocks == []
    assert panel.order(order)["state"] == "unknown", "a redirect proves nothing about the order"
