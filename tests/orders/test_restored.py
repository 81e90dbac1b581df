"""What a restored panel does of itself, and what it leaves to a person (docs/operations.md)."""

from datetime import timedelta
from typing import Any

import pytest

from hawker.orders import Restored, claim_dispatches, hold_restored, release_orders
from hawker.providers.availability import resume_provider
from panel import Panel
from people import ANNA
from processes import SandboxProcess
from unknowns import Story, order_elsewhere


@pytest.fixture
def story(panel: Panel, sandbox: SandboxProcess) -> Story:
    return Story(panel, sandbox)


def restore(story: Story, *, minutes_ago: float = 10) -> Restored:
    """Bring the panel as it is back from a backup of so many minutes ago."""
    now = story.panel.clock.now()
    return hold_restored(taken_at=now - timedelta(minutes=minutes_ago), now=now)


def resume(story: Story) -> None:
    resume_provider(story.upstream.id, by="anna", now=story.panel.clock.now())


def steps(story: Story, order: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = story.panel.order(order)["attempts"][-1]["steps"]
    return found


@pytest.mark.quick
def test_what_waits_is_sent_or_is_unknown_becomes_a_persons(story: Story) -> None:
    story.calm()
    (lost,) = story.trouble("502-before-accept")
    sending, waiting = story.place(), story.place()
    story.panel.clock.advance(seconds=6)
    claimed = claim_dispatches(story.upstream.id, limit=1, token="old panel", now=story.panel.clock.now())
    assert [claim.order_id for claim in claimed] == [sending]
    found = restore(story)
    assert (found.paused_providers, found.unknown_orders, found.unknown_refills) == (["upstream"], 1, 0)
    for order in (sending, waiting):
        attempt = story.panel.order(order)["attempts"][-1]
        assert (story.state(order), attempt["state"]) == ("unknown", "unknown")
        assert "restored from a backup of" in attempt["evidence"]
    assert "may have resolved it since" in steps(story, lost)[-1]["text"]
    resume(story)
    # By its window alone the lost one would be proved not to have been made, and be sent again.
    story.after()
    for _ in range(3):
        story.look()
    for order in (lost, sending, waiting):
        assert story.state(order) == "unknown"
        assert story.hold(order) == "for a person: the panel was restored from a backup after the send"
        assert story.made(order) == []


def test_orders_of_the_old_panel_are_not_taken_for_a_new_ones(story: Story) -> None:
    story.calm()
    story.panel.clock.advance(minutes=5)
    # The old panel sold this one after the backup: the same charge, and nothing here knows of it.
    order_elsewhere(story.sandbox, quantity=100)
    story.panel.clock.advance(minutes=1)
    restore(story)
    resume(story)
    (order,) = story.trouble("502-before-accept")
    story.after()
    story.look()
    assert story.state(order) == "unknown"
    assert "for a person: an orphan may belong to" in story.hold(order)


def test_without_the_restore_it_would_have_been_taken_for_it(story: Story) -> None:
    story.calm()
    story.panel.clock.advance(minutes=5)
    order_elsewhere(story.sandbox, quantity=100)
    (order,) = story.trouble("502-before-accept")
    story.after()
    story.look()
    assert story.state(order) == "submitted"


def test_a_drip_feed_with_a_run_overdue_waits_until_it_is_let_go(story: Story) -> None:
    service = story.panel.service(provider=story.upstream, dripfeed=True, minimum=1)
    order, early = (
        story.panel.place(story.customer, service, link=f"https://example.com/{n}", runs=3, interval=10)
        for n in range(2)
    )
    story.panel.clock.advance(seconds=1)
    found = restore(story)
    assert sorted(found.held_drips) == [order, early]
    resume(story)
    story.panel.clock.advance(hours=2)
    story.panel.sweep()
    assert story.panel.order(order)["children"] == []
    now = story.panel.clock.now()
    release_orders([order], at_a_loss=False, actor=ANNA, reason="none was sent", now=now)
    for _ in range(3):
        story.panel.sweep()
    assert len(story.panel.order(order)["children"]) == 1
    assert story.panel.order(early)["children"] == []
