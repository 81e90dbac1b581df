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


def _account(email: str) -> int:
    from hawker.accounts.actions import find_customer
    from hawker.accounts.errors import NoSuchCustomer

    with refusing(NoSuchCustomer):
        return int(find_customer(email).account.id)


def _read(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    from hawker.core.sql import ask, in_transaction

    return in_transaction(lambda cursor: ask(cursor, statement, values).fetchall())
