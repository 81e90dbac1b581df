"""A refill is sent at most once, whatever the provider answers: the same attempts as those of an order."""

from datetime import UTC, datetime

import pytest
from delivered import deliver, follow, refill, status

from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import (
    UNKNOWN,
    NotSent,
    Outcome,
    RefillDecision,
    claim_refills,
    describe_refills,
    disown_claim,
    list_refill_ids,
    resolve_refills,
    settle_attempts,
)
from hawker.orders.errors import NotForStaff
from hawker.orders.models import RefillState, WorkKind
from hawker.protocol.upstream import Accepted
from hawker.providers.models import Provider
from panel import Panel
from people import ANNA
from processes import SandboxProcess, ServeProcess, start_worker


@pytest.fixture
def service(panel: Panel, upstream: Provider) -> Service:
    return panel.service(provider=upstream, refill=True)


@pytest.fixture
def order(panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service) -> int:
    return deliver(panel, sandbox, customer, service, wishes="fate=completed&refill=completed")


@pytest.fixture
def number(server: ServeProcess, customer: OpenedCustomer, order: int) -> int:
    """A refill that is due to be sent."""
    return refill(server, customer, order)


def attempts(panel: Panel, order: int) -> list[str]:
    return [attempt["state"] for attempt in panel.order(order)["attempts"] if attempt["kind"] == "refill"]


@pytest.mark.parametrize(
    ("fault", "made"),
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
        ("hang-after-accept", 1),
    ],
)
def test_an_answer_that_proves_nothing_leaves_the_refill_unknown(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    order: int,
    number: int,
    fault: str,
    made: int,
) -> None:
    sandbox.faults(f"refill:{fault}={'1:0.2' if fault.startswith('hang') else 1}")
    panel.sweep()
    sandbox.faults()
    follow(panel, sandbox, hours=30)
    panel.sweep()
    assert len(sandbox.calls("refill")) == 1, "an unknown is never sent again"
    assert sum(len(call["refills"]) for call in sandbox.calls("refill")) == made
    assert attempts(panel, order) == ["unknown"]
    assert panel.order(order)["work"] == []
    assert status(server, customer, number) == "Pending"
    assert list_refill_ids(state=UNKNOWN, limit=10) == [number]


def test_a_person_ends_an_unknown_refill_and_then_another_may_be_asked_for(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, order: int, number: int
) -> None:
    sandbox.faults("refill:empty=1")
    panel.sweep()
    sandbox.faults()
    decision = RefillDecision(number, RefillState.COMPLETED, "the provider says on the phone that it did")
    assert resolve_refills([decision], actor=ANNA, now=panel.clock.now()) == [RefillState.COMPLETED]
    assert status(server, customer, number) == "Completed"
    (shown,) = describe_refills([number])
    (attempt,) = shown["attempts"]
    assert attempt["state"] == "manual"
    assert attempt["evidence"].endswith("completed by staff:anna: the provider says on the phone that it did")
    assert list_refill_ids(state=UNKNOWN, limit=10) == []


def test_a_refill_that_is_being_sent_is_not_decided_by_hand(
    panel: Panel, upstream: Provider, order: int, number: int
) -> None:
    (claim,) = claim_refills(upstream.id, limit=1, token="busy/1", now=panel.clock.now())
    (answer,) = resolve_refills([RefillDecision(number, RefillState.REJECTED, "x")], actor=ANNA, now=panel.clock.now())
    assert isinstance(answer, NotForStaff)
    settle_attempts([Outcome(claim.attempt_id, NotSent("the test ends"))], now=panel.clock.now())
    assert panel.order(order)["refills"][0]["state"] == "pending"


def test_a_refill_that_the_provider_refuses_is_rejected(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    # The provider was asked for one just now by somebody else with our key.
    order = deliver(panel, sandbox, customer, service)
    sandbox.ask("refill", order=panel.order(order)["upstream_order"])
    number = refill(server, customer, order)
    panel.sweep()
    shown = panel.order(order)
    assert (status(server, customer, number), shown["work"]) == ("Rejected", [])
    assert shown["refills"][0]["reason"] == "rejected: The refill task is not completed for this order"
    assert attempts(panel, order) == ["rejected"]


def test_a_provider_that_is_busy_is_asked_later(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, order: int, number: int
) -> None:
    sandbox.faults("refill:rate-limit=1")
    panel.sweep()
    sandbox.faults()
    if attempts(panel, order) == ["unknown"]:
        # By turns the sandbox answers 429 without JSON, which proves nothing.
        assert panel.order(order)["work"] == []
        return
    panel.sweep()
    assert len(sandbox.calls("refill")) == 1, "it waits before it is tried again"
    follow(panel, sandbox, minutes=10)
    assert attempts(panel, order) == ["rejected", "accepted"]
    follow(panel, sandbox, hours=1)
    assert status(server, customer, number) == "Completed"


def test_a_refill_id_that_another_refill_has_is_an_alarm_and_not_a_binding(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, order: int, number: int
) -> None:
    other = deliver(panel, sandbox, customer, Service.objects.get())
    panel.sweep()
    assert attempts(panel, order) == ["accepted"]
    sandbox.faults("refill:duplicate-id=1")
    refill(server, customer, other)
    panel.sweep()
    assert attempts(panel, other) == ["unknown"]
    assert panel.order(other)["refills"][0]["upstream_refill"] is None


def test_a_provider_out_of_reach_costs_no_attempt(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, order: int, number: int
) -> None:
    url, upstream.url = upstream.url, "http://127.0.0.1:9/api/v2"
    upstream.save()
    panel.sweep()
    assert attempts(panel, order) == []
    upstream.url = url
    upstream.save()
    panel.sweep()
    assert attempts(panel, order) == ["accepted"]


def test_a_lost_workers_refill_becomes_unknown_and_is_not_sent_again(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, order: int, number: int
) -> None:
    (claim,) = claim_refills(upstream.id, limit=10, token="lost/1", now=panel.clock.now())
    assert claim.order_id == order
    panel.clock.advance(seconds=89)
    panel.sweep()
    assert attempts(panel, order) == ["sending"]
    panel.clock.advance(seconds=2)
    panel.sweep()
    panel.sweep()
    assert attempts(panel, order) == ["unknown"]
    assert sandbox.calls("refill") == []


def test_a_late_answer_still_settles_its_own_unknown(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, order: int, number: int
) -> None:
    (claim,) = claim_refills(upstream.id, limit=1, token="slow/1", now=panel.clock.now())
    panel.clock.advance(seconds=91)
    panel.sweep()
    assert attempts(panel, order) == ["unknown"]
    settle_attempts([Outcome(claim.attempt_id, Accepted(777), 200, '{"refill":"777"}')], now=panel.clock.now())
    shown = panel.order(order)
    assert shown["refills"][0]["upstream_refill"] == 777
    assert [due["kind"] for due in shown["work"]] == ["follow"]


def test_a_claim_that_was_disowned_is_sent_again(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, order: int, number: int
) -> None:
    claim_refills(upstream.id, limit=1, token="disowned/1", now=panel.clock.now())
    disown_claim("disowned/1", now=panel.clock.now())
    follow(panel, sandbox, minutes=1)
    assert attempts(panel, order) == ["not_sent", "accepted"]
    assert len(sandbox.calls("refill")) == 1


def test_an_unreadable_answer_about_a_refill_changes_nothing(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, order: int, number: int
) -> None:
    panel.sweep()
    sandbox.advance(hours=2)
    for fault in ("html", "empty", "502-before-accept", "reset-before-accept", "truncated"):
        sandbox.faults(f"refill_status:{fault}=1")
        panel.clock.advance(minutes=30)
        panel.sweep(WorkKind.FOLLOW)
        assert status(server, customer, number) == "Pending"
    sandbox.faults("refill_status:wrong-types=1")
    panel.clock.advance(minutes=30)
    panel.sweep(WorkKind.FOLLOW)
    assert status(server, customer, number) == "Completed"


@pytest.mark.parametrize(
    ("point", "sent", "then"),
    [
        # Before the claim is committed nothing has happened: another worker sends it.
        ("claim-before-commit", 0, ["accepted"]),
        ("claimed", 0, ["unknown"]),
        ("send-before-write", 0, ["unknown"]),
        ("answered", 1, ["unknown"]),
        ("settle-before-commit", 1, ["unknown"]),
        ("settled", 1, ["accepted"]),
    ],
)
def test_a_refill_whose_worker_was_killed_is_sent_once_at_most(
    panel: Panel, sandbox: SandboxProcess, order: int, number: int, point: str, sent: int, then: list[str]
) -> None:
    with start_worker({"HAWKER_TESTING": "1", "HAWKER_FAILPOINTS": f"{point}=kill"}) as worker:
        assert worker.wait(60) == -9
    assert len(sandbox.calls("refill")) == sent
    panel.clock.instant = datetime.now(UTC)
    follow(panel, sandbox, minutes=3)
    follow(panel, sandbox, hours=1)
    assert attempts(panel, order) == then
    assert len(sandbox.calls("refill")) == (1 if then == ["accepted"] else sent)
