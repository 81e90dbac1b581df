"""`hawker price`: what customers pay who do not pay the catalogue's rates."""

from typing import Annotated

import typer

from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs
from hawker.operations.errors import Refused
from hawker.operations.prices import describe_customer_prices

app = typer.Typer(no_args_is_help=True)
groups = typer.Typer(no_args_is_help=True)
app.add_typer(groups, name="group", help="Customers who pay the same percentage.")

# -10 is a percentage here and no option.
_NUMBERS = {"ignore_unknown_options": True}


@runs(groups, "price.group.add", name="add", context_settings=_NUMBERS)
def add_group(
    name: Annotated[str, place("price.group.add", "name")],
    percent: Annotated[str, place("price.group.add", "percent")],
) -> Values:
    """Make a price group; customers are put into it with `price customer`."""
    return {"name": name, "percent": percent}


@runs(groups, "price.group.set", name="set", context_settings=_NUMBERS)
def set_group(
    name: Annotated[str, place("price.group.set", "name")],
    percent: Annotated[str, place("price.group.set", "percent")],
) -> Values:
    """Give a price group another percentage."""
    return {"name": name, "percent": percent}


@runs(groups, "price.group.remove", name="remove")
def remove_group(name: Annotated[str, place("price.group.remove", "name")]) -> Values:
    """Remove a price group that has no customers."""
    return {"name": name}


@groups.command(name="list")
def list_groups(*, data_dir: DataDirOption = None) -> None:
    """All price groups, with the number of customers in each."""
    del data_dir
    with panel():
        from hawker.catalog import pricing

        answer(pricing.list_groups())


@runs(app, "price.customer")
def customer(
    email: Annotated[str, place("price.customer", "email")],
    *,
    group: Annotated[str | None, flag("price.customer", "group")] = None,
    no_group: Annotated[bool, flag("price.customer", "no_group", "--no-group")] = False,
    percent: Annotated[str | None, flag("price.customer", "percent")] = None,
    no_percent: Annotated[bool, flag("price.customer", "no_percent", "--no-percent")] = False,
) -> Values:
    """Put a customer into a price group, or give one a percentage of their own."""
    return {"email": email, "group": group, "no_group": no_group, "percent": percent, "no_percent": no_percent}


@runs(app, "price.rate")
def rate(
    email: Annotated[str, place("price.rate", "email")],
    service: Annotated[int, place("price.rate", "service")],
    rate: Annotated[str, place("price.rate", "rate")] = "",
    *,
    remove: Annotated[bool, flag("price.rate", "remove", "--remove")] = False,
) -> Values:
    """Agree on a rate with one customer for one service; it goes before every percentage."""
    return {"email": email, "service": service, "rate": rate, "remove": remove}


@app.command()
def show(
    email: Annotated[str, typer.Argument(help="E-mail address of the customer.")], *, data_dir: DataDirOption = None
) -> None:
    """How a customer is sold to: group, percentages, agreed rates."""
    del data_dir
    with panel(), sentences(Refused):
        answer(describe_customer_prices(email))
