"""How staff see a provider: the result of the operations that change one, and what is shown for an edit."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from hawker.operations.base import refusing


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Calls a minute; None where there is no limit."""

    add: int | None
    status: int | None
    balance: int | None


@dataclass(frozen=True, slots=True)
class PriceSync:
    """How often its prices are read (0 for never), and the percent on top of them that our rates follow at."""

    every_seconds: int
    markup_percent: int | None


@dataclass(frozen=True, slots=True)
class PauseView:
    until: datetime | None
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class BreakerView:
    """The circuit breaker: `closed`, `open` or `half-open`."""

    state: str
    failures: int
    opened_at: datetime | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class BalanceReadingView:
    """A balance that the provider told; `unexplained` is by how much more it fell than our orders cost."""

    at: datetime
    balance: str
    unexplained: str


@dataclass(frozen=True, slots=True)
class BalanceView:
    """Our balance there, in its currency; an alert is raised below `low`."""

    last: str | None
    at: datetime | None
    every_seconds: int
    low: str | None
    readings: list[BalanceReadingView]


@dataclass(frozen=True, slots=True)
class OpenAlert:
    alert: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ProviderView:
    """How a provider is treated and how it fares. `paused` is None while it gets orders."""

    provider: int
    name: str
    url: str
    enabled: bool
    currency: str
    exchange_rate: str
    services: int
    rate_limits: RateLimits
    reconcile_scan: bool
    gate_not_sent: bool
    prices: PriceSync
    paused: PauseView | None
    breaker: BreakerView
    balance: BalanceView
    alerts: list[OpenAlert]


def view_provider(name: str, now: datetime) -> ProviderView:
    """The provider called `name`. Raises Refused where there is none."""
    return msgspec.convert(_described(name, now), ProviderView)


def show_provider(name: str, now: datetime) -> dict[str, Any]:
    """The provider called `name` with its `version` for an edit. Raises Refused where there is none."""
    from hawker.operations.versions import read_version

    return {**_described(name, now), "version": read_version("provider", name)}


def _described(name: str, now: datetime) -> dict[str, Any]:
    from hawker.providers.errors import NoSuchProvider
    from hawker.providers.provider_details import describe_provider

    with refusing(NoSuchProvider):
        return describe_provider(name, now=now)
