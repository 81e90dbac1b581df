"""`hawker route`: where each service is bought, and from whom next when the first cannot take it."""

from typing import Annotated, Any

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
from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.services import MAX_ID
from hawker.core.clock import SystemClock

app = typer.Typer(no_args_is_help=True)

ServiceArgument = Annotated[int, typer.Argument(help="The service's number here.", min=1, max=MAX_ID)]
ProviderArgument = Annotated[str, typer.Argument(help="The provider's name.")]


@app.command()
def add(
    service: ServiceArgument,
    provider: ProviderArgument,
    upstream_service: Annotated[int, typer.Argument(help="Its number there.", min=1, max=MAX_ID)],
    *,
    cost_rate: Annotated[str, typer.Option(help="What 1,000 (or one package) cost there, in its currency.")],
    position: Annotated[int, typer.Option(min=0, max=1_000, help="The lowest is asked first.")] = 0,
    data_dir: DataDirOption = None,
) -> None:
    """Buy a service from a provider too, or change how it is bought there. Answers the service's routes."""
    del data_dir
    with panel():
        from hawker.orders import look_again
        from hawker.providers.errors import BadRoute, NoSuchProvider
        from hawker.providers.routes import RouteDraft, describe_routes, save_route

        now = SystemClock().now()
        with sentences(BadRoute, NoSuchProvider), changing("route.add") as change:
            change.watch("service", service, lambda: _routes(service))
            save_route(RouteDraft(service, provider, upstream_service, cost_rate, position))
            look_again([service], now=now)
        answer(describe_routes(service_id=service, provider_name="", now=now))


@app.command()
def remove(service: ServiceArgument, provider: ProviderArgument, *, data_dir: DataDirOption = None) -> None:
    """Buy a service from a provider no more. Answers the routes that are left."""
    del data_dir
    with panel():
        from hawker.orders import look_again
        from hawker.providers.errors import NoSuchProvider, NoSuchRoute
        from hawker.providers.routes import describe_routes, remove_route

        now = SystemClock().now()
        with sentences(NoSuchProvider, NoSuchRoute), changing("route.remove") as change:
            change.watch("service", service, lambda: _routes(service))
            remove_route(service, provider)
            look_again([service], now=now)
        answer(describe_routes(service_id=service, provider_name="", now=now))


@app.command(name="list")
def list_(
    *,
    service: Annotated[int | None, typer.Option(min=1, max=MAX_ID, help="Only of this service.")] = None,
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


def _routes(service: int) -> dict[str, Any]:
    """The routes of a service by provider, for the audit log; whether each takes orders now is no change of ours."""
    from hawker.providers.routes import describe_routes

    routes = describe_routes(service_id=service, provider_name="", now=SystemClock().now())
    told = ("upstream_service", "cost_rate", "position")
    return {f"route {route['provider']}": {name: route[name] for name in told} for route in routes}
