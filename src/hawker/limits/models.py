"""Tables of limits. Both are UNLOGGED: a crash of the database forgets them, and nothing is lost by that."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class RateBucket(models.Model):
    """One token bucket that is not full. A bucket without a row is full, so full ones may be deleted.

    The one number that is kept is when it will be full again: how many tokens it holds follows from
    that, the limit and the time. No index but the key: its rows are updated in place (HOT).
    """

    name = models.CharField(max_length=80, primary_key=True)
    full_at = models.DateTimeField()

    class Meta:
        db_table = "rate_bucket"


class InFlight(models.Model):
    """The requests of one account that are being answered, as leases that end by themselves.

    A request gives its lease back when it is answered; what a killed process held runs out.
    """

    account_id = models.BigIntegerField(primary_key=True)
    leases = ArrayField(models.DateTimeField(), default=list)

    class Meta:
        db_table = "in_flight"
