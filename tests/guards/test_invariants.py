"""Every invariant is broken once, past the guards of the database, and the check names it.

Each breach is planted in a transaction of the owner with constraints dropped and triggers off, and rolled back.
"""

from typing import LiteralString

import psycopg
import pytest

from hawker.core.settings import settings
from hawker.ledger.actions import correct_balance
from hawker.orders.invariants import EVERY_INVARIANT
from panel import Panel
from people import ANNA
from processes import SandboxProcess

ATTEMPT_AGAIN = """
    INSERT INTO attempt (order_id, kind, n, provider_id, state, lease_until, worker, started_at, body_head, evidence)
    SELECT order_id, kind, n + 1, provider_id, 'unknown', lease_until, worker, started_at, '', ''
      FROM attempt WHERE order_id = {sent}
"""

BIND_AGAIN = """
    UPDATE orders o SET provider_id = s.provider_id, upstream_id = s.upstream_id FROM orders s
     WHERE s.id = {sent} AND o.id = {waiting}
"""

BREACHES: dict[str, tuple[LiteralString, ...]] = {
    "I1": (
        "ALTER TABLE transfer DROP CONSTRAINT transfer_amount_positive",
        "UPDATE transfer SET amount_micros = 0 WHERE account_id = {account} AND seq = 2",
    ),
    "I2": (
        "ALTER TABLE account DROP CONSTRAINT account_not_overspent",
        "UPDATE account SET balance_micros = -1 WHERE id = {account}",
    ),
    "I3": ("UPDATE account SET balance_micros = balance_micros + 1 WHERE id = {account}",),
    "I4": ("UPDATE transfer SET balance_after_micros = 0 WHERE account_id = {account} AND seq = 2",),
    "I5": ("ALTER TABLE transfer DISABLE TRIGGER transfer_append_only",),
    "I6": ("DELETE FROM transfer WHERE kind = 'charge' AND reference = {sent}",),
    "I7": ("UPDATE orders SET earned_micros = earned_micros + 1 WHERE id = {sent}",),
    "I8": (
        "ALTER TABLE orders DROP CONSTRAINT orders_finished_settled",
        "UPDATE orders SET state = 'completed' WHERE id = {sent}",
    ),
    "I9": (
        "ALTER TABLE deposit DROP CONSTRAINT deposit_once",
        "UPDATE deposit SET (gateway, gateway_transaction) = ('bank', 'T1')",
    ),
    "I10": ("UPDATE transfer SET currency = 'EUR' WHERE account_id = {account} AND seq = 2",),
    "I11": ("UPDATE account SET balance_micros = balance_micros + 1 WHERE id = {account}",),
    "I12": ("DROP INDEX attempt_one_live", ATTEMPT_AGAIN),
    "I13": (
        "DROP INDEX orders_upstream_unique",
        BIND_AGAIN,
    ),
    "I14": ("DELETE FROM audit_event WHERE transfer_kind = 'correction'",),
    "work": ("DELETE FROM work WHERE order_id = {sent}",),
    "drip": ("UPDATE orders SET runs = 1 WHERE id = {waiting}",),
    "requests": ("UPDATE order_request SET account_id = account_id + 1",),
    "price": ("UPDATE orders SET rate = '9' WHERE id = {sent}",),
    "links": ("UPDATE active_link SET service_id = service_id + 1",),
    "references": ("UPDATE orders SET service_id = 999999 WHERE id = {waiting}",),
    "refills": ("UPDATE orders SET ended_at = now() WHERE id = {waiting}",),
    "cancels": ("UPDATE orders SET cancel_requested_at = now() WHERE id = {waiting}",),
    "subscriptions": ("UPDATE orders SET type = 'Subscriptions' WHERE id = {waiting}",),
}
"""For each invariant, what its guards are and what breaks it without them."""


@pytest.fixture
def places(panel: Panel, sandbox: SandboxProcess) -> dict[str, int]:
    """An order at its provider and one that waits, two deposits and a correction: something of each invariant."""
    customer = panel.customer(credit="10.00")
    panel.customer(credit="10.00")
    service = panel.service(provider=panel.provider(sandbox), one_active_per_link=True)
    sent = panel.place(customer, service, request_id="name")
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert panel.order(sent)["state"] == "submitted"
    correct_balance(customer.account_id, 5, actor=ANNA, reason="a gift", now=panel.clock.now())
    return {"account": customer.account_id, "sent": sent, "waiting": panel.place(customer, panel.service())}


def breached(cursor: psycopg.Cursor) -> set[str]:
    """The invariants that do not hold in this transaction."""
    return {each.name for each in EVERY_INVARIANT if cursor.execute(each.breaches).fetchone() is not None}  # type: ignore[arg-type]


def test_the_check_finds_a_breach_of_every_invariant(places: dict[str, int]) -> None:
    found = {}
    with psycopg.connect(settings().folder.embedded_url("hawker")) as owner:
        assert breached(owner.cursor()) == set()
        owner.rollback()
        for name, statements in BREACHES.items():
            with owner.transaction(force_rollback=True):
                cursor = owner.cursor()
                cursor.execute("SET LOCAL session_replication_role = replica")
                for statement in statements:
                    cursor.execute(statement.format(**places))
                assert cursor.rowcount != 0, name
                found[name] = name in breached(cursor)
    assert [name for name, seen in found.items() if not seen] == []


def test_no_invariant_is_left_out() -> None:
    assert sorted(BREACHES) == sorted(each.name for each in EVERY_INVARIANT)
