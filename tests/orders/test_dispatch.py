"""Sending at most once: what each kind of answer makes of an order, against a real upstream with faults."""

from functools import partial

import pytest
from slowly import slowly

from hawker.core.redaction import without
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import NotSent, Outcome, claim_dispatches, disown_claim, settle_attempts
from hawker.orders.models import WorkKind
from hawker.protocol.upstream import Accepted, Unknown
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess


@pytest.fixture
def order(panel: Panel, customer: OpenedCustomer, upstream: Provider) -> int:
    """An order of 100 at 0.90 per 1,000, due for sending."""
    placed: int = panel.place(customer, panel.service(provider=upstream))
    panel.clock.advance(seconds=1)
    return placed


@pytest.mark.parametrize(
    ("fault", "created"),
    [
        ("reset-before-accept", 0),
        ("reset-after-accept", 1),
        ("502-before-accept", 0),
        ("502-after-accept", 1),
        ("html", 0),
        ("html-after-accept", 1),
        ("empty", 1),
        ("truncated", 1),
        ("both-order-and-error", 1),
        ("redirect", 0),
    ],
)
def test_an_answer_that_proves_nothing_leaves_the_order_unknown(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, order: int, fault: str, created: int
) -> None:
    sandbox.faults(f"{fault}=1")
    panel.sweep()
    sandbox.faults()
    panel.clock.advance(hours=2)
    panel.sweep(WorkKind.DISPATCH)
    assert len(sandbox.calls("add")) == 1, "an unknown is never sent again"
    assert len(sandbox.orders()) == created
    shown = panel.order(order)
    assert (shown["state"], shown["status"]) == ("unknown", "Pending")
    assert shown["attempts"][0]["state"] == "unknown"
    assert shown["attempts"][0]["evidence"]
    assert panel.balance(customer) == 9_910_000


def test_a_loose_answer_is_still_an_answer(panel: Panel, sandbox: SandboxProcess, order: int) -> None:
    sandbox.faults("wrong-types=1", "status:wrong-types=1")
    panel.sweep()
    assert panel.order(order)["state"] == "submitted"
    sandbox.advance(days=30)
    panel.clock.advance(seconds=10)
    panel.sweep()
    assert panel.order(order)["state"] in ("completed", "partial", "canceled")


@pytest.mark.quick
def test_a_rejected_order_is_canceled_and_refunded(panel: Panel, customer: OpenedCustomer, upstream: Provider) -> None:
    order = panel.place(customer, panel.service(provider=upstream, upstream_service=199_999))
    panel.clock.advance(seconds=1)
    panel.sweep()
    shown = panel.order(order)
    assert (shown["state"], shown["refunded"], shown["work"]) == ("canceled", "0.09", [])
    assert [(event["from"], event["to"]) for event in shown["events"]] == [
        ("queued", "sending"),
        ("sending", "rejected"),
        ("rejected", "canceled"),
    ]
    assert panel.balance(customer) == 10_000_000


def test_without_funds_upstream_the_provider_is_paused_and_the_order_waits(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, order: int
) -> None:
    sandbox.faults("out-of-funds=1")
    panel.sweep()
    panel.clock.advance(seconds=30)
    panel.sweep()
    assert len(sandbox.calls("add")) == 1, "a paused provider is left alone"
    assert panel.order(order)["state"] == "queued"
    upstream.refresh_from_db()
    assert upstream.paused_until is not None
    assert "funds" in upstream.pause_reason
    sandbox.faults()
    panel.clock.advance(minutes=3)
    panel.sweep()
    assert panel.order(order)["state"] == "submitted"


@pytest.mark.parametrize("fault", ["active-order", "rate-limit"])
def test_an_order_that_cannot_be_taken_now_waits_and_is_sent_later(
    panel: Panel, sandbox: SandboxProcess, order: int, fault: str
) -> None:
    sandbox.faults(f"{fault}=1")
    panel.sweep()
    waiting = panel.order(order)
    if waiting["state"] == "unknown":
        assert fault == "rate-limit", "a 429 without JSON proves nothing"
        return
    assert waiting["state"] == "queued"
    panel.sweep()
    assert len(sandbox.calls("add")) == 1, "it waits before it is tried again"
    sandbox.faults()
    panel.clock.advance(minutes=10)
    panel.sweep()
    assert panel.order(order)["state"] == "submitted"
    assert len(sandbox.orders()) == 1


def test_the_next_provider_gets_what_the_first_rejects(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider
) -> None:
    from hawker.catalog.models import Route

    second = panel.provider(sandbox, name="second")
    service = panel.service(provider=upstream, upstream_service=199_999)
    Route.objects.create(service=service, provider=second, position=1, upstream_service=1, cost_rate="0.50")
    order = panel.place(customer, service)
    panel.clock.advance(seconds=1)
    panel.sweep()
    panel.sweep()
    shown = panel.order(order)
    assert (shown["state"], shown["provider"]) == ("submitted", second.id)
    assert [attempt["state"] for attempt in shown["attempts"]] == ["rejected", "accepted"]


def test_an_upstream_id_that_another_order_has_is_an_alarm_and_not_a_binding(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, order: int
) -> None:
    panel.sweep()
    sandbox.faults("duplicate-id=1")
    second = panel.place(customer, panel.service(provider=Provider.objects.get()))
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert panel.order(order)["state"] == "submitted"
    assert panel.order(second)["state"] == "unknown"
    assert "belongs to another order" in panel.order(second)["attempts"][0]["evidence"]


def test_a_provider_out_of_reach_costs_no_attempt(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, order: int
) -> None:
    url, upstream.url = upstream.url, "http://127.0.0.1:9/api/v2"
    upstream.save()
    panel.sweep()
    shown = panel.order(order)
    assert (shown["state"], shown["attempts"]) == ("queued", [])
    upstream.url = url
    upstream.save()
    panel.sweep()
    assert panel.order(order)["state"] == "submitted"


def test_an_order_sold_under_its_cost_is_held(panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer) -> None:
    service = panel.service(provider=panel.provider(sandbox, name="dear"), rate="0.90", cost_rate="0.91")
    order = panel.place(customer, service)
    panel.clock.advance(seconds=1)
    panel.sweep()
    panel.sweep()
    shown = panel.order(order)
    assert (shown["state"], shown["attempts"]) == ("queued", [])
    assert shown["work"][0]["hold"] == "cost above the charge"
    assert sandbox.calls("add") == []


def test_a_lost_workers_attempt_becomes_unknown_and_is_not_sent_again(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, order: int
) -> None:
    claims = claim_dispatches(upstream.id, limit=10, token="lost/1", now=panel.clock.now())
    assert [claim.order_id for claim in claims] == [order]
    panel.clock.advance(seconds=89)
    panel.sweep()
    assert panel.order(order)["state"] == "sending"
    panel.clock.advance(seconds=2)
    panel.sweep()
    panel.sweep()
    assert panel.order(order)["state"] == "unknown"
    assert sandbox.calls("add") == []


def test_a_late_answer_still_settles_its_own_unknown(panel: Panel, upstream: Provider, order: int) -> None:
    (claim,) = claim_dispatches(upstream.id, limit=1, token="slow/1", now=panel.clock.now())
    panel.clock.advance(seconds=91)
    panel.sweep()
    assert panel.order(order)["state"] == "unknown"
    settle_attempts([Outcome(claim.attempt_id, Accepted(777), 200, '{"order":777}')], now=panel.clock.now())
    assert (panel.order(order)["state"], panel.order(order)["upstream_order"]) == ("submitted", 777)


def test_settling_twice_changes_nothing_the_second_time(panel: Panel, upstream: Provider, order: int) -> None:
    (claim,) = claim_dispatches(upstream.id, limit=1, token="twice/1", now=panel.clock.now())
    outcome = Outcome(claim.attempt_id, Accepted(778), 200, "")
    assert len(settle_attempts([outcome], now=panel.clock.now())) == 1
    before = panel.order(order)
    assert settle_attempts([outcome], now=panel.clock.now()) == []
    assert settle_attempts([Outcome(claim.attempt_id, Unknown("late"))], now=panel.clock.now()) == []
    assert panel.order(order) == before


def test_a_claim_that_was_disowned_is_queued_again(panel: Panel, upstream: Provider, order: int) -> None:
    claim_dispatches(upstream.id, limit=1, token="disowned/1", now=panel.clock.now())
    (settled,) = disown_claim("disowned/1", now=panel.clock.now())
    assert (settled.order_id, settled.state) == (order, "not_sent")
    assert panel.order(order)["state"] == "queued"
    panel.clock.advance(minutes=1)
    panel.sweep()
    assert panel.order(order)["state"] == "submitted"


def test_two_claims_at_once_never_share_an_order(panel: Panel, upstream: Provider, customer: OpenedCustomer) -> None:
    service = panel.service(provider=upstream)
    orders = {panel.place(customer, service) for _ in range(20)}
    panel.clock.advance(seconds=1)
    claim_of_a = partial(claim_dispatches, upstream.id, limit=12, token="a/1", now=panel.clock.now())
    with slowly("claim-before-commit", claim_of_a) as answers:
        second = claim_dispatches(upstream.id, limit=12, token="b/1", now=panel.clock.now())
    (first,) = answers
    assert len(first) + len(second) == 20
    assert {claim.order_id for claim in first + second} == orders
    settle_attempts(
        [Outcome(claim.attempt_id, NotSent("the test ends")) for claim in first + second], now=panel.clock.now()
    )


def test_a_key_never_shows_in_the_evidence(panel: Panel, sandbox: SandboxProcess, upstream: Provider) -> None:
    assert without('{"error":"bad key a+b/c="}', ["a+b/c="]) == '{"error":"bad key [redacted]"}'
    assert without("key=a%2Bb%2Fc%3D&x", ["a+b/c="]) == "key=[redacted]&x"
    assert sandbox.key.encode() not in bytes(upstream.key_cipher)


def test_an_unreadable_status_changes_nothing(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, order: int
) -> None:
    panel.sweep()
    sandbox.advance(days=30)
    for fault in ("html", "empty", "502-before-accept", "reset-before-accept", "truncated"):
        sandbox.faults(f"status:{fault}=1")
        panel.clock.advance(minutes=30)
        panel.sweep()
        assert panel.order(order)["state"] == "submitted"
    sandbox.faults()
    panel.clock.advance(minutes=30)
    panel.sweep()
    assert panel.order(order)["state"] in ("completed", "partial", "canceled")
