"""`hawker customer`: add one, credit one, keep one out, see the account and its statement."""

from typing import Annotated

import typer

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
from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs
from hawker.core.clock import SystemClock

app = typer.Typer(no_args_is_help=True)

EmailArgument = Annotated[str, typer.Argument(help="E-mail address of the customer.")]


@runs(app, "customer.add")
def add(
    email: Annotated[str, place("customer.add", "email")],
    *,
    credit: Annotated[str, flag("customer.add", "credit")] = "",
) -> Values:
    """Add a customer with an API key, which is shown this once."""
    return {"email": email, "credit": credit or None}


@runs(app, "customer.credit")
def credit(
    email: Annotated[str, place("customer.credit", "email")],
    amount: Annotated[
        str, place("customer.credit", "amount", help="Such as 25.00; -5.00 after `--` takes money away.")
    ],
    *,
    reason: Annotated[str, flag("customer.credit", "reason")],
    transaction: Annotated[str | None, flag("customer.credit", "transaction")] = None,
) -> Values:
    """Credit a customer's balance with money received, or correct it downwards."""
    return {"email": email, "amount": amount, "reason": reason, "transaction": transaction}


@runs(app, "customer.limit")
def limit(
    email: Annotated[str, place("customer.limit", "email")],
    amount: Annotated[str, place("customer.limit", "amount")],
    *,
    reason: Annotated[str, flag("customer.limit", "reason")],
) -> Values:
    """Set a customer's credit limit: how far below 0 orders may take the balance."""
    return {"email": email, "amount": amount, "reason": reason}


@runs(app, "customer.disable", many="customers")
def disable(email: Annotated[list[str], place("customer.disable", "email")] = []) -> Values:  # noqa: B006
    """Keep customers out: within a second none of their keys passes. Orders that were placed go on."""
    return {"email": email}


@runs(app, "customer.enable", many="customers")
def enable(email: Annotated[list[str], place("customer.enable", "email")] = []) -> Values:  # noqa: B006
    """Let customers in again, with the keys that they had."""
    return {"email": email}


@app.command()
def show(email: EmailArgument, *, data_dir: DataDirOption = None) -> None:
    """A customer's balance, credit limit, price group, keys and open orders."""
    del data_dir
    with panel():
        from hawker.operations.customer_details import describe_customer
        from hawker.operations.errors import OperationError

        with sentences(OperationError):
            answer(describe_customer(email, now=SystemClock().now()))


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
def statement(
    email: EmailArgument,
    *,
    since: Annotated[
        str | None, typer.Option(help="Only since then: 2027-01-31, 2027-01-31T12:00Z, or the last 7d.")
    ] = None,
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
        answer_list(
            "transfers",
            Wanted(filters, sort, after, limit, format_),
            {"customer": email, "created": since and f"{since}.."},
        )
