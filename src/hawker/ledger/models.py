"""Tables of the ledger. The constraints and triggers carry the rules; migrations/guards.sql holds the triggers."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class House(models.IntegerChoices):
    """The house's own accounts, by fixed id.

    They carry no balance: a row that every order touches costs half to three quarters of the
    throughput; their balance is the sum of their transfers.
    """

    ESCROW = 1  # charged and neither delivered nor refunded yet
    REVENUE = 2  # delivered
    GATEWAY = 3  # what came in through payment gateways, owed to the outside
    CORRECTION = 4  # staff corrections


FIRST_CUSTOMER_ACCOUNT = 1000


class Account(models.Model):
    """One account. A customer's carries a materialised balance and a running sequence, the house's do not."""

    id = models.BigAutoField(primary_key=True)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="account")
    currency = models.CharField(max_length=3)
    balance_micros = models.BigIntegerField(null=True)
    credit_limit_micros = models.BigIntegerField(default=0)
    seq = models.BigIntegerField(default=0)

    class Meta:
        db_table = "account"
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True, balance_micros__isnull=True, id__lt=FIRST_CUSTOMER_ACCOUNT)
                | Q(user__isnull=False, balance_micros__isnull=False, id__gte=FIRST_CUSTOMER_ACCOUNT),
                name="account_customer_has_balance",
            ),
            models.CheckConstraint(
                condition=Q(balance_micros__gte=-F("credit_limit_micros")), name="account_not_overspent"
            ),
            models.CheckConstraint(condition=Q(credit_limit_micros__gte=0), name="account_credit_limit"),
        ]


class TransferKind(models.TextChoices):
    """What a transfer is for; `reference` names the row it belongs to."""

    CHARGE = "charge"  # customer → escrow; reference: order
    REFUND = "refund"  # escrow → customer; reference: order
    DELIVERY = "delivery"  # escrow → revenue; reference: order
    DEPOSIT = "deposit"  # gateway → customer; reference: deposit
    CORRECTION = "correction"  # correction ↔ customer; reference: correction


WAYS = (
    Q(kind="charge", credit_id=1, account_id__isnull=False, account_id=F("debit_id"))
    | Q(kind="refund", debit_id=1, account_id__isnull=False, account_id=F("credit_id"))
    | Q(kind="delivery", debit_id=1, credit_id=2)
    | Q(kind="deposit", debit_id=3, account_id__isnull=False, account_id=F("credit_id"))
    | Q(kind="correction", debit_id=4, account_id__isnull=False, account_id=F("credit_id"))
    | Q(kind="correction", credit_id=4, account_id__isnull=False, account_id=F("debit_id"))
)
"""The ways that money goes, by kind and the numbers of the house's accounts. No other transfer can be written."""


class Transfer(models.Model):
    """An amount that left `debit` and reached `credit`. Append-only.

    At most one side is a customer's; `account`, `seq` and `balance_after_micros` are that side's running
    entry. `part` counts the transfers of one kind for one reference (an order may be refunded in parts).
    `operation` is what made it, by the name of the audit log: `order.add`, `order.settle`, `customer.credit`.
    There are no foreign keys: their row locks on the house accounts would serialise all orders. A
    statement trigger checks existence, currency and the chain of entries instead.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=12, choices=TransferKind)
    debit_id = models.BigIntegerField()
    credit_id = models.BigIntegerField()
    amount_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.BigIntegerField()
    part = models.SmallIntegerField(default=0)
    account_id = models.BigIntegerField(null=True)
    seq = models.BigIntegerField(null=True)
    balance_after_micros = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    operation = models.CharField(max_length=40)

    class Meta:
        db_table = "transfer"
        constraints = [
            models.CheckConstraint(condition=~Q(operation=""), name="transfer_operation"),
            models.CheckConstraint(condition=Q(amount_micros__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(condition=~Q(debit_id=F("credit_id")), name="transfer_two_accounts"),
            models.CheckConstraint(condition=Q(kind__in=TransferKind.values), name="transfer_kind"),
            # One charge for each order, one transfer for each deposit and correction.
            models.CheckConstraint(condition=Q(kind__in=["refund", "delivery"]) | Q(part=0), name="transfer_parts"),
            models.CheckConstraint(condition=WAYS, name="transfer_ways"),
            models.CheckConstraint(
                condition=Q(account_id__isnull=True, seq__isnull=True, balance_after_micros__isnull=True)
                | (
                    Q(seq__isnull=False, balance_after_micros__isnull=False)
                    & (Q(account_id=F("debit_id")) | Q(account_id=F("credit_id")))
                ),
                name="transfer_entry_of_one_side",
            ),
            models.UniqueConstraint(fields=["reference", "kind", "part"], name="transfer_reference_unique"),
            models.UniqueConstraint(
                fields=["account_id", "seq"], name="transfer_entry_unique", condition=Q(account_id__isnull=False)
            ),
        ]


class Deposit(models.Model):
    """Money that came in. `gateway_transaction` is the gateway's own id: it can be credited once only (I9)."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT)
    gateway = models.CharField(max_length=40)
    gateway_transaction = models.CharField(max_length=128)
    amount_micros = models.BigIntegerField()
    reason = models.CharField(max_length=500)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=254)

    class Meta:
        db_table = "deposit"
        constraints = [
            models.CheckConstraint(condition=Q(amount_micros__gt=0), name="deposit_amount_positive"),
            models.UniqueConstraint(fields=["gateway", "gateway_transaction"], name="deposit_once"),
        ]


class Correction(models.Model):
    """A balance changed by staff, with who and why (I14). Negative amounts take money away."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT)
    amount_micros = models.BigIntegerField()
    reason = models.CharField(max_length=500)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=254)

    class Meta:
        db_table = "correction"
        constraints = [
            models.CheckConstraint(condition=~Q(amount_micros=0), name="correction_not_zero"),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(actor_name=""), name="correction_explained"),
        ]
