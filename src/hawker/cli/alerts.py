"""`hawker alert`: what needs a person."""

from typing import Annotated

import typer

from hawker.cli.output import answer
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs

app = typer.Typer(no_args_is_help=True)


@app.command(name="list")
def list_(
    *,
    closed: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, newest first.")] = 100,
    data_dir: DataDirOption = None,
) -> None:
    """Open alerts, newest first: what about, since when, how often seen."""
    del data_dir
    with panel():
        from hawker.alerts.actions import describe_alerts

        answer(describe_alerts(closed=closed, limit=limit))


@runs(app, "alert.close", many="alerts", show=lambda _: {"ok": True})
def close(
    alert: Annotated[list[int], place("alert.close", "alert")] = [],  # noqa: B006
    *,
    reason: Annotated[str, flag("alert.close", "reason")],
) -> Values:
    """Close alerts that do not end by themselves."""
    return {"alert": alert, "reason": reason}
