"""`hawker provider`: connect an upstream panel, take its catalogue, list them."""

import asyncio
from typing import Annotated

import typer

from hawker.catalog.rules import read_rate
from hawker.cli.changes import changing
from hawker.cli.key_files import KEY_FILE_HELP, read_provider_key
from hawker.cli.output import answer, fail, progress, progress_done, say, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.core.clock import SystemClock
from hawker.core.money import format_micros

app = typer.Typer(no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call it here.")],
    *,
    url: Annotated[str, typer.Option(help="Its API v2 address, such as https://panel.example/api/v2.")],
    key: Annotated[str, typer.Option(help="Our API key there; better from --key-file or HAWKER_PROVIDER_KEY.")] = "",
    key_file: Annotated[str, typer.Option(help=KEY_FILE_HELP)] = "",
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Allow addresses of this machine or network, and http.")
    ] = False,
    exchange_rate: Annotated[str, typer.Option(help="What one unit of its currency is worth in ours.")] = "1",
    data_dir: DataDirOption = None,
) -> None:
    """Connect an upstream panel: tests the address and the key, shows our balance there, then saves."""
    del data_dir
    try:
        if not read_rate(exchange_rate):
            fail("an exchange rate of 0 would make everything free")
    except ValueError:
        fail(f"{exchange_rate!r} is not an exchange rate such as 0.92")
    key = read_provider_key(key, key_file, from_environment=True)
    if not key:
        fail("say our key there: --key-file, --key, or HAWKER_PROVIDER_KEY")
    with panel():
        from hawker.providers.actions import add_provider, ask_balance, describe_settings, new_access
        from hawker.providers.errors import BadProvider, CallFailed, CannotConnect, ProviderExists

        with sentences(BadProvider, CannotConnect, ProviderExists):
            access = new_access(name, url=url, key=key, allow_private=allow_private)
            try:
                balance, currency = asyncio.run(ask_balance(access))
            except CallFailed as error:
                fail(f"{name} did not answer with a balance, so nothing was saved: {error}")
            with changing("provider.add") as change:
                provider = add_provider(
                    access,
                    url=url,
                    balance_micros=balance,
                    currency=currency,
                    exchange_rate=exchange_rate,
                    now=SystemClock().now(),
                )
                change.note("provider", provider.name, after=describe_settings(provider.name))
        say(f"connected to {name}: our balance there is {format_micros(balance)} {currency}")
        answer(
            {"provider": provider.id, "name": provider.name, "balance": format_micros(balance), "currency": currency}
        )


@app.command(name="import")
def import_(
    name: Annotated[str, typer.Argument(help="The provider.")],
    *,
    markup: Annotated[int, typer.Option(min=0, max=100_000, help="Percent on top of its rates.")] = 25,
    category: Annotated[list[str], typer.Option(help="Only this category of its; may be repeated.")] = [],  # noqa: B006
    accept_price_jumps: Annotated[
        bool, typer.Option("--accept-price-jumps", help="Also take rates that more than doubled or halved.")
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Take a provider's catalogue into ours, or refresh what was taken before."""
    del data_dir
    with panel():
        from hawker.orders import look_again
        from hawker.providers.actions import access_of, ask_services, find_provider
        from hawker.providers.errors import BadProvider, CallFailed, CannotConnect, NoSuchProvider
        from hawker.providers.importing import import_services, not_offered

        with sentences(BadProvider, CallFailed, CannotConnect, NoSuchProvider):
            provider = find_provider(name)
            progress(f"asking {name} for its services")
            offered, unreadable = asyncio.run(ask_services(access_of(provider)))
        if missing := not_offered(offered, category):
            fail(f"{name} has no services in {', '.join(missing)}, so nothing was imported")
        progress(f"taking {len(offered)} services of {name}")
        with changing("provider.import") as change:
            report = import_services(
                provider,
                offered,
                markup_percent=markup,
                categories=category,
                accept_price_jumps=accept_price_jumps,
                now=SystemClock().now(),
            )
            look_again(list(provider.routes.values_list("service_id", flat=True)), now=SystemClock().now())
            figures = {"imported": report.imported, "updated": report.updated, "skipped": len(report.skipped)}
            terms = {"markup_percent": markup, "categories": category, "accept_price_jumps": accept_price_jumps}
            change.note("provider", name, after=figures | terms)
        progress_done()
        answer(
            {
                "imported": report.imported,
                "updated": report.updated,
                "skipped": [{"service": row.what, "why": row.why} for row in unreadable + report.skipped],
            }
        )


@app.command(name="list")
def list_(*, data_dir: DataDirOption = None) -> None:
    """All providers with our balance there as last heard."""
    del data_dir
    with panel():
        from django.db.models import Count

        from hawker.providers.models import Provider

        now = SystemClock().now()
        answer(
            [
                {
                    "provider": provider.id,
                    "name": provider.name,
                    "url": provider.url,
                    "enabled": provider.enabled,
                    "services": provider.services,
                    "balance": None if provider.balance_micros is None else format_micros(provider.balance_micros),
                    "currency": provider.currency,
                    "balance_at": provider.balance_at,
                    "paused": provider.is_paused(now),
                    "paused_until": provider.paused_until,
                    "pause_reason": provider.pause_reason,
                }
                for provider in Provider.objects.annotate(services=Count("routes")).order_by("name")
            ]
        )
