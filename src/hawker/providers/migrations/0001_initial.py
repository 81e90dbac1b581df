from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("providers", "0002_health"), ("providers", "0003_prices"), ("providers", "0004_restores")]

    initial = True

    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Provider",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80, unique=True)),
                ("url", models.CharField(max_length=500)),
                ("key_cipher", models.BinaryField()),
                ("currency", models.CharField(max_length=3)),
                ("exchange_rate", models.CharField(default="1", max_length=20)),
                ("allow_private", models.BooleanField(default=False)),
                ("enabled", models.BooleanField(default=True)),
                ("balance_micros", models.BigIntegerField(null=True)),
                ("balance_at", models.DateTimeField(null=True)),
                ("paused_until", models.DateTimeField(null=True)),
                ("pause_reason", models.CharField(default="", max_length=500)),
                ("created_at", models.DateTimeField()),
                ("adds_per_minute", models.IntegerField(null=True)),
                ("balance_every_seconds", models.IntegerField(db_default=600, default=600)),
                ("balances_per_minute", models.IntegerField(db_default=30, default=30, null=True)),
                ("gate_not_sent", models.BooleanField(db_default=False, default=False)),
                ("low_balance_micros", models.BigIntegerField(null=True)),
                (
                    "pause_kind",
                    models.CharField(
                        choices=[
                            ("", "not paused"),
                            ("funds", "Funds"),
                            ("key", "Key"),
                            ("gate", "Gate"),
                            ("manual", "Manual"),
                        ],
                        db_default="",
                        default="",
                        max_length=10,
                    ),
                ),
                ("reconcile_scan", models.BooleanField(db_default=True, default=True)),
                ("statuses_per_minute", models.IntegerField(null=True)),
                ("markup_percent", models.IntegerField(null=True)),
                ("prices_every_seconds", models.IntegerField(db_default=0, default=0)),
            ],
            options={
                "db_table": "provider",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("exchange_rate__regex", "^[0-9]{1,9}(\\.[0-9]{1,8})?$")),
                        name="provider_exchange_rate",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("adds_per_minute__lt", 1), _negated=True),
                            models.Q(("statuses_per_minute__lt", 1), _negated=True),
                            models.Q(("balances_per_minute__lt", 1), _negated=True),
                        ),
                        name="provider_limits",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BalanceReading",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("balance_micros", models.BigIntegerField()),
                ("unexplained_micros", models.BigIntegerField(default=0)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="readings", to="providers.provider"
                    ),
                ),
            ],
            options={
                "db_table": "balance_reading",
                "indexes": [models.Index(fields=["provider", "-at"], name="balance_reading_newest")],
            },
        ),
        migrations.CreateModel(
            name="ProviderHealth",
            fields=[
                (
                    "provider",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="health",
                        serialize=False,
                        to="providers.provider",
                    ),
                ),
                ("failures", models.IntegerField(db_default=0)),
                ("opens", models.IntegerField(db_default=0)),
                ("opened_at", models.DateTimeField(null=True)),
                ("retry_at", models.DateTimeField(null=True)),
                ("probe_until", models.DateTimeField(null=True)),
                ("pauses", models.IntegerField(db_default=0)),
                ("funds_micros", models.BigIntegerField(null=True)),
                ("adds_at", models.DateTimeField(null=True)),
                ("statuses_at", models.DateTimeField(null=True)),
                ("balances_at", models.DateTimeField(null=True)),
                ("balance_due_at", models.DateTimeField(null=True)),
                ("prices_due_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "provider_health"},
        ),
        migrations.CreateModel(
            name="Restore",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("taken_at", models.DateTimeField()),
                ("restored_at", models.DateTimeField()),
            ],
            options={"db_table": "restore"},
        ),
        migrations.RunSQL(Path(__file__).with_name("guards.sql").read_text(encoding="utf-8")),
    ]
