"""`hawker order`: what became of an order, and why."""

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
from hawker.cli.output import answer, fail
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs

app = typer.Typer(no_args_is_help=True)

MAX_ORDER = 2**63 - 1
"""What the column of order numbers holds: the database cannot even be asked for more."""

OrderArgument = Annotated[int, typer.Argument(help="The order's number.", min=1, max=MAX_ORDER)]


@app.command()
def show(order: OrderArgument, *, data_dir: DataDirOption = None) -> None:
    """One order with its transfers, attempts, refills and events."""
    del data_dir
    with panel():
        from hawker.orders import describe_orders

        described = describe_orders([order])
        if not described:
            fail(f"there is no order {order}")
        answer(described[0])


@app.command(name="list")
def list_(
    *,
    state: Annotated[str, typer.Option(help="Only orders in this state, such as unknown.")] = "",
    held: Annotated[bool, typer.Option("--held", help="Only orders that are held; `work` says why.")] = False,
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """Orders, newest first, with their attempts and events."""
    del data_dir
    with panel():
        chosen = {"state": state or None, "held": "yes" if held else None}
        answer_list("orders", Wanted(filters, sort, after, limit, format_), chosen)


@runs(app, "order.cancel", many="orders")
def cancel(
    order: Annotated[list[int], place("order.cancel", "order")] = [],  # noqa: B006
    *,
    reason: Annotated[str, flag("order.cancel", "reason", help="Why; kept with the order.")],
) -> Values:
    """Cancel orders: refunded at once where no provider has them, else the provider is asked."""
    return {"order": order, "reason": reason}


@runs(
    app,
    "order.release",
    many="orders",
    show=lambda released: {"released": [released.order]},
    show_many=lambda _, items: {"released": [int(item.subject) for item in items if item.state == "done"]},
)
def release(
    orders: Annotated[list[int], place("order.release", "order", help="The orders' numbers.")] = [],  # noqa: B006
    *,
    reason: Annotated[str, flag("order.release", "reason", help="Why; kept with the orders.")],
    at_a_loss: Annotated[
        bool, flag("order.release", "at_a_loss", "--at-a-loss", help="Send them whatever they cost.")
    ] = False,
) -> Values:
    """Have held orders looked at again at once, or sent although they cost more than they bring in."""
    return {"order": orders, "reason": reason, "at_a_loss": at_a_loss}


@runs(app, "order.start", many="orders")
def start(order: Annotated[list[int], place("order.start", "order")] = []) -> Values:  # noqa: B006
    """Say that staff have begun with orders that no provider delivers; customers cannot end them any more."""
    return {"order": order}


@runs(app, "order.complete", many="orders")
def complete(
    order: Annotated[list[int], place("order.complete", "order")] = [],  # noqa: B006
    *,
    reason: Annotated[str | None, flag("order.complete", "reason", help="Anything to be kept with the order.")] = None,
) -> Values:
    """Say that staff have delivered orders that no provider delivers."""
    return {"order": order, "reason": reason}


@runs(app, "order.partial")
def partial(
    order: Annotated[int, place("order.partial", "order")],
    *,
    remains: Annotated[int, flag("order.partial", "remains")],
    reason: Annotated[str, flag("order.partial", "reason", help="Why; kept with the order.")],
) -> Values:
    """Say that staff have delivered a part of an order, and refund the rest."""
    return {"order": order, "remains": remains, "reason": reason}


@runs(app, "order.resolve")
def resolve(
    order: Annotated[int, place("order.resolve", "order")],
    *,
    bind: Annotated[int | None, flag("order.resolve", "upstream_order")] = None,
    resend: Annotated[bool, typer.Option("--resend", help="The provider does not have it: send it again.")] = False,
    refund: Annotated[bool, typer.Option("--refund", help="End it and give the customer everything back.")] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="With --bind: do not ask the provider about that number first.")
    ] = False,
    reason: Annotated[str, typer.Option(help="How this is known; kept as evidence.")],
) -> Values:
    """Decide what no rule can: what became of an order that is unknown. `order show` has the evidence."""
    given = {"bind": bind is not None, "resend": resend, "refund": refund}
    decisions = [name for name, is_given in given.items() if is_given]
    if len(decisions) != 1:
        fail("say one of --bind, --resend, --refund")
    return {
        "order": order,
        "decision": decisions[0],
        "upstream_order": bind,
        "unchecked": unchecked,
        "reason": reason,
    }
