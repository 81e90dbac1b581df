from pathlib import Path

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("audit", "0002_actors"), ("orders", "0001_initial")]
    operations = [
        migrations.AddField(
            "deposit", "actor_kind", models.CharField(default="", max_length=10), preserve_default=False
        ),
        migrations.AddField("deposit", "actor_id", models.BigIntegerField(null=True)),
        migrations.AddField(
            "deposit", "actor_name", models.CharField(default="", max_length=254), preserve_default=False
        ),
        migrations.AddField(
            "correction", "actor_kind", models.CharField(default="", max_length=10), preserve_default=False
        ),
        migrations.AddField("correction", "actor_id", models.BigIntegerField(null=True)),
        migrations.AddField(
            "correction", "actor_name", models.CharField(default="", max_length=254), preserve_default=False
        ),
        migrations.AddField(
            "transfer", "operation", models.CharField(default="", max_length=40), preserve_default=False
        ),
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")),
        migrations.RemoveConstraint("correction", "correction_explained"),
        migrations.RemoveField("deposit", "actor"),
        migrations.RemoveField("correction", "actor"),
        migrations.AddConstraint(
            "correction",
            models.CheckConstraint(condition=~Q(reason="") & ~Q(actor_name=""), name="correction_explained"),
        ),
        migrations.AddConstraint(
            "transfer", models.CheckConstraint(condition=~Q(operation=""), name="transfer_operation")
        ),
        migrations.RunSQL(Path(__file__).with_name("check_audited.sql").read_text(encoding="utf-8")),
    ]
