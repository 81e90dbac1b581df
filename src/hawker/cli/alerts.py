"""`hawker alert`: what needs a person."""

from typing import Annotated

import typer

from hawker.cli.changes import changing
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
from hawker.core.clock import SystemClock

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


@app.command()
def close(
    alert: Annotated[int, typer.Argument(help="The alert's number.", min=1)],
    *,
    reason: Annotated[str, typer.Option(help="Why it is over: who looked, and what was done.")],
    data_dir: DataDirOption = None,
) -> None:
    """Close an alert that does not end by itself."""
    del data_dir
    if not reason.strip():
        fail("closing an alert needs a reason")
    with panel():
        from hawker.alerts.actions import close_alert

        with changing("alert.close", reason=reason.strip()) as change:
            if not close_alert(alert, by=reason.strip(), now=SystemClock().now()):
                fail(f"there is no open alert {alert}")
            change.note("alert", alert, before={"open": True}, after={"open": False})
        answer({"ok": True})
