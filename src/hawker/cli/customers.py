"""`hawker customer`: add one, credit one, keep one out."""

from typing import Annotated

import typer

from hawker.cli.changes import actor, changing
from hawker.cli.list_options import (
    AfterOption,
    FilterOption,
    Format,
    FormatOption,
    LimitOption,
    SortOption,
    Wanted,
    answer_list,
)
from hawker.cli.output import answer, fail, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.core.clock import SystemClock
from hawker.core.money import Money, NotMoney, format_micros

app = typer.Typer(no_args_is_help=True)


def _amount(text: str) -> Money:
    with sentences(NotMoney):
        return Money.parse(text)


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="E-mail address of the customer.")],
    *,
    credit: Annotated[str, typer.Option(help="Opening balance, such as 100.00.")] = "",
    data_dir: DataDirOption = None,
) -> None:
    """Add a customer with an API key, which is shown this once."""
    del data_dir
    amount = _amount(credit) if credit else Money(0)
    with panel():
        from hawker.accounts.errors import BadEmail, CustomerExists
        from hawker.ledger.customers import open_customer

        with sentences(BadEmail, CustomerExists), changing("customer.add") as change:
            opened = open_customer(email, credit_micros=amount.micros, actor=actor(), now=SystemClock().now())
            facts = {"customer": opened.user_id, "account": opened.account_id, "credit": format_micros(amount.micros)}
            change.note("customer", email.strip().lower(), after=facts)
        answer({"customer": opened.user_id, "api_key": opened.api_key})


@app.command()
def credit(
    email: Annotated[str, typer.Argument(help="E-mail address of the customer.")],
    amount: Annotated[str, typer.Argument(help="Such as 25.00; -5.00 after `--` takes money away.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with the transfer.")],
    transaction: Annotated[str | None, typer.Option(help="The payment's own id: it can be credited only once.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Credit a customer's balance with money received, or correct it downwards."""
    del data_dir
    taken = amount.startswith("-")
    money = _amount(amount.removeprefix("-"))
    if not money:
        fail("the amount must not be 0")
    if not reason.strip() or len(reason) > 500:
        fail("say why with --reason (at most 500 characters)")
    # An empty one comes from a script whose variable is unset: the payment could be credited twice.
    if transaction is not None and not 1 <= len(transaction) <= 128:
        fail("the --transaction of a payment has 1 to 128 characters")
    with panel():
        from hawker.accounts.errors import NoSuchCustomer
        from hawker.ledger.customers import change_balance
        from hawker.ledger.errors import AlreadyCredited, NotEnoughFunds

        try:
            with sentences(NoSuchCustomer):
                balance = change_balance(
                    email,
                    -money.micros if taken else money.micros,
                    transaction=transaction or "",
                    actor=actor(),
                    reason=reason.strip(),
                    now=SystemClock().now(),
                )
        except AlreadyCredited:
            fail(f"the transaction {transaction!r} has been credited before; nothing was changed")
        except NotEnoughFunds:
            fail("the balance does not cover that; nothing was changed")
        answer({"customer": email.strip().lower(), "balance": format_micros(balance)})


@app.command()
def disable(
    email: Annotated[str, typer.Argument(help="E-mail address of the customer.")], *, data_dir: DataDirOption = None
) -> None:
    """Keep a customer out: within a second none of their keys passes. Orders that were placed go on."""
    del data_dir
    _set_active(email, active=False)


@app.command()
def enable(
    email: Annotated[str, typer.Argument(help="E-mail address of the customer.")], *, data_dir: DataDirOption = None
) -> None:
    """Let a customer in again, with the keys that they had."""
    del data_dir
    _set_active(email, active=True)


def _set_active(email: str, *, active: bool) -> None:
    with panel():
        from hawker.accounts.actions import find_customer, set_customer_active
        from hawker.accounts.errors import NoSuchCustomer

        verb = "enable" if active else "disable"
        with sentences(NoSuchCustomer), changing(f"customer.{verb}") as change:
            change.watch("customer", email.strip().lower(), lambda: {"active": find_customer(email).is_active})
            user = set_customer_active(email, active=active)
        answer({"customer": user.email, "active": user.is_active})


@app.command(name="list")
def list_(
    *,
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """Customers, newest first, with their balances."""
    del data_dir
    with panel():
        answer_list("customers", Wanted(filters, sort, after, limit, format_))


@app.command()
def show(
    email: Annotated[str, typer.Argument(help="E-mail address of the customer.")], *, data_dir: DataDirOption = None
) -> None:
    """One customer with balance and credit limit."""
    del data_dir
    with panel():
        from hawker.lists.errors import BadList
        from hawker.lists.filters import read_filters
        from hawker.lists.reading import read_page
        from hawker.lists.rendering import json_of

        with sentences(BadList):
            page = read_page("customers", read_filters("customers", {"customer": email}))
        answer(json_of(page.columns, page.rows[0]))


@app.command()
def statement(
    email: Annotated[str, typer.Argument(help="E-mail address of the customer.")],
    *,
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """What changed a customer's balance, newest first, with the balance after each entry."""
    del data_dir
    with panel():
        answer_list("transfers", Wanted(filters, sort, after, limit, format_), {"customer": email})
