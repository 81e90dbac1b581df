from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [("accounts", "0002_guards"), ("accounts", "0003_keys"), ("accounts", "0004_secret_check")]

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("email", models.EmailField(max_length=254, unique=True)),
                ("is_active", models.BooleanField(default=True)),
                ("is_staff", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "app_user",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                        name="app_user_email_lower",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AccessVersion",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("version", models.BigIntegerField()),
            ],
            options={
                "db_table": "access_version",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="access_version_one_row")],
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                ("hint", models.CharField(max_length=8)),
                ("label", models.CharField(default="", max_length=80)),
                (
                    "scope",
                    models.CharField(choices=[("read", "Read"), ("order", "Order")], default="order", max_length=8),
                ),
                (
                    "allowed_addresses",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=43), default=list, size=None
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("last_address", models.CharField(max_length=45, null=True)),
                ("last_used_at", models.DateTimeField(null=True)),
                (
                    "replaced_by",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaces",
                        to="accounts.apikey",
                    ),
                ),
            ],
            options={
                "db_table": "api_key",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("scope__in", ["read", "order"])), name="api_key_scope")
                ],
            },
        ),
        migrations.CreateModel(
            name="SecretCheck",
            fields=[
                (
                    "name",
                    models.CharField(
                        choices=[("secret_key", "Secret Key"), ("encryption_key", "Encryption Key")],
                        max_length=20,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("value", models.BinaryField(max_length=16)),
                ("since", models.DateTimeField()),
            ],
            options={
                "db_table": "secret_check",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("name__in", ["secret_key", "encryption_key"])), name="secret_check_name"
                    )
                ],
            },
        ),
        migrations.RunSQL(Path(__file__).with_name("guards.sql").read_text(encoding="utf-8")),
    ]
