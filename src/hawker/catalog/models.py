"""Tables of the catalogue. Every change bumps catalogue_version by trigger (migrations/0002)."""

from django.db import models
from django.db.models import F, Q

from hawker.catalog.links import MAX_PATTERN, LinkKind

RATE_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,8})?$"


class Category(models.Model):
    """A heading of the catalogue."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=255, unique=True)
    position = models.IntegerField(default=0)

    class Meta:
        db_table = "category"


class Service(models.Model):
    """One thing to order. `rate` is text, the price of 1,000 (of one, for packages), as the operator wrote it."""

    id = models.BigAutoField(primary_key=True)
    category = models.ForeignKey(Category, models.PROTECT)
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=40)
    rate = models.CharField(max_length=20)
    minimum = models.BigIntegerField()
    maximum = models.BigIntegerField()
    refill = models.BooleanField(default=False)
    # How many days after an order's end a refill may be asked for; 0 is without an end.
    refill_days = models.PositiveSmallIntegerField(db_default=0)
    cancel = models.BooleanField(default=False)
    dripfeed = models.BooleanField(default=False)
    free = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    links = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in LinkKind], db_default="any")
    position = models.IntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "service"
        constraints = [
            models.CheckConstraint(condition=Q(rate__regex=RATE_PATTERN), name="service_rate"),
            models.CheckConstraint(
                condition=Q(minimum__gte=1) & Q(maximum__gte=F("minimum")) & Q(maximum__lte=10**12),
                name="service_quantity",
            ),
            models.CheckConstraint(condition=Q(links__in=[kind.value for kind in LinkKind]), name="service_links"),
        ]


class ForbiddenLink(models.Model):
    """A pattern of links that are not ordered for: with one service, or without one with any (catalog/links.py)."""

    id = models.BigAutoField(primary_key=True)
    service = models.ForeignKey(Service, models.CASCADE, null=True, related_name="forbidden_links")
    pattern = models.CharField(max_length=MAX_PATTERN)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "forbidden_link"
        constraints = [
            models.UniqueConstraint(fields=["service", "pattern"], nulls_distinct=False, name="forbidden_link_once"),
            models.CheckConstraint(condition=~Q(pattern=""), name="forbidden_link_says_something"),
        ]


class Route(models.Model):
    """Where a service is bought: the provider's service and what it costs there, in order of preference."""

    id = models.BigAutoField(primary_key=True)
    service = models.ForeignKey(Service, models.CASCADE, related_name="routes")
    position = models.SmallIntegerField(default=0)
    provider = models.ForeignKey("providers.Provider", models.PROTECT, related_name="routes")
    upstream_service = models.BigIntegerField()
    cost_rate = models.CharField(max_length=20)

    class Meta:
        db_table = "route"
        constraints = [
            models.UniqueConstraint(fields=["service", "provider"], name="route_once"),
            models.CheckConstraint(condition=Q(cost_rate__regex=RATE_PATTERN), name="route_cost_rate"),
        ]
        indexes = [models.Index(fields=["provider", "upstream_service"], name="route_upstream")]


class CatalogueVersion(models.Model):
    """One row: the number of the catalogue that is valid now."""

    id = models.SmallIntegerField(primary_key=True)
    version = models.BigIntegerField()

    class Meta:
        db_table = "catalogue_version"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="catalogue_version_one_row")]
