"""Taking another panel's catalogue into ours, with a markup, again and again without harm."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from hawker.catalog.models import Category, Route, Service
from hawker.catalog.rules import marked_up, read_rate
from hawker.core.sql import Cursor, in_transaction
from hawker.protocol.service_types import QuantityRule, find_type
from hawker.protocol.upstream import Unreadable, UpstreamService
from hawker.providers import queries
from hawker.providers.models import Provider

MAX_PRICE_JUMP = 2
"""A cost that more than doubles or halves between imports is left as it was until the operator accepts it."""


@dataclass(slots=True)
class ImportReport:
    """What an import did: rows made, rows changed, rows left out with the reason of each."""

    imported: int = 0
    updated: int = 0
    skipped: list[Unreadable] = field(default_factory=list)


def import_services(
    provider: Provider,
    offered: Sequence[UpstreamService],
    *,
    markup_percent: int,
    categories: Sequence[str] = (),
    accept_price_jumps: bool = False,
    now: datetime,
) -> ImportReport:
    """Make or refresh a service of ours for each offered one; only those in `categories` where given.

    One transaction: an import is seen whole or not at all, and the catalogue gets one new version. A
    service imported before keeps its name, category and place, which are the operator's; its rate, limits and
    flags follow the provider that it is bought from first, of any other only the cost is taken.
    """
    report = ImportReport()
    wanted = {name.casefold() for name in categories}
    with transaction.atomic():
        routes: defaultdict[int, list[Route]] = defaultdict(list)
        for route in provider.routes.select_related("service"):
            routes[route.upstream_service].append(route)
        leading = _leading(provider)
        headings = _headings(offered, wanted)
        fresh: list[tuple[Service, Route]] = []
        changed: list[Route] = []
        for row in offered:
            if wanted and row.category.casefold() not in wanted:
                continue
            rate = marked_up(row.rate, percent=markup_percent, exchange_rate=provider.exchange_rate)
            known = routes[row.service]
            jumped = next((route.cost_rate for route in known if jumps(route.cost_rate, row.rate)), None)
            if len(rate.partition(".")[0]) > 9:
                report.skipped.append(
                    Unreadable(str(row.service), f"the rate {row.rate} is above the highest possible rate")
                )
            elif not known:
                fresh.append(_new(provider, row, headings[row.category.casefold()], rate, now))
            elif jumped is not None and not accept_price_jumps:
                report.skipped.append(
                    Unreadable(str(row.service), f"cost went from {jumped} to {row.rate}: accept price jumps")
                )
            else:
                # More than one where a subscription of ours buys its posts as orders of the same service.
                changed += [route for route in known if _refresh(route, row, rate, leads=route.id in leading)]
        _write(fresh, changed)
        report.imported, report.updated = len(fresh), len(changed)
    return report


def not_offered(offered: Sequence[UpstreamService], categories: Sequence[str]) -> list[str]:
    """Those of `categories` in which nothing is offered: a name mistyped, most likely."""
    known = {row.category.casefold() for row in offered}
    return [name for name in categories if name.casefold() not in known]


def _headings(offered: Sequence[UpstreamService], wanted: set[str]) -> dict[str, Category]:
    """The categories by their name without regard to case, made where missing, in the provider's order."""
    headings = {category.name.casefold(): category for category in Category.objects.all()}
    for row in offered:
        name = row.category.casefold()
        if name not in headings and (not wanted or name in wanted):
            headings[name] = Category.objects.create(name=row.category, position=len(headings))
    return headings


def _new(
    provider: Provider, row: UpstreamService, category: Category, rate: str, now: datetime
) -> tuple[Service, Route]:
    service = Service(
        category=category, name=row.name, type=row.type.name, position=row.service % 2**31, created_at=now
    )
    _follow(service, row, rate)
    return service, Route(service=service, provider=provider, upstream_service=row.service, cost_rate=row.rate)


def _leading(provider: Provider) -> set[int]:
    """The routes to this provider that are the first of their service."""
    first = Route.objects.order_by("service_id", "position", "id").distinct("service_id")
    of_provider = Route.objects.filter(provider=provider).values("service_id")
    return {route.id for route in first.filter(service_id__in=of_provider) if route.provider_id == provider.id}


def _refresh(route: Route, row: UpstreamService, rate: str, *, leads: bool) -> bool:
    """Bring a route, and the service that it leads, up to date; answers whether anything differed."""
    before = (route.cost_rate, *_followed(route.service))
    route.cost_rate = row.rate
    if leads:
        _follow(route.service, row, rate)
    return before != (route.cost_rate, *_followed(route.service))


def _follow(service: Service, row: UpstreamService, rate: str) -> None:
    service.rate = rate
    service.minimum, service.maximum = limits_of(row)
    service.refill, service.cancel, service.dripfeed = row.refill, row.cancel, drips(service.type, row)


def _followed(service: Service) -> tuple[object, ...]:
    return service.rate, service.minimum, service.maximum, service.refill, service.cancel, service.dripfeed


def limits_of(row: UpstreamService) -> tuple[int, int]:
    """The least and the most that may be ordered at once; of a package there is one."""
    return (1, 1) if row.type.quantity is QuantityRule.FIXED else (row.minimum, row.maximum)


def drips(type_name: str, row: UpstreamService) -> bool:
    """Whether a service of ours is offered in runs; a subscription over the provider's service by the piece is not."""
    ours = find_type(type_name)
    return row.dripfeed and (ours is None or ours.drip_feed)


def jumps(before: str, after: str) -> bool:
    """Whether a cost changed so much that a person must look at it."""
    low, high = sorted((read_rate(before), read_rate(after)))
    return high > low * MAX_PRICE_JUMP


def _write(fresh: Sequence[tuple[Service, Route]], changed: Sequence[Route]) -> None:
    # A statement takes 65,535 values: 5,000 services in one of them would be too many.
    Service.objects.bulk_create([service for service, _ in fresh], batch_size=1_000)
    Route.objects.bulk_create([route for _, route in fresh], batch_size=1_000)
    if changed:
        in_transaction(lambda cursor: _write_changed(cursor, changed))


def _write_changed(cursor: Cursor, changed: Sequence[Route]) -> None:
    services = [(route.service_id, *_followed(route.service)) for route in changed]
    cursor.execute(queries.FOLLOW_SERVICES, tuple(map(list, zip(*services, strict=True))))
    routes = [(route.id, route.cost_rate) for route in changed]
    cursor.execute(queries.FOLLOW_ROUTES, tuple(map(list, zip(*routes, strict=True))))
