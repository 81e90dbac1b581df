"""`hawker service`: what is sold, and how each service may be ordered."""

from functools import partial
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
from hawker.cli.output import answer, fail, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.core.clock import SystemClock

app = typer.Typer(no_args_is_help=True)

MAX_ID = 999_999_999_999
"""What the protocol reads as a number (reliability.md)."""

ServiceArgument = Annotated[int, typer.Argument(help="The service's number.", min=1, max=MAX_ID)]
ServicesArgument = Annotated[list[int], typer.Argument(help="The services' numbers.", min=1, max=MAX_ID)]


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
def show(service: ServiceArgument, *, data_dir: DataDirOption = None) -> None:
    """One service with its rules and where it is bought."""
    del data_dir
    with panel():
        answer(_described(service))


@app.command(name="set")
def set_(
    service: ServiceArgument,
    *,
    name: Annotated[str | None, typer.Option(help="What customers read.")] = None,
    free: Annotated[bool | None, typer.Option("--free/--no-free", help="A gift: orders cost nothing.")] = None,
    links: Annotated[str | None, typer.Option(help="What it takes as a link: any, url or handle.")] = None,
    one_active_per_link: Annotated[
        bool | None,
        typer.Option(
            "--one-active-per-link/--no-one-active-per-link", help="One unfinished order for a link at a time."
        ),
    ] = None,
    refill_days: Annotated[
        int | None, typer.Option(help="For how many days after its end an order may be refilled; 0 without an end.")
    ] = None,
    subscription: Annotated[
        str | None, typer.Option(help="Who finds the posts: forwarded (the provider) or local (the panel).")
    ] = None,
    feed: Annotated[str | None, typer.Option(help="Where posts are found, an address with {username} in it.")] = None,
    post_source: Annotated[str | None, typer.Option(help="What reads that address: feed, or one installed.")] = None,
    feed_private: Annotated[
        bool | None, typer.Option("--feed-private/--no-feed-private", help="It may be http or on a private network.")
    ] = None,
    old_posts: Annotated[
        bool | None, typer.Option("--old-posts/--no-old-posts", help="Existing posts may be ordered for too.")
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Change how a service may be ordered; what is not named stays. Answers the service as it is then."""
    del data_dir
    options: dict[str, object] = {
        "name": name,
        "free": free,
        "links": links,
        "one_active_per_link": one_active_per_link,
        "refill_days": refill_days,
        "subscription": subscription,
        "post_url": feed,
        "post_source": post_source,
        "post_private": feed_private,
        "old_posts": old_posts,
    }
    changes = {field: value for field, value in options.items() if value is not None}
    if not changes:
        fail("say what to change, such as --links url")
    with panel():
        _change("set", [service], changes)
        answer(_described(service))


@app.command()
def add_subscription(
    service: ServiceArgument,
    *,
    feed: Annotated[str, typer.Option(help="Where posts are found, an address with {username} in it.")],
    name: Annotated[str, typer.Option(help="What customers read; made from the service's name without.")] = "",
    post_source: Annotated[str, typer.Option(help="What reads that address: feed, or one installed.")] = "feed",
    feed_private: Annotated[
        bool, typer.Option("--feed-private", help="The address may be http or on a private network.")
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Offer subscriptions that buy each new post as an order of this service. Answers the new service."""
    del data_dir
    if name and (len(name) > 255 or not name.isprintable()):
        fail("the name must be one line of at most 255 characters")
    with panel():
        from hawker.catalog.errors import BadChange, NoSuchService
        from hawker.orders import offer_subscription
        from hawker.posts.errors import BadTemplate, NoSuchSource

        with (
            sentences(BadChange, NoSuchService, BadTemplate, NoSuchSource),
            changing("service.add_subscription") as change,
        ):
            offered = offer_subscription(
                service,
                address=feed.strip(),
                source=post_source,
                allow_private=feed_private,
                name=name.strip(),
                now=SystemClock().now(),
            )
            change.note("service", offered, after=_described(offered))
        answer(_described(offered))


@app.command()
def enable(services: ServicesArgument, *, data_dir: DataDirOption = None) -> None:
    """Put services on sale."""
    del data_dir
    with panel():
        _change("enable", services, {"enabled": True})
        answer({"enabled": services})


@app.command()
def disable(services: ServicesArgument, *, data_dir: DataDirOption = None) -> None:
    """Take services off sale; orders that were placed go on."""
    del data_dir
    with panel():
        _change("disable", services, {"enabled": False})
        answer({"disabled": services})


def _change(verb: str, services: list[int], changes: dict[str, object]) -> None:
    from hawker.catalog.errors import BadChange, NoSuchService
    from hawker.orders import change_guarded_services, check_subscription_changes
    from hawker.posts.errors import BadTemplate, NoSuchSource

    named = sorted(set(services))
    with sentences(BadChange, NoSuchService, BadTemplate, NoSuchSource), changing(f"service.{verb}") as change:
        for service in named:
            change.watch("service", service, partial(_described, service))
        check_subscription_changes(services, changes)
        change_guarded_services(services, changes)


def _described(service: int) -> dict[str, Any]:
    from hawker.catalog.actions import describe_services
    from hawker.catalog.errors import NoSuchService

    with sentences(NoSuchService):
        return describe_services([service])[0]
