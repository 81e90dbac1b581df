from pathlib import Path

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("ledger", "0002_guards"), ("ledger", "0003_audited"), ("ledger", "0004_ways")]

    initial = True

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("currency", models.CharField(max_length=3)),
                ("balance_micros", models.BigIntegerField(null=True)),
                ("credit_limit_micros", models.BigIntegerField(default=0)),
                ("seq", models.BigIntegerField(default=0)),
                (
                    "user",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="account",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "account",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("balance_micros__isnull", True), ("id__lt", 1000), ("user__isnull", True)),
                            models.Q(("balance_micros__isnull", False), ("id__gte", 1000), ("user__isnull", False)),
                            _connector="OR",
                        ),
                        name="account_customer_has_balance",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "balance_micros__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("credit_limit_micros"), "*", models.Value(-1)
                                ),
                            )
                        ),
                        name="account_not_overspent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("credit_limit_micros__gte", 0)), name="account_credit_limit"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Correction",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("amount_micros", models.BigIntegerField()),
                ("actor", models.CharField(max_length=254)),
                ("reason", models.CharField(max_length=500)),
                ("address", models.GenericIPAddressField(null=True)),
                ("created_at", models.DateTimeField()),
                ("account", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="ledger.account")),
            ],
            options={
                "db_table": "correction",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_micros", 0), _negated=True), name="correction_not_zero"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True), models.Q(("actor", ""), _negated=True)
                        ),
                        name="correction_explained",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Deposit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("gateway", models.CharField(max_length=40)),
                ("gateway_transaction", models.CharField(max_length=128)),
                ("amount_micros", models.BigIntegerField()),
                ("actor", models.CharField(max_length=254)),
                ("reason", models.CharField(max_length=500)),
                ("address", models.GenericIPAddressField(null=True)),
                ("created_at", models.DateTimeField()),
                ("account", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="ledger.account")),
            ],
            options={
                "db_table": "deposit",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_micros__gt", 0)), name="deposit_amount_positive"
                    ),
                    models.UniqueConstraint(fields=("gateway", "gateway_transaction"), name="deposit_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Transfer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("charge", "Charge"),
                            ("refund", "Refund"),
                            ("delivery", "Delivery"),
                            ("deposit", "Deposit"),
                            ("correction", "Correction"),
                        ],
                        max_length=12,
                    ),
                ),
                ("debit_id", models.BigIntegerField()),
                ("credit_id", models.BigIntegerField()),
                ("amount_micros", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("reference", models.BigIntegerField()),
                ("part", models.SmallIntegerField(default=0)),
                ("account_id", models.BigIntegerField(null=True)),
                ("seq", models.BigIntegerField(null=True)),
                ("balance_after_micros", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "transfer",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount_micros__gt", 0)), name="transfer_amount_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("debit_id", models.F("credit_id")), _negated=True),
                        name="transfer_two_accounts",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["charge", "refund", "delivery", "deposit", "correction"])),
                        name="transfer_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("account_id__isnull", True),
                                ("balance_after_micros__isnull", True),
                                ("seq__isnull", True),
                            ),
                            models.Q(
                                ("balance_after_micros__isnull", False),
                                ("seq__isnull", False),
                                models.Q(
                                    ("account_id", models.F("debit_id")),
                                    ("account_id", models.F("credit_id")),
                                    _connector="OR",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="transfer_entry_of_one_side",
                    ),
                    models.UniqueConstraint(fields=("reference", "kind", "part"), name="transfer_reference_unique"),
                    models.UniqueConstraint(
                        condition=models.Q(("account_id__isnull", False)),
                        fields=("account_id", "seq"),
                        name="transfer_entry_unique",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["refund", "delivery"]), ("part", 0), _connector="OR"),
                        name="transfer_parts",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("account_id", models.F("debit_id")),
                                ("account_id__isnull", False),
                                ("credit_id", 1),
                                ("kind", "charge"),
                            ),
                            models.Q(
                                ("account_id", models.F("credit_id")),
                                ("account_id__isnull", False),
                                ("debit_id", 1),
                                ("kind", "refund"),
                            ),
                            models.Q(("credit_id", 2), ("debit_id", 1), ("kind", "delivery")),
                            models.Q(
                                ("account_id", models.F("credit_id")),
                                ("account_id__isnull", False),
                                ("debit_id", 3),
                                ("kind", "deposit"),
                            ),
                            models.Q(
                                ("account_id", models.F("credit_id")),
                                ("account_id__isnull", False),
                                ("debit_id", 4),
                                ("kind", "correction"),
                            ),
                            models.Q(
                                ("account_id", models.F("debit_id")),
                                ("account_id__isnull", False),
                                ("credit_id", 4),
                                ("kind", "correction"),
                            ),
                            _connector="OR",
                        ),
                        name="transfer_ways",
                    ),
                ],
            },
        ),
        migrations.RunSQL(Path(__file__).with_name("check_audited.sql").read_text(encoding="utf-8")),
        migrations.RunSQL(Path(__file__).with_name("guards.sql").read_text(encoding="utf-8")),
    ]
