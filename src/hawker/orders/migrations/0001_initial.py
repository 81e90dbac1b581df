from pathlib import Path

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("orders", "0002_guards"),
        ("orders", "0003_cancels"),
        ("orders", "0004_evidence"),
        ("orders", "0005_drip"),
        ("orders", "0006_refills"),
        ("orders", "0007_refill_guards"),
        ("orders", "0008_requests"),
        ("orders", "0009_doubts"),
        ("orders", "0010_subscriptions"),
        ("orders", "0011_same_link"),
        ("orders", "0012_relays"),
        ("orders", "0013_reconcile"),
        ("orders", "0014_holds"),
        ("orders", "0015_listed"),
        ("orders", "0016_lean_indexes"),
    ]

    initial = True

    dependencies = [("catalog", "0001_initial"), ("ledger", "0001_initial"), ("providers", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("account_id", models.BigIntegerField()),
                ("service_id", models.BigIntegerField()),
                ("type", models.CharField(max_length=40)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("sending", "Sending"),
                            ("unknown", "Unknown"),
                            ("rejected", "Rejected"),
                            ("submitted", "Submitted"),
                            ("in_progress", "In Progress"),
                            ("processing", "Processing"),
                            ("completed", "Completed"),
                            ("partial", "Partial"),
                            ("canceled", "Canceled"),
                            ("active", "Active"),
                            ("paused", "Paused"),
                            ("expired", "Expired"),
                        ],
                        max_length=12,
                    ),
                ),
                ("link", models.TextField()),
                ("quantity", models.BigIntegerField()),
                ("extra", models.JSONField(null=True)),
                ("rate", models.CharField(max_length=20)),
                ("charge_micros", models.BigIntegerField()),
                ("refunded_micros", models.BigIntegerField(default=0)),
                ("earned_micros", models.BigIntegerField(default=0)),
                ("handed_micros", models.BigIntegerField(db_default=0)),
                ("settlements", models.SmallIntegerField(default=0)),
                ("cost_micros", models.BigIntegerField(null=True)),
                ("start_count", models.BigIntegerField(null=True)),
                ("remains", models.BigIntegerField(null=True)),
                ("provider_id", models.BigIntegerField(null=True)),
                ("upstream_id", models.BigIntegerField(null=True)),
                ("upstream_charge_micros", models.BigIntegerField(null=True)),
                ("parent_id", models.BigIntegerField(null=True)),
                ("part", models.IntegerField(null=True)),
                ("from_parent", models.BooleanField(db_default=False)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("cancel_requested_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("runs", models.IntegerField(null=True)),
                ("at_a_loss", models.BooleanField(db_default=False)),
            ],
            options={
                "db_table": "orders",
                "indexes": [models.Index(fields=["account_id", "id"], name="orders_account")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "queued",
                                    "sending",
                                    "unknown",
                                    "rejected",
                                    "submitted",
                                    "in_progress",
                                    "processing",
                                    "completed",
                                    "partial",
                                    "canceled",
                                    "active",
                                    "paused",
                                    "expired",
                                ],
                            )
                        ),
                        name="orders_state",
                    ),
                    models.CheckConstraint(condition=models.Q(("quantity__gte", 1)), name="orders_quantity"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("refunded_micros__gte", 0),
                            ("earned_micros__gte", 0),
                            ("handed_micros__gte", 0),
                            (
                                "charge_micros__gte",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("refunded_micros"), "+", models.F("earned_micros")
                                    ),
                                    "+",
                                    models.F("handed_micros"),
                                ),
                            ),
                        ),
                        name="orders_settled_within_charge",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ("completed", "partial", "canceled", "expired")), _negated=True),
                            (
                                "charge_micros",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("refunded_micros"), "+", models.F("earned_micros")
                                    ),
                                    "+",
                                    models.F("handed_micros"),
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="orders_finished_settled",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("from_parent", False), ("parent_id__isnull", True), ("part__isnull", True)),
                            models.Q(("parent_id__isnull", False), ("part__gte", 1)),
                            _connector="OR",
                        ),
                        name="orders_child_numbered",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("parent_id__isnull", False)),
                        fields=("parent_id", "part"),
                        name="orders_part_unique",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("upstream_id__isnull", False)),
                        fields=("provider_id", "upstream_id"),
                        name="orders_upstream_unique",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("runs__isnull", True),
                            models.Q(
                                ("parent_id__isnull", True), ("quantity__gte", models.F("runs")), ("runs__gte", 1)
                            ),
                            _connector="OR",
                        ),
                        name="orders_runs",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("order_id", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("from_state", models.CharField(max_length=12)),
                ("to_state", models.CharField(max_length=12)),
                ("actor", models.CharField(max_length=120)),
                ("reason", models.CharField(max_length=500)),
            ],
            options={
                "db_table": "order_event",
                "indexes": [models.Index(fields=["order_id", "id"], name="order_event_order")],
            },
        ),
        migrations.CreateModel(
            name="Work",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "order_id", "kind", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("order_id", models.BigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("dispatch", "Dispatch"),
                            ("poll", "Poll"),
                            ("drip", "Drip"),
                            ("subscribe", "Subscribe"),
                            ("refill", "Refill"),
                            ("follow", "Follow"),
                            ("cancel", "Cancel"),
                            ("bind", "Bind"),
                            ("reconcile", "Reconcile"),
                        ],
                        max_length=10,
                    ),
                ),
                ("provider_id", models.BigIntegerField()),
                ("due_at", models.DateTimeField()),
                ("tries", models.IntegerField(default=0)),
                ("hold", models.CharField(default="", max_length=80)),
            ],
            options={
                "db_table": "work",
                "indexes": [
                    models.Index(fields=["kind", "provider_id", "due_at"], name="work_due"),
                    models.Index(
                        condition=models.Q(("hold", ""), _negated=True), fields=["order_id"], name="work_held"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "dispatch",
                                    "poll",
                                    "drip",
                                    "subscribe",
                                    "refill",
                                    "follow",
                                    "cancel",
                                    "bind",
                                    "reconcile",
                                ],
                            )
                        ),
                        name="work_kind",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Drip",
            fields=[
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="drip",
                        serialize=False,
                        to="orders.order",
                    ),
                ),
                ("interval_minutes", models.IntegerField()),
                ("started", models.IntegerField()),
                ("ended", models.IntegerField()),
                ("stops_after", models.IntegerField()),
            ],
            options={
                "db_table": "drip",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("interval_minutes__gte", 1)), name="drip_interval"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ended__gte", 0),
                            ("started__gte", models.F("ended")),
                            ("stops_after__gte", models.F("started")),
                        ),
                        name="drip_counts",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Refill",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("account_id", models.BigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("in_progress", "In Progress"),
                            ("completed", "Completed"),
                            ("rejected", "Rejected"),
                        ],
                        max_length=12,
                    ),
                ),
                ("provider_id", models.BigIntegerField(null=True)),
                ("upstream_id", models.BigIntegerField(null=True)),
                ("reason", models.CharField(default="", max_length=500)),
                ("requested_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refills",
                        to="orders.order",
                    ),
                ),
            ],
            options={
                "db_table": "refill",
                "indexes": [models.Index(fields=["order", "id"], name="refill_order")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "in_progress", "completed", "rejected"])),
                        name="refill_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("state__in", ("pending", "in_progress"))),
                            models.Q(
                                models.Q(("state__in", ("pending", "in_progress")), _negated=True),
                                ("ended_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="refill_ended",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("upstream_id__isnull", True), ("provider_id__isnull", False), _connector="OR"
                        ),
                        name="refill_upstream",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("pending", "in_progress"))),
                        fields=("order",),
                        name="refill_one_running",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("upstream_id__isnull", False)),
                        fields=("provider_id", "upstream_id"),
                        name="refill_upstream_unique",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderRequest",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id", "request_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account_id", models.BigIntegerField()),
                ("request_id", models.CharField(db_collation="C", max_length=128)),
                ("digest", models.CharField(db_collation="C", max_length=64)),
                ("order_id", models.BigIntegerField(unique=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "order_request",
                "indexes": [django.contrib.postgres.indexes.BrinIndex(fields=["created_at"], name="order_request_age")],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("order_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("account_id", models.BigIntegerField()),
                ("feed_id", models.BigIntegerField(null=True)),
                ("username", models.CharField(max_length=500)),
                ("minimum", models.BigIntegerField()),
                ("maximum", models.BigIntegerField()),
                ("posts", models.BigIntegerField(null=True)),
                ("posts_left", models.BigIntegerField(null=True)),
                ("old_posts", models.IntegerField()),
                ("delay_minutes", models.IntegerField()),
                ("expiry", models.DateField(null=True)),
                ("parts", models.IntegerField(default=0)),
                ("looked_at", models.DateTimeField(null=True)),
                ("needed_micros", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "subscription",
                "indexes": [
                    models.Index(
                        condition=models.Q(("feed_id__isnull", False)), fields=["feed_id"], name="subscription_feed"
                    ),
                    models.Index(
                        condition=models.Q(("feed_id__isnull", False), ("looked_at__isnull", True)),
                        fields=["feed_id", "created_at"],
                        name="subscription_unlooked",
                    ),
                    models.Index(
                        condition=models.Q(("needed_micros__isnull", False)),
                        fields=["account_id"],
                        name="subscription_needing",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("minimum__gte", 1), ("maximum__gte", models.F("minimum"))),
                        name="subscription_quantity",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("posts__isnull", True), ("posts_left__isnull", True)),
                            models.Q(("posts_left__gte", 0), ("posts__gte", models.F("posts_left"))),
                            _connector="OR",
                        ),
                        name="subscription_posts",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SubscriptionPost",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("order_id", models.BigIntegerField()),
                ("key", models.CharField(max_length=250)),
                ("link", models.TextField()),
                ("is_new", models.BooleanField()),
                ("quantity", models.BigIntegerField(null=True)),
                ("due_at", models.DateTimeField(null=True)),
                ("child_id", models.BigIntegerField(null=True)),
                ("problem", models.CharField(db_default="", default="", max_length=300)),
                ("seen_at", models.DateTimeField()),
                ("is_aside", models.BooleanField(db_default=False)),
            ],
            options={
                "db_table": "subscription_post",
                "indexes": [
                    models.Index(
                        condition=models.Q(("child_id__isnull", True)),
                        fields=["order_id", "id"],
                        name="subscription_post_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("order_id", "key"), name="subscription_post_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("child_id__isnull", False)),
                        fields=("child_id",),
                        name="subscription_post_child",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ActiveLink",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "service_id", "link_digest", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("service_id", models.BigIntegerField()),
                ("link_digest", models.CharField(db_collation="C", max_length=32)),
                ("order_id", models.BigIntegerField(unique=True)),
            ],
            options={"db_table": "active_link"},
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("add", "Add"), ("refill", "Refill")], max_length=8)),
                ("n", models.SmallIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("sending", "Sending"),
                            ("accepted", "Accepted"),
                            ("rejected", "Rejected"),
                            ("not_sent", "Not Sent"),
                            ("unknown", "Unknown"),
                            ("not_created", "Not Created"),
                            ("manual", "Manual"),
                        ],
                        max_length=12,
                    ),
                ),
                ("lease_until", models.DateTimeField()),
                ("worker", models.CharField(max_length=80)),
                ("expected_cost_micros", models.BigIntegerField(null=True)),
                ("started_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("http_status", models.SmallIntegerField(null=True)),
                ("body_head", models.TextField(default="")),
                ("upstream_id", models.BigIntegerField(null=True)),
                ("evidence", models.TextField(default="")),
                (
                    "provider",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="providers.provider"
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="orders.order",
                    ),
                ),
                (
                    "refill",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="orders.refill",
                    ),
                ),
                ("expected_charge_micros", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "attempt",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "sending")), fields=["lease_until"], name="attempt_leases"
                    ),
                    models.Index(
                        condition=models.Q(("state__in", ["unknown", "manual", "not_created"])),
                        fields=["provider", "started_at"],
                        name="attempt_doubtful",
                    ),
                    models.Index(
                        condition=models.Q(("kind", "add"), ("state", "accepted")),
                        fields=["provider", "id"],
                        name="attempt_accepted",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                ["sending", "accepted", "rejected", "not_sent", "unknown", "not_created", "manual"],
                            )
                        ),
                        name="attempt_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "accepted"), ("upstream_id__isnull", False)),
                            models.Q(("state", "accepted"), _negated=True),
                            _connector="OR",
                        ),
                        name="attempt_accepted_has_id",
                    ),
                    models.UniqueConstraint(fields=("order", "kind", "n"), name="attempt_numbered"),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "add"), ("state__in", ("sending", "unknown", "accepted"))),
                        fields=("order", "kind"),
                        name="attempt_one_live",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("upstream_id__isnull", False)),
                        fields=("provider", "kind", "upstream_id"),
                        name="attempt_upstream_unique",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "add"), ("refill__isnull", True)),
                            models.Q(("kind", "refill"), ("refill__isnull", False)),
                            _connector="OR",
                        ),
                        name="attempt_of_refill",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "refill"), ("state__in", ("sending", "unknown", "accepted"))),
                        fields=("refill",),
                        name="attempt_one_live_refill",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AttemptEvidence",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("scan", "Scan"), ("wait", "Wait"), ("late", "Late"), ("decision", "Decision")],
                        max_length=10,
                    ),
                ),
                ("text", models.TextField()),
                ("facts", models.JSONField(null=True)),
                (
                    "attempt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="steps", to="orders.attempt"
                    ),
                ),
            ],
            options={
                "db_table": "attempt_evidence",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["scan", "wait", "late", "decision"])),
                        name="attempt_evidence_kind",
                    )
                ],
            },
        ),
        migrations.RunSQL(Path(__file__).with_name("guards.sql").read_text(encoding="utf-8")),
    ]
