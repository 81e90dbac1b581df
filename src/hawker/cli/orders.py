"""`hawker order`: what became of an order, and why."""

from typing import Annotated

import typer

from hawker.cli.output import answer, fail
from hawker.cli.panel import DataDirOption, panel

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(
    order: Annotated[int, typer.Argument(help="The order's number.", min=1)], *, data_dir: DataDirOption = None
) -> None:
    """One order with its transfers, attempts and events."""
    del data_dir
    with panel():
        from hawker.orders.actions.inspect import describe_orders

        described = describe_orders([order])
        if not described:
            fail(f"there is no order {order}")
        answer(described[0])


@app.command(name="list")
def list_(
    *,
    state: Annotated[str, typer.Option(help="Only orders in this state, such as unknown.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, newest first.")] = 100,
    data_dir: DataDirOption = None,
) -> None:
    """Orders, newest first, with their attempts and events."""
    del data_dir
    with panel():
        from hawker.orders.actions.inspect import describe_orders, list_order_ids
        from hawker.orders.models import State

        if state and state not in State.values:
            fail(f"there is no state {state!r}; there are: {', '.join(State.values)}")
        answer(describe_orders(list_order_ids(state=State(state) if state else None, limit=limit)))
