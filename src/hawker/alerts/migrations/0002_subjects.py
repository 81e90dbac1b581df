from pathlib import Path

from django.db import migrations, models
from django.db.models import Q


KINDS = ["order", "refill", "attempt", "provider", "feed", "books"]


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]
    operations = [
        migrations.AddField(
            "alert",
            "subject_kind",
            models.CharField(choices=[(kind, kind.capitalize()) for kind in KINDS], default="", max_length=12),
            preserve_default=False,
        ),
        migrations.AddField(
            "alert", "subject_id", models.CharField(default="", max_length=100), preserve_default=False
        ),
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")),
        migrations.RemoveConstraint("alert", "alert_open_once"),
        migrations.RemoveField("alert", "subject"),
        migrations.AddConstraint(
            "alert",
            models.UniqueConstraint(
                fields=["kind", "subject_kind", "subject_id"],
                condition=Q(closed_at__isnull=True),
                name="alert_open_once",
            ),
        ),
        migrations.AddConstraint(
            "alert", models.CheckConstraint(condition=Q(subject_kind__in=KINDS), name="alert_subject_kind")
        ),
    ]
