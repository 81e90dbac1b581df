"""Tables of the catalogue. Every change bumps catalogue_version by trigger (migrations/guards.sql)."""

from django.db import models
from django.db.models import F, Q

from hawker.catalog.links import MAX_PATTERN, LinkKind
from hawker.catalog.rules import HIGHEST_PERCENT, LOWEST_PERCENT

RATE_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,8})?$"


class Category(models.Model):
    """A heading of the catalogue."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=255, unique=True)
    position = models.IntegerField(default=0)

    class Meta:
        db_table = "category"


class SubscriptionMode(models.TextChoices):
    """How the posts of a subscription are found and ordered for."""

    FORWARDED = "forwarded"  # the provider is asked to: the service is bought there as Subscriptions
    LOCAL = "local"  # the worker looks for posts, and buys an order of type Default for each


class Service(models.Model):
    """One thing to order. `rate` is text, the price of 1,000 (of one, for packages), as the operator wrote it.

    `subscription` and the post columns say how a service of type Subscriptions works (docs/subscriptions.md):
    `post_source` names the source that is asked, `post_url` its address with `{username}` in it.
    """

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
    one_active_per_link = models.BooleanField(db_default=False)
    position = models.IntegerField(default=0)
    subscription = models.CharField(
        max_length=10, choices=SubscriptionMode, default=SubscriptionMode.FORWARDED, db_default="forwarded"
    )
    post_source = models.CharField(max_length=40, default="feed", db_default="feed")
    post_url = models.CharField(max_length=500, default="", db_default="")
    post_private = models.BooleanField(default=False, db_default=False)
    old_posts = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "service"
        constraints = [
            models.CheckConstraint(
                condition=Q(subscription=SubscriptionMode.FORWARDED)
                | (Q(subscription=SubscriptionMode.LOCAL) & ~Q(post_url="") & ~Q(post_source="")),
                name="service_subscription",
            ),
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


class PriceGroup(models.Model):
    """Customers who are sold to at the same percentage on the catalogue's rates, or off them."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=80, unique=True)
    percent_hundredths = models.IntegerField()

    class Meta:
        db_table = "price_group"
        constraints = [
            models.CheckConstraint(
                condition=Q(percent_hundredths__range=(LOWEST_PERCENT, HIGHEST_PERCENT)), name="price_group_percent"
            ),
        ]


class CustomerPrice(models.Model):
    """A customer's group and own percentage; the own one goes before the group's, and neither means the catalogue's."""

    account = models.OneToOneField("ledger.Account", models.PROTECT, primary_key=True, related_name="price")
    group = models.ForeignKey(PriceGroup, models.PROTECT, null=True, related_name="customers")
    percent_hundredths = models.IntegerField(null=True)

    class Meta:
        db_table = "customer_price"
        constraints = [
            models.CheckConstraint(
                condition=Q(percent_hundredths__range=(LOWEST_PERCENT, HIGHEST_PERCENT)), name="customer_price_percent"
            ),
        ]


class CustomerRate(models.Model):
    """A rate agreed with one customer for one service, as the operator wrote it; it goes before every percentage."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey("ledger.Account", models.PROTECT, related_name="rates")
    service = models.ForeignKey(Service, models.PROTECT, related_name="customer_rates")
    rate = models.CharField(max_length=20)

    class Meta:
        db_table = "customer_rate"
        constraints = [
            models.UniqueConstraint(fields=["account", "service"], name="customer_rate_once"),
            # A rate of 0 would be shown and yet cost one step an order: what is free is marked free.
            models.CheckConstraint(
                condition=Q(rate__regex=RATE_PATTERN) & Q(rate__regex="[1-9]"), name="customer_rate_rate"
            ),
        ]


class CatalogueVersion(models.Model):
    """One row: the number of the catalogue that is valid now."""

    id = models.SmallIntegerField(primary_key=True)
    version = models.BigIntegerField()

    class Meta:
        db_table = "catalogue_version"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="catalogue_version_one_row")]
