"""`hawker service`: what is sold, and how each service may be ordered."""

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
from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs
from hawker.operations.errors import Refused
from hawker.operations.inputs import MAX_SERVICE, help_of
from hawker.operations.services import SetService, describe_service

app = typer.Typer(no_args_is_help=True)


@app.command(name="list")
def list_(
    *,
    category: Annotated[str, typer.Option(help="Only of this category.")] = "",
    provider: Annotated[str, typer.Option(help="Only those bought from this provider.")] = "",
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Only those on sale, or not.")] = None,
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 0,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """All services with their rules and where they are bought, as customers see them in order."""
    del data_dir
    with panel():
        chosen = {"category": category or None, "provider": provider or None}
        chosen["enabled"] = None if enabled is None else "yes" if enabled else "no"
        answer_list("services", Wanted(filters, sort, after, limit, format_), chosen)


@app.command()
def show(
    service: Annotated[int, typer.Argument(help="The service's number.", min=1, max=MAX_SERVICE)],
    *,
    data_dir: DataDirOption = None,
) -> None:
    """One service with its rules and where it is bought."""
    del data_dir
    with panel(), sentences(Refused):
        answer(describe_service(service))


@runs(app, "service.set", name="set", many="services")
def set_(
    service: Annotated[list[int], place("service.set", "service")] = [],  # noqa: B006
    *,
    name: Annotated[str | None, flag("service.set", "name")] = None,
    free: Annotated[bool | None, flag("service.set", "free", "--free/--no-free")] = None,
    links: Annotated[str | None, flag("service.set", "links")] = None,
    one_active_per_link: Annotated[
        bool | None,
        flag("service.set", "one_active_per_link", "--one-active-per-link/--no-one-active-per-link"),
    ] = None,
    refill_days: Annotated[int | None, typer.Option(help=help_of(SetService, "refill_days"))] = None,
    subscription: Annotated[str | None, flag("service.set", "subscription")] = None,
    feed: Annotated[str | None, flag("service.set", "feed")] = None,
    post_source: Annotated[str | None, flag("service.set", "post_source")] = None,
    feed_private: Annotated[
        bool | None, flag("service.set", "feed_private", "--feed-private/--no-feed-private")
    ] = None,
    old_posts: Annotated[bool | None, flag("service.set", "old_posts", "--old-posts/--no-old-posts")] = None,
) -> Values:
    """Change how services may be ordered; what is not named stays. Answers the service as it is then."""
    return {
        "service": service,
        "name": name,
        "free": free,
        "links": links,
        "one_active_per_link": one_active_per_link,
        "refill_days": refill_days,
        "subscription": subscription,
        "feed": feed,
        "post_source": post_source,
        "feed_private": feed_private,
        "old_posts": old_posts,
    }


@runs(app, "service.add_subscription")
def add_subscription(
    service: Annotated[int, place("service.add_subscription", "service")],
    *,
    feed: Annotated[str, flag("service.add_subscription", "feed")],
    name: Annotated[str, flag("service.add_subscription", "name")] = "",
    post_source: Annotated[str, flag("service.add_subscription", "post_source")] = "feed",
    feed_private: Annotated[bool, flag("service.add_subscription", "feed_private", "--feed-private")] = False,
) -> Values:
    """Offer subscriptions that buy each new post as an order of this service. Answers the new service."""
    return {
        "service": service,
        "feed": feed,
        "name": name,
        "post_source": post_source,
        "feed_private": feed_private,
    }


@runs(
    app,
    "service.enable",
    many="services",
    show=lambda switched: {"enabled": [switched.service]},
    show_many=lambda _, items: {"enabled": [int(item.subject) for item in items if item.state == "done"]},
)
def enable(
    services: Annotated[list[int], place("service.enable", "service", help="The services' numbers.")] = [],  # noqa: B006
) -> Values:
    """Put services on sale."""
    return {"service": services}


@runs(
    app,
    "service.disable",
    many="services",
    show=lambda switched: {"disabled": [switched.service]},
    show_many=lambda _, items: {"disabled": [int(item.subject) for item in items if item.state == "done"]},
)
def disable(
    services: Annotated[list[int], place("service.disable", "service", help="The services' numbers.")] = [],  # noqa: B006
) -> Values:
    """Take services off sale; orders that were placed go on."""
    return {"service": services}
