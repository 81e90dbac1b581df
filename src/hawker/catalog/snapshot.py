"""The catalogue as each process holds it in memory: immutable, numbered, replaced whole."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, TypeAlias

from hawker.catalog import queries
from hawker.catalog.links import ForbiddenLinks, LinkKind
from hawker.catalog.models import SubscriptionMode
from hawker.catalog.prices import EVERYBODYS, PriceList, read_price_lists
from hawker.catalog.rules import read_rate
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.protocol.service_types import ServiceType, find_type

Row: TypeAlias = tuple[Any, ...]

MAX_SOLD_AT = 20_000
"""Most services with a customer's rate that are held ready for orders: about 8 MB."""


@dataclass(frozen=True, slots=True)
class OfferedRoute:
    """Where a service is bought first, and the cost of 1,000 there in the provider's currency."""

    provider_id: int
    upstream_service: int
    cost_rate_units: int


@dataclass(frozen=True, slots=True)
class PostAddress:
    """Where the posts of a local subscription are found: a source by name, and its address with `{username}`."""

    source: str
    template: str
    allow_private: bool


@dataclass(frozen=True, slots=True)
class SoldService:
    """One service on sale with all that placing an order needs, its rate read into units of 10⁻⁸."""

    id: int
    name: str
    category: str
    type: ServiceType
    rate: str
    rate_units: int
    minimum: int
    maximum: int
    refill: bool
    cancel: bool
    dripfeed: bool
    free: bool
    links: LinkKind
    forbidden: ForbiddenLinks
    one_active_per_link: bool
    route: OfferedRoute | None
    posts: PostAddress | None = None
    """Of a service of type Subscriptions: where its posts are looked for, None where the provider does that."""

    old_posts: bool = True


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All services on sale under one version number, and what they cost to whom.

    `prices` holds the list of each account that has one. `rows` are what the services were made of.
    """

    version: int
    services: Mapping[int, SoldService]
    prices: Mapping[int, PriceList] = field(default_factory=dict)
    rows: Sequence[Sequence[Row]] = ()
    _sold_at: dict[tuple[PriceList, int], SoldService] = field(default_factory=dict)

    def prices_of(self, account_id: int) -> PriceList:
        """The price list of this account."""
        return self.prices.get(account_id, EVERYBODYS)

    def sold_to(self, account_id: int, service_id: int) -> SoldService | None:
        """The service with the rate that this account pays for it, or None where it is not on sale.

        What `services` shows and what an order is charged both come from here.
        """
        prices = self.prices.get(account_id)
        if prices is None:
            return self.services.get(service_id)
        found = self._sold_at.get((prices, service_id))
        if found is None:
            service = self.services.get(service_id)
            if service is None:
                return None
            if len(self._sold_at) >= MAX_SOLD_AT:
                self._sold_at.clear()
            found = self._sold_at[prices, service_id] = _sold_at(service, prices)
        return found


def rate_at(service: SoldService, prices: PriceList) -> str:
    """The service's rate of this price list. What is free stays free, and shows the catalogue's rate."""
    return service.rate if service.free else prices.rate_of(service.id, service.rate)


def _sold_at(service: SoldService, prices: PriceList) -> SoldService:
    rate = rate_at(service, prices)
    return service if rate == service.rate else replace(service, rate=rate, rate_units=read_rate(rate))


_EMPTY = Catalogue(version=0, services={})
_current = _EMPTY
_building = Lock()


def ask_version(cursor: Cursor) -> Cursor:
    """Ask for the number of the catalogue that is valid in this transaction; `version_of` reads it."""
    return ask(cursor, queries.READ_VERSION)


def version_of(asked: Cursor) -> int:
    """The number that was asked for."""
    row = asked.fetchone()
    assert row is not None, "migrations write the one row"
    return int(row[0])


def catalogue_at(cursor: Cursor, version: int) -> Catalogue:
    """The catalogue of this version, from memory where that number is held, else read and kept.

    The number is read before the rest: a change between the two puts the older number on newer rows,
    which only makes the next caller read once more. Two threads may both read, and one of them builds;
    where they read different numbers the last one's is kept, which at worst costs a third reading.
    """
    global _current  # noqa: PLW0603 - one catalogue per process is the point
    held = _current
    if held.version == version:
        return held
    asked = [ask(cursor, statement) for statement in queries.READ_CATALOGUE]
    services, forbidden, percentages, rates = [rows.fetchall() for rows in asked]
    with _building:
        held = _current
        if held.version == version:
            return held
        _current = fresh = Catalogue(
            version=version,
            # Where nothing on sale has changed, the very same services: what was made ready of them stays good.
            services=held.services if held.rows == (services, forbidden) else _services(services, forbidden),
            prices=read_price_lists(percentages, rates, before=held.prices.values()),
            rows=(services, forbidden),
        )
        return fresh


def refresh_catalogue() -> Catalogue:
    """The catalogue as it is now: one look at its number where this process holds it. Raises Unavailable."""
    return in_transaction(lambda cursor: catalogue_at(cursor, version_of(ask_version(cursor))), pipelined=True)


def forget_catalogue() -> None:
    """Hold nothing, as a fresh process does. For tests that change databases under one process."""
    global _current  # noqa: PLW0603 - the same
    _current = _EMPTY


def _services(rows: Iterable[Row], forbidden_rows: Iterable[Row]) -> Mapping[int, SoldService]:
    forbidden = _forbidden(forbidden_rows)
    return {service.id: service for row in rows if (service := _sold(row, forbidden)) is not None}


def _forbidden(rows: Iterable[Row]) -> Mapping[int | None, ForbiddenLinks]:
    """What is forbidden by service, the operator's general patterns in each; under None those alone."""
    patterns: defaultdict[int | None, list[str]] = defaultdict(list)
    for service_id, pattern in rows:
        patterns[service_id].append(pattern)
    everywhere = ForbiddenLinks.of(patterns.pop(None, ()))
    own = {service_id: everywhere | ForbiddenLinks.of(texts) for service_id, texts in patterns.items()}
    return {None: everywhere, **own}


def _sold(row: Row, forbidden: Mapping[int | None, ForbiddenLinks]) -> SoldService | None:
    id_, name, category, type_name, rate, minimum, maximum, refill, cancel, dripfeed, free, links, *rest = row
    one_active_per_link, mode, source, template, allow_private, old_posts, *bought = rest
    provider_id, upstream_service, cost_rate = bought
    service_type = find_type(type_name)
    if service_type is None:
        return None
    route = OfferedRoute(provider_id, upstream_service, read_rate(cost_rate)) if provider_id is not None else None
    return SoldService(
        id=id_,
        name=name,
        category=category,
        type=service_type,
        rate=rate,
        rate_units=read_rate(rate),
        minimum=minimum,
        maximum=maximum,
        refill=refill,
        cancel=cancel,
        dripfeed=dripfeed,
        free=free,
        links=LinkKind(links),
        forbidden=forbidden.get(id_, forbidden[None]),
        one_active_per_link=one_active_per_link,
        route=route,
        posts=PostAddress(source, template, allow_private) if mode == SubscriptionMode.LOCAL else None,
        old_posts=old_posts,
    )
