"""`hawker refill`: which there are, and how those end that no provider ends."""

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
from hawker.cli.output import fail
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs

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


@runs(app, "refill.resolve", many="refills")
def resolve(
    refill: Annotated[list[int], place("refill.resolve", "refill")] = [],  # noqa: B006
    *,
    completed: Annotated[bool, typer.Option("--completed", help="It was delivered.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="It will not be delivered.")] = False,
    reason: Annotated[str, flag("refill.resolve", "reason", help="Why; kept with the refill.")],
) -> Values:
    """End refills by hand: those that staff deliver, or of which nobody knows whether the provider took them."""
    if completed == rejected:
        fail("say either --completed or --rejected")
    return {"refill": refill, "state": "completed" if completed else "rejected", "reason": reason}
