from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("providers", "0002_thin_readings")]
    operations = [
        # A pause without an end was one until the year 9000.
        migrations.RunSQL("UPDATE provider SET paused_until = NULL WHERE paused_until >= '8000-01-01'"),
    ]
