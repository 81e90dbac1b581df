"""`hawker order resolve`: what staff decide of an order that stays unknown, to the cent and with evidence."""

from typing import Any

import msgspec
import pytest

from hawker.core.settings import settings
from hawker.orders import bind_order, claim_dispatches, refund_order, resend_order
from hawker.orders.errors import CannotResolve
from hawker.orders.models import WorkKind
from panel import Panel
from people import ANNA
from plain_http import http_post
from processes import SandboxProcess, hawker
from unknowns import Story


@pytest.fixture
def story(panel: Panel, sandbox: SandboxProcess) -> Story:
    return Story(panel, sandbox)


def resolve(order: int, *words: object) -> Any:
    """What the command answers; fails where it did not succeed."""
    done = run(order, *words)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


def run(order: int, *words: object) -> Any:
    return hawker(settings().data_dir, "order", "resolve", str(order), *map(str, words))


def decide(story: Story) -> dict[str, Any]:
    """Who resolves in this process, and when."""
    return {"actor": ANNA, "reason": "their support says so", "now": story.panel.clock.now()}


def test_an_order_is_bound_to_the_number_that_the_provider_has_it_under(story: Story) -> None:
    other, *_ = story.calm()
    (order,) = story.trouble("502-after-accept")
    (number,) = story.made(order)
    taken = story.panel.order(other)["upstream_order"]
    before = story.panel.order(order)
    with pytest.raises(CannotResolve, match=f"has order {other} under {taken}"):
        bind_order(order, taken, **decide(story))
    assert story.panel.order(order) == before
    bind_order(order, number, **decide(story))
    shown = story.panel.order(order)
    assert (shown["state"], shown["upstream_order"]) == ("submitted", number)
    assert shown["attempts"][0]["state"] == "accepted"
    (step,) = shown["attempts"][0]["steps"]
    assert (step["kind"], step["text"]) == ("decision", f"bound to {number} by staff:anna: their support says so")
    assert shown["events"][-1]["actor"] == "staff:anna"
    story.sandbox.advance(days=30)
    story.panel.clock.advance(minutes=10)
    story.panel.sweep()
    assert story.state(order) == "completed"
    with pytest.raises(CannotResolve, match="is not unknown"):
        refund_order(order, **decide(story))


def test_an_order_is_sent_again(story: Story) -> None:
    story.calm()
    (order,) = story.trouble("502-before-accept")
    resend_order(order, **decide(story))
    story.send()
    assert story.state(order) == "submitted"
    story.assert_bound(order)
    assert [a["state"] for a in story.panel.order(order)["attempts"]] == ["not_created", "accepted"]


@pytest.mark.quick
def test_an_order_is_given_back_in_full(story: Story) -> None:
    before = story.panel.balance(story.customer)
    (order,) = story.trouble("502-after-accept")
    assert story.panel.balance(story.customer) == before - 180_000
    refund_order(order, **decide(story))
    shown = story.panel.order(order)
    assert (shown["state"], shown["refunded"], shown["work"]) == ("canceled", "0.18", [])
    assert shown["attempts"][0]["state"] == "manual"
    assert story.panel.balance(story.customer) == before


def test_what_was_given_back_may_still_have_made_an_orphan(story: Story) -> None:
    story.calm()
    (first,) = story.trouble("502-after-accept")
    (second,) = story.trouble("502-before-accept")
    refund_order(first, **decide(story))
    story.after()
    for _ in range(3):
        story.look(seconds=3600)
    assert story.state(second) == "unknown", "the orphan is the first one's, but nobody can know"


def test_a_decision_settles_what_was_ambiguous_because_of_it(story: Story) -> None:
    story.calm()
    (made,) = story.trouble("502-after-accept")
    (lost,) = story.trouble("502-before-accept")
    story.after()
    story.look()
    assert [story.state(made), story.state(lost)] == ["unknown", "unknown"]
    bind_order(made, story.made(made)[0], **decide(story))
    story.look(seconds=1)
    story.look()
    assert story.state(lost) == "queued"


def test_the_command_asks_the_provider_before_it_binds(story: Story) -> None:
    # A panel of this test alone: the command has another secret, so it connects the provider itself.
    hawker(
        settings().data_dir,
        *("provider", "set", "upstream", "--url", story.sandbox.url, "--key", story.sandbox.key),
    )
    order = unknown_by_hand(story)
    for words, sentence in (
        ([], "say one of"),
        (["--resend", "--refund"], "say one of"),
        (["--bind", 999_999], "does not tell of an order 999999 of ours"),
    ):
        done = run(order, *words, "--reason", "because")
        assert (done.returncode, done.stdout) == (1, "")
        assert sentence in done.stderr
    assert story.state(order) == "unknown"
    assert "is not unknown" in run(order + 1000, "--refund", "--reason", "because").stderr
    (number,) = story.made(order)
    bound = resolve(order, "--bind", number, "--reason", "found in their panel")
    assert bound == {"order": order, "state": "submitted", "upstream_order": number, "refunded": "0.00"}


def unknown_by_hand(story: Story) -> int:
    """An unknown order without this process calling the provider, whose key it cannot read any more."""
    order = story.place()
    story.panel.clock.advance(seconds=6)
    (claim,) = claim_dispatches(story.upstream.id, limit=1, token="killed/1", now=story.panel.clock.now())
    http_post(story.sandbox.url, data={"key": story.sandbox.key, **claim.fields})
    story.panel.clock.advance(seconds=91)
    story.panel.sweep(WorkKind.DRIP)
    return order
