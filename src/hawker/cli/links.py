"""`hawker link`: links that nobody may order for."""

from typing import Annotated

import typer

from hawker.cli.output import answer
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs

app = typer.Typer(no_args_is_help=True)


@runs(app, "link.forbid")
def forbid(
    patterns: Annotated[list[str], place("link.forbid", "patterns")],
    *,
    service: Annotated[int | None, flag("link.forbid", "service")] = None,
) -> Values:
    """Refuse orders for links that match, with `Incorrect link`. Orders that were placed go on."""
    return {"patterns": patterns, "service": service}


@runs(app, "link.allow")
def allow(
    patterns: Annotated[list[str], place("link.allow", "patterns")],
    *,
    service: Annotated[int | None, flag("link.allow", "service")] = None,
) -> Values:
    """Take patterns off the list again; answers those that were on it."""
    return {"patterns": patterns, "service": service}


@app.command(name="list")
def list_(*, data_dir: DataDirOption = None) -> None:
    """Every pattern, the general ones and those of single services."""
    del data_dir
    with panel():
        from hawker.catalog.actions import list_forbidden_links

        answer(list_forbidden_links())
