"""`hawker alert`: what needs a person."""

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
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs

app = typer.Typer(no_args_is_help=True)


@app.command(name="list")
def list_(
    *,
    closed: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """Open alerts, newest first: what about, since when, how often seen."""
    del data_dir
    with panel():
        answer_list("alerts", Wanted(filters, sort, after, limit, format_), {"open": None if closed else "yes"})


@runs(app, "alert.close", many="alerts", show=lambda _: {"ok": True})
def close(
    alert: Annotated[list[int], place("alert.close", "alert")] = [],  # noqa: B006
    *,
    reason: Annotated[str, flag("alert.close", "reason")],
) -> Values:
    """Close alerts that do not end by themselves."""
    return {"alert": alert, "reason": reason}
