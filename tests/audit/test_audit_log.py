"""The audit log keeps what was done: nothing is changed in it, nothing done without it, nothing of what failed."""

import asyncio
import time
from typing import Any

import msgspec
import psycopg
import pytest
from django.db import connection

from hawker.accounts.actions import set_customer_active
from hawker.accounts.models import User
from hawker.audit.actions import AuditRecord, audited, list_audit_events, record_audit
from hawker.core.actors import Actor, ActorKind
from hawker.core.settings import settings
from hawker.core.sql import in_transaction
from hawker.ledger.actions import correct_balance
from hawker.ledger.customers import change_balance
from hawker.ledger.errors import AlreadyCredited, NotEnoughFunds
from hawker.ledger.models import Correction, Deposit, Transfer
from hawker.orders.invariants import check_invariants
from one_process import Call, run_commands
from panel import Panel
from people import ANNA, ROOT
from processes import hawker

UNAUDITED = psycopg.errors.CheckViolation
APP = "hawker_app"

CORRECTION = """
    INSERT INTO correction (account_id, amount_micros, reason, created_at, actor_kind, actor_id, actor_name)
    VALUES ({}, {}, 'x', now(), 'cli', 7, 'mallory')
"""
DEPOSIT = """
    INSERT INTO deposit (account_id, gateway, gateway_transaction, amount_micros, reason, created_at, actor_kind,
                         actor_name)
    VALUES ({}, '{}', 'T1', 5000000, 'x', now(), 'cli', 'mallory')
"""
TRANSFER = """
    INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq,
                          balance_after_micros, created_at, operation)
    VALUES ('{kind}', {house}, {account}, 5000000, 'USD', {reference}, 0, {account}, 2, 15000000, now(), 'a test')
"""
AUDIT = """
    INSERT INTO audit_event (at, actor_kind, actor_id, actor_name, address, action, subject_kind, subject_id, reason,
                             transfer_kind, transfer_reference, transaction_id)
    VALUES (now(), '{kind}', {id}, '{name}', 'local', 'customer.credit', 'account', '1', '{reason}', 'correction',
            {reference}, txid_current())
"""


@pytest.fixture
def account(panel: Panel) -> int:
    return panel.customer(credit="10.00").account_id


def as_role(role: str = APP) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(settings().folder.embedded_url(role))


def actions() -> list[str]:
    return [event["action"] for event in list_audit_events(limit=100)]


def test_a_correction_without_its_row_is_refused_at_commit(account: int) -> None:
    for role in (APP, "hawker"):
        session = as_role(role)
        session.execute(CORRECTION.format(account, 5))
        with pytest.raises(UNAUDITED, match="the audit log does not tell who did it"):
            session.commit()
        session.close()
    assert not Correction.objects.exists()


@pytest.mark.parametrize(("kind", "house"), [("correction", 4), ("deposit", 3)])
def test_a_transfer_that_nobody_answers_for_is_refused_at_commit(account: int, kind: str, house: int) -> None:
    session = as_role()
    session.execute(TRANSFER.format(kind=kind, house=house, account=account, reference=777))
    with pytest.raises(UNAUDITED, match=f"not what {kind} 777 says"):
        session.commit()
    session.close()
    assert Transfer.objects.count() == 1


def test_money_of_a_gateway_needs_no_row_and_what_staff_say_came_in_does(account: int) -> None:
    session = as_role()
    session.execute(DEPOSIT.format(account, "manual"))
    with pytest.raises(UNAUDITED):
        session.commit()
    session.execute(DEPOSIT.format(account, "bank"))
    session.rollback()
    session.close()
    assert Deposit.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "earlier"),
    [
        ({"name": "anna"}, False),
        ({"id": 8}, False),
        ({"id": "NULL"}, False),
        ({"kind": "staff"}, False),
        ({"reason": "y"}, False),
        ({"reference": 1}, False),
        ({}, True),
    ],
    ids=[
        "another name",
        "another id",
        "no id",
        "another kind",
        "another reason",
        "another correction",
        "an earlier transaction",
    ],
)
def test_a_row_that_tells_of_something_else_does_not_do(account: int, wrong: dict[str, object], earlier: bool) -> None:
    session = as_role()
    (number,) = session.execute("SELECT nextval('correction_id_seq') + 1").fetchone() or (0,)
    right = {"kind": "cli", "id": 7, "name": "mallory", "reason": "x", "reference": number}
    if earlier:
        session.execute(AUDIT.format(**right))
        session.commit()
    session.execute(CORRECTION.format(account, 5))
    if not earlier:
        session.execute(AUDIT.format(**right | wrong))
    with pytest.raises(UNAUDITED):
        session.commit()
    session.close()
    assert not Correction.objects.exists()


def test_the_check_finds_money_that_nobody_answers_for(panel: Panel, account: int) -> None:
    correct_balance(account, 5, actor=ANNA, reason="a gift", now=panel.clock.now())
    (event, *_) = list_audit_events(limit=10)
    assert (event["actor"], event["address"], event["reason"]) == ("staff:anna", "192.0.2.7", "a gift")
    assert (event["before"], event["after"]) == ({"balance": "10.00"}, {"balance": "10.000005"})
    with as_role("hawker") as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM audit_event WHERE transfer_kind = 'correction'")
        owner.execute("DELETE FROM audit_event WHERE transfer_kind = 'correction'")
        owner.commit()
        (breach,) = check_invariants().breaches
        assert breach.invariant == "I14"
        assert "no row of the audit log has it, by staff 'anna' for 'a gift'" in breach.what
        owner.execute("INSERT INTO audit_event SELECT * FROM kept")


def test_the_check_finds_a_guard_that_was_taken_away(panel: Panel) -> None:
    with as_role("hawker") as owner:
        owner.execute("ALTER TABLE transfer DISABLE TRIGGER transfer_audited")
        owner.commit()
        (breach,) = check_invariants().breaches
        assert (breach.invariant, breach.what) == ("I5", "trigger transfer_audited on transfer is switched off")
        owner.execute("ALTER TABLE transfer ENABLE TRIGGER transfer_audited")


def test_what_is_refused_leaves_no_row(panel: Panel, account: int) -> None:
    before = actions()
    with pytest.raises(NotEnoughFunds):
        correct_balance(account, -(10**9), actor=ANNA, reason="x", now=panel.clock.now())
    email = User.objects.get(account__id=account).email
    pay = {"transaction": "T9", "actor": ANNA, "reason": "paid", "now": panel.clock.now()}
    change_balance(email, 5, **pay)
    with pytest.raises(AlreadyCredited):
        change_balance(email, 5, **pay)
    assert actions() == ["customer.credit", *before]


class Stopped(Exception):
    """What goes wrong half way."""


def test_a_change_that_fails_half_way_leaves_neither_change_nor_row(panel: Panel, account: int) -> None:
    user, before = User.objects.get(account__id=account), actions()

    def change_and_fail() -> None:
        with audited(ROOT, "customer.disable", now=panel.clock.now()) as change:
            change.watch("customer", user.email, lambda: {"active": User.objects.get(id=user.id).is_active})
            set_customer_active(user.email, active=False)
            # A verb with a transaction of its own is a part of this one.
            correct_balance(account, 5, actor=ANNA, reason="x", now=panel.clock.now())
            raise Stopped

    with pytest.raises(Stopped):
        change_and_fail()
    user.refresh_from_db()
    assert user.is_active
    assert not Correction.objects.exists()
    assert actions() == before


def test_a_verb_that_comes_first_does_not_commit_by_itself(panel: Panel, account: int) -> None:
    def correct_and_fail() -> None:
        with audited(ROOT, "balance", now=panel.clock.now()):
            correct_balance(account, 5, actor=ANNA, reason="x", now=panel.clock.now())
            raise Stopped

    with pytest.raises(Stopped):
        correct_and_fail()
    assert not Correction.objects.exists()


@pytest.mark.quick
def test_what_differs_is_told_and_nothing_else(panel: Panel) -> None:
    facts: dict[str, object] = {"name": "a", "rate": "0.90", "gone": 1}
    with audited(ANNA, "service.set", reason="season", now=panel.clock.now()) as change:
        change.watch("service", 5, lambda: facts)
        facts = {"name": "a", "rate": "0.95", "new": "\0\x1b[31m"}
    (event,) = list_audit_events(limit=1)
    assert (event["before"], event["after"]) == ({"rate": "0.90", "gone": 1}, {"rate": "0.95", "new": "\ufffd\x1b[31m"})
    assert (event["actor_kind"], event["address"], event["subject"]) == (
        "staff",
        "192.0.2.7",
        {"kind": "service", "id": "5"},
    )


def test_a_secret_is_not_taken(panel: Panel) -> None:
    event = AuditRecord(ROOT, "key.add", "key", "1", after={"api_key": "x"})
    with pytest.raises(AssertionError, match="secrets do not belong"):
        in_transaction(lambda cursor: record_audit(cursor, [event], now=panel.clock.now()))


@pytest.mark.quick
def test_two_who_change_one_subject_go_one_after_the_other(panel: Panel) -> None:
    """Each waits for the one before, so its `before` is what that one left."""
    seen: list[int] = []

    def work(n: int) -> None:
        try:
            with audited(Actor(ActorKind.STAFF, n, f"{n}"), "counter.turn", now=panel.clock.now()) as change:
                change.watch("counter", "c", dict)
                before = len(list_audit_events(subject="counter:c", limit=100))
                time.sleep(0.05)
                seen.append(before)
        finally:
            connection.close()

    async def race() -> None:
        await asyncio.gather(*(asyncio.to_thread(work, n) for n in range(4)))

    asyncio.run(race())
    assert seen == [0, 1, 2, 3]


def test_the_log_is_listed_by_whom_what_and_whom_about(panel: Panel) -> None:
    event = AuditRecord(ROOT, "key.revoke", "key", "1", reason="lost")
    other = AuditRecord(ANNA, "keyring.add", "key", "2")
    in_transaction(lambda cursor: record_audit(cursor, [event, other], now=panel.clock.now()))

    def listed(*words: str) -> list[str]:
        done = hawker(settings().data_dir, "audit", "list", *words)
        assert done.returncode == 0, done.stderr
        return [event["action"] for event in msgspec.json.decode(done.stdout)]

    assert listed() == ["keyring.add", "key.revoke"]
    assert listed("--actor", "cli:root", "--since", "1h") == ["key.revoke"]
    assert listed("--action", "key") == ["key.revoke"]
    assert listed("--subject", "key:2", "--limit", "1") == ["keyring.add"]
    assert listed("--since", "2999-01-01") == []


def test_what_was_done_to_one_customer_is_listed(panel: Panel, account: int) -> None:
    """Their balance by the account, their keys by number, all else by the address; nobody else's."""
    user = User.objects.get(account__id=account)
    panel.customer()
    calls = [
        Call(("key", "add", user.email)),
        Call(("customer", "disable", user.email)),
        Call(("audit", "list", "--customer", user.email.upper())),
        Call(("audit", "list", "--customer", "stranger@example.com")),
    ]
    *_, listed, stranger = run_commands(calls)
    assert [event["action"] for event in listed.answer] == ["customer.disable", "key.add", "customer.add"]
    assert (stranger.code, stranger.stdout) == (1, "")
