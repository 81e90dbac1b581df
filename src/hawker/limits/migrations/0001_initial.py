from pathlib import Path

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        # The tables in SQL: Django knows neither UNLOGGED nor a fill factor, and would add an index for LIKE.
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))],
            state_operations=[
                migrations.CreateModel(
                    name="InFlight",
                    fields=[
                        ("account_id", models.BigIntegerField(primary_key=True, serialize=False)),
                        (
                            "leases",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.DateTimeField(), default=list, size=None
                            ),
                        ),
                    ],
                    options={"db_table": "in_flight"},
                ),
                migrations.CreateModel(
                    name="RateBucket",
                    fields=[
                        ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                        ("full_at", models.DateTimeField()),
                    ],
                    options={"db_table": "rate_bucket"},
                ),
            ],
        )
    ]
