"""Unknown orders at a provider that gets few: with orders of ours only before them, only after them, or neither."""

import pytest

from hawker.alerts.actions import describe_alerts
from hawker.orders import Outcome, claim_dispatches, settle_attempts
from hawker.protocol.upstream import Accepted
from hawker.providers.actions import change_provider
from panel import Panel
from plain_http import http_post
from processes import SandboxProcess
from unknowns import NOT_CREATED, Story, order_elsewhere


@pytest.fixture
def story(panel: Panel, sandbox: SandboxProcess) -> Story:
    return Story(panel, sandbox)


@pytest.mark.quick
@pytest.mark.parametrize("fault", ["502-after-accept", "both-order-and-error"])
def test_on_a_quiet_panel_an_order_that_was_made_is_bound_without_one_after_it(story: Story, fault: str) -> None:
    story.calm()
    for _ in range(3):
        order_elsewhere(story.sandbox, key="somebody")
    (order,) = story.trouble(fault)
    order_elsewhere(story.sandbox, key="somebody")
    for minutes in (2, 4, 3):
        story.look(seconds=60 * minutes)
        assert (story.looks(), story.state(order)) == (0, "unknown"), "an order after it would prove more"
    story.look(seconds=150)
    story.assert_bound(order)
    story.panel.upkeep()
    assert describe_alerts(closed=False, limit=9) == [], "nobody had to be told"


@pytest.mark.parametrize("fault", NOT_CREATED)
def test_on_a_quiet_panel_an_order_that_was_not_made_waits_for_one_after_it(story: Story, fault: str) -> None:
    story.calm()
    (order,) = story.trouble(fault)
    for _ in range(4):
        story.look(seconds=900)
    asked = story.looks()
    assert asked == 3, "its open window is scanned once, in calls of a hundred"
    assert story.hold(order).startswith("for a person: no orphan that matches among the numbers after")
    story.panel.upkeep()
    (alert,) = describe_alerts(closed=False, limit=9)
    assert (alert["kind"], alert["subject"]) == ("unknown_attempt", f"order {order}")
    assert "place one small order at this provider" in alert["text"]
    assert "hawker order resolve" in alert["text"]
    story.after()
    story.look(seconds=600)
    story.look()
    assert story.state(order) == "queued", "the order after it closes the window"
    story.send()
    story.assert_bound(order)
    story.panel.upkeep()
    assert describe_alerts(closed=False, limit=9) == []


def test_several_unknowns_on_a_quiet_panel_are_told_apart(story: Story) -> None:
    story.calm()
    orders = story.trouble("502-after-accept", 100, 200, 300)
    (lost,) = story.trouble("502-before-accept", 400)
    for _ in range(2):
        story.look(seconds=800)
    for order in orders:
        story.assert_bound(order)
    assert story.state(lost) == "unknown"


def test_what_appears_on_a_quiet_panel_after_the_scan_is_never_bound(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-before-accept")
    story.look(seconds=800)
    assert story.looks() > 0
    order_elsewhere(story.sandbox, quantity=100)
    for _ in range(4):
        story.look(seconds=900)
    assert story.state(order) == "unknown"
    assert story.panel.order(order)["upstream_order"] is None


@pytest.mark.parametrize("quantities", [[100, 100], [100, 300]], ids=["of its charge", "of another charge"])
def test_two_orphans_on_a_quiet_panel_are_a_persons(story: Story, quantities: list[int]) -> None:
    story.calm()
    (order,) = story.trouble("502-before-accept")
    for quantity in quantities:
        order_elsewhere(story.sandbox, quantity=quantity)
    for _ in range(4):
        story.look(seconds=900)
    assert story.state(order) == "unknown"
    assert story.hold(order).startswith("for a person:")


def test_another_program_under_our_key_is_noticed_on_a_quiet_panel(story: Story) -> None:
    story.calm(5)
    order_elsewhere(story.sandbox)
    story.calm(1)
    (order,) = story.trouble("502-after-accept")
    for _ in range(2):
        story.look(seconds=800)
    assert story.state(order) == "unknown"
    assert "another program orders with our key" in story.hold(order)


def test_an_order_in_progress_on_a_quiet_panel_is_waited_for(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-before-accept")
    running = story.place()
    story.panel.clock.advance(seconds=800)
    (claim,) = claim_dispatches(story.upstream.id, limit=1, token="slow/1", now=story.panel.clock.now())
    made = http_post(story.sandbox.url, data={"key": story.sandbox.key, **claim.fields}).json()
    story.look(seconds=1)
    assert (story.state(order), story.looks()) == ("unknown", 0)
    assert story.hold(order) == "another order of ours in its window is still in progress"
    settle_attempts([Outcome(claim.attempt_id, Accepted(made["order"]))], now=story.panel.clock.now())
    story.assert_bound(running)


def test_a_balance_that_shows_no_charge_keeps_a_quiet_panels_orphan_from_being_bound(story: Story) -> None:
    story.sandbox.fund("100.00")
    story.panel.upkeep()
    story.panel.clock.advance(seconds=60)
    story.calm()
    (order,) = story.trouble("502-after-accept")
    story.sandbox.fund(f"{100 - 6 * 0.09:.2f}")
    for _ in range(3):
        story.look(seconds=800)
    assert story.state(order) == "unknown"
    assert "the balance shows no charge" in story.panel.order(order)["attempts"][0]["steps"][0]["text"]


def first_unknown(story: Story, fault: str, *, spent: str | None = None, balance: bool = True) -> int:
    """The first order that Hawker sends to this provider, and some that go well after it."""
    order_elsewhere(story.sandbox, key="somebody")
    if balance:
        story.sandbox.fund("100.00")
        story.panel.upkeep()
    story.panel.clock.advance(seconds=60)
    (order,) = story.trouble(fault)
    if spent is not None:
        story.sandbox.fund(spent)
    story.after()
    for _ in range(3):
        story.look(seconds=800)
    return order


def test_a_providers_first_order_is_bound_when_the_balance_shows_its_charge(story: Story) -> None:
    order = first_unknown(story, "502-after-accept")
    story.assert_bound(order)


@pytest.mark.parametrize("spent", ["100.00", "99.95"], ids=["not charged or deposited or cached", "another amount"])
def test_a_providers_first_order_is_a_persons_where_the_balance_does_not_show_its_charge(
    story: Story, spent: str
) -> None:
    order = first_unknown(story, "502-after-accept", spent=spent)
    assert story.state(order) == "unknown"
    assert story.hold(order).startswith("for a person:")


@pytest.mark.parametrize("balance", [True, False], ids=["with a balance", "without one"])
def test_an_order_from_before_hawkers_first_is_never_bound(story: Story, balance: bool) -> None:
    order_elsewhere(story.sandbox, quantity=100)
    order = first_unknown(story, "502-before-accept", balance=balance)
    assert story.state(order) == "unknown"
    assert story.panel.order(order)["upstream_order"] is None


def test_without_an_order_before_or_after_it_an_unknown_is_a_persons(story: Story) -> None:
    (order,) = story.trouble("502-after-accept")
    for _ in range(4):
        story.look(seconds=900)
    assert (story.looks(), story.state(order)) == (0, "unknown")
    assert story.hold(order).startswith("for a person: no order before it has a known number")
    story.panel.upkeep()
    (alert,) = describe_alerts(closed=False, limit=9)
    assert "hawker order resolve" in alert["text"]


def test_the_scan_on_a_quiet_panel_keeps_to_what_the_provider_allows_at_once(story: Story) -> None:
    change_provider("upstream", {"statuses_per_minute": 19})
    story.calm()
    (order,) = story.trouble("502-after-accept")
    story.look(seconds=800)
    assert story.looks() == 1
    story.assert_bound(order)
