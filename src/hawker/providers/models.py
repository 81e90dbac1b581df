"""Tables of the upstream panels."""

from django.db import models
from django.db.models import Q


class Provider(models.Model):
    """An upstream panel that speaks API v2. Its key is stored encrypted and never shown again."""

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
    pause_reason = models.CharField(max_length=500, default="")
    failures = models.IntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "provider"
        constraints = [
            models.CheckConstraint(
                condition=Q(exchange_rate__regex=r"^[0-9]{1,9}(\.[0-9]{1,8})?$"), name="provider_exchange_rate"
            )
        ]
