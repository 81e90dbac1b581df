"""Tables of the upstream panels."""

from datetime import datetime

from django.db import models
from django.db.models import Q


class PauseKind(models.TextChoices):
    """Why a provider gets no orders for a while."""

    NONE = "", "not paused"
    FUNDS = "funds"  # our balance there is too low: ends when it rises, or is tried again
    KEY = "key"  # our key is refused there: tried again
    GATE = "gate"  # something before the panel answers: tried again
    MANUAL = "manual"  # an operator wants it so, until he says otherwise


class Provider(models.Model):
    """An upstream panel that speaks API v2. Its key is stored encrypted and never shown again.

    It is paused while `pause_kind` is not NONE and `paused_until` is ahead, or NULL: a pause without an end.
    """

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=80, unique=True)
    url = models.CharField(max_length=500)
    key_cipher = models.BinaryField()
    currency = models.CharField(max_length=3)
    exchange_rate = models.CharField(max_length=20, default="1")
    allow_private = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    balance_micros = models.BigIntegerField(null=True)
    balance_at = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)
    pause_kind = models.CharField(max_length=10, choices=PauseKind, default="", db_default="")
    pause_reason = models.CharField(max_length=500, default="")
    adds_per_minute = models.IntegerField(null=True)
    statuses_per_minute = models.IntegerField(null=True)
    balances_per_minute = models.IntegerField(null=True, default=30, db_default=30)
    gate_not_sent = models.BooleanField(default=False, db_default=False)
    reconcile_scan = models.BooleanField(default=True, db_default=True)
    low_balance_micros = models.BigIntegerField(null=True)
    balance_every_seconds = models.IntegerField(default=600, db_default=600)
    prices_every_seconds = models.IntegerField(default=0, db_default=0)
    markup_percent = models.IntegerField(null=True)
    created_at = models.DateTimeField()

    def is_paused(self, now: datetime) -> bool:
        """Whether it gets no orders at this moment, whoever paused it."""
        return self.pause_kind != PauseKind.NONE and (self.paused_until is None or self.paused_until > now)

    class Meta:
        db_table = "provider"
        constraints = [
            models.CheckConstraint(
                condition=Q(exchange_rate__regex=r"^[0-9]{1,9}(\.[0-9]{1,8})?$"), name="provider_exchange_rate"
            ),
            models.CheckConstraint(
                condition=~Q(adds_per_minute__lt=1) & ~Q(statuses_per_minute__lt=1) & ~Q(balances_per_minute__lt=1),
                name="provider_limits",
            ),
        ]


class ProviderHealth(models.Model):
    """How a provider fares: its circuit breaker, and the pace of its calls. One narrow row for each, shared by all
    workers; a trigger makes it with the provider. Kept apart so that what operators set is not written over.

    `adds_at`, `statuses_at` and `balances_at` are the moments that providers/pace.py keeps. `funds_micros` is our
    balance there as first heard after it said that we have too little; `pauses` counts the pauses since it last took
    an order.
    """

    provider = models.OneToOneField(Provider, models.CASCADE, primary_key=True, related_name="health")
    failures = models.IntegerField(db_default=0)
    opens = models.IntegerField(db_default=0)
    opened_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    probe_until = models.DateTimeField(null=True)
    pauses = models.IntegerField(db_default=0)
    funds_micros = models.BigIntegerField(null=True)
    adds_at = models.DateTimeField(null=True)
    statuses_at = models.DateTimeField(null=True)
    balances_at = models.DateTimeField(null=True)
    balance_due_at = models.DateTimeField(null=True)
    prices_due_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "provider_health"


class Restore(models.Model):
    """One restore of this database from a backup. Append-only.

    From `taken_at` to `restored_at` the panel worked on elsewhere, under the same keys: its providers may have orders
    of that time that this database does not know.
    """

    id = models.BigAutoField(primary_key=True)
    taken_at = models.DateTimeField()
    restored_at = models.DateTimeField()

    class Meta:
        db_table = "restore"


class BalanceReading(models.Model):
    """What a provider said of our balance there, and by how much it was less than we can explain.

    Never changed. Of what is older than 30 days, the last reading of each day is kept and the others are deleted.
    """

    id = models.BigAutoField(primary_key=True)
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="readings")
    at = models.DateTimeField()
    balance_micros = models.BigIntegerField()
    unexplained_micros = models.BigIntegerField(default=0)

    class Meta:
        db_table = "balance_reading"
        indexes = [models.Index(fields=["provider", "-at"], name="balance_reading_newest")]
