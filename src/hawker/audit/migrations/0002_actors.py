from pathlib import Path

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        migrations.AddField("auditevent", "actor_id", models.BigIntegerField(null=True)),
        migrations.AddField(
            "auditevent", "actor_name", models.CharField(default="", max_length=254), preserve_default=False
        ),
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")),
        migrations.RemoveIndex("auditevent", "audit_event_actor"),
        migrations.RemoveConstraint("auditevent", "audit_event_explained"),
        migrations.RemoveField("auditevent", "actor"),
        migrations.AddConstraint(
            "auditevent",
            models.CheckConstraint(
                condition=~Q(actor_name="") & ~Q(actor_kind="") & ~Q(address="") & ~Q(action="") & ~Q(subject_kind=""),
                name="audit_event_explained",
            ),
        ),
        migrations.AddIndex(
            "auditevent", models.Index(fields=["actor_kind", "actor_name", "-id"], name="audit_event_actor")
        ),
    ]
