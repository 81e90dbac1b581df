"""The operator's verbs of the catalogue: services changed and shown, links forbidden."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from hawker.catalog.errors import BadChange, BadPattern, NoSuchService
from hawker.catalog.links import MAX_PATTERN, LinkKind, read_pattern
from hawker.catalog.models import ForbiddenLink, Service, SubscriptionMode

MAX_PATTERNS = 1_000
"""Of one service, and of all together: every order is held against both lists."""


MAX_REFILL_DAYS = 3_650


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable() and value == value.strip()


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 40 and value.isprintable()


def _is_address(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 500 and value.isprintable()


def _is_days(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_REFILL_DAYS


_CHANGEABLE: Mapping[str, tuple[Callable[[object], bool], str]] = {
    # What the operator decides about a service: the field, what it may become, and that in words. Prices are
    # not among them: they are the price lists'. What an import follows (limits, refill, cancel) is the provider's.
    "enabled": (_is_flag, "yes or no"),
    "free": (_is_flag, "yes or no"),
    "links": (lambda value: value in list(LinkKind), f"one of {', '.join(LinkKind)}"),
    # Switched on through orders/placing/same_link.py, which takes the unfinished orders in.
    "one_active_per_link": (_is_flag, "yes or no"),
    "refill_days": (_is_days, f"between 0 (no limit) and {MAX_REFILL_DAYS}"),
    # Of subscriptions; what they may be together is checked by orders/subscriptions/offering.py.
    "subscription": (lambda value: value in SubscriptionMode.values, f"one of {', '.join(SubscriptionMode.values)}"),
    "post_source": (_is_word, "the name of an installed post source, such as feed"),
    "post_url": (_is_address, "an address of at most 500 characters with {username} in it"),
    "post_private": (_is_flag, "yes or no"),
    "old_posts": (_is_flag, "yes or no"),
    "name": (_is_name, "a text of one line and at most 255 characters, without blanks around it"),
}


def change_services(service_ids: Sequence[int], changes: Mapping[str, object]) -> None:
    """Set these fields to these values in every one of the services: all of them, or none.

    Seen by every order placed after the COMMIT, in all processes. Raises NoSuchService where one of the numbers
    has no service, and BadChange for a value that a field cannot have.
    """
    for field, value in changes.items():
        allows, words = _CHANGEABLE[field]
        if not allows(value):
            raise BadChange(f"{field} must be {words}")
    with transaction.atomic():
        known = set(Service.objects.select_for_update().filter(id__in=service_ids).values_list("id", flat=True))
        _check_known(service_ids, known)
        if changes:
            Service.objects.filter(id__in=known).update(**changes)


def describe_services(
    service_ids: Sequence[int] | None = None, *, category: str = "", provider: str = "", enabled: bool | None = None
) -> list[dict[str, Any]]:
    """All there is about services, in the order in which they are shown: of these numbers, or of all, with the
    filters that are given. One question per table. Raises NoSuchService for a number without one.
    """
    found = Service.objects.select_related("category").prefetch_related("routes__provider", "forbidden_links")
    if service_ids is not None:
        found = found.filter(id__in=service_ids)
    if category:
        found = found.filter(category__name__iexact=category)
    if provider:
        found = found.filter(routes__provider__name=provider).distinct()
    if enabled is not None:
        found = found.filter(enabled=enabled)
    services = list(found.order_by("category__position", "category__name", "position", "id"))
    if service_ids is not None:
        _check_known(service_ids, {service.id for service in services})
    return [_described(service) for service in services]


def check_services(service_ids: Sequence[int]) -> None:
    """Raises NoSuchService where one of the numbers has no service."""
    _check_known(service_ids, set(Service.objects.filter(id__in=service_ids).values_list("id", flat=True)))


def forbid_links(patterns: Sequence[str], *, service_id: int | None, now: datetime) -> list[str]:
    """Forbid links that match any of the patterns, for one service or for all; answers them as they are kept.

    A pattern that is forbidden already stays so. Raises BadPattern or NoSuchService; then nothing was written.
    """
    kept = [_pattern(text) for text in patterns]
    with transaction.atomic():
        if service_id is not None:
            _check_known([service_id], set(Service.objects.filter(id=service_id).values_list("id", flat=True)))
        ForbiddenLink.objects.bulk_create(
            [ForbiddenLink(service_id=service_id, pattern=pattern, created_at=now) for pattern in kept],
            ignore_conflicts=True,
        )
        if _listed_for(service_id).count() > MAX_PATTERNS:
            raise BadPattern(
                f"there would be more than {MAX_PATTERNS} patterns, and every order is checked against them"
            )
    return kept


def allow_links(patterns: Sequence[str], *, service_id: int | None) -> list[str]:
    """Take patterns off the list of one service, or of the general one; answers those that were on it."""
    kept = [_pattern(text) for text in patterns]
    with transaction.atomic():
        listed = _listed_for(service_id).filter(pattern__in=kept)
        gone = sorted(listed.values_list("pattern", flat=True))
        listed.delete()
    return gone


def list_forbidden_links() -> list[dict[str, Any]]:
    """Every pattern with its service; None where it holds for all."""
    return [
        {"pattern": row.pattern, "service": row.service_id, "since": row.created_at}
        for row in ForbiddenLink.objects.order_by("service_id", "pattern")
    ]


def _listed_for(service_id: int | None) -> QuerySet[ForbiddenLink]:
    general = ForbiddenLink.objects.filter(service__isnull=True)
    return general if service_id is None else ForbiddenLink.objects.filter(service_id=service_id)


def _pattern(text: str) -> str:
    pattern = read_pattern(text)
    if pattern is None:
        raise BadPattern(
            f"{text[:80]!r} cannot be a pattern: that is a host such as example.com, or a text without blanks "
            f"of at most {MAX_PATTERN} characters, where * stands for anything in between"
        )
    return pattern


def _check_known(asked: Sequence[int], known: set[int]) -> None:
    missing = sorted(set(asked) - known)
    if missing:
        raise NoSuchService(f"there is no service {', '.join(map(str, missing[:10]))}; nothing was changed")


def _described(service: Service) -> dict[str, Any]:
    return {
        "service": service.id,
        "name": service.name,
        "type": service.type,
        "category": service.category.name,
        "enabled": service.enabled,
        "rate": service.rate,
        "free": service.free,
        "min": service.minimum,
        "max": service.maximum,
        "refill": service.refill,
        "refill_days": service.refill_days,
        "cancel": service.cancel,
        "dripfeed": service.dripfeed,
        "links": service.links,
        "one_active_per_link": service.one_active_per_link,
        "subscription": _subscription(service) if service.type == "Subscriptions" else None,
        "forbidden_links": sorted(row.pattern for row in service.forbidden_links.all()),
        "routes": [
            {
                "provider": route.provider.name,
                "provider_enabled": route.provider.enabled,
                "upstream_service": route.upstream_service,
                "cost_rate": route.cost_rate,
            }
            for route in sorted(service.routes.all(), key=lambda route: (route.position, route.id))
        ],
    }


def _subscription(service: Service) -> dict[str, Any]:
    """How the posts of a subscription are found: by the provider, or here, at an address."""
    shown: dict[str, Any] = {"mode": service.subscription, "old_posts": service.old_posts}
    if service.subscription == SubscriptionMode.LOCAL:
        shown |= {"source": service.post_source, "feed": service.post_url, "private": service.post_private}
    return shown
