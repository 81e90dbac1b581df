"""The database itself refuses what must never be written, whatever role asks."""

import psycopg
import pytest

from hawker.core.settings import settings
from panel import Panel

CHECK = psycopg.errors.CheckViolation
APPEND_ONLY = psycopg.errors.RestrictViolation
NO_RIGHT = psycopg.errors.InsufficientPrivilege
TWICE = psycopg.errors.UniqueViolation

TRANSFER = """
    INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq,
                          balance_after_micros, created_at, operation)
    VALUES (%(kind)s, %(debit)s, %(credit)s, %(amount)s, %(currency)s, %(reference)s, 0, %(account)s, %(seq)s,
            %(after)s, now(), 'a test')
"""


def run_as(role: str, statement: str, values: object = None) -> None:
    """One statement in a transaction of its own."""
    with psycopg.connect(settings().folder.embedded_url(role)) as connection:
        connection.execute(statement, values)  # type: ignore[arg-type]


@pytest.fixture
def account(panel: Panel) -> int:
    return panel.customer(credit="10.00").account_id


def charge(account: int, /, **other: object) -> dict[str, object]:
    """A transfer that would be right: the customer's second entry, 4.00 into escrow, leaving 6.00."""
    right = {"kind": "charge", "debit": account, "credit": 1, "amount": 4_000_000, "currency": "USD", "reference": 77}
    return {**right, "account": account, "seq": 2, "after": 6_000_000, **other}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"amount": 0}, CHECK),
        ({"amount": -1}, CHECK),
        ({"credit": "self"}, CHECK),
        ({"kind": "gift"}, CHECK),
        ({"credit": 999_999}, CHECK),
        ({"currency": "EUR"}, CHECK),
        ({"account": None, "seq": None, "after": None}, CHECK),
        ({"seq": 3}, CHECK),
        ({"seq": 1}, TWICE),
        ({"after": 7_000_000}, CHECK),
    ],
    ids=str,
)
@pytest.mark.parametrize("role", ["hawker_app", "hawker"])
def test_a_wrong_transfer_is_refused(account: int, role: str, wrong: dict[str, object], error: type) -> None:
    other = {name: account if value == "self" else value for name, value in wrong.items()}
    with pytest.raises(error):
        run_as(role, TRANSFER, charge(account, **other))


def test_two_customers_cannot_pay_each_other(panel: Panel, account: int) -> None:
    other = panel.customer().account_id
    with pytest.raises(CHECK, match="transfer_ways"):
        run_as("hawker_app", TRANSFER, charge(account, credit=other))


@pytest.mark.parametrize("role", ["hawker_app", "hawker"])
@pytest.mark.parametrize(
    "change", ["balance_micros = 99", "balance_micros = balance_micros + 1, seq = seq + 1", "seq = 9"]
)
def test_a_balance_without_its_entry_is_refused(account: int, role: str, change: str) -> None:
    with pytest.raises(CHECK, match="not what its last entry says"):
        run_as(role, f"UPDATE account SET {change} WHERE id = {account}")


@pytest.mark.quick
def test_a_balance_below_the_credit_limit_is_refused(account: int) -> None:
    with psycopg.connect(settings().folder.embedded_url("hawker_app")) as connection:
        connection.execute(TRANSFER, charge(account, amount=11_000_000, after=-1_000_000))
        with pytest.raises(CHECK, match="account_not_overspent"):
            connection.execute(f"UPDATE account SET balance_micros = -1000000, seq = 2 WHERE id = {account}")
        connection.rollback()


def test_the_currency_and_owner_of_an_account_stay(account: int) -> None:
    with pytest.raises(APPEND_ONLY):
        run_as("hawker_app", f"UPDATE account SET currency = 'EUR' WHERE id = {account}")


@pytest.mark.parametrize("table", ["transfer", "deposit", "correction", "order_event", "audit_event"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("role", ["hawker_app", "hawker"])
def test_what_was_written_stays_written(account: int, role: str, table: str, statement: str) -> None:
    with pytest.raises((APPEND_ONLY, NO_RIGHT)):
        run_as(role, statement.format(table))


@pytest.mark.parametrize("table", ["account", "orders", "attempt", "service", "app_user", "api_key", "provider"])
def test_the_application_deletes_no_history(account: int, table: str) -> None:
    with pytest.raises((APPEND_ONLY, NO_RIGHT)):
        run_as("hawker_app", f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE transfer DISABLE TRIGGER ALL",
        "DROP TRIGGER transfer_append_only ON transfer",
        "DROP TABLE transfer",
        "ALTER TABLE account DROP CONSTRAINT account_not_overspent",
        "SET session_replication_role = replica",
        "CREATE TABLE mine (id int)",
    ],
)
def test_the_application_owns_nothing(account: int, statement: str) -> None:
    with pytest.raises(NO_RIGHT):
        run_as("hawker_app", statement)


@pytest.mark.quick
def test_a_gateways_transaction_is_credited_once(account: int) -> None:
    deposit = (
        "INSERT INTO deposit (account_id, gateway, gateway_transaction, amount_micros, reason, created_at, actor_kind, "
        f"actor_name) VALUES ({account}, 'bank', 'T1', 1, 'b', now(), 'system', 'a')"
    )
    with psycopg.connect(settings().folder.embedded_url("hawker_app")) as connection:
        connection.execute(deposit)
        with pytest.raises(TWICE):
            connection.execute(deposit)
        connection.rollback()
