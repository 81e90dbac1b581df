from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("catalog", "0002_guards"),
        ("catalog", "0003_links"),
        ("catalog", "0004_refill_days"),
        ("catalog", "0005_price_lists"),
        ("catalog", "0006_subscriptions"),
        ("catalog", "0007_same_link"),
    ]

    initial = True

    dependencies = [("ledger", "0001_initial"), ("providers", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Category",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255, unique=True)),
                ("position", models.IntegerField(default=0)),
            ],
            options={"db_table": "category"},
        ),
        migrations.CreateModel(
            name="CatalogueVersion",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("version", models.BigIntegerField()),
            ],
            options={
                "db_table": "catalogue_version",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="catalogue_version_one_row")
                ],
            },
        ),
        migrations.CreateModel(
            name="Service",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
                ("type", models.CharField(max_length=40)),
                ("rate", models.CharField(max_length=20)),
                ("minimum", models.BigIntegerField()),
                ("maximum", models.BigIntegerField()),
                ("refill", models.BooleanField(default=False)),
                ("cancel", models.BooleanField(default=False)),
                ("dripfeed", models.BooleanField(default=False)),
                ("free", models.BooleanField(default=False)),
                ("enabled", models.BooleanField(default=True)),
                ("position", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("category", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="catalog.category")),
                (
                    "links",
                    models.CharField(
                        choices=[("any", "any"), ("url", "url"), ("handle", "handle")], db_default="any", max_length=8
                    ),
                ),
                ("refill_days", models.PositiveSmallIntegerField(db_default=0)),
                ("old_posts", models.BooleanField(db_default=True, default=True)),
                ("post_private", models.BooleanField(db_default=False, default=False)),
                ("post_source", models.CharField(db_default="feed", default="feed", max_length=40)),
                ("post_url", models.CharField(db_default="", default="", max_length=500)),
                (
                    "subscription",
                    models.CharField(
                        choices=[("forwarded", "Forwarded"), ("local", "Local")],
                        db_default="forwarded",
                        default="forwarded",
                        max_length=10,
                    ),
                ),
                ("one_active_per_link", models.BooleanField(db_default=False)),
            ],
            options={
                "db_table": "service",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("rate__regex", "^[0-9]{1,9}(\\.[0-9]{1,8})?$")), name="service_rate"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("minimum__gte", 1), ("maximum__gte", models.F("minimum")), ("maximum__lte", 1000000000000)
                        ),
                        name="service_quantity",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("links__in", ["any", "url", "handle"])), name="service_links"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("subscription", "forwarded"),
                            models.Q(
                                ("subscription", "local"),
                                models.Q(("post_url", ""), _negated=True),
                                models.Q(("post_source", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="service_subscription",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Route",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("position", models.SmallIntegerField(default=0)),
                ("upstream_service", models.BigIntegerField()),
                ("cost_rate", models.CharField(max_length=20)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="routes", to="providers.provider"
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="routes", to="catalog.service"
                    ),
                ),
            ],
            options={
                "db_table": "route",
                "indexes": [models.Index(fields=["provider", "upstream_service"], name="route_upstream")],
                "constraints": [
                    models.UniqueConstraint(fields=("service", "provider"), name="route_once"),
                    models.CheckConstraint(
                        condition=models.Q(("cost_rate__regex", "^[0-9]{1,9}(\\.[0-9]{1,8})?$")), name="route_cost_rate"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ForbiddenLink",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("pattern", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                (
                    "service",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="forbidden_links",
                        to="catalog.service",
                    ),
                ),
            ],
            options={
                "db_table": "forbidden_link",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("service", "pattern"), name="forbidden_link_once", nulls_distinct=False
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("pattern", ""), _negated=True), name="forbidden_link_says_something"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PriceGroup",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80, unique=True)),
                ("percent_hundredths", models.IntegerField()),
            ],
            options={
                "db_table": "price_group",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("percent_hundredths__range", (-9999, 100000))), name="price_group_percent"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CustomerRate",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("rate", models.CharField(max_length=20)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rates", to="ledger.account"
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="customer_rates", to="catalog.service"
                    ),
                ),
            ],
            options={
                "db_table": "customer_rate",
                "constraints": [
                    models.UniqueConstraint(fields=("account", "service"), name="customer_rate_once"),
                    models.CheckConstraint(
                        condition=models.Q(("rate__regex", "^[0-9]{1,9}(\\.[0-9]{1,8})?$"), ("rate__regex", "[1-9]")),
                        name="customer_rate_rate",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CustomerPrice",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="price",
                        serialize=False,
                        to="ledger.account",
                    ),
                ),
                ("percent_hundredths", models.IntegerField(null=True)),
                (
                    "group",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="customers",
                        to="catalog.pricegroup",
                    ),
                ),
            ],
            options={
                "db_table": "customer_price",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("percent_hundredths__range", (-9999, 100000))),
                        name="customer_price_percent",
                    )
                ],
            },
        ),
        migrations.RunSQL(Path(__file__).with_name("guards.sql").read_text(encoding="utf-8")),
    ]
