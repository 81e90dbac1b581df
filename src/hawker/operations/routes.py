"""What staff do with routes: where each service is bought, and from whom next."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hawker.catalog.rules import read_rate
from hawker.operations.base import Run, operation, refusing
from hawker.operations.errors import BadInput
from hawker.operations.inputs import MAX_SERVICE

MAX_NAME = 254
MAX_RATE = 40
MAX_POSITION = 1_000

_Service = Annotated[int, Meta(ge=1, le=MAX_SERVICE, description="The service's number here.")]
_Provider = Annotated[str, Meta(max_length=MAX_NAME, description="The provider's name.")]


@dataclass(frozen=True, slots=True)
class AddRoute:
    """`cost_rate` is in the provider's currency."""

    service: _Service
    provider: _Provider
    upstream_service: Annotated[int, Meta(ge=1, le=MAX_SERVICE, description="Its number there.")]
    cost_rate: Annotated[
        str, Meta(max_length=MAX_RATE, description="What 1,000 (or one package) cost there, in its currency.")
    ]
    position: Annotated[int, Meta(ge=0, le=MAX_POSITION, description="The lowest is asked first.")] = 0

    def __post_init__(self) -> None:
        try:
            read_rate(self.cost_rate)
        except ValueError as error:
            raise BadInput("cost_rate", str(error)) from error


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    service: _Service
    provider: _Provider


@dataclass(frozen=True, slots=True)
class RouteView:
    """A way to buy a service, and whether its provider takes orders now."""

    service: int
    position: int
    provider: str
    upstream_service: int
    cost_rate: str
    takes_orders: bool


@dataclass(frozen=True, slots=True)
class RoutesOfService:
    """The routes of a service after the change, in the order in which they are asked."""

    routes: list[RouteView]


@operation("route.add", subject="service", ids=lambda given: (given.service,))
def add_route(run: Run, given: AddRoute) -> RoutesOfService:
    """Buy a service from a provider too, or change how it is bought there. Answers the service's routes."""
    from hawker.orders import look_again
    from hawker.providers.errors import BadRoute, NoSuchProvider
    from hawker.providers.routes import RouteDraft, save_route

    run.watch(given.service, lambda: _facts(given.service, run.now))
    with refusing(BadRoute, NoSuchProvider):
        save_route(RouteDraft(given.service, given.provider, given.upstream_service, given.cost_rate, given.position))
    look_again([given.service], now=run.now)
    return _routes(given.service, run.now)


@operation("route.remove", subject="service", ids=lambda given: (given.service,))
def remove_route(run: Run, given: RemoveRoute) -> RoutesOfService:
    """Buy a service from a provider no more. Answers the routes that are left."""
    from hawker.orders import look_again
    from hawker.providers import routes
    from hawker.providers.errors import NoSuchProvider, NoSuchRoute

    run.watch(given.service, lambda: _facts(given.service, run.now))
    with refusing(NoSuchProvider, NoSuchRoute):
        routes.remove_route(given.service, given.provider)
    look_again([given.service], now=run.now)
    return _routes(given.service, run.now)


def _routes(service: int, now: datetime) -> RoutesOfService:
    from hawker.providers.routes import describe_routes

    described = describe_routes(service_id=service, provider_name="", now=now)
    return RoutesOfService(msgspec.convert(described, list[RouteView]))


def _facts(service: int, now: datetime) -> dict[str, Any]:
    """The routes of a service by provider, for the audit log; whether each takes orders now is no change of ours."""
    return {
        f"route {route.provider}": {
            "upstream_service": route.upstream_service,
            "cost_rate": route.cost_rate,
            "position": route.position,
        }
        for route in _routes(service, now).routes
    }
