"""`hawker audit`: who changed what."""

from typing import Annotated

import typer

from hawker.cli.instants import read_past
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
from hawker.core.clock import SystemClock

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """One command by now; without this it would lose its name."""


@app.command(name="list")
def list_(
    *,
    actor: Annotated[str | None, typer.Option(help="Only what this one did: cli:root.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this: key.revoke, or key for all about keys.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only about this: provider:acme, or provider for all.")] = None,
    customer: Annotated[str, typer.Option(help="Only about this customer: balance, keys, prices, by e-mail.")] = "",
    since: Annotated[str, typer.Option(help="Only since then: 2027-01-31, 2027-01-31T12:00Z, or the last 7d.")] = "",
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """What was changed, newest first: by whom, from where, what it was before and after, and why."""
    del data_dir
    moment = read_past(since, SystemClock().now()) if since else None
    with panel():
        chosen = {"actor": actor, "action": action, "subject": subject, "customer": customer or None}
        chosen["at"] = None if moment is None else f"{moment.isoformat()}.."
        answer_list("audit", Wanted(filters, sort, after, limit, format_), chosen)
