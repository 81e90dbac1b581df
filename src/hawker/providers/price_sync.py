"""Following a provider's prices: costs always, what we sell at where the operator has named a markup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hawker.alerts.actions import Raised, log_alerts, write_alerts, write_closed
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import about_provider
from hawker.catalog.rules import marked_up
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.protocol.upstream import UpstreamService
from hawker.providers import queries
from hawker.providers.importing import drips, jumps, limits_of

_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Followed:
    """What of a service of ours follows the provider's, as in FOLLOW_SERVICES."""

    service_id: int
    rate: str
    minimum: int
    maximum: int
    refill: bool
    cancel: bool
    dripfeed: bool


@dataclass(slots=True)
class _Changes:
    """What a reading of the catalogue changes, and which prices it holds back."""

    routes: list[tuple[int, str]]
    services: list[_Followed]
    touched: set[int]
    held: list[str]


def claim_syncs(*, now: datetime) -> list[int]:
    """The providers whose catalogue is to be read now. Raises Unavailable."""
    return in_transaction(lambda cursor: [row[0] for row in ask(cursor, queries.CLAIM_SYNCS, (now, now))])


def sync_prices(provider_id: int, offered: Sequence[UpstreamService], *, now: datetime) -> list[int]:
    """Take the costs of what we buy there; answers the services of which anything changed. Raises Unavailable.

    Where the provider has a markup, and is the first that a service is bought from, the service's rate, limits and
    flags follow as well. A cost that more than doubled or halved is left as it is, with an alert: `provider import
    --accept-price-jumps` takes it. Nothing is added and nothing taken off sale.
    """

    def work(cursor: Cursor) -> tuple[list[int], list[Raised]]:
        row = ask(cursor, queries.READ_MARKUP, (provider_id,)).fetchone()
        if row is None:
            return [], []
        name, exchange_rate, markup = row
        changes = _compare(cursor, provider_id, offered, exchange_rate, markup)
        if changes.services:
            rows = [
                (s.service_id, s.rate, s.minimum, s.maximum, s.refill, s.cancel, s.dripfeed) for s in changes.services
            ]
            ask(cursor, queries.FOLLOW_SERVICES, tuple(map(list, zip(*rows, strict=True))))
        if changes.routes:
            ask(cursor, queries.FOLLOW_ROUTES, tuple(map(list, zip(*changes.routes, strict=True))))
        if not changes.held:
            write_closed(cursor, AlertKind.PRICE_JUMP, [about_provider(name)], by="no price jumps", now=now)
            return sorted(changes.touched), []
        more = f" and {len(changes.held) - _NAMED} more" if len(changes.held) > _NAMED else ""
        text = f"held for a person: {', '.join(changes.held[:_NAMED])}{more}"
        raised = [Raised(AlertKind.PRICE_JUMP, about_provider(name), text)]
        return sorted(changes.touched), write_alerts(cursor, raised, now=now)

    touched, opened = in_transaction(work)
    log_alerts(opened)
    return touched


def _compare(
    cursor: Cursor, provider_id: int, offered: Sequence[UpstreamService], exchange_rate: str, markup: int | None
) -> _Changes:
    rows = {row.service: row for row in offered}
    changes = _Changes([], [], set(), [])
    for route_id, upstream_service, cost_rate, type_name, *followed, leads in ask(
        cursor, queries.READ_PRICED, (provider_id,)
    ):
        row, before = rows.get(upstream_service), _Followed(*followed)
        if row is None:
            continue
        if jumps(cost_rate, row.rate):
            changes.held.append(f"service {upstream_service} went from {cost_rate} to {row.rate}")
            continue
        if cost_rate != row.rate:
            changes.routes.append((route_id, row.rate))
            changes.touched.add(before.service_id)
        if markup is None or not leads:
            continue
        rate = marked_up(row.rate, percent=markup, exchange_rate=exchange_rate)
        after = _Followed(before.service_id, rate, *limits_of(row), row.refill, row.cancel, drips(type_name, row))
        if after != before and len(rate.partition(".")[0]) <= 9:
            changes.services.append(after)
            changes.touched.add(before.service_id)
    return changes
