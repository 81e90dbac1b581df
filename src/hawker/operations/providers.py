"""What staff do with providers: connect them, take their catalogue, say how they are treated, pause and resume."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from msgspec import Meta

from hawker.catalog.rules import read_rate
from hawker.core.money import format_micros, read_micros
from hawker.operations.base import Run, operation, refusing
from hawker.operations.errors import BadInput, Refused
from hawker.operations.inputs import MAX_REASON, ProviderName
from hawker.operations.provider_view import ProviderView, view_provider
from hawker.providers.errors import BadProvider, CallFailed, CannotConnect, NoSuchProvider
from hawker.providers.rules import read_provider_url

if TYPE_CHECKING:
    from hawker.protocol.upstream import Unreadable, UpstreamService
    from hawker.providers.actions import ProviderAccess

MAX_NAME = 80
MAX_URL = 500
MAX_KEY = 500
MAX_RATE = 40
MAX_CALLS = 100_000
MAX_MARKUP = 100_000
DAY_SECONDS, WEEK_SECONDS = 86_400, 604_800

_Key: TypeAlias = Annotated[
    str, Meta(max_length=MAX_KEY, description="Our API key there.", extra={"trim": True, "secret": True})
]
_ExchangeRate: TypeAlias = (
    Annotated[str, Meta(max_length=MAX_RATE, description="What one unit of its currency is worth in ours.")] | None
)
_Limit: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_CALLS, description="Calls a minute; 0 for no limit.")] | None


def _check_exchange_rate(text: str) -> None:
    try:
        units = read_rate(text)
    except ValueError as error:
        raise BadInput("exchange_rate", f"{text[:40]!r} is not an exchange rate such as 0.92") from error
    if not units:
        raise BadInput("exchange_rate", "0 would make everything free")


def _check_url(url: str, *, allow_private: bool) -> None:
    try:
        read_provider_url(url, allow_private=allow_private)
    except BadProvider as error:
        raise BadInput("url", str(error)) from error


@dataclass(frozen=True, slots=True)
class AddProvider:
    name: Annotated[
        str, Meta(min_length=1, max_length=MAX_NAME, description="What to call it here.", extra={"trim": True})
    ]
    url: Annotated[
        str,
        Meta(max_length=MAX_URL, description="Its API v2 address, such as https://panel.example/api/v2."),
    ]
    key: _Key = field(repr=False)
    allow_private: Annotated[bool, Meta(description="Allow addresses of this machine or network, and http.")] = False
    exchange_rate: Annotated[
        str, Meta(max_length=MAX_RATE, description="What one unit of its currency is worth in ours.")
    ] = "1"

    def __post_init__(self) -> None:
        _check_exchange_rate(self.exchange_rate)
        _check_url(self.url, allow_private=self.allow_private)


@dataclass(frozen=True, slots=True)
class ProviderAdded:
    """`balance` is ours there, in its currency."""

    provider: int
    name: str
    balance: str
    currency: str


@dataclass(frozen=True, slots=True)
class _Tried:
    """An address and a key that answered with our balance there, in micros of its currency."""

    url: str
    access: "ProviderAccess"
    balance_micros: int
    currency: str


def _try(name: str, url: str, key: str, *, allow_private: bool, untouched: str) -> _Tried:
    """Ask for our balance. Raises Refused where no balance comes; `untouched` says what was left as it is."""
    from hawker.providers.actions import ask_balance, new_access

    with refusing(BadProvider, CannotConnect):
        access = new_access(name, url=url, key=key, allow_private=allow_private)
        try:
            return _Tried(url, access, *asyncio.run(ask_balance(access)))
        except CallFailed as error:
            raise Refused(f"{name} did not answer with a balance, so nothing was {untouched}: {error}") from error


def _moved(name: str) -> str:
    return f"the address of {name} was changed at this moment"


def _try_new(given: AddProvider) -> _Tried:
    return _try(given.name, given.url, given.key, allow_private=given.allow_private, untouched="saved")


@operation("provider.add", subject="provider", prepare=_try_new)
def add_provider(run: Run, given: AddProvider) -> ProviderAdded:
    """Connect an upstream panel. Its address and key are tried first: it must answer with our balance there."""
    from hawker.providers import actions
    from hawker.providers.errors import ProviderExists

    tried: _Tried = run.prepared
    with refusing(BadProvider, ProviderExists):
        provider = actions.add_provider(
            tried.access,
            url=given.url,
            balance_micros=tried.balance_micros,
            currency=tried.currency,
            exchange_rate=given.exchange_rate,
            now=run.now,
        )
    run.note(provider.name, after=actions.describe_settings(provider.name))
    return ProviderAdded(provider.id, provider.name, format_micros(tried.balance_micros), tried.currency)


@dataclass(frozen=True, slots=True)
class ImportServices:
    provider: ProviderName
    markup: Annotated[int, Meta(ge=0, le=MAX_MARKUP, description="Percent on top of its rates.")] = 25
    categories: Annotated[list[str], Meta(description="Only this category of its; may be repeated.")] = field(
        default_factory=list
    )
    accept_price_jumps: Annotated[bool, Meta(description="Also take rates that more than doubled or halved.")] = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A service of the provider that was not taken; `service` is its number there."""

    service: str
    why: str


@dataclass(frozen=True, slots=True)
class ServicesImported:
    imported: int
    updated: int
    skipped: list[LeftOut]


@dataclass(frozen=True, slots=True)
class _Offered:
    """The catalogue that the provider `provider_id` gave at `url`, and its rows that nobody can read."""

    provider_id: int
    url: str
    services: "list[UpstreamService]"
    unreadable: "list[Unreadable]"


def _ask_services(given: ImportServices) -> _Offered:
    from hawker.providers.actions import access_of, ask_services, find_provider
    from hawker.providers.importing import not_offered

    with refusing(BadProvider, CallFailed, CannotConnect, NoSuchProvider):
        provider = find_provider(given.provider)
        offered, unreadable = asyncio.run(ask_services(access_of(provider)))
    if missing := not_offered(offered, given.categories):
        raise Refused(f"{given.provider} has no services in {', '.join(missing)}, so nothing was imported")
    return _Offered(provider.id, provider.url, offered, unreadable)


@operation("provider.import", subject="provider", ids=lambda given: (given.provider,), prepare=_ask_services)
def import_services(run: Run, given: ImportServices) -> ServicesImported:
    """Take a provider's catalogue into ours, or refresh what was taken before."""
    from hawker.orders import look_again
    from hawker.providers import importing
    from hawker.providers.actions import find_provider

    offered: _Offered = run.prepared
    with refusing(NoSuchProvider):
        provider = find_provider(given.provider)
    if (provider.id, provider.url) != (offered.provider_id, offered.url):
        raise Refused(f"{_moved(given.provider)}; its catalogue came from the former one, so nothing was imported")
    report = importing.import_services(
        provider,
        offered.services,
        markup_percent=given.markup,
        categories=given.categories,
        accept_price_jumps=given.accept_price_jumps,
        now=run.now,
    )
    look_again(list(provider.routes.values_list("service_id", flat=True)), now=run.now)
    figures = {"imported": report.imported, "updated": report.updated, "skipped": len(report.skipped)}
    terms = {
        "markup_percent": given.markup,
        "categories": given.categories,
        "accept_price_jumps": given.accept_price_jumps,
    }
    run.note(given.provider, after=figures | terms)
    skipped = [LeftOut(row.what, row.why) for row in offered.unreadable + report.skipped]
    return ServicesImported(report.imported, report.updated, skipped)


@dataclass(frozen=True, slots=True)
class SetProvider:
    """What is None or empty stays as it is. Another address needs the key again."""

    provider: ProviderName
    enabled: Annotated[bool, Meta(description="Send it orders at all.")] | None = None
    exchange_rate: _ExchangeRate = None
    rate_limit_add: _Limit = None
    rate_limit_status: _Limit = None
    rate_limit_balance: _Limit = None
    low_balance: (
        Annotated[
            str, Meta(max_length=MAX_RATE, description="Raise an alert below this, in its currency; 0 for never.")
        ]
        | None
    ) = None
    balance_every: (
        Annotated[int, Meta(ge=0, le=DAY_SECONDS, description="Seconds between two looks at our balance; 0 for none.")]
        | None
    ) = None
    reconcile_scan: (
        Annotated[bool, Meta(description="Look for unknown orders among its order numbers, which must grow.")] | None
    ) = None
    gate_not_sent: (
        Annotated[
            bool,
            Meta(description="What 3xx, and 401, 403, 429 without JSON, prove: nothing was sent, or nothing."),
        ]
        | None
    ) = None
    sync_prices: (
        Annotated[int, Meta(ge=0, le=WEEK_SECONDS, description="Seconds between two looks at its prices; 0 for none.")]
        | None
    ) = None
    sync_markup: (
        Annotated[
            int,
            Meta(ge=0, le=MAX_MARKUP, description="Percent on top of its prices that our rates follow at."),
        ]
        | None
    ) = None
    no_sync_markup: Annotated[bool, Meta(description="Our rates stay as they are.")] = False
    url: Annotated[str, Meta(max_length=MAX_URL, description="Another address; needs the key again.")] = ""
    key: _Key = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.exchange_rate is not None:
            _check_exchange_rate(self.exchange_rate)
        if self.low_balance is not None and read_micros(self.low_balance) is None:
            raise BadInput("low_balance", f"{self.low_balance!r} is not an amount such as 25.00")
        if self.sync_markup is not None and self.no_sync_markup:
            raise BadInput("sync_markup", "say either a markup or that our rates stay as they are")
        if self.url and not self.key:
            raise BadInput("key", "another address needs the key again")


def _changes_of(given: SetProvider) -> Mapping[str, Any]:
    """The settings that change, by their column; a limit or a threshold of 0 is none."""
    columns = {
        "enabled": given.enabled,
        "exchange_rate": given.exchange_rate,
        "balance_every_seconds": given.balance_every,
        "reconcile_scan": given.reconcile_scan,
        "gate_not_sent": given.gate_not_sent,
        "prices_every_seconds": given.sync_prices,
        "markup_percent": given.sync_markup,
    }
    changes: dict[str, Any] = {column: value for column, value in columns.items() if value is not None}
    limits = {
        "adds_per_minute": given.rate_limit_add,
        "statuses_per_minute": given.rate_limit_status,
        "balances_per_minute": given.rate_limit_balance,
        "low_balance_micros": None if given.low_balance is None else read_micros(given.low_balance),
    }
    changes |= {column: limit or None for column, limit in limits.items() if limit is not None}
    return changes | ({"markup_percent": None} if given.no_sync_markup else {})


def _try_moved(given: SetProvider) -> _Tried | None:
    """Another address or key must answer before it is saved; None where neither changes."""
    from hawker.providers.actions import find_provider

    with refusing(NoSuchProvider):
        provider = find_provider(given.provider)
    if not given.key:
        return None
    url = given.url or provider.url
    _check_url(url, allow_private=provider.allow_private)
    return _try(provider.name, url, given.key, allow_private=provider.allow_private, untouched="changed")


@operation("provider.set", subject="provider", ids=lambda given: (given.provider,), prepare=_try_moved)
def set_provider(run: Run, given: SetProvider) -> ProviderView:
    """Change how a provider is treated; what is not named stays. Another address or key is tried before it is saved."""
    from hawker.orders import look_again_at_unknowns
    from hawker.providers.actions import change_provider, describe_settings, find_provider, move_provider

    tried: _Tried | None = run.prepared
    with refusing(NoSuchProvider, BadProvider):
        run.watch(given.provider, lambda: describe_settings(given.provider))
        if tried is not None:
            provider = find_provider(given.provider)
            url = given.url or provider.url
            if url != tried.url:
                # The key of one panel must not be sent to another.
                raise Refused(f"{_moved(given.provider)}; the key was tried at the former one, so nothing was changed")
            move_provider(provider, tried.access, url=url, currency=tried.currency)
            run.note(given.provider, after={"key": "entered anew"})
        provider = change_provider(given.provider, _changes_of(given))
    if given.reconcile_scan:
        look_again_at_unknowns(provider.id, now=run.now)
    return view_provider(given.provider, run.now)


@dataclass(frozen=True, slots=True)
class PauseProvider:
    provider: ProviderName
    reason: Annotated[
        str,
        Meta(min_length=1, max_length=MAX_REASON, description="Why; shown with the provider.", extra={"trim": True}),
    ]


@dataclass(frozen=True, slots=True)
class ResumeProvider:
    provider: ProviderName


@operation("provider.pause", subject="provider", ids=lambda given: (given.provider,))
def pause_provider(run: Run, given: PauseProvider) -> ProviderView:
    """Send a provider no orders until it is resumed: what is queued waits, what it has is followed."""
    from hawker.providers import availability
    from hawker.providers.actions import describe_settings, find_provider

    with refusing(NoSuchProvider):
        run.watch(given.provider, lambda: describe_settings(given.provider))
        availability.pause_provider(find_provider(given.provider).id, reason=given.reason)
    return view_provider(given.provider, run.now)


@operation("provider.resume", subject="provider", ids=lambda given: (given.provider,))
def resume_provider(run: Run, given: ResumeProvider) -> ProviderView:
    """Send a provider orders again, whoever paused it, and forget its failures."""
    from hawker.providers import availability
    from hawker.providers.actions import describe_settings, find_provider

    with refusing(NoSuchProvider):
        run.watch(given.provider, lambda: describe_settings(given.provider))
        availability.resume_provider(find_provider(given.provider).id, by="resumed by hand", now=run.now)
    return view_provider(given.provider, run.now)
