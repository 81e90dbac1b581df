"""`hawker refill`: which there are, and how those end that no provider ends."""

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
from hawker.cli.output import answer, fail, read_reason
from hawker.cli.panel import DataDirOption, panel
from hawker.core.clock import SystemClock

app = typer.Typer(no_args_is_help=True)


@app.command(name="list")
def list_(
    *,
    state: Annotated[str, typer.Option(help="Only refills in this state, such as pending, or unknown.")] = "",
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """Refills, newest first, with their attempts."""
    del data_dir
    with panel():
        answer_list("refills", Wanted(filters, sort, after, limit, format_), {"state": state or None})


@app.command()
def resolve(
    refill: Annotated[int, typer.Argument(help="The refill's number.", min=1, max=2**63 - 1)],
    *,
    completed: Annotated[bool, typer.Option("--completed", help="It was delivered.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="It will not be delivered.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept with the refill.")],
    data_dir: DataDirOption = None,
) -> None:
    """End a refill by hand: one that staff deliver, or of which nobody knows whether the provider took it."""
    del data_dir
    if completed == rejected:
        fail("say either --completed or --rejected")
    why = read_reason(reason)
    with panel():
        from hawker.orders import RefillDecision, describe_refill_state, resolve_refills
        from hawker.orders.models import RefillState

        state = RefillState.COMPLETED if completed else RefillState.REJECTED
        with changing("refill.resolve", reason=why) as change:
            change.watch("refill", refill, lambda: describe_refill_state(refill))
            resolution = RefillDecision(refill, state, why)
            (resolved,) = resolve_refills([resolution], actor=actor(), now=SystemClock().now())
            if isinstance(resolved, Exception):
                fail(str(resolved))
        answer({"refill": refill, "state": resolved.value})
