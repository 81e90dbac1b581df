"""`hawker provider` show, set, pause, resume: how a provider fares, and how it is treated."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hawker.catalog.rules import read_rate
from hawker.cli import providers
from hawker.cli.changes import changing
from hawker.cli.key_files import KEY_FILE_HELP, read_provider_key
from hawker.cli.output import answer, fail, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.core.clock import SystemClock
from hawker.core.money import format_micros, read_micros

if TYPE_CHECKING:
    from hawker.providers.actions import ProviderAccess
    from hawker.providers.models import Provider

app = providers.app

NameArgument = Annotated[str, typer.Argument(help="The provider.")]
LimitOption = Annotated[int | None, typer.Option(min=0, max=100_000, help="Calls a minute; 0 for no limit.")]
LowOption = Annotated[str | None, typer.Option(help="Raise an alert below this, in its currency; 0 for never.")]
BalanceOption = Annotated[
    int | None, typer.Option(min=0, max=86_400, help="Seconds between two looks at our balance; 0 for none.")
]
ScanOption = Annotated[
    bool | None,
    typer.Option(
        "--reconcile-scan/--no-reconcile-scan",
        help="Look for unknown orders among its order numbers, which must grow.",
    ),
]
GateOption = Annotated[
    bool | None,
    typer.Option(
        "--gate-not-sent/--gate-unknown",
        help="What 3xx, and 401, 403, 429 without JSON, prove: nothing was sent, or nothing.",
    ),
]
SyncOption = Annotated[
    int | None, typer.Option(min=0, max=604_800, help="Seconds between two looks at its prices; 0 for none.")
]
MarkupOption = Annotated[
    int | None, typer.Option(min=0, max=100_000, help="Percent on top of its prices that our rates follow at.")
]
ReasonOption = Annotated[str, typer.Option(help="Why; shown with the provider.")]


@app.command()
def show(name: NameArgument, *, data_dir: DataDirOption = None) -> None:
    """How a provider is treated and how it fares: limits, pause, breaker, balances of late, its open alerts."""
    del data_dir
    with panel():
        answer(_described(name))


@app.command(name="set")
def set_(
    name: NameArgument,
    *,
    enable: Annotated[bool | None, typer.Option("--enable/--disable", help="Send it orders at all.")] = None,
    exchange_rate: Annotated[str | None, typer.Option(help="What one unit of its currency is worth in ours.")] = None,
    rate_limit_add: LimitOption = None,
    rate_limit_status: LimitOption = None,
    rate_limit_balance: LimitOption = None,
    low_balance: LowOption = None,
    balance_every: BalanceOption = None,
    reconcile_scan: ScanOption = None,
    gate_not_sent: GateOption = None,
    sync_prices: SyncOption = None,
    sync_markup: MarkupOption = None,
    no_sync_markup: Annotated[bool, typer.Option("--no-sync-markup", help="Our rates stay as they are.")] = False,
    url: Annotated[str, typer.Option(help="Another address; needs the key again.")] = "",
    key: Annotated[str, typer.Option(help="Another API key there; with --url also from HAWKER_PROVIDER_KEY.")] = "",
    key_file: Annotated[str, typer.Option(help=KEY_FILE_HELP)] = "",
    data_dir: DataDirOption = None,
) -> None:
    """Change how a provider is treated; what is not named stays. Answers the provider as it is then."""
    del data_dir
    changes: dict[str, Any] = {
        field: value
        for field, value in {
            "enabled": enable,
            "exchange_rate": _exchange_rate(exchange_rate),
            "balance_every_seconds": balance_every,
            "reconcile_scan": reconcile_scan,
            "gate_not_sent": gate_not_sent,
            "prices_every_seconds": sync_prices,
            "markup_percent": sync_markup,
        }.items()
        if value is not None
    }
    limits = {"adds": rate_limit_add, "statuses": rate_limit_status, "balances": rate_limit_balance}
    changes |= {f"{call}_per_minute": limit or None for call, limit in limits.items() if limit is not None}
    if low_balance is not None:
        changes["low_balance_micros"] = _amount(low_balance) or None
    if no_sync_markup:
        changes["markup_percent"] = None
    key = read_provider_key(key, key_file, from_environment=bool(url))
    if url and not key:
        fail("another address needs the key again: --key-file, --key, or HAWKER_PROVIDER_KEY")
    with panel():
        from hawker.orders import look_again_at_unknowns
        from hawker.providers.actions import change_provider, describe_settings
        from hawker.providers.errors import NoSuchProvider

        with sentences(NoSuchProvider):
            moved = _tried(name, url=url, key=key) if url or key else None
            with changing("provider.set") as change:
                change.watch("provider", name, lambda: describe_settings(name))
                if moved is not None:
                    _move(name, moved)
                    change.note("provider", name, after={"key": "entered anew"})
                provider = change_provider(name, changes)
                if reconcile_scan:
                    look_again_at_unknowns(provider.id, now=SystemClock().now())
        answer(_described(name))


def _exchange_rate(text: str | None) -> str | None:
    try:
        if text is not None and not read_rate(text):
            fail("an exchange rate of 0 would make everything free")
    except ValueError:
        fail(f"{text!r} is not an exchange rate such as 0.92")
    return text


def _amount(text: str) -> int:
    micros = read_micros(text)
    if micros is None:
        fail(f"{text!r} is not an amount such as 25.00")
    return micros


def _tried(name: str, *, url: str, key: str) -> "tuple[ProviderAccess, str, str]":
    """Another address or key that answers: the access, its address and the currency of our balance there."""
    from hawker.providers.actions import ask_balance, find_provider, new_access
    from hawker.providers.errors import BadProvider, CallFailed, CannotConnect

    provider = find_provider(name)
    with sentences(BadProvider, CannotConnect):
        access = new_access(name, url=url or provider.url, key=key, allow_private=provider.allow_private)
        try:
            _, currency = asyncio.run(ask_balance(access))
        except CallFailed as error:
            fail(f"{name} did not answer with a balance, so nothing was changed: {error}")
    return access, url or provider.url, currency


def _move(name: str, moved: "tuple[ProviderAccess, str, str]") -> None:
    from hawker.providers.actions import find_provider, move_provider
    from hawker.providers.errors import BadProvider

    access, url, currency = moved
    with sentences(BadProvider):
        move_provider(find_provider(name), access, url=url, currency=currency)


@app.command()
def pause(name: NameArgument, *, reason: ReasonOption, data_dir: DataDirOption = None) -> None:
    """Send a provider no orders until `resume`: what is queued waits, what it has is followed."""
    del data_dir
    if not reason.strip():
        fail("a pause needs a reason")
    with panel():
        from hawker.providers.actions import describe_settings, find_provider
        from hawker.providers.availability import pause_provider
        from hawker.providers.errors import NoSuchProvider

        with sentences(NoSuchProvider), changing("provider.pause", reason=reason.strip()) as change:
            change.watch("provider", name, lambda: describe_settings(name))
            pause_provider(find_provider(name).id, reason=reason.strip())
        answer(_described(name))


@app.command()
def resume(name: NameArgument, *, data_dir: DataDirOption = None) -> None:
    """Send a provider orders again, whoever paused it, and forget its failures."""
    del data_dir
    with panel():
        from hawker.providers.actions import describe_settings, find_provider
        from hawker.providers.availability import resume_provider
        from hawker.providers.errors import NoSuchProvider

        with sentences(NoSuchProvider), changing("provider.resume") as change:
            change.watch("provider", name, lambda: describe_settings(name))
            resume_provider(find_provider(name).id, by="resumed by hand", now=SystemClock().now())
        answer(_described(name))


def _described(name: str) -> dict[str, Any]:
    from hawker.alerts.models import Alert
    from hawker.alerts.subjects import about_provider
    from hawker.providers.actions import find_provider
    from hawker.providers.errors import NoSuchProvider

    with sentences(NoSuchProvider):
        provider = find_provider(name)
    subject = about_provider(name)
    open_alerts = Alert.objects.filter(closed_at__isnull=True)
    alerts = open_alerts.filter(subject_kind=subject.kind, subject_id=subject.id).order_by("id")
    return {
        "provider": provider.id,
        "name": provider.name,
        "url": provider.url,
        "enabled": provider.enabled,
        "currency": provider.currency,
        "exchange_rate": provider.exchange_rate,
        "services": provider.routes.count(),
        "rate_limits": {
            "add": provider.adds_per_minute,
            "status": provider.statuses_per_minute,
            "balance": provider.balances_per_minute,
        },
        "reconcile_scan": provider.reconcile_scan,
        "gate_not_sent": provider.gate_not_sent,
        "prices": {"every_seconds": provider.prices_every_seconds, "markup_percent": provider.markup_percent},
        "paused": None
        if not provider.is_paused(SystemClock().now())
        else {"until": provider.paused_until, "kind": provider.pause_kind, "reason": provider.pause_reason},
        "breaker": _breaker(provider),
        "balance": _balances(provider),
        "alerts": [{"alert": alert.id, "kind": alert.kind, "text": alert.text} for alert in alerts],
    }


def _breaker(provider: "Provider") -> dict[str, Any]:
    health, now = provider.health, SystemClock().now()
    state = "closed"
    if health.opened_at is not None:
        state = "open" if health.retry_at is not None and now < health.retry_at else "half-open"
    return {
        "state": state,
        "failures": health.failures,
        "opened_at": health.opened_at,
        "retry_at": health.retry_at,
    }


def _balances(provider: "Provider") -> dict[str, Any]:
    def amount(micros: int | None) -> str | None:
        return None if micros is None else format_micros(micros)

    readings = provider.readings.order_by("-at", "-id")[:10]
    return {
        "last": amount(provider.balance_micros),
        "at": provider.balance_at,
        "every_seconds": provider.balance_every_seconds,
        "low": amount(provider.low_balance_micros),
        "readings": [
            {
                "at": reading.at,
                "balance": format_micros(reading.balance_micros),
                "unexplained": format_micros(reading.unexplained_micros),
            }
            for reading in readings
        ],
    }
