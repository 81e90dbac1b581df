"""Where each service is bought: the operator's order of providers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from hawker.catalog.models import Route, Service
from hawker.catalog.rules import read_rate
from hawker.providers.actions import find_provider
from hawker.providers.errors import BadRoute, NoSuchRoute

MAX_POSITION = 1_000


@dataclass(frozen=True, slots=True)
class RouteDraft:
    """A way to buy a service. The lowest position is asked first; `cost_rate` is in the provider's currency."""

    service_id: int
    provider: str
    upstream_service: int
    cost_rate: str
    position: int


def save_route(draft: RouteDraft) -> None:
    """Make the route of this service to this provider, or change the one there is.

    Raises NoSuchProvider, or BadRoute for a service that is not there and for a cost that is none.
    """
    try:
        read_rate(draft.cost_rate)
    except ValueError as error:
        raise BadRoute(str(error)) from error
    provider = find_provider(draft.provider)
    if not Service.objects.filter(id=draft.service_id).exists():
        raise BadRoute(f"there is no service {draft.service_id}")
    with transaction.atomic():
        Route.objects.update_or_create(
            service_id=draft.service_id,
            provider=provider,
            defaults={
                "upstream_service": draft.upstream_service,
                "cost_rate": draft.cost_rate,
                "position": draft.position,
            },
        )


def remove_route(service_id: int, provider_name: str) -> None:
    """Buy the service there no more. Raises NoSuchProvider or NoSuchRoute.

    What was sent there is followed to its end; what waits for it goes to the next route.
    """
    provider = find_provider(provider_name)
    with transaction.atomic():
        gone, _ = Route.objects.filter(service_id=service_id, provider=provider).delete()
    if not gone:
        raise NoSuchRoute(f"service {service_id} is not bought from {provider_name}")


def describe_routes(*, service_id: int | None, provider_name: str, now: datetime) -> Sequence[dict[str, Any]]:
    """The routes of a service, or all, in the order in which they are asked, and whether each takes orders now."""
    routes = Route.objects.select_related("provider__health").order_by("service_id", "position", "id")
    if service_id is not None:
        routes = routes.filter(service_id=service_id)
    if provider_name:
        routes = routes.filter(provider=find_provider(provider_name))
    return [
        {
            "service": route.service_id,
            "position": route.position,
            "provider": route.provider.name,
            "upstream_service": route.upstream_service,
            "cost_rate": route.cost_rate,
            "takes_orders": _takes_orders(route, now),
        }
        for route in routes
    ]


def _takes_orders(route: Route, now: datetime) -> bool:
    provider, health = route.provider, route.provider.health
    is_broken = health.retry_at is not None and health.retry_at > now
    return provider.enabled and not provider.is_paused(now) and not is_broken
