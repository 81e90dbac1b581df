"""`hawker order`: what became of an order, and why."""

import asyncio
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
from hawker.cli.output import answer, fail, read_reason, say, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.core.clock import SystemClock

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


@app.command()
def cancel(
    order: OrderArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with the order.")],
    data_dir: DataDirOption = None,
) -> None:
    """Cancel an order: refunded at once where no provider has it, else the provider is asked."""
    del data_dir
    why = read_reason(reason)
    with panel():
        from hawker.core.errors import Refusal
        from hawker.orders import CancelAsk, describe_standing, request_cancels
        from hawker.protocol.errors import OrderCompleted

        with changing("order.cancel", reason=why) as change:
            change.watch("order", order, lambda: describe_standing(order))
            asked = [CancelAsk(None, [str(order)])]
            (answers,) = request_cancels(asked, actor=actor(), reason=why, now=SystemClock().now())
            answered = answers[str(order)]
            if isinstance(answered, OrderCompleted):
                fail(f"order {order} has ended already; nothing was changed")
            if isinstance(answered, Refusal):
                fail(f"there is no order {order}")
        answer({"order": order, "cancel": answered.value})


@app.command()
def release(
    orders: Annotated[list[int], typer.Argument(help="The orders' numbers.", min=1, max=MAX_ORDER)],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with the orders.")],
    at_a_loss: Annotated[bool, typer.Option("--at-a-loss", help="Send them whatever they cost.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Have held orders looked at again at once, or sent although they cost more than they bring in."""
    del data_dir
    why = read_reason(reason)
    with panel():
        from hawker.orders import release_orders
        from hawker.orders.errors import NotHeld

        with changing("order.release", reason=why) as change:
            answers = release_orders(orders, at_a_loss=at_a_loss, actor=actor(), reason=why, now=SystemClock().now())
            for order, item in zip(orders, answers, strict=True):
                if not isinstance(item, NotHeld):
                    change.note("order", order, before={"held": True}, after={"held": False, "at_a_loss": at_a_loss})
        refused = [item for item in answers if isinstance(item, NotHeld)]
        for item in refused:
            say(str(item))
        released = [order for order, item in zip(orders, answers, strict=True) if not isinstance(item, NotHeld)]
        if not released:
            fail("nothing was changed")
        answer({"released": released})


@app.command()
def start(order: OrderArgument, *, data_dir: DataDirOption = None) -> None:
    """Say that staff have begun with an order that no provider delivers; customers cannot end it any more."""
    del data_dir
    _deliver("start", order, "in_progress", "staff have begun")


@app.command()
def complete(
    order: OrderArgument,
    *,
    reason: Annotated[str, typer.Option(help="Anything to be kept with the order.")] = "staff delivered it",
    data_dir: DataDirOption = None,
) -> None:
    """Say that staff have delivered an order that no provider delivers."""
    del data_dir
    _deliver("complete", order, "completed", read_reason(reason))


@app.command()
def partial(
    order: OrderArgument,
    *,
    remains: Annotated[int, typer.Option(min=1, help="How many were not delivered; they are refunded.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the order.")],
    data_dir: DataDirOption = None,
) -> None:
    """Say that staff have delivered a part of an order, and refund the rest."""
    del data_dir
    _deliver("partial", order, "partial", read_reason(reason), remains)


def _deliver(verb: str, order: int, state_text: str, reason: str, remains: int | None = None) -> None:
    with panel():
        from hawker.orders import StaffDelivery, describe_standing, record_deliveries
        from hawker.orders.models import State

        delivery = StaffDelivery(order, State(state_text), reason, remains)
        with changing(f"order.{verb}", reason=reason) as change:
            change.watch("order", order, lambda: describe_standing(order))
            (recorded,) = record_deliveries([delivery], actor=actor(), now=SystemClock().now())
            if isinstance(recorded, Exception):
                fail(str(recorded))
        answer({"order": order, "state": recorded.value})


@app.command()
def resolve(
    order: OrderArgument,
    *,
    bind: Annotated[
        int | None, typer.Option(min=1, max=10**18 - 1, help="The provider has it, under this number of its.")
    ] = None,
    resend: Annotated[bool, typer.Option("--resend", help="The provider does not have it: send it again.")] = False,
    refund: Annotated[bool, typer.Option("--refund", help="End it and give the customer everything back.")] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="With --bind: do not ask the provider about that number first.")
    ] = False,
    reason: Annotated[str, typer.Option(help="How this is known; kept as evidence.")],
    data_dir: DataDirOption = None,
) -> None:
    """Decide what no rule can: what became of an order that is unknown. `order show` has the evidence."""
    del data_dir
    if (bind is not None) + resend + refund != 1:
        fail("say one of --bind, --resend, --refund")
    why = read_reason(reason)
    with panel():
        from hawker.orders import (
            bind_order,
            describe_orders,
            describe_standing,
            find_unknown,
            refund_order,
            resend_order,
        )
        from hawker.orders.errors import CannotResolve

        now = SystemClock().now()
        with sentences(CannotResolve):
            unknown = find_unknown(order)
            if bind is not None and not unchecked:
                _check_number(unknown.provider_id, bind)
            with changing("order.resolve", reason=why) as change:
                change.watch("order", order, lambda: describe_standing(order))
                if bind is not None:
                    bind_order(order, bind, actor=actor(), reason=why, now=now)
                elif resend:
                    resend_order(order, actor=actor(), reason=why, now=now)
                else:
                    refund_order(order, actor=actor(), reason=why, now=now)
        (shown,) = describe_orders([order])
        answer({name: shown[name] for name in ("order", "state", "upstream_order", "refunded")})


def _check_number(provider_id: int, upstream_id: int) -> None:
    """The provider tells of an order of ours under this number, or the command ends."""
    from hawker.providers.actions import ask_order, read_access
    from hawker.providers.errors import BadProvider, CallFailed, CannotConnect

    with sentences(BadProvider, CannotConnect):
        try:
            asyncio.run(ask_order(read_access(provider_id), upstream_id))
        except CallFailed as error:
            fail(f"the provider does not tell of an order {upstream_id} of ours, so nothing was changed: {error}")
