"""Clearing up unknown orders: what a look at the provider's numbers proves, and what it must not."""

import pytest

from hawker.orders import Outcome, claim_dispatches, settle_attempts
from hawker.orders.models import WorkKind
from hawker.protocol.upstream import Accepted
from hawker.providers.actions import change_provider
from panel import Panel
from plain_http import http_post
from processes import SandboxProcess
from unknowns import CREATED, NOT_CREATED, Story, order_elsewhere


@pytest.fixture
def story(panel: Panel, sandbox: SandboxProcess) -> Story:
    return Story(panel, sandbox)


@pytest.mark.quick
@pytest.mark.parametrize("fault", CREATED)
def test_an_order_that_was_made_is_found_and_bound(story: Story, fault: str) -> None:
    story.calm()
    for _ in range(3):
        order_elsewhere(story.sandbox, key="somebody")
    (order,) = story.trouble(fault)
    story.after()
    story.look()
    assert story.state(order) == "submitted"
    story.assert_bound(order)
    attempt = story.panel.order(order)["attempts"][0]
    assert "the only orphan with its charge" in attempt["evidence"]
    assert attempt["steps"][-1]["facts"]["orphans"].keys() == {str(attempt["upstream_order"])}
    story.sandbox.advance(days=30)
    story.panel.clock.advance(minutes=10)
    story.panel.sweep()
    assert story.state(order) == "completed"


@pytest.mark.parametrize("fault", NOT_CREATED)
def test_an_order_that_was_not_made_is_sent_again_after_two_looks(story: Story, fault: str) -> None:
    story.calm()
    (order,) = story.trouble(fault)
    story.after()
    story.look(seconds=1)
    assert story.state(order) == "unknown", "one look proves nothing"
    story.look(seconds=40)
    assert story.state(order) == "unknown", "and a second one too soon neither"
    story.look(seconds=61)
    assert story.state(order) == "queued"
    story.send()
    assert story.state(order) == "submitted"
    story.assert_bound(order)
    assert [a["state"] for a in story.panel.order(order)["attempts"]] == ["not_created", "accepted"]


@pytest.mark.quick
def test_a_cancel_wished_meanwhile_ends_an_order_that_was_not_made(story: Story) -> None:
    from hawker.orders import CancelAsk, request_cancels

    story.calm()
    (order,) = story.trouble("502-before-accept")
    request_cancels([CancelAsk(None, [str(order)])], now=story.panel.clock.now())
    story.after()
    story.look(seconds=1)
    story.look()
    shown = story.panel.order(order)
    assert (shown["state"], shown["refunded"], story.made(order)) == ("canceled", "0.18", [])


def test_nothing_is_looked_for_while_it_may_still_be_under_way(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-after-accept")
    story.calm()
    story.look(seconds=60)
    assert (story.state(order), story.looks()) == ("unknown", 0)


def test_two_unknowns_of_one_charge_are_a_persons_even_if_only_one_was_made(story: Story) -> None:
    story.calm()
    (made,) = story.trouble("502-after-accept")
    (lost,) = story.trouble("502-before-accept")
    story.after()
    for _ in range(4):
        story.look(seconds=3600)
    assert [story.state(made), story.state(lost)] == ["unknown", "unknown"]
    assert story.hold(made).startswith("for a person: orphan")
    assert len(story.sandbox.calls("add")) == 14


def test_two_unknowns_of_one_charge_are_told_apart_by_what_was_made_between_them(story: Story) -> None:
    story.calm()
    (first,) = story.trouble("both-order-and-error")
    story.panel.clock.advance(seconds=10)
    story.calm(2)
    story.panel.clock.advance(seconds=10)
    (second,) = story.trouble("both-order-and-error")
    story.after()
    story.look()
    assert [story.state(first), story.state(second)] == ["submitted", "submitted"]
    story.assert_bound(first)
    story.assert_bound(second)


def test_a_whole_answer_of_the_panel_ends_what_it_may_have_made_and_one_of_a_gateway_does_not(story: Story) -> None:
    story.calm()
    (told,) = story.trouble("html")
    story.panel.clock.advance(seconds=10)
    story.calm(2)
    (made,) = story.trouble("502-after-accept")
    story.after()
    story.look()
    story.assert_bound(made)
    story.look(seconds=700)
    story.look(seconds=700)
    assert story.state(told) == "queued"
    assert story.made(told) == []


def test_many_orders_just_before_an_unknown_do_not_hide_those_that_were_surely_earlier(story: Story) -> None:
    story.calm()
    for _ in range(4):
        story.panel.clock.advance(seconds=-5)
        story.calm(10)
    story.panel.clock.advance(seconds=-5)
    (order,) = story.trouble("502-after-accept")
    story.after()
    story.look()
    assert story.state(order) == "submitted"
    story.assert_bound(order)


def test_two_unknowns_of_different_charges_are_told_apart(story: Story) -> None:
    story.calm()
    orders = story.trouble("502-after-accept", 100, 200)
    story.after()
    story.look()
    assert [story.state(order) for order in orders] == ["submitted", "submitted"]
    for order in orders:
        story.assert_bound(order)


def test_of_two_unknowns_the_one_that_was_not_made_is_sent_again_when_the_other_is_bound(story: Story) -> None:
    story.calm()
    (made,) = story.trouble("502-after-accept", 100)
    (lost,) = story.trouble("502-before-accept", 200)
    story.after()
    for _ in range(5):
        story.look(seconds=600)
    story.assert_bound(made)
    assert story.state(lost) == "queued"
    assert story.made(lost) == []


def test_many_unknowns_of_which_none_was_made_are_all_sent_again(story: Story) -> None:
    story.calm()
    orders = story.trouble("502-before-accept", 100, 100, 100)
    story.after()
    story.look(seconds=1)
    story.look()
    assert [story.state(order) for order in orders] == ["queued"] * 3


def test_another_programs_order_of_another_charge_is_never_bound(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-before-accept")
    order_elsewhere(story.sandbox, quantity=300)
    story.after()
    for _ in range(4):
        story.look(seconds=3600)
    assert story.state(order) == "unknown"
    assert "matches no pending attempt" in story.hold(order)


@pytest.mark.parametrize("side", ["before", "after"])
def test_another_program_under_our_key_is_noticed_beside_the_window(story: Story, side: str) -> None:
    story.calm(5)
    if side == "before":
        order_elsewhere(story.sandbox)
    story.calm(1)
    (order,) = story.trouble("502-after-accept")
    story.after(1)
    if side == "after":
        order_elsewhere(story.sandbox)
    story.calm(5)
    story.look()
    assert story.state(order) == "unknown"
    assert "another program orders with our key" in story.hold(order)


def test_a_window_of_too_many_numbers_is_not_looked_at(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-after-accept")
    for _ in range(295):
        order_elsewhere(story.sandbox, key="somebody")
    story.after()
    story.look()
    assert (story.state(order), story.looks()) == ("unknown", 0)
    assert "more than one scan may ask for" in story.hold(order)


def test_a_narrow_window_binds_where_the_whole_one_is_too_wide(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-after-accept")
    (lost,) = story.trouble("502-before-accept", 200)
    story.panel.clock.advance(seconds=10)
    story.calm()
    for _ in range(295):
        order_elsewhere(story.sandbox, key="somebody")
    story.after()
    for _ in range(4):
        story.look(seconds=3600)
    story.assert_bound(order)
    assert story.state(lost) == "unknown", "that it is not in the narrow one proves nothing"


@pytest.mark.parametrize("fault", ["html", "truncated", "reset-before-accept"])
def test_a_look_that_is_not_answered_whole_does_not_count(story: Story, fault: str) -> None:
    story.calm()
    (order,) = story.trouble("502-before-accept")
    order_elsewhere(story.sandbox, key="somebody")
    story.after()
    story.sandbox.faults(f"status:{fault}=1")
    for _ in range(3):
        story.look(seconds=600)
    story.sandbox.faults()
    story.look(seconds=600)
    assert story.state(order) == "unknown", "this was the first"
    story.look(seconds=61)
    assert story.state(order) == "queued"


def test_a_window_in_which_an_order_is_under_way_is_waited_for(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-after-accept")
    story.panel.clock.advance(seconds=100)
    running = story.place()
    story.panel.clock.advance(seconds=6)
    (claim,) = claim_dispatches(story.upstream.id, limit=1, token="slow/1", now=story.panel.clock.now())
    made = http_post(story.sandbox.url, data={"key": story.sandbox.key, **claim.fields}).json()
    story.calm()
    story.look(seconds=1)
    assert (story.state(order), story.looks()) == ("unknown", 0)
    assert story.hold(order) == "another order of ours in its window is still in progress"
    settle_attempts([Outcome(claim.attempt_id, Accepted(made["order"]))], now=story.panel.clock.now())
    story.look()
    story.assert_bound(order)
    story.assert_bound(running)


def test_a_lost_worker_whose_order_was_made_is_cleared_up_too(story: Story) -> None:
    story.calm()
    order = story.place()
    story.panel.clock.advance(seconds=6)
    (claim,) = claim_dispatches(story.upstream.id, limit=1, token="killed/1", now=story.panel.clock.now())
    http_post(story.sandbox.url, data={"key": story.sandbox.key, **claim.fields})
    story.after()
    assert story.state(order) == "unknown"
    story.look()
    story.assert_bound(order)


def test_the_operator_may_forbid_to_look(story: Story) -> None:
    change_provider("upstream", {"reconcile_scan": False})
    story.calm()
    (order,) = story.trouble("502-after-accept")
    story.after()
    story.look()
    assert (story.state(order), story.looks()) == ("unknown", 0)
    assert "reconcile_scan" in story.hold(order)


def test_looks_keep_to_the_providers_minute(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-after-accept")
    change_provider("upstream", {"statuses_per_minute": 1})
    story.after()
    story.panel.sweep(WorkKind.POLL)
    assert story.looks() == 1
    story.look(seconds=1)
    assert (story.looks(), story.state(order)) == (1, "unknown")
    story.look()
    assert story.looks() == 2
    story.assert_bound(order)


def test_a_window_of_more_calls_than_the_provider_allows_at_once_is_a_persons(story: Story) -> None:
    change_provider("upstream", {"statuses_per_minute": 19})
    story.calm()
    (order,) = story.trouble("502-after-accept")
    for _ in range(100):
        order_elsewhere(story.sandbox, key="somebody")
    story.after()
    story.look(seconds=200)
    assert (story.looks(), story.state(order)) == (0, "unknown")
    assert "more than one scan may ask for" in story.hold(order)
    assert story.hold(order).startswith("for a person:")


def test_few_orders_around_it_do_not_prove_that_it_was_not_made(story: Story) -> None:
    story.calm(3)
    (order,) = story.trouble("502-before-accept")
    story.after(3)
    for _ in range(4):
        story.look(seconds=3600)
    assert story.state(order) == "unknown"
    assert "only 6 known orders" in story.hold(order)


def test_the_balance_is_evidence_and_forbids_what_it_contradicts(story: Story) -> None:
    story.sandbox.fund("100.00")
    story.panel.upkeep()
    story.panel.clock.advance(seconds=60)
    story.calm()
    (order,) = story.trouble("502-before-accept")
    story.after()
    # Somebody took exactly what this order would have cost.
    story.sandbox.fund(f"{100 - 13 * 0.09:.2f}")
    story.look(seconds=1)
    story.look()
    assert story.state(order) == "unknown"
    assert "the balance shows that the order was charged" in story.hold(order)
    assert "it was charged" in story.panel.order(order)["attempts"][0]["steps"][-1]["text"]


def test_an_order_that_is_again_and_again_not_made_becomes_a_persons(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-before-accept")
    for _ in range(3):
        story.after()
        story.look(seconds=1)
        story.look()
        story.sandbox.faults("502-before-accept=1")
        story.send()
        story.sandbox.faults()
    assert [a["state"] for a in story.panel.order(order)["attempts"]] == ["not_created", "not_created", "unknown"]
    assert "were not made before" in story.hold(order)


def test_a_second_look_by_another_worker_changes_nothing(story: Story) -> None:
    from hawker.orders import Answers, conclude_looks, plan_looks
    from hawker.protocol.presence import Presence

    story.calm()
    (order,) = story.trouble("502-after-accept")
    story.after()
    story.panel.clock.advance(seconds=61)
    plan = plan_looks(story.upstream.id, now=story.panel.clock.now())
    (case,) = plan.cases
    key = (case.window.low.upstream_id, case.window.high.upstream_id)
    story.look(seconds=200)
    story.assert_bound(order)
    before = story.panel.order(order)
    absent = Presence(absent={*case.candidates, *case.controls})
    assert conclude_looks(plan, Answers({key: absent}), now=story.panel.clock.now()) == 0
    assert story.panel.order(order) == before


def test_where_a_provider_runs_a_subscription_an_orphan_may_be_of_its_making(story: Story) -> None:
    offered = http_post(story.sandbox.url, data={"key": story.sandbox.key, "action": "services"}).json()
    row = next(row for row in offered if row["type"] == "Subscriptions")
    subscriptions = story.panel.service(
        type="Subscriptions",
        rate="90.00",
        minimum=1,
        maximum=100_000,
        provider=story.upstream,
        upstream_service=int(row["service"]),
        cost_rate=row["rate"],
    )
    fields = {
        "username": "anna",
        "min": int(row["min"]),
        "max": int(row["min"]),
        "delay": 0,
        "old_posts": 1,
        "posts": 9,
    }
    subscription = story.panel.place(story.customer, subscriptions, **fields)
    story.calm()
    assert story.panel.order(subscription)["upstream_order"] is not None
    (made,) = story.trouble("502-after-accept")
    story.after()
    (lost,) = story.trouble("502-before-accept", 200)
    story.after()
    for _ in range(3):
        story.look(seconds=600)
    assert story.state(made) == "unknown"
    assert "may belong to a subscription" in story.hold(made)
    assert story.state(lost) == "queued", "an empty window proves the same as ever"
