"""`hawker route`: where each service is bought, and from whom next when the first cannot take it."""

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
from hawker.operations.inputs import MAX_SERVICE

app = typer.Typer(no_args_is_help=True)


@runs(app, "route.add", show=lambda left: left.routes)
def add(
    service: Annotated[int, place("route.add", "service")],
    provider: Annotated[str, place("route.add", "provider")],
    upstream_service: Annotated[int, place("route.add", "upstream_service")],
    *,
    cost_rate: Annotated[str, flag("route.add", "cost_rate")],
    position: Annotated[int, flag("route.add", "position")] = 0,
) -> Values:
    """Buy a service from a provider too, or change how it is bought there. Answers the service's routes."""
    return {
        "service": service,
        "provider": provider,
        "upstream_service": upstream_service,
        "cost_rate": cost_rate,
        "position": position,
    }


@runs(app, "route.remove", show=lambda left: left.routes)
def remove(
    service: Annotated[int, place("route.remove", "service")],
    provider: Annotated[str, place("route.remove", "provider")],
) -> Values:
    """Buy a service from a provider no more. Answers the routes that are left."""
    return {"service": service, "provider": provider}


@app.command(name="list")
def list_(
    *,
    service: Annotated[int | None, typer.Option(min=1, max=MAX_SERVICE, help="Only of this service.")] = None,
    provider: Annotated[str, typer.Option(help="Only to this provider.")] = "",
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 0,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """The routes of all services, in the order in which they are asked."""
    del data_dir
    with panel():
        chosen = {"service": None if service is None else str(service), "provider": provider or None}
        answer_list("routes", Wanted(filters, sort, after, limit, format_), chosen)
