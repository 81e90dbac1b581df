"""`hawker provider` show, set, pause, resume: how a provider fares, and how it is treated."""

from typing import Annotated

import typer

from hawker.cli import providers
from hawker.cli.key_files import KEY_FILE_HELP, read_provider_key
from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs
from hawker.core.clock import SystemClock
from hawker.operations.errors import Refused
from hawker.operations.provider_view import show_provider

app = providers.app


@app.command()
def show(name: Annotated[str, typer.Argument(help="The provider.")], *, data_dir: DataDirOption = None) -> None:
    """How a provider is treated and how it fares: limits, pause, breaker, balances of late, its open alerts."""
    del data_dir
    with panel(), sentences(Refused):
        answer(show_provider(name, SystemClock().now()))


@runs(app, "provider.set", name="set")
def set_(
    name: Annotated[str, place("provider.set", "provider")],
    *,
    enable: Annotated[bool | None, flag("provider.set", "enabled", "--enable/--disable")] = None,
    exchange_rate: Annotated[str | None, flag("provider.set", "exchange_rate")] = None,
    rate_limit_add: Annotated[int | None, flag("provider.set", "rate_limit_add")] = None,
    rate_limit_status: Annotated[int | None, flag("provider.set", "rate_limit_status")] = None,
    rate_limit_balance: Annotated[int | None, flag("provider.set", "rate_limit_balance")] = None,
    low_balance: Annotated[str | None, flag("provider.set", "low_balance")] = None,
    balance_every: Annotated[int | None, flag("provider.set", "balance_every")] = None,
    reconcile_scan: Annotated[
        bool | None, flag("provider.set", "reconcile_scan", "--reconcile-scan/--no-reconcile-scan")
    ] = None,
    gate_not_sent: Annotated[
        bool | None, flag("provider.set", "gate_not_sent", "--gate-not-sent/--gate-unknown")
    ] = None,
    sync_prices: Annotated[int | None, flag("provider.set", "sync_prices")] = None,
    sync_markup: Annotated[int | None, flag("provider.set", "sync_markup")] = None,
    no_sync_markup: Annotated[bool, flag("provider.set", "no_sync_markup", "--no-sync-markup")] = False,
    url: Annotated[str, flag("provider.set", "url")] = "",
    key: Annotated[str, typer.Option(help="Another API key there; with --url also from HAWKER_PROVIDER_KEY.")] = "",
    key_file: Annotated[str, typer.Option(help=KEY_FILE_HELP)] = "",
) -> Values:
    """Change how a provider is treated; what is not named stays. Answers the provider as it is then."""
    return {
        "provider": name,
        "enabled": enable,
        "exchange_rate": exchange_rate,
        "rate_limit_add": rate_limit_add,
        "rate_limit_status": rate_limit_status,
        "rate_limit_balance": rate_limit_balance,
        "low_balance": low_balance,
        "balance_every": balance_every,
        "reconcile_scan": reconcile_scan,
        "gate_not_sent": gate_not_sent,
        "sync_prices": sync_prices,
        "sync_markup": sync_markup,
        "no_sync_markup": no_sync_markup,
        "url": url,
        "key": read_provider_key(key, key_file, from_environment=bool(url)),
    }


@runs(app, "provider.pause")
def pause(
    name: Annotated[str, place("provider.pause", "provider")],
    *,
    reason: Annotated[str, flag("provider.pause", "reason")],
) -> Values:
    """Send a provider no orders until `resume`: what is queued waits, what it has is followed."""
    return {"provider": name, "reason": reason}


@runs(app, "provider.resume")
def resume(name: Annotated[str, place("provider.resume", "provider")]) -> Values:
    """Send a provider orders again, whoever paused it, and forget its failures."""
    return {"provider": name}
