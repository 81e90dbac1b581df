"""Offering subscriptions: a service whose posts we find ourselves, made from one that is sold by the post."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from hawker.catalog.errors import BadChange, NoSuchService
from hawker.catalog.models import Route, Service, SubscriptionMode
from hawker.orders.subscriptions.rules import SUBSCRIPTIONS
from hawker.posts.errors import NoSuchSource
from hawker.posts.source_registry import find_source

FIELDS = ("subscription", "post_source", "post_url", "post_private", "old_posts")
"""What of a service only means something for subscriptions."""


def offer_subscription(
    service_id: int, *, address: str, source: str, allow_private: bool, name: str, now: datetime
) -> int:
    """Make a service of type Subscriptions that buys each post as an order of this one; answers its number.

    Price, limits and routes are those of the service now; an import refreshes both. Raises NoSuchService, BadChange for
    a service whose orders are not simply a link and a quantity, NoSuchSource or BadTemplate.
    """
    check_address(source, address, allow_private=allow_private)
    with transaction.atomic():
        base = Service.objects.filter(id=service_id).first()
        if base is None:
            raise NoSuchService(f"there is no service {service_id}; nothing was made")
        if base.type != "Default":
            raise BadChange(f"service {service_id} is of type {base.type}: posts are bought as orders of type Default")
        offered = Service.objects.create(
            category=base.category,
            name=name or f"{base.name}, for each new post"[:255],
            type=SUBSCRIPTIONS,
            rate=base.rate,
            minimum=base.minimum,
            maximum=base.maximum,
            refill=base.refill,
            cancel=base.cancel,
            free=base.free,
            position=base.position,
            subscription=SubscriptionMode.LOCAL,
            post_source=source,
            post_url=address,
            post_private=allow_private,
            created_at=now,
        )
        Route.objects.bulk_create(
            Route(
                service=offered,
                position=route.position,
                provider_id=route.provider_id,
                upstream_service=route.upstream_service,
                cost_rate=route.cost_rate,
            )
            for route in base.routes.all()
        )
    return offered.id


def check_subscription_changes(service_ids: Sequence[int], changes: Mapping[str, object]) -> None:
    """Raise BadChange, NoSuchSource or BadTemplate for changes of FIELDS that these services cannot have."""
    if not set(FIELDS).intersection(changes):
        return
    for service in Service.objects.filter(id__in=service_ids):
        if service.type != SUBSCRIPTIONS:
            raise BadChange(f"service {service.id} is of type {service.type}, not {SUBSCRIPTIONS}")
        become = {field: changes.get(field, getattr(service, field)) for field in FIELDS}
        if become["subscription"] == SubscriptionMode.LOCAL:
            allow_private = bool(become["post_private"])
            check_address(str(become["post_source"]), str(become["post_url"]), allow_private=allow_private)


def check_address(source: str, address: str, *, allow_private: bool) -> None:
    """Raise NoSuchSource or BadTemplate unless the source of this name can be asked at the address."""
    found = find_source(source)
    if found is None:
        raise NoSuchSource(f"there is no post source {source[:40]!r}; `feed` reads RSS and Atom")
    found.check(address, allow_private=allow_private)
