from pathlib import Path

from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("audit", "0002_guards")]

    initial = True

    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(max_length=254)),
                ("actor_kind", models.CharField(max_length=12)),
                ("address", models.CharField(max_length=45)),
                ("action", models.CharField(max_length=60)),
                ("subject_kind", models.CharField(max_length=20)),
                ("subject_id", models.CharField(max_length=254)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("reason", models.CharField(default="", max_length=500)),
                ("transfer_kind", models.CharField(max_length=12, null=True)),
                ("transfer_reference", models.BigIntegerField(null=True)),
                ("transaction_id", models.BigIntegerField()),
            ],
            options={
                "db_table": "audit_event",
                "indexes": [
                    models.Index(fields=["subject_kind", "subject_id", "-id"], name="audit_event_subject"),
                    models.Index(fields=["actor", "-id"], name="audit_event_actor"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("actor", ""), _negated=True),
                            models.Q(("actor_kind", ""), _negated=True),
                            models.Q(("address", ""), _negated=True),
                            models.Q(("action", ""), _negated=True),
                            models.Q(("subject_kind", ""), _negated=True),
                        ),
                        name="audit_event_explained",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("transfer_kind__isnull", False)),
                        fields=("transfer_kind", "transfer_reference"),
                        name="audit_event_transfer_once",
                    ),
                ],
            },
        ),
        migrations.RunSQL(Path(__file__).with_name("guards.sql").read_text(encoding="utf-8")),
    ]
