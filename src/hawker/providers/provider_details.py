"""All there is about one provider, as staff see it: its settings, and how it fares."""

from datetime import datetime
from typing import Any

from hawker.alerts.models import Alert
from hawker.alerts.subjects import about_provider
from hawker.core.money import format_micros
from hawker.providers.actions import find_provider
from hawker.providers.models import Provider

READINGS = 10
"""How many of the latest balances are shown."""


def describe_provider(name: str, *, now: datetime) -> dict[str, Any]:
    """A provider's limits, pause, circuit breaker, latest balances and open alerts. Raises NoSuchProvider."""
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
        if not provider.is_paused(now)
        else {"until": provider.paused_until, "kind": provider.pause_kind, "reason": provider.pause_reason},
        "breaker": _breaker(provider, now),
        "balance": _balances(provider),
        "alerts": [{"alert": alert.id, "kind": alert.kind, "text": alert.text} for alert in alerts],
    }


def _breaker(provider: Provider, now: datetime) -> dict[str, Any]:
    health = provider.health
    state = "closed"
    if health.opened_at is not None:
        state = "open" if health.retry_at is not None and now < health.retry_at else "half-open"
    return {
        "state": state,
        "failures": health.failures,
        "opened_at": health.opened_at,
        "retry_at": health.retry_at,
    }


def _balances(provider: Provider) -> dict[str, Any]:
    def amount(micros: int | None) -> str | None:
        return None if micros is None else format_micros(micros)

    readings = provider.readings.order_by("-at", "-id")[:READINGS]
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
