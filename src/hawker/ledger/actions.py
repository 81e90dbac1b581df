"""The verbs of the ledger that stand alone: opening accounts, money in, corrections."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hawker.audit.actions import AuditRecord, record_audit
from hawker.core.actors import LOCAL, Actor
from hawker.core.money import format_micros
from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction, read_rows
from hawker.ledger import queries
from hawker.ledger.book import lock_accounts, open_book
from hawker.ledger.errors import AlreadyCredited, NotEnoughFunds, WrongCurrency
from hawker.ledger.models import House, TransferKind

MANUAL_GATEWAY = "manual"


@dataclass(frozen=True, slots=True)
class Credit:
    """Money that came in for an account, as a gateway or, with MANUAL_GATEWAY, a member of staff reports it.

    What staff report is audited and needs a reason (I14).
    """

    account_id: int
    amount_micros: int
    gateway: str
    gateway_transaction: str
    actor: Actor
    reason: str


def open_house_accounts() -> None:
    """Make the house's accounts in the panel's currency. Raises WrongCurrency if they have another one.

    Idempotent: `hawker migrate` calls it after every migration.
    """
    currency = settings().currency

    def work(cursor: Cursor) -> None:
        cursor.execute(queries.OPEN_HOUSE_ACCOUNTS, (currency, [int(house) for house in House]))
        cursor.execute("SELECT DISTINCT currency FROM account WHERE currency <> %s", (currency,))
        if (other := cursor.fetchone()) is not None:
            raise _wrong(other[0])

    in_transaction(work)


def check_currency() -> None:
    """Raise WrongCurrency where the settings of this process say another currency than the panel's balances have.

    One machine of several without its hawker.toml is enough for that: it would tell customers its own currency, and
    place nothing. Raises Unavailable.
    """
    currency = settings().currency

    def work(cursor: Cursor) -> None:
        other = cursor.execute(queries.OTHER_CURRENCY, (int(House.ESCROW), currency)).fetchone()
        if other is not None:
            raise _wrong(other[0])

    in_transaction(work)


def _wrong(currency: str) -> WrongCurrency:
    return WrongCurrency(f"this panel's balances are in {currency}, its settings say {settings().currency}")


CREDIT = "customer.credit"
"""The operation by which staff change a balance: the audit log and the transfer name it."""


def record_credits(
    credits_in: Sequence[Credit], *, operation: str = CREDIT, now: datetime
) -> list[int | AlreadyCredited]:
    """Write deposits and credit their accounts, made by `operation`; answers each with the deposit's id.

    A gateway transaction that was credited before answers AlreadyCredited and changes nothing (I9),
    whichever process comes second.
    """

    def work(cursor: Cursor) -> list[int | AlreadyCredited]:
        book = open_book(lock_accounts(cursor, (credit.account_id for credit in credits_in)))
        by_staff: list[AuditRecord] = []
        answers: list[int | AlreadyCredited] = []
        for credit in credits_in:
            values = {
                "account_id": credit.account_id,
                "gateway": credit.gateway,
                "gateway_transaction": credit.gateway_transaction,
                "amount_micros": credit.amount_micros,
                "reason": credit.reason,
                "now": now,
                **_who(credit.actor),
            }
            row = ask(cursor, queries.INSERT_DEPOSITS, values).fetchone()
            if row is None:
                answers.append(AlreadyCredited())
                continue
            before = book.positions[credit.account_id].balance_micros
            book.deposit(credit.account_id, credit.amount_micros, row[0])
            answers.append(row[0])
            if credit.gateway == MANUAL_GATEWAY:
                transfer = (TransferKind.DEPOSIT.value, int(row[0]))
                change = _BalanceChange(credit.account_id, before, credit.amount_micros, credit.reason, transfer)
                by_staff.append(_balance_event(credit.actor, operation, change))
        book.write(cursor, operation, now)
        record_audit(cursor, by_staff, now=now)
        return answers

    return in_transaction(work)


def correct_balance(
    account_id: int, amount_micros: int, *, actor: Actor, reason: str, operation: str = CREDIT, now: datetime
) -> int:
    """Change a balance by hand, up or down, with who and why, by `operation`. Answers the correction's id.

    Raises NotEnoughFunds where taking the amount away would pass the credit limit.
    """

    def work(cursor: Cursor) -> int:
        book = open_book(lock_accounts(cursor, [account_id]))
        if not book.covers(account_id, -amount_micros):
            raise NotEnoughFunds
        values = {"account_id": account_id, "amount_micros": amount_micros, "reason": reason, "now": now, **_who(actor)}
        row = ask(cursor, queries.INSERT_CORRECTION, values).fetchone()
        assert row is not None, "INSERT … RETURNING answers a row"
        before = book.positions[account_id].balance_micros
        book.correct(account_id, amount_micros, row[0])
        book.write(cursor, operation, now)
        transfer = (TransferKind.CORRECTION.value, int(row[0]))
        change = _BalanceChange(account_id, before, amount_micros, reason, transfer)
        record_audit(cursor, [_balance_event(actor, operation, change)], now=now)
        return int(row[0])

    return in_transaction(work)


def _who(actor: Actor) -> dict[str, Any]:
    """The columns of an actor; `address` is None of one at the panel's own machine."""
    return {
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "address": None if actor.address == LOCAL else actor.address,
    }


@dataclass(frozen=True, slots=True)
class _BalanceChange:
    """A balance that staff change, and the kind and reference of the transfer that changes it."""

    account_id: int
    before_micros: int
    change_micros: int
    reason: str
    transfer: tuple[str, int]


def _balance_event(actor: Actor, operation: str, change: _BalanceChange) -> AuditRecord:
    """The audit row of a balance that staff change; the database wants it in the same transaction."""
    return AuditRecord(
        actor,
        operation,
        "account",
        str(change.account_id),
        {"balance": format_micros(change.before_micros)},
        {"balance": format_micros(change.before_micros + change.change_micros)},
        change.reason,
        change.transfer,
    )


def new_manual_transaction() -> str:
    """A gateway transaction id for a credit by hand that came without one of its own."""
    return secrets.token_hex(16)


def read_balances(account_ids: Sequence[int]) -> list[int]:
    """The balance of each account in micros, in the order asked; accounts asked twice are answered twice."""
    return balances_in(account_ids, read_rows(queries.READ_BALANCES, (list(set(account_ids)),)))


READ_BALANCES = queries.READ_BALANCES.replace("%s", "$1")
"""The statement of `read_balances`, for who sends it to the database without the driver's help."""


def write_account_ids(account_ids: Sequence[int]) -> bytes:
    """The parameter of READ_BALANCES."""
    return b"{%b}" % b",".join([b"%d" % account_id for account_id in set(account_ids)])


def balances_in(account_ids: Sequence[int], rows: Sequence[tuple[bytes | int, ...]]) -> list[int]:
    """What `read_balances` answers, from the rows of READ_BALANCES, read by the driver or as they come."""
    balances = {int(account_id): int(micros) for account_id, micros in rows}
    return [balances[account_id] for account_id in account_ids]
