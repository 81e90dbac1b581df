"""The open page of the ledger: locked accounts, the entries to come, written in two statements."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, columns
from hawker.ledger import queries
from hawker.ledger.models import House, TransferKind


@dataclass(slots=True)
class Position:
    """One customer account as locked, moved along by the entries of this page."""

    balance_micros: int
    credit_limit_micros: int
    seq: int
    seq_before: int

    @property
    def available_micros(self) -> int:
        return self.balance_micros + self.credit_limit_micros


@dataclass(slots=True)
class Book:
    """Collects transfers over locked accounts; `write` puts them down. Nothing is written before.

    The balances it answers with already include the entries collected, so a batch that charges one
    account many times sees what each charge leaves.
    """

    positions: dict[int, Position] = field(default_factory=dict)
    _entries: list[tuple[str, int, int, int, int, int, int | None, int | None, int | None]] = field(
        default_factory=list
    )

    def covers(self, account_id: int, amount_micros: int) -> bool:
        """Whether the account can be charged this much now."""
        return self.positions[account_id].available_micros >= amount_micros

    def charge(self, account_id: int, amount_micros: int, order_id: int) -> None:
        """Customer → escrow, once per order (I6). The caller has asked `covers`."""
        self._post(TransferKind.CHARGE, account_id, House.ESCROW, amount_micros, order_id, 0, account_id)

    def refund(self, account_id: int, amount_micros: int, order_id: int, part: int) -> None:
        """Escrow → customer: the `part`th settlement of the order."""
        self._post(TransferKind.REFUND, House.ESCROW, account_id, amount_micros, order_id, part, account_id)

    def deliver(self, amount_micros: int, order_id: int, part: int) -> None:
        """Escrow → revenue: what of the charge was delivered."""
        self._post(TransferKind.DELIVERY, House.ESCROW, House.REVENUE, amount_micros, order_id, part, None)

    def deposit(self, account_id: int, amount_micros: int, deposit_id: int) -> None:
        """Gateway → customer."""
        self._post(TransferKind.DEPOSIT, House.GATEWAY, account_id, amount_micros, deposit_id, 0, account_id)

    def correct(self, account_id: int, amount_micros: int, correction_id: int) -> None:
        """Correction → customer, or back where the amount is negative."""
        house, customer = int(House.CORRECTION), account_id
        debit, credit = (house, customer) if amount_micros > 0 else (customer, house)
        self._post(TransferKind.CORRECTION, debit, credit, abs(amount_micros), correction_id, 0, account_id)

    def _post(
        self,
        kind: TransferKind,
        debit: int,
        credit: int,
        amount_micros: int,
        reference: int,
        part: int,
        account: int | None,
    ) -> None:
        assert amount_micros > 0, "a transfer of nothing is no transfer"
        seq = balance = None
        if account is not None:
            position = self.positions[account]
            position.balance_micros += amount_micros if credit == account else -amount_micros
            position.seq += 1
            seq, balance = position.seq, position.balance_micros
        self._entries.append(
            (kind.value, int(debit), int(credit), amount_micros, reference, part, account, seq, balance)
        )

    def write(self, cursor: Cursor, operation: str, now: datetime) -> None:
        """Write the entries as made by `operation`, then the balances they leave, in the caller's transaction.

        The database checks both again (migrations/guards.sql): entries chain, balances equal their last
        entry, and none is below its credit limit.
        """
        if not self._entries:
            return
        if (counted := _counted.get()) is not None:
            for kind, _, _, amount_micros, *_ in self._entries:
                counted[kind] += amount_micros
        cursor.execute(queries.INSERT_TRANSFERS, self.transfer_values(operation, now))
        if any(position.seq != position.seq_before for position in self.positions.values()):
            cursor.execute(queries.UPDATE_ACCOUNTS, self.account_values())

    def transfer_values(self, operation: str, now: datetime) -> tuple[Any, ...]:
        """The values of INSERT_TRANSFERS, for a caller that writes them in one statement with rows of its own."""
        return (settings().currency, now, operation, *columns(self._entries, 9))

    def account_values(self) -> tuple[Any, ...]:
        """The values of UPDATE_ACCOUNTS: the accounts that these entries move."""
        moved = [
            (account, position.seq_before, position.balance_micros, position.seq)
            for account, position in self.positions.items()
            if position.seq != position.seq_before
        ]
        return tuple(columns(moved, 4))


_counted: ContextVar[Counter[str] | None] = ContextVar("counted", default=None)


@contextmanager
def counting_transfers() -> Iterator[Counter[str]]:
    """Count the micros that books write inside, by the kind of transfer; orders that are placed do not count here."""
    counted: Counter[str] = Counter()
    token = _counted.set(counted)
    try:
        yield counted
    finally:
        _counted.reset(token)


def lock_accounts(cursor: Cursor, account_ids: Iterable[int]) -> Cursor:
    """Ask for these customers' accounts, locked to the end of the transaction, in the order of their ids."""
    return ask(cursor, queries.LOCK_ACCOUNTS, (sorted(set(account_ids)),))


def open_book(locked: Cursor) -> Book:
    """Open a page over the accounts that `lock_accounts` asked for.

    Accounts that do not exist, and the house's own, are not among its `positions`.
    """
    return Book({row[0]: Position(row[1], row[2], row[3], row[3]) for row in locked})
