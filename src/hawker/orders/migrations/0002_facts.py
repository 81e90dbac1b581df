from pathlib import Path

from django.db import migrations, models
from django.db.models import Q


ORIGINS = ["api_key", "site", "staff", "drip_feed", "subscription", "import"]
HOLDS = ["no_route", "cost_above_charge", "margin", "person", "later", "restored"]
REASONS = ["funds", "key", "active_link", "busy", "other"]


def _choices(values: list[str]) -> list[tuple[str, str]]:
    return [(value, value.replace("_", " ").title()) for value in values]


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial"), ("ledger", "0001_initial")]
    operations = [
        migrations.AddField(
            "order",
            "origin",
            models.CharField(choices=_choices(ORIGINS), default="api_key", max_length=12),
            preserve_default=False,
        ),
        migrations.AddField("order", "api_key_id", models.BigIntegerField(null=True)),
        migrations.AlterField("work", "due_at", models.DateTimeField(null=True)),
        migrations.AddField("work", "hold_kind", models.CharField(choices=_choices(HOLDS), max_length=20, null=True)),
        migrations.AddField(
            "attempt",
            "reason",
            models.CharField(choices=[(reason, reason) for reason in REASONS], max_length=12, null=True),
        ),
        migrations.AddField("attempt", "made_by_provider", models.BooleanField(db_default=False, default=False)),
        migrations.AddField(
            "orderevent", "actor_kind", models.CharField(default="", max_length=10), preserve_default=False
        ),
        migrations.AddField("orderevent", "actor_id", models.BigIntegerField(null=True)),
        migrations.AddField(
            "orderevent", "actor_name", models.CharField(default="", max_length=254), preserve_default=False
        ),
        migrations.AddField("orderevent", "address", models.CharField(max_length=45, null=True)),
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")),
        migrations.RemoveField("orderevent", "actor"),
        migrations.RemoveIndex("work", "work_held"),
        migrations.AddIndex(
            "work", models.Index(fields=["order_id"], condition=Q(hold_kind__isnull=False), name="work_held")
        ),
        migrations.AddConstraint(
            "order", models.CheckConstraint(condition=Q(origin__in=ORIGINS), name="orders_origin")
        ),
        migrations.AddConstraint(
            "work",
            models.CheckConstraint(
                condition=Q(hold_kind__isnull=True, hold="") | Q(~Q(hold=""), hold_kind__in=HOLDS),
                name="work_hold_explained",
            ),
        ),
        migrations.AddConstraint(
            "attempt",
            models.CheckConstraint(
                condition=Q(state="rejected", reason__in=REASONS) | Q(~Q(state="rejected"), reason__isnull=True),
                name="attempt_rejected_has_reason",
            ),
        ),
    ]
