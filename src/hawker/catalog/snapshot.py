"""The catalogue as each process holds it in memory: immutable, numbered, replaced whole."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hawker.catalog import queries
from hawker.catalog.links import ForbiddenLinks, LinkKind
from hawker.catalog.rules import read_rate
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.protocol.replies import OfferedService, services_reply
from hawker.protocol.service_types import ServiceType, find_type


@dataclass(frozen=True, slots=True)
class OfferedRoute:
    """Where a service is bought first, and the cost of 1,000 there in the provider's currency."""

    provider_id: int
    upstream_service: int
    cost_rate_units: int


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
    route: OfferedRoute | None


@dataclass(frozen=True)
class Catalogue:
    """All services on sale under one version number."""

    version: int
    services: Mapping[int, SoldService]

    @cached_property
    def services_reply(self) -> bytes:
        """The ready bytes of the `services` answer."""
        return services_reply(
            OfferedService(
                service=service.id,
                name=service.name,
                type=service.type.name,
                category=service.category,
                rate=service.rate,
                minimum=service.minimum,
                maximum=service.maximum,
                refill=service.refill,
                cancel=service.cancel,
                dripfeed=service.dripfeed,
            )
            for service in self.services.values()
        )


_EMPTY = Catalogue(version=0, services={})
_current = _EMPTY


def ask_version(cursor: Cursor) -> Cursor:
    """Ask for the number of the catalogue that is valid in this transaction."""
    return ask(cursor, queries.READ_VERSION)


def catalogue_at(cursor: Cursor, asked_version: Cursor) -> Catalogue:
    """The catalogue of the version asked for, from memory where that number is held, else read and kept.

    The number is read before the services: a change between the two puts the older number on newer
    services, which only makes the next caller read once more. Two threads may both read; the last
    one's is kept, which at worst costs a third reading.
    """
    global _current  # noqa: PLW0603 - one catalogue per process is the point
    row = asked_version.fetchone()
    assert row is not None, "migrations write the one row"
    if _current.version == row[0]:
        return _current
    forbidden = _forbidden(cursor)
    services = {
        service.id: service
        for row in ask(cursor, queries.READ_SERVICES)
        if (service := _sold(row, forbidden)) is not None
    }
    _current = fresh = Catalogue(row[0], services)
    return fresh


def refresh_catalogue() -> Catalogue:
    """The catalogue as it is now: one look at its number where this process holds it. Raises Unavailable."""
    return in_transaction(lambda cursor: catalogue_at(cursor, ask_version(cursor)))


def forget_catalogue() -> None:
    """Hold nothing, as a fresh process does. For tests that change databases under one process."""
    global _current  # noqa: PLW0603 - the same
    _current = _EMPTY


def _forbidden(cursor: Cursor) -> Mapping[int | None, ForbiddenLinks]:
    """What is forbidden by service, the operator's general patterns in each; under None those alone."""
    patterns: defaultdict[int | None, list[str]] = defaultdict(list)
    for service_id, pattern in ask(cursor, queries.READ_FORBIDDEN_LINKS):
        patterns[service_id].append(pattern)
    everywhere = ForbiddenLinks.of(patterns.pop(None, ()))
    own = {service_id: everywhere | ForbiddenLinks.of(texts) for service_id, texts in patterns.items()}
    return {None: everywhere, **own}


def _sold(row: tuple[Any, ...], forbidden: Mapping[int | None, ForbiddenLinks]) -> SoldService | None:
    id_, name, category, type_name, rate, minimum, maximum, refill, cancel, dripfeed, free, links, *bought = row
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
        route=route,
    )
