from pathlib import Path

from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("health", "0002_backups"), ("health", "0003_tallies")]

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="InvariantCheck",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("breaches", models.IntegerField(null=True)),
            ],
            options={"db_table": "invariant_check"},
        ),
        migrations.CreateModel(
            name="Backup",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("taken_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField()),
                ("size_bytes", models.BigIntegerField()),
            ],
            options={"db_table": "backup"},
        ),
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("key", models.TextField(db_collation="C", primary_key=True, serialize=False)),
                ("times", models.BigIntegerField()),
            ],
            options={"db_table": "tally"},
        ),
        migrations.RunSQL(Path(__file__).with_name("guards.sql").read_text(encoding="utf-8")),
    ]
