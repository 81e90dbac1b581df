"""What staff see of one customer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hawker.core.money import format_micros
from hawker.operations.base import refusing

NEWEST_ORDERS = 100_000
"""How many of a customer's newest orders are looked at to count the open ones: about a tenth of a second."""


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    """One customer. `keys` counts those that work, `open_orders` those of the newest orders that have not ended."""

    customer: str
    account: int
    active: bool
    balance: str
    credit_limit: str
    currency: str
    price_group: str | None
    keys: int
    open_orders: int
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """One transfer of a customer's account, what it was for, and the balance after it.

    `amount` is below 0 where it left the account. A charge or refund names its order and that order's service, a
    deposit its gateway and payment; `reason` is what staff wrote.
    """

    transfer: int
    entry: int
    at: datetime
    kind: str
    amount: str
    balance: str
    currency: str
    order: int | None
    service: str | None
    gateway: str | None
    transaction: str | None
    reason: str


def describe_customer(email: str, *, now: datetime) -> CustomerDetails:
    """The customer with this address. Raises Refused where there is none."""
    from hawker.operations import customer_queries
    from hawker.operations.versions import read_version
    from hawker.orders.models import FINISHED

    finished = [state.value for state in FINISHED]
    values = {"account_id": _account(email), "now": now, "newest": NEWEST_ORDERS, "finished": finished}
    ((address, is_active, created_at, account_id, balance, limit, currency, group, keys, open_orders),) = _read(
        customer_queries.READ_CUSTOMER, values
    )
    return CustomerDetails(
        customer=address,
        account=account_id,
        active=is_active,
        balance=format_micros(balance),
        credit_limit=format_micros(limit),
        currency=currency,
        price_group=group,
        keys=keys,
        open_orders=open_orders,
        created_at=created_at,
        version=read_version("customer", address),
    )


def describe_statement(email: str, *, since: datetime | None, limit: int) -> list[StatementEntry]:
    """A customer's newest transfers, newest first: at most `limit`, and only those since then.

    Raises Refused where there is no such customer.
    """
    from hawker.operations import customer_queries

    values = {"account_id": _account(email), "since": since, "limit": limit}
    return [
        StatementEntry(
            transfer=transfer,
            entry=entry,
            at=at,
            kind=kind,
            amount=format_micros(-micros if is_debit else micros),
            balance=format_micros(balance),
            currency=currency,
            order=order,
            service=service,
            gateway=gateway,
            transaction=transaction,
            reason=reason,
        )
        for (
            transfer,
            entry,
            at,
            kind,
            is_debit,
            micros,
            balance,
            currency,
            order,
            service,
            gateway,
            transaction,
            reason,
        ) in _read(customer_queries.READ_STATEMENT, values)
    ]


def _account(email: str) -> int:
    from hawker.accounts.actions import find_customer
    from hawker.accounts.errors import NoSuchCustomer

    with refusing(NoSuchCustomer):
        return int(find_customer(email).account.id)


def _read(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    from hawker.core.sql import ask, in_transaction

    return in_transaction(lambda cursor: ask(cursor, statement, values).fetchall())
