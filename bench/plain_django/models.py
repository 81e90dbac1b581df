"""The tables: the usual foreign keys, decimals for money, a check that no balance falls below nothing."""

from django.db import models
from django.db.models import Q


class Account(models.Model):
    email = models.EmailField(unique=True)
    balance = models.DecimalField(max_digits=20, decimal_places=5, default=0)

    class Meta:
        db_table = "account"
        constraints = [models.CheckConstraint(condition=Q(balance__gte=0), name="account_not_overspent")]


class ApiKey(models.Model):
    account = models.ForeignKey(Account, models.PROTECT, related_name="api_keys")
    digest = models.CharField(max_length=64, unique=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "api_key"


class Service(models.Model):
    name = models.CharField(max_length=255)
    category = models.CharField(max_length=255)
    rate = models.DecimalField(max_digits=12, decimal_places=5)
    minimum = models.IntegerField()
    maximum = models.IntegerField()
    enabled = models.BooleanField(default=True)

    class Meta:
        db_table = "service"


class Order(models.Model):
    account = models.ForeignKey(Account, models.PROTECT, related_name="orders")
    service = models.ForeignKey(Service, models.PROTECT)
    status = models.CharField(max_length=20, default="Pending")
    link = models.TextField()
    quantity = models.IntegerField()
    rate = models.DecimalField(max_digits=12, decimal_places=5)
    charge = models.DecimalField(max_digits=20, decimal_places=5)
    start_count = models.BigIntegerField(null=True)
    remains = models.IntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "orders"


class Transfer(models.Model):
    account = models.ForeignKey(Account, models.PROTECT, related_name="transfers")
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="transfers")
    kind = models.CharField(max_length=12)
    amount = models.DecimalField(max_digits=20, decimal_places=5)
    balance_after = models.DecimalField(max_digits=20, decimal_places=5)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "transfer"
