"""What staff do with customers: add them, credit them, let them in and keep them out, set their credit limit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from msgspec import Meta

from hawker.operations.base import Run, operation, refusing
from hawker.operations.errors import BadInput, Refused
from hawker.operations.inputs import Email, Reason, read_amount

MAX_TRANSACTION = 128


class _OfCustomer(Protocol):
    @property
    def email(self) -> str: ...


def _customer(given: _OfCustomer) -> Sequence[str]:
    """The id by which the audit log knows the customer: the address as it is stored."""
    return (given.email.lower(),)


@dataclass(frozen=True, slots=True)
class AddCustomer:
    email: Email
    credit: Annotated[str, Meta(max_length=40, description="Opening balance, such as 100.00.")] | None = None


@dataclass(frozen=True, slots=True)
class CustomerAdded:
    """`api_key` cannot be seen again."""

    customer: int
    api_key: str = field(repr=False)


@operation("customer.add", subject="customer", ids=_customer, secret_fields=("api_key",))
def add_customer(run: Run, given: AddCustomer) -> CustomerAdded:
    """Add a customer with an API key, which is shown this once."""
    from hawker.accounts.errors import BadEmail, CustomerExists
    from hawker.core.money import format_micros
    from hawker.ledger.customers import open_customer

    micros = 0 if given.credit is None else read_amount("credit", given.credit)
    try:
        with refusing(CustomerExists):
            opened = open_customer(given.email, credit_micros=micros, actor=run.actor, now=run.now)
    except BadEmail as error:
        raise BadInput("email", str(error)) from error
    facts = {"customer": opened.user_id, "account": opened.account_id, "credit": format_micros(micros)}
    run.note(given.email.lower(), after=facts)
    return CustomerAdded(opened.user_id, opened.api_key)


@dataclass(frozen=True, slots=True)
class CreditCustomer:
    email: Email
    amount: Annotated[str, Meta(max_length=40, description="Such as 25.00; -5.00 takes money away.")]
    reason: Annotated[
        str, Meta(min_length=1, max_length=500, description="Why; kept with the transfer.", extra={"trim": True})
    ]
    # An empty one comes from a script whose variable is unset: the payment could be credited twice.
    transaction: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=MAX_TRANSACTION,
                description="The payment's own id: it can be credited only once.",
            ),
        ]
        | None
    ) = None


@dataclass(frozen=True, slots=True)
class CustomerCredited:
    customer: str
    balance: str


@operation("customer.credit", subject="customer", ids=_customer)
def credit_customer(run: Run, given: CreditCustomer) -> CustomerCredited:
    """Credit a customer's balance with money received, or correct it downwards."""
    from hawker.accounts.errors import NoSuchCustomer
    from hawker.core.money import format_micros
    from hawker.ledger.customers import change_balance
    from hawker.ledger.errors import AlreadyCredited, NotEnoughFunds

    micros = read_amount("amount", given.amount, signed=True)
    if not micros:
        raise BadInput("amount", "must not be 0")
    try:
        with refusing(NoSuchCustomer):
            balance = change_balance(
                given.email,
                micros,
                transaction=given.transaction or "",
                actor=run.actor,
                reason=given.reason,
                now=run.now,
            )
    except AlreadyCredited as error:
        why = f"the transaction {given.transaction!r} has been credited before; nothing was changed"
        raise Refused(why) from error
    except NotEnoughFunds as error:
        raise Refused("the balance does not cover that; nothing was changed") from error
    return CustomerCredited(given.email.lower(), format_micros(balance))


@dataclass(frozen=True, slots=True)
class SetCreditLimit:
    email: Email
    amount: Annotated[
        str,
        Meta(max_length=40, description="How far below 0 the balance may go, such as 50.00; 0 for not at all."),
    ]
    reason: Reason


@dataclass(frozen=True, slots=True)
class CreditLimitSet:
    customer: str
    credit_limit: str
    balance: str


@operation("customer.limit", subject="customer", ids=_customer)
def set_credit_limit(run: Run, given: SetCreditLimit) -> CreditLimitSet:
    """Set a customer's credit limit: how far below 0 orders may take the balance."""
    from hawker.accounts.errors import NoSuchCustomer
    from hawker.core.money import format_micros
    from hawker.ledger import customers
    from hawker.ledger.errors import OverCreditLimit

    micros = read_amount("amount", given.amount)
    with refusing(NoSuchCustomer, OverCreditLimit):
        run.watch(
            given.email.lower(), lambda: {"credit_limit": format_micros(customers.read_credit_limit(given.email))}
        )
        balance = customers.set_credit_limit(given.email, micros)
    return CreditLimitSet(given.email.lower(), format_micros(micros), format_micros(balance))


@dataclass(frozen=True, slots=True)
class DisableCustomer:
    email: Email


@dataclass(frozen=True, slots=True)
class EnableCustomer:
    email: Email


@dataclass(frozen=True, slots=True)
class CustomerActive:
    customer: str
    active: bool


@operation("customer.disable", subject="customer", ids=_customer, many="email")
def disable_customer(run: Run, given: DisableCustomer) -> CustomerActive:
    """Keep a customer out: within a second none of their keys passes. Orders that were placed go on."""
    return _set_active(run, given.email, active=False)


@operation("customer.enable", subject="customer", ids=_customer, many="email")
def enable_customer(run: Run, given: EnableCustomer) -> CustomerActive:
    """Let a customer in again, with the keys that they had."""
    return _set_active(run, given.email, active=True)


def _set_active(run: Run, email: str, *, active: bool) -> CustomerActive:
    from hawker.accounts.actions import find_customer, set_customer_active
    from hawker.accounts.errors import NoSuchCustomer

    with refusing(NoSuchCustomer):
        run.watch(email.lower(), lambda: {"active": find_customer(email).is_active})
        user = set_customer_active(email, active=active)
    return CustomerActive(user.email, user.is_active)
