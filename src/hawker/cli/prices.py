"""`hawker price`: what customers pay who do not pay the catalogue's rates."""

from typing import Annotated, Any

import typer

from hawker.cli.changes import changing
from hawker.cli.output import answer, fail, sentences
from hawker.cli.panel import DataDirOption, panel

app = typer.Typer(no_args_is_help=True)
groups = typer.Typer(no_args_is_help=True)
app.add_typer(groups, name="group", help="Customers who pay the same percentage.")

# -10 is a percentage here and no option.
_NUMBERS = {"ignore_unknown_options": True}

Email = Annotated[str, typer.Argument(help="E-mail address of the customer.")]
GroupName = Annotated[str, typer.Argument(help="The price group.")]
Percent = Annotated[str, typer.Argument(help="On top of the catalogue's rates, or off them: 5, -12.5.")]


@groups.command(name="add", context_settings=_NUMBERS)
def add_group(name: GroupName, percent: Percent, *, data_dir: DataDirOption = None) -> None:
    """Make a price group; customers are put into it with `price customer`."""
    del data_dir
    with panel():
        from hawker.catalog import pricing
        from hawker.catalog.errors import BadPrice, GroupExists

        with sentences(BadPrice, GroupExists), changing("price.group.add") as change:
            made = pricing.describe_group(pricing.add_group(name, percent))
            change.note("price_group", made["name"], after=made)
        answer(made)


@groups.command(name="set", context_settings=_NUMBERS)
def set_group(name: GroupName, percent: Percent, *, data_dir: DataDirOption = None) -> None:
    """Give a price group another percentage."""
    del data_dir
    with panel():
        from hawker.catalog import pricing
        from hawker.catalog.errors import BadPrice, NoSuchGroup

        with sentences(BadPrice, NoSuchGroup), changing("price.group.set") as change:
            change.watch("price_group", name.strip(), lambda: pricing.describe_group(pricing.find_group(name)))
            changed = pricing.describe_group(pricing.set_group(name, percent))
        answer(changed)


@groups.command(name="remove")
def remove_group(name: GroupName, *, data_dir: DataDirOption = None) -> None:
    """Forget a price group that has no customers."""
    del data_dir
    with panel():
        from hawker.catalog import pricing
        from hawker.catalog.errors import GroupInUse, NoSuchGroup

        with sentences(GroupInUse, NoSuchGroup), changing("price.group.remove") as change:
            gone = pricing.describe_group(pricing.find_group(name))
            pricing.remove_group(name)
            change.note("price_group", gone["name"], before=gone)
        answer({"removed": name.strip()})


@groups.command(name="list")
def list_groups(*, data_dir: DataDirOption = None) -> None:
    """All price groups, with the number of customers in each."""
    del data_dir
    with panel():
        from hawker.catalog import pricing

        answer(pricing.list_groups())


@app.command()
def customer(
    email: Email,
    *,
    group: Annotated[str | None, typer.Option(help="Put the customer into this price group.")] = None,
    no_group: Annotated[bool, typer.Option("--no-group", help="Take the customer out of the group.")] = False,
    percent: Annotated[str | None, typer.Option(help="The customer's own percentage, before the group's.")] = None,
    no_percent: Annotated[bool, typer.Option("--no-percent", help="Take the own percentage away.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Put a customer into a price group, or give one a percentage of their own."""
    del data_dir
    if (group is not None and no_group) or (percent is not None and no_percent):
        fail("say either what is to be set or that there is to be none")
    if group is None and percent is None and not no_group and not no_percent:
        fail("say what is to change: --group, --no-group, --percent or --no-percent")
    with panel():
        from hawker.accounts.actions import find_customer
        from hawker.accounts.errors import NoSuchCustomer
        from hawker.catalog.errors import BadPrice, NoSuchGroup
        from hawker.catalog.pricing import UNCHANGED, price_accounts

        with sentences(NoSuchCustomer, BadPrice, NoSuchGroup), changing("price.customer") as change:
            found = find_customer(email)
            change.watch("customer", found.email, lambda: _terms(found))
            price_accounts(
                [found.account.id],
                group=group if group is not None or no_group else UNCHANGED,
                percent=percent if percent is not None or no_percent else UNCHANGED,
            )
        answer(_prices(found))


@app.command()
def rate(
    email: Email,
    service: Annotated[int, typer.Argument(help="The service's number.", min=1, max=2**63 - 1)],
    rate: Annotated[str, typer.Argument(help="The price of 1,000, or of one package, such as 0.75.")] = "",
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Back to the percentage, or the catalogue's rate.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Agree on a rate with one customer for one service; it goes before every percentage."""
    del data_dir
    if bool(rate) == remove:
        fail("say the rate, or --remove")
    with panel():
        from hawker.accounts.actions import find_customer
        from hawker.accounts.errors import NoSuchCustomer
        from hawker.catalog.pricing import AgreedRate, agree_rates

        with sentences(NoSuchCustomer), changing("price.rate") as change:
            found = find_customer(email)
            change.watch("customer", found.email, lambda: _terms(found))
            (refusal,) = agree_rates([AgreedRate(found.account.id, service, None if remove else rate)])
            if refusal is not None:
                fail(str(refusal))
        answer(_prices(found))


@app.command()
def show(email: Email, *, data_dir: DataDirOption = None) -> None:
    """How a customer is sold to: group, percentages, agreed rates."""
    del data_dir
    with panel():
        from hawker.accounts.actions import find_customer
        from hawker.accounts.errors import NoSuchCustomer

        with sentences(NoSuchCustomer):
            found = find_customer(email)
        answer(_prices(found))


def _prices(user: Any) -> dict[str, Any]:
    from hawker.catalog.pricing import describe_prices

    return {"customer": user.email, **describe_prices(user.account.id)}


def _terms(user: Any) -> dict[str, Any]:
    """How a customer is sold to, each agreed rate by its service, for the audit log."""
    prices = _prices(user)
    rates = {f"rate {agreed['service']}": agreed["rate"] for agreed in prices["rates"]}
    return {name: prices[name] for name in ("group", "percent")} | rates
