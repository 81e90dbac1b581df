"""The database refuses a second live attempt, a second owner of an upstream id, and moves that do not exist."""

from itertools import product

import psycopg
import pytest

from hawker.core.settings import settings
from hawker.orders import claim_dispatches
from hawker.orders.models import AttemptState, State
from hawker.orders.sending import settling as settle
from hawker.orders.transitions.rules import TRANSITIONS
from hawker.protocol.upstream import Accepted
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess


@pytest.fixture
def sent(panel: Panel, sandbox: SandboxProcess) -> int:
    """An order that its provider has accepted."""
    order: int = panel.place(panel.customer(), panel.service(provider=panel.provider(sandbox)))
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert panel.order(order)["state"] == "submitted"
    return order


def refused(statement: str, error: type[Exception]) -> None:
    """The application's statement fails this way, and changes nothing."""
    with pytest.raises(error), psycopg.connect(settings().folder.embedded_url("hawker_app")) as connection:
        connection.execute(statement)  # type: ignore[arg-type]


COPY_ATTEMPT = """
    INSERT INTO attempt (order_id, kind, n, provider_id, state, lease_until, worker, started_at, body_head, evidence,
                         upstream_id)
    SELECT {order}, kind, n + 1, provider_id, '{state}', lease_until, worker, started_at, '', '', {upstream}
      FROM attempt WHERE order_id = {source}
"""

SET_ATTEMPT = """
    UPDATE attempt SET state = %(state)s::text, evidence = %(evidence)s,
                       reason = CASE WHEN %(state)s::text = 'rejected' THEN 'other' END
     WHERE order_id = %(order)s
"""


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_a_second_live_attempt_is_refused(sent: int, state: str) -> None:
    refused(COPY_ATTEMPT.format(order=sent, source=sent, state=state, upstream="NULL"), psycopg.errors.UniqueViolation)


def test_an_upstream_id_is_bound_once(panel: Panel, sent: int) -> None:
    other = panel.place(panel.customer(), panel.service())
    refused(
        COPY_ATTEMPT.format(order=other, source=sent, state="accepted", upstream="upstream_id"),
        psycopg.errors.UniqueViolation,
    )
    refused(
        "UPDATE orders SET (provider_id, upstream_id) = "
        f"(SELECT provider_id, upstream_id FROM orders WHERE id = {sent}) WHERE id = {other}",
        psycopg.errors.UniqueViolation,
    )


def test_a_worker_that_overlooks_a_bound_id_is_refused_and_not_asked_for_ever(
    panel: Panel, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = panel.order(sent)["upstream_order"]
    upstream = Provider.objects.get()
    panel.place(panel.customer(), panel.service(provider=upstream))
    panel.clock.advance(seconds=1)
    (claim,) = claim_dispatches(upstream.id, limit=1, token="blind/1", now=panel.clock.now())
    monkeypatch.setattr(settle, "_find_bound", lambda *_: set())
    with pytest.raises(psycopg.errors.UniqueViolation):
        settle.settle_attempts([settle.Outcome(claim.attempt_id, Accepted(number))], now=panel.clock.now())
    assert panel.order(claim.order_id)["state"] == "sending"


def test_moves_outside_the_table_are_refused(panel: Panel, sent: int) -> None:
    every = [State(state) for state in State.values]
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        for before, after in product(every, every):
            if before is after:
                continue
            owner.execute("SET session_replication_role = replica")
            owner.execute("UPDATE orders SET state = %s, earned_micros = charge_micros WHERE id = %s", [before, sent])
            owner.execute("SET session_replication_role = origin")
            allowed = after in TRANSITIONS[before]
            try:
                owner.execute("UPDATE orders SET state = %s WHERE id = %s", [after, sent])
                assert allowed, f"{before} > {after} went through"
            except psycopg.errors.CheckViolation:
                assert not allowed, f"{before} > {after} was refused"
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE orders SET state = 'submitted', earned_micros = 0 WHERE id = %s", [sent])


ATTEMPT_MOVES = {
    ("sending", "accepted"),
    ("sending", "rejected"),
    ("sending", "not_sent"),
    ("sending", "unknown"),
    ("unknown", "accepted"),
    ("unknown", "not_created"),
    ("unknown", "manual"),
}


def test_an_attempt_moves_only_as_written_down(sent: int) -> None:
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        for before, after in product(AttemptState.values, AttemptState.values):
            if before == after:
                continue
            owner.execute("SET session_replication_role = replica")
            owner.execute(SET_ATTEMPT, {"state": before, "evidence": "before", "order": sent})
            owner.execute("SET session_replication_role = origin")
            try:
                owner.execute(SET_ATTEMPT, {"state": after, "evidence": "after", "order": sent})
                assert (before, after) in ATTEMPT_MOVES, f"{before} > {after} went through"
            except psycopg.errors.CheckViolation:
                assert (before, after) not in ATTEMPT_MOVES, f"{before} > {after} was refused"
        owner.execute("SET session_replication_role = replica")
        owner.execute(SET_ATTEMPT, {"state": "accepted", "evidence": "", "order": sent})


def test_unknown_is_left_only_with_evidence(sent: int) -> None:
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE attempt SET state = 'unknown', evidence = 'read timeout' WHERE order_id = %s", [sent])
        owner.execute("SET session_replication_role = origin")
        with pytest.raises(psycopg.errors.CheckViolation, match="needs evidence"):
            owner.execute("UPDATE attempt SET state = 'accepted' WHERE order_id = %s", [sent])
        owner.execute("UPDATE attempt SET state = 'accepted', evidence = 'found it' WHERE order_id = %s", [sent])


@pytest.mark.parametrize(
    "change",
    ["charge_micros = 1", "quantity = 1", "link = 'x'", "account_id = 1", "service_id = 9", "upstream_id = 1"],
)
def test_the_terms_of_an_order_stay(sent: int, change: str) -> None:
    refused(f"UPDATE orders SET {change} WHERE id = {sent}", psycopg.errors.RestrictViolation)


def test_an_order_cannot_end_with_money_in_escrow(sent: int) -> None:
    refused(f"UPDATE orders SET state = 'completed' WHERE id = {sent}", psycopg.errors.CheckViolation)
    refused(f"UPDATE orders SET earned_micros = charge_micros + 1 WHERE id = {sent}", psycopg.errors.CheckViolation)
