from pathlib import Path

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_guards")]
    operations = [
        migrations.AddField("order", "cancel_requested_at", models.DateTimeField(null=True)),
        migrations.AddField("order", "ended_at", models.DateTimeField(null=True)),
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")),
    ]
