"""`hawker link`: links that nobody may order for."""

from typing import Annotated

import typer

from hawker.cli.changes import changing
from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.services import MAX_ID
from hawker.core.clock import SystemClock

app = typer.Typer(no_args_is_help=True)

PatternsArgument = Annotated[
    list[str],
    typer.Argument(
        help="A host (example.com: it and all under it), or a text found anywhere in a link, * for anything between."
    ),
]
ServiceOption = Annotated[int | None, typer.Option(min=1, max=MAX_ID, help="With this service only.")]


@app.command()
def forbid(patterns: PatternsArgument, *, service: ServiceOption = None, data_dir: DataDirOption = None) -> None:
    """Refuse orders for links that match, with `Incorrect link`. Orders that were placed go on."""
    del data_dir
    with panel():
        from hawker.catalog.actions import forbid_links
        from hawker.catalog.errors import BadPattern, NoSuchService

        with sentences(BadPattern, NoSuchService), changing("link.forbid") as change:
            kept = forbid_links(patterns, service_id=service, now=SystemClock().now())
            change.note("links", _whose(service), after={"forbidden": kept})
        answer({"forbidden": kept})


@app.command()
def allow(patterns: PatternsArgument, *, service: ServiceOption = None, data_dir: DataDirOption = None) -> None:
    """Take patterns off the list again; answers those that were on it."""
    del data_dir
    with panel():
        from hawker.catalog.actions import allow_links
        from hawker.catalog.errors import BadPattern

        with sentences(BadPattern), changing("link.allow") as change:
            gone = allow_links(patterns, service_id=service)
            change.note("links", _whose(service), before={"forbidden": gone})
        answer({"allowed": gone})


@app.command(name="list")
def list_(*, data_dir: DataDirOption = None) -> None:
    """Every pattern, the general ones and those of single services."""
    del data_dir
    with panel():
        from hawker.catalog.actions import list_forbidden_links

        answer(list_forbidden_links())


def _whose(service: int | None) -> str:
    return "all services" if service is None else f"service {service}"
