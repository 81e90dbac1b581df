"""What somebody may try who has the application's database login: every attack, and the guard that refuses it.

Each is one transaction of the role `hawker_app`. Afterwards nothing has changed, and every invariant holds.
"""

from collections.abc import Mapping

import psycopg
import pytest

from hawker.core.settings import settings
from hawker.ledger.models import Account, Deposit
from hawker.orders import CancelAsk, request_cancels
from panel import Panel
from processes import SandboxProcess

NO_RIGHT = "42501"
APPEND_ONLY = "23001"

ENTRY = """
    INSERT INTO public.transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq,
                                 balance_after_micros, created_at, operation)
    VALUES ('{kind}', {debit}, {credit}, 5000000, 'USD', {reference}, {part}, {account}, {seq}, {after}, now(),
            'a test');
"""
TAKEN = "UPDATE public.account SET balance_micros = balance_micros + 5000000, seq = seq + 1 WHERE id = {account};"
"""What makes a forged entry count."""

ATTEMPT = """
    INSERT INTO attempt (order_id, kind, n, provider_id, state, lease_until, worker, started_at, body_head, evidence,
                         upstream_id)
    SELECT {order}, kind, n + 1, provider_id, '{state}', lease_until, worker, started_at, '', '', {upstream}
      FROM attempt WHERE order_id = {sent};
"""

OWN_ENTRIES = """
    CREATE TEMP TABLE transfer AS SELECT * FROM public.transfer;
    UPDATE pg_temp.transfer SET balance_after_micros = 90000000 WHERE account_id = {account};
"""


def credited(kind: str, house: int, reference: str, part: int = 0) -> str:
    """Money for the customer out of one of the house's accounts, as the next entry."""
    return (
        ENTRY.format(
            kind=kind, debit=house, credit="{account}", reference=reference, part=part, account="{account}",
            seq="{seq} + 1", after="{balance} + 5000000",
        )
        + TAKEN
    )  # fmt: skip


MONEY = {
    "a deposit credited a second time": (credited("deposit", 3, "{deposit}", part=1), "transfer_parts"),
    "a correction credited a second time": (credited("correction", 4, "1", part=1), "transfer_parts"),
    "a second charge": (
        ENTRY.format(kind="charge", debit="{account}", credit=1, reference="{order}", part=1, account="{account}",
                     seq="{seq} + 1", after="{balance} - 5000000"),
        "transfer_parts",
    ),
    "the same charge again": (
        ENTRY.format(kind="charge", debit="{account}", credit=1, reference="{order}", part=0, account="{account}",
                     seq="{seq} + 1", after="{balance} - 5000000"),
        "transfer_reference_unique",
    ),
    "a credit out of nowhere": (credited("deposit", 3, "999999"), "transfer_explained"),
    "a deposit of more than came in": (
        "INSERT INTO deposit (account_id, gateway, gateway_transaction, amount_micros, reason, created_at, actor_kind, "
        "actor_name) VALUES ({account}, 'bank', 'T9', 1, 'x', now(), 'system', 'x');"
        + credited("deposit", 3, "lastval()"),
        "transfer_explained",
    ),
    "a deposit of somebody else": (credited("deposit", 3, "{other_deposit}"), "transfer_reference_unique"),
    "a correction that nobody made": (credited("correction", 4, "999999"), "transfer_explained"),
    "a refund out of revenue": (credited("refund", 2, "{order}", part=9), "transfer_ways"),
    "a charge that pays the customer": (credited("charge", 1, "999999"), "transfer_ways"),
    "a gift": (credited("gift", 2, "1"), "transfer_kind"),
    "revenue out of the gateway": (
        ENTRY.format(kind="delivery", debit=3, credit=2, reference=1, part=9, account="NULL", seq="NULL", after="NULL"),
        "transfer_ways",
    ),
    "escrow that no customer paid": (
        ENTRY.format(kind="charge", debit=3, credit=1, reference=1, part=0, account="NULL", seq="NULL", after="NULL"),
        "transfer_ways",
    ),
    "a balance without an entry": (TAKEN, "account_balance_is_last_entry"),
    "a balance whose entry is in a table of one's own": (
        OWN_ENTRIES + "UPDATE public.account SET balance_micros = 90000000 WHERE id = {account};",
        "account_balance_is_last_entry",
    ),
    "an entry that continues one in a table of one's own": (
        OWN_ENTRIES
        + ENTRY.format(kind="refund", debit=1, credit="{account}", reference="{order}", part=9, account="{account}",
                       seq="{seq} + 1", after="95000000"),
        "transfer_chain",
    ),
    "accounts of one's own": (
        "CREATE TEMP TABLE account AS SELECT * FROM public.account;"
        "UPDATE pg_temp.account SET currency = 'EUR';"
        + ENTRY.replace("'USD'", "'EUR'").format(
            kind="refund", debit=1, credit="{account}", reference="{order}", part=9, account="{account}",
            seq="{seq} + 1", after="{balance} + 5000000",
        ),
        "transfer_accounts",
    ),
    "a higher credit limit than the account's, on the way": (
        "UPDATE account SET balance_micros = -1 WHERE id = {account}", "account_not_overspent",
    ),
    "a negative credit limit": ("UPDATE account SET credit_limit_micros = -1", "account_credit_limit"),
    "another owner of an account": ("UPDATE account SET user_id = NULL WHERE id = {account}", APPEND_ONLY),
}  # fmt: skip

ORDERS = {
    "an order that says it is delivered": ("UPDATE orders SET state = 'completed' WHERE id = {order}", "orders_"),
    "a queued order that was never sent, submitted": (
        "UPDATE orders SET state = 'submitted' WHERE id = {order}", "orders_move",
    ),
    "an ended order that begins again": ("UPDATE orders SET state = 'queued' WHERE id = {ended}", "orders_move"),
    "another charge": ("UPDATE orders SET charge_micros = charge_micros + 1 WHERE id = {order}", APPEND_ONLY),
    "another customer's order": ("UPDATE orders SET account_id = account_id + 1 WHERE id = {order}", APPEND_ONLY),
    "more refunded than charged": (
        "UPDATE orders SET refunded_micros = charge_micros + 1 WHERE id = {order}", "orders_settled_within_charge",
    ),
    "a second live attempt": (
        ATTEMPT.format(order="{sent}", state="sending", upstream="NULL", sent="{sent}"), "attempt_",
    ),
    "an upstream id for two orders": (
        ATTEMPT.format(order="{order}", state="accepted", upstream="upstream_id", sent="{sent}"),
        "attempt_upstream_unique",
    ),
    "another upstream id": ("UPDATE orders SET upstream_id = upstream_id + 1 WHERE id = {sent}", APPEND_ONLY),
    "an attempt that takes its acceptance back": (
        "UPDATE attempt SET state = 'not_sent' WHERE order_id = {sent}", "attempt_move",
    ),
}  # fmt: skip

OWNERSHIP = {
    "no triggers in this session": ("SET session_replication_role = replica", NO_RIGHT),
    "no triggers in this transaction": ("SET LOCAL session_replication_role = replica", NO_RIGHT),
    "a trigger switched off": ("ALTER TABLE transfer DISABLE TRIGGER ALL", NO_RIGHT),
    "a trigger dropped": ("DROP TRIGGER account_updated_checked ON account", NO_RIGHT),
    "a trigger of one's own": (
        "CREATE TRIGGER aaa BEFORE INSERT ON transfer FOR EACH ROW EXECUTE FUNCTION refuse_change()", NO_RIGHT,
    ),
    "a guard's code replaced": (
        "CREATE OR REPLACE FUNCTION check_transfers() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        NO_RIGHT,
    ),
    "a function that runs as somebody else": (
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'", NO_RIGHT,
    ),
    "a constraint dropped": ("ALTER TABLE transfer DROP CONSTRAINT transfer_ways", NO_RIGHT),
    "a rule that swallows": ("CREATE RULE swallow AS ON INSERT TO transfer DO INSTEAD NOTHING", NO_RIGHT),
    "a table that inherits": ("CREATE TABLE public.mine () INHERITS (transfer)", NO_RIGHT),
    "the owner's role": ("SET ROLE hawker", NO_RIGHT),
    "the owner's session": ("SET SESSION AUTHORIZATION hawker", NO_RIGHT),
    "more rights for oneself": ("ALTER ROLE hawker_app SUPERUSER", NO_RIGHT),
    "a program on the server": ("COPY transfer TO PROGRAM 'cat'", NO_RIGHT),
    "a file of the server": ("COPY transfer FROM '/etc/passwd'", NO_RIGHT),
    "a file read": ("SELECT pg_read_file('/etc/passwd')", NO_RIGHT),
    "history emptied": ("TRUNCATE transfer", NO_RIGHT),
    "history deleted": ("DELETE FROM transfer", NO_RIGHT),
    "history rewritten": ("UPDATE transfer SET amount_micros = 1", NO_RIGHT),
    "history merged into": (
        "MERGE INTO transfer t USING account a ON t.account_id = a.id WHEN MATCHED THEN DELETE", NO_RIGHT,
    ),
    "an upsert over history": (
        "INSERT INTO transfer SELECT * FROM transfer ON CONFLICT (id) DO UPDATE SET amount_micros = 1", NO_RIGHT,
    ),
    "an account deleted": ("DELETE FROM account WHERE id = {account}", NO_RIGHT),
    "the list of migrations": ("DELETE FROM django_migrations", NO_RIGHT),
}  # fmt: skip


@pytest.fixture
def known(panel: Panel, sandbox: SandboxProcess) -> Mapping[str, int]:
    """A customer with an order that waits, one that was sent and one that ended; and what there is of money."""
    customer, other = panel.customer(credit="10.00"), panel.customer(credit="5.00")
    service = panel.service(provider=panel.provider(sandbox), cancel=True)
    sent = panel.place(customer, service)
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert panel.order(sent)["state"] == "submitted"
    ended = panel.place(customer, panel.service(cancel=True))
    request_cancels([CancelAsk(customer.account_id, [str(ended)])], now=panel.clock.now())
    account = Account.objects.get(id=customer.account_id)
    (deposit,) = Deposit.objects.filter(account=account)
    (other_deposit,) = Deposit.objects.filter(account_id=other.account_id)
    return {
        "account": account.id,
        "order": panel.place(customer, panel.service()),
        "sent": sent,
        "ended": ended,
        "deposit": deposit.id,
        "other_deposit": other_deposit.id,
    }


def everything() -> list[list[tuple[object, ...]]]:
    """Every row that an attack could be about."""
    tables = ("account", "transfer", "deposit", "correction", "orders", "attempt", "audit_event", "django_migrations")
    with psycopg.connect(settings().folder.embedded_url("hawker")) as owner:
        return [owner.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in tables]


def guard_met(statements: str, places: Mapping[str, int]) -> str:
    """What refuses these statements: its name and number, or nothing where they went through."""
    with psycopg.connect(settings().folder.embedded_url("hawker_app")) as connection:
        try:
            connection.execute(statements.format_map(places).encode())
            connection.commit()
        except psycopg.Error as refusal:
            return f"{refusal.diag.constraint_name or ''} {refusal.sqlstate}"
    return "nothing"


@pytest.mark.parametrize("attacks", [MONEY, ORDERS, OWNERSHIP], ids=["money", "orders", "ownership"])
def test_every_attack_is_refused_by_its_guard(known: Mapping[str, int], attacks: Mapping[str, tuple[str, str]]) -> None:
    before = everything()
    account = Account.objects.get(id=known["account"])
    assert account.balance_micros is not None
    places = {**known, "seq": account.seq, "balance": account.balance_micros}
    met = {name: guard_met(statements, places) for name, (statements, _) in attacks.items()}
    assert {name: guard for name, guard in met.items() if attacks[name][1] not in guard} == {}
    assert everything() == before


def test_a_right_that_one_does_not_have_cannot_be_given_on(known: Mapping[str, int]) -> None:
    """PostgreSQL answers such a grant with a warning, and gives nothing."""
    guard_met("GRANT DELETE ON transfer TO PUBLIC", known)
    assert NO_RIGHT in guard_met("DELETE FROM transfer", known)
