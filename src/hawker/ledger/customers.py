"""Customers with their money: the verbs that join a person to an account."""

from dataclasses import dataclass
from datetime import datetime

from hawker.accounts.actions import add_customer, find_customer, issue_key
from hawker.core.actors import Actor
from hawker.core.money import format_micros
from hawker.core.settings import settings
from hawker.core.sql import one_transaction
from hawker.ledger.actions import (
    MANUAL_GATEWAY,
    Credit,
    correct_balance,
    new_manual_transaction,
    read_balances,
    record_credits,
)
from hawker.ledger.errors import AlreadyCredited, OverCreditLimit
from hawker.ledger.models import Account


@dataclass(frozen=True, slots=True)
class OpenedCustomer:
    """A new customer; `api_key` cannot be seen again."""

    user_id: int
    account_id: int
    api_key: str


def open_customer(email: str, *, credit_micros: int, actor: Actor, now: datetime) -> OpenedCustomer:
    """A customer, an account, a key and the opening credit, if there is one, in one transaction.

    Raises BadEmail or CustomerExists; then nothing was written.
    """
    with one_transaction():
        user = add_customer(email, now=now)
        account = Account.objects.create(user=user, currency=settings().currency, balance_micros=0)
        key = issue_key(user, now=now).key
        if credit_micros:
            credit = Credit(
                account.id, credit_micros, MANUAL_GATEWAY, new_manual_transaction(), actor, "opening credit"
            )
            record_credits([credit], operation="customer.add", now=now)
    return OpenedCustomer(user.id, account.id, key)


def change_balance(
    email: str, amount_micros: int, *, transaction: str, actor: Actor, reason: str, now: datetime
) -> int:
    """Record money received by hand, or take money away, and answer the balance after it in micros.

    `transaction` is the payment's own id where it has one. Raises NoSuchCustomer, AlreadyCredited
    for a payment credited before, NotEnoughFunds; then nothing was written. OutcomeUnknown says nothing of it.
    """
    account_id = find_customer(email).account.id
    # With the look at the balance in it: nobody is told of a failure when the money is there, and credits it again.
    with one_transaction():
        if amount_micros < 0:
            correct_balance(account_id, amount_micros, actor=actor, reason=reason, now=now)
        else:
            credit = Credit(
                account_id, amount_micros, MANUAL_GATEWAY, transaction or new_manual_transaction(), actor, reason
            )
            (answer,) = record_credits([credit], now=now)
            if isinstance(answer, AlreadyCredited):
                raise answer
        return read_balances([account_id])[0]


def read_credit_limit(email: str) -> int:
    """How far below 0 this customer's balance may go, in micros. Raises NoSuchCustomer."""
    return Account.objects.get(user=find_customer(email)).credit_limit_micros


def set_credit_limit(email: str, limit_micros: int) -> int:
    """Let orders take this customer's balance down to -`limit_micros`; answers the balance in micros.

    Raises NoSuchCustomer; OverCreditLimit where the balance is below that already. Then nothing was written.
    """
    user = find_customer(email)
    with one_transaction():
        # Locked as orders lock it: none of them takes the balance below the new limit in between.
        account = Account.objects.select_for_update(no_key=True).get(user=user)
        balance = account.balance_micros
        assert balance is not None, "a customer's account has a balance"
        if balance < -limit_micros:
            raise OverCreditLimit(
                f"the balance is {format_micros(balance)}: the credit limit cannot be below {format_micros(-balance)}"
            )
        account.credit_limit_micros = limit_micros
        account.save(update_fields=["credit_limit_micros"])
    return balance
