"""Orders sent through a proxy that spoils the connection: each fault of the wire gets its verdict.

Not sent is what provably never left; whatever happens from the first byte on is unknown, and never sent again by guess.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from proxy import Fault, Proxy, proxied

from hawker.orders.models import Attempt, Order, WorkKind
from hawker.providers.actions import Opener, ProviderAccess, open_access
from hawker.providers.http_client import HttpAnswer, ProviderClient
from hawker.providers.models import ProviderHealth
from panel import Panel
from processes import SandboxProcess, eventually
from unknowns import Story

DEADLINE_SECONDS = 0.6


class HurriedLine:
    """A line whose calls have half a second instead of thirty."""

    def __init__(self, line: ProviderClient) -> None:
        self._line = line
        self.is_fresh, self.close = line.is_fresh, line.close

    async def call(self, fields: Mapping[str, str]) -> HttpAnswer:
        return await self._line.call(fields, deadline_seconds=DEADLINE_SECONDS)


async def open_hurried(access: ProviderAccess) -> ProviderClient:
    return HurriedLine(await open_access(access))  # type: ignore[return-value]


async def open_late(access: ProviderAccess) -> ProviderClient:
    """A line that the other end has had time to hang up."""
    line = await open_access(access)
    await asyncio.sleep(0.1)
    return line


class LateLine(HurriedLine):
    """A line that the other end has time to hang up between the claim and the send."""

    def __init__(self, line: ProviderClient) -> None:
        super().__init__(line)
        self._looks = 0
        self.is_fresh = self._is_fresh

    def _is_fresh(self) -> bool:
        self._looks += 1
        if self._looks == 2:
            time.sleep(0.2)
        return self._line.is_fresh()


async def open_to_be_late(access: ProviderAccess) -> ProviderClient:
    return LateLine(await open_access(access))  # type: ignore[return-value]


class WiredStory(Story):
    """A panel whose upstream is behind the proxy; the upstream's records are asked for directly."""

    def __init__(self, panel: Panel, sandbox: SandboxProcess, proxy: Proxy) -> None:
        super().__init__(panel, replace(sandbox, url=proxy.url))
        self.sandbox, self.proxy = sandbox, proxy

    def send(self, opener: Opener = open_hurried) -> None:
        self.panel.clock.advance(seconds=6)
        self.panel.sweep(WorkKind.DISPATCH, opener=opener)

    def send_spoilt(self, fault: Fault, opener: Opener = open_hurried) -> int:
        order = self.place()
        self.proxy.spoil_all(fault)
        self.send(opener)
        self.proxy.spoil_all(None)
        return order

    def attempts(self, order: int) -> list[str]:
        return [attempt["state"] for attempt in self.panel.order(order)["attempts"]]


@pytest.fixture
def proxy(sandbox: SandboxProcess) -> Iterator[Proxy]:
    with proxied(sandbox.url) as proxy:
        yield proxy


@pytest.fixture
def story(panel: Panel, sandbox: SandboxProcess, proxy: Proxy) -> WiredStory:
    return WiredStory(panel, sandbox, proxy)


UNKNOWN_NOT_MADE = [
    Fault("reset", "request", after=1),
    Fault("reset", "request", after=100),
    Fault("reset", "request", after=280),
    Fault("truncate", "request", after=1),
    Fault("blackhole", "request"),
    Fault("blackhole", "request", after=250),
    Fault("delay", "request", seconds=2 * DEADLINE_SECONDS),
    Fault("trickle", "request", seconds=0.02),
]
UNKNOWN_AND_MADE = [
    Fault("reset", "response"),
    Fault("reset", "response", after=1),
    Fault("reset", "response", after=60),
    Fault("truncate", "response"),
    Fault("truncate", "response", after=12),
    Fault("truncate", "response", after=60),
    Fault("blackhole", "response"),
    Fault("blackhole", "response", after=60),
    Fault("delay", "response", seconds=2 * DEADLINE_SECONDS),
    Fault("delay", "response", after=30, seconds=2 * DEADLINE_SECONDS),
    Fault("trickle", "response", seconds=0.05),
]
ACCEPTED = [
    Fault("delay", "request", after=30, seconds=DEADLINE_SECONDS / 4),
    Fault("delay", "response", after=30, seconds=DEADLINE_SECONDS / 4),
    Fault("trickle", "response", seconds=0.0001),
    Fault("trickle", "request", seconds=0.0001),
]


@pytest.mark.parametrize("fault", UNKNOWN_NOT_MADE, ids=str)
def test_a_fault_within_the_request_leaves_it_unknown_although_nothing_was_made(
    story: WiredStory, fault: Fault
) -> None:
    order = story.send_spoilt(fault)
    assert (story.state(order), story.attempts(order), story.made(order)) == ("unknown", ["unknown"], [])
    story.send()
    assert story.made(order) == [], "it was sent again without proof"


@pytest.mark.parametrize("fault", UNKNOWN_AND_MADE, ids=str)
def test_a_fault_within_the_answer_leaves_it_unknown_and_made_once(story: WiredStory, fault: Fault) -> None:
    order = story.send_spoilt(fault)
    assert (story.state(order), story.attempts(order), len(story.made(order))) == ("unknown", ["unknown"], 1)
    story.send()
    assert len(story.made(order)) == 1, "it was sent twice"


@pytest.mark.parametrize("fault", ACCEPTED, ids=str)
def test_a_slow_wire_is_waited_for(story: WiredStory, fault: Fault) -> None:
    order = story.send_spoilt(fault, open_access)
    assert story.state(order) == "submitted"
    story.assert_bound(order)


@pytest.mark.quick
def test_an_upstream_that_refuses_connections_costs_no_attempt(story: WiredStory) -> None:
    order = story.place()
    story.proxy.refusing()
    story.send()
    assert (story.state(order), story.attempts(order)) == ("queued", [])
    story.proxy.listening()
    story.panel.clock.advance(minutes=1)
    story.send()
    assert story.state(order) == "submitted"
    story.assert_bound(order)


@pytest.mark.parametrize(("opener", "attempts"), [(open_late, []), (open_to_be_late, ["not_sent"])])
def test_an_upstream_that_hangs_up_before_the_first_byte_was_sent_nothing(
    story: WiredStory, opener: Opener, attempts: list[str]
) -> None:
    order = story.send_spoilt(Fault("reset", "accept", seconds=0.02), opener)
    assert (story.state(order), story.attempts(order)) == ("queued", attempts)
    assert story.sandbox.calls("add") == []
    assert len(story.proxy.passages) < 10, "it is dialled without end"
    story.panel.clock.advance(minutes=10)
    story.send()
    assert story.state(order) == "submitted"
    story.assert_bound(order)


def test_a_request_that_arrives_after_we_gave_up_is_found_as_what_it_made(story: WiredStory) -> None:
    story.calm()
    order = story.send_spoilt(Fault("delay", "request", seconds=2 * DEADLINE_SECONDS, lingers=True))
    assert (story.state(order), story.made(order)) == ("unknown", [])
    eventually("it arrives", lambda: story.made(order))
    story.after()
    story.look()
    assert story.state(order) == "submitted"
    story.assert_bound(order)


def test_a_mixture_of_faults_of_the_wire_sends_nothing_twice_and_is_cleared_up(story: WiredStory) -> None:
    story.calm(12)
    faults = [*UNKNOWN_NOT_MADE, *UNKNOWN_AND_MADE, *ACCEPTED, Fault("reset", "accept")]
    orders = []
    for number, fault in enumerate(faults):
        orders.append(story.place(100 + number))
        story.proxy.spoil_all(fault)
        story.send()
        # The breaker has tests of its own; here it would only keep trouble away.
        ProviderHealth.objects.update(failures=0, opens=0, opened_at=None, retry_at=None, probe_until=None)
    story.proxy.spoil_all(None)
    for _ in range(8):
        story.panel.clock.advance(seconds=100)
        story.place()
        story.send()
        story.look(seconds=700)
    states = dict(Order.objects.filter(id__in=orders).values_list("id", "state"))
    assert {order: len(story.made(order)) for order in orders if len(story.made(order)) > 1} == {}
    for order in orders:
        if states[order] == "submitted":
            story.assert_bound(order)
    assert Attempt.objects.filter(state="not_created").count() > 0
    assert [order for order in orders if states[order] != "submitted"] == []
