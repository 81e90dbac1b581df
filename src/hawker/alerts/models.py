"""The table of alerts. Any part of the panel may raise one; `hawker alert list` and the doctor read them."""

from django.db import models
from django.db.models import Q


class SubjectKind(models.TextChoices):
    """What an alert can be about."""

    ORDER = "order"
    REFILL = "refill"  # by its order: one refill of an order runs at a time
    ATTEMPT = "attempt"
    PROVIDER = "provider"  # by its name
    FEED = "feed"
    BOOKS = "books"  # the panel's own invariants; there is one such subject, without an id


class AlertKind(models.TextChoices):
    """What an alert is about. The subject says of which order or provider."""

    UNKNOWN_ATTEMPT = "unknown_attempt"  # an attempt is unknown for longer than it should be
    UPSTREAM_ID_TWICE = "upstream_id_twice"  # a provider answered an id that another order has
    LATE_ANSWER = "late_answer"  # a provider took an order after its attempt had been decided otherwise
    UNSETTLED = "unsettled"  # what was observed of an attempt could not be written
    STATUS_FLIP = "status_flip"  # a provider tells another end of an order than the one that was settled
    OUT_OF_FUNDS = "out_of_funds"  # a provider says that our balance there is too low
    KEY_REFUSED = "key_refused"  # a provider refuses our key
    GATE = "gate"  # something before a provider's panel answers in its place
    BREAKER_OPEN = "breaker_open"  # a provider failed so often that it gets no orders
    LOW_BALANCE = "low_balance"  # our balance at a provider is below what the operator wants to see there
    BALANCE_DRIFT = "balance_drift"  # a provider's balance fell by more than we know of (I15)
    SUBSCRIPTION_UNREAD = "subscription_unread"  # a provider made orders that cannot be charged: not named, or not read
    SUBSCRIPTION_OWED = "subscription_owed"  # a provider delivered for a subscription what the balance does not cover
    FEED_TROUBLE = "feed_trouble"  # a feed of subscriptions keeps failing, or is not believed
    PRICE_JUMP = "price_jump"  # a provider's price changed so much that the operator must look
    INVARIANT = "invariant"  # the books or the orders contradict themselves: `hawker verify` names where


class Alert(models.Model):
    """One thing that needs a person. While it is open there is one row of its kind and subject."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=40)
    text = models.TextField()
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    times = models.IntegerField(default=1)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=500, default="")
    subject_kind = models.CharField(max_length=12, choices=SubjectKind)
    subject_id = models.CharField(max_length=100)

    class Meta:
        db_table = "alert"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_kind", "subject_id"],
                condition=Q(closed_at__isnull=True),
                name="alert_open_once",
            ),
            models.CheckConstraint(condition=Q(subject_kind__in=SubjectKind.values), name="alert_subject_kind"),
        ]
