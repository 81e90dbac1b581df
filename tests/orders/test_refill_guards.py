"""The database refuses a second running refill, a second live attempt of one, and moves that do not exist;
the checker finds what nobody refuses."""

from itertools import product

import psycopg
import pytest
from delivered import deliver, refill

from hawker.core.settings import settings
from hawker.orders.invariants import check_invariants
from hawker.orders.models import RefillState
from hawker.orders.refills.rules import REFILL_TRANSITIONS
from panel import Panel, forget_rows
from processes import SandboxProcess, ServeProcess


@pytest.fixture
def order(panel: Panel, sandbox: SandboxProcess, server: ServeProcess) -> int:
    """An order whose refill its provider has taken."""
    customer = panel.customer()
    delivered = deliver(panel, sandbox, customer, panel.service(provider=panel.provider(sandbox), refill=True))
    refill(server, customer, delivered)
    panel.sweep()
    return delivered


def refused(statement: str, error: type[Exception]) -> None:
    """The application's statement fails this way, and changes nothing."""
    with pytest.raises(error), psycopg.connect(settings().folder.embedded_url("hawker_app")) as connection:
        connection.execute(statement)  # type: ignore[arg-type]


COPY_REFILL = """
    INSERT INTO refill (order_id, account_id, state, provider_id, upstream_id, reason, requested_at, updated_at,
                        ended_at)
    SELECT order_id, account_id, '{state}', {provider}, {upstream}, '', requested_at, updated_at, {ended}
      FROM refill WHERE order_id = {order}
"""
COPY_ATTEMPT = """
    INSERT INTO attempt (order_id, kind, refill_id, n, provider_id, state, lease_until, worker, started_at, body_head,
                         evidence)
    SELECT order_id, kind, {refill}, n + 1, provider_id, '{state}', lease_until, worker, started_at, '', ''
      FROM attempt WHERE order_id = {order} AND kind = 'refill'
"""


@pytest.mark.parametrize("state", ["pending", "in_progress"])
def test_a_second_running_refill_is_refused(order: int, state: str) -> None:
    statement = COPY_REFILL.format(order=order, state=state, provider="NULL", upstream="NULL", ended="NULL")
    refused(statement, psycopg.errors.UniqueViolation)


def test_a_refill_that_ended_says_when_and_one_that_runs_does_not(order: int) -> None:
    ended = COPY_REFILL.format(order=order, state="rejected", provider="NULL", upstream="NULL", ended="NULL")
    refused(ended, psycopg.errors.CheckViolation)
    running = COPY_REFILL.format(order=order, state="pending", provider="NULL", upstream="NULL", ended="now()")
    refused(running, psycopg.errors.CheckViolation)


def test_an_upstream_refill_is_bound_once_and_by_a_provider(order: int) -> None:
    twice = COPY_REFILL.format(
        order=order, state="completed", provider="provider_id", upstream="upstream_id", ended="now()"
    )
    refused(twice, psycopg.errors.UniqueViolation)
    nobody = COPY_REFILL.format(order=order, state="completed", provider="NULL", upstream="5", ended="now()")
    refused(nobody, psycopg.errors.CheckViolation)


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_a_second_live_attempt_is_refused(order: int, state: str) -> None:
    refused(COPY_ATTEMPT.format(order=order, state=state, refill="refill_id"), psycopg.errors.UniqueViolation)


def test_an_attempt_of_a_refill_names_it_for_good(order: int) -> None:
    refused(COPY_ATTEMPT.format(order=order, state="rejected", refill="NULL"), psycopg.errors.CheckViolation)
    refused(f"UPDATE attempt SET refill_id = NULL WHERE order_id = {order}", psycopg.errors.RestrictViolation)


@pytest.mark.parametrize(
    "change",
    [
        "order_id = order_id + 1",
        "account_id = 1",
        "requested_at = now()",
        "provider_id = 9",
        "upstream_id = upstream_id + 1",
    ],
)
def test_the_terms_of_a_refill_stay(order: int, change: str) -> None:
    refused(f"UPDATE refill SET {change} WHERE order_id = {order}", psycopg.errors.RestrictViolation)
    refused(f"DELETE FROM refill WHERE order_id = {order}", psycopg.errors.InsufficientPrivilege)


def test_a_refill_moves_only_as_written_down(order: int) -> None:
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        for before, after in product(RefillState, RefillState):
            if before is after:
                continue
            ended = {True: "NULL", False: "now()"}
            running = (RefillState.PENDING, RefillState.IN_PROGRESS)
            put = "UPDATE refill SET state = '{}', ended_at = {} WHERE order_id = {}"
            owner.execute("SET session_replication_role = replica")
            owner.execute(put.format(before.value, ended[before in running], order))  # type: ignore[arg-type]
            owner.execute("SET session_replication_role = origin")
            allowed = after in REFILL_TRANSITIONS[before]
            try:
                owner.execute(put.format(after.value, ended[after in running], order))  # type: ignore[arg-type]
                assert allowed, f"{before} > {after} went through"
            except psycopg.errors.CheckViolation:
                assert not allowed, f"{before} > {after} was refused"
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE refill SET state = 'pending', ended_at = NULL WHERE order_id = %s", [order])


TAMPERING = {
    "no follow work": "DELETE FROM work WHERE order_id = {order}",
    "both kinds of work": "INSERT INTO work VALUES ({order}, 'refill', 1, now(), 0, '', NULL)",
    "an end without the work's": "UPDATE refill SET state = 'completed', ended_at = now() WHERE order_id = {order}",
    "another upstream id": "UPDATE refill SET upstream_id = upstream_id + 1 WHERE order_id = {order}",
    "another account": "UPDATE refill SET account_id = account_id + 1 WHERE order_id = {order}",
    "an attempt in doubt": "UPDATE attempt SET state = 'unknown' WHERE order_id = {order} AND kind = 'refill'",
    "a wish in the queue": "UPDATE orders SET cancel_requested_at = now() WHERE id = {other}",
    "a cancel nobody wished": "INSERT INTO work VALUES ({order}, 'cancel', 1, now(), 0, '', NULL)",
}


@pytest.mark.parametrize("what", TAMPERING)
def test_the_checker_finds(panel: Panel, order: int, what: str) -> None:
    other = panel.place(panel.customer(), panel.service(cancel=True))
    with psycopg.connect(settings().folder.embedded_url("hawker")) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(TAMPERING[what].format(order=order, other=other))  # type: ignore[arg-type]
        owner.commit()
        breached = {breach.invariant for breach in check_invariants().breaches}
        assert breached & {"refills", "cancels"}, breached
    forget_rows()
