"""Tables of orders. `orders` is wide and cool; `work` is narrow and hot."""  # size: tables that name each other

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from hawker.protocol.upstream import Reason


class State(models.TextChoices):
    """The delivery state of an order; the wire status is derived from it (transitions/rules.py)."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    SUBMITTED = "submitted"
    IN_PROGRESS = "in_progress"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL = "partial"
    CANCELED = "canceled"
    # Of orders that are bought through their children only: drip-feeds and local subscriptions.
    ACTIVE = "active"
    PAUSED = "paused"
    EXPIRED = "expired"


FINISHED = (State.COMPLETED, State.PARTIAL, State.CANCELED, State.EXPIRED)
_BLOOM = "text_bloom_ops(n_distinct_per_range=1000, false_positive_rate=0.001)"


class Origin(models.TextChoices):
    """Who or what placed an order."""

    API_KEY = "api_key"
    SITE = "site"  # a customer, on a page
    STAFF = "staff"  # a member of staff, for a customer
    DRIP_FEED = "drip_feed"  # a run of a drip-feed
    SUBSCRIPTION = "subscription"  # an order for a post of a subscription
    IMPORT = "import"  # brought along from another panel


class Order(models.Model):
    """One order. account_id and service_id carry no foreign keys: their row locks would serialise
    all orders of one service; accounts and services are never deleted, and the checker looks.

    A drip-feed is a parent that was charged for all of its runs; each run is a child whose charge the
    parent hands down: `handed_micros` of the parent is the sum of its children's charges, and a child that is
    `from_parent` has no charge transfer of its own. A subscription's children are charged one by one. `part`
    numbers the children of a parent from 1: the run, or the post. `runs` says that an order is a drip-feed,
    and of how many runs; its `quantity` is that of all of them.

    `cancel_requested_at` is set while a cancel is asked for and not done yet: it is carried out as soon as it is known
    where the order is (cancels/actions.py). `ended_at` is when the order ended, from which refills are counted.
    `api_key_id` is the key that placed it, where `origin` is API_KEY and the key is known.
    """

    id = models.BigAutoField(primary_key=True)
    account_id = models.BigIntegerField()
    service_id = models.BigIntegerField()
    type = models.CharField(max_length=40)
    state = models.CharField(max_length=12, choices=State)
    link = models.TextField()
    quantity = models.BigIntegerField()
    extra = models.JSONField(null=True)
    rate = models.CharField(max_length=20)
    charge_micros = models.BigIntegerField()
    refunded_micros = models.BigIntegerField(default=0)
    earned_micros = models.BigIntegerField(default=0)
    handed_micros = models.BigIntegerField(db_default=0)
    settlements = models.SmallIntegerField(default=0)
    cost_micros = models.BigIntegerField(null=True)
    start_count = models.BigIntegerField(null=True)
    remains = models.BigIntegerField(null=True)
    provider_id = models.BigIntegerField(null=True)
    upstream_id = models.BigIntegerField(null=True)
    upstream_charge_micros = models.BigIntegerField(null=True)
    parent_id = models.BigIntegerField(null=True)
    part = models.IntegerField(null=True)
    from_parent = models.BooleanField(db_default=False)
    at_a_loss = models.BooleanField(db_default=False)
    runs = models.IntegerField(null=True)
    origin = models.CharField(max_length=12, choices=Origin)
    api_key_id = models.BigIntegerField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "orders"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="orders_state"),
            models.CheckConstraint(condition=Q(origin__in=Origin.values), name="orders_origin"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="orders_quantity"),
            models.CheckConstraint(
                condition=Q(refunded_micros__gte=0)
                & Q(earned_micros__gte=0)
                & Q(handed_micros__gte=0)
                & Q(charge_micros__gte=F("refunded_micros") + F("earned_micros") + F("handed_micros")),
                name="orders_settled_within_charge",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=FINISHED)
                | Q(charge_micros=F("refunded_micros") + F("earned_micros") + F("handed_micros")),
                name="orders_finished_settled",
            ),
            models.CheckConstraint(
                condition=Q(parent_id__isnull=True, part__isnull=True, from_parent=False)
                | Q(parent_id__isnull=False, part__gte=1),
                name="orders_child_numbered",
            ),
            models.CheckConstraint(
                condition=Q(runs__isnull=True) | Q(runs__gte=1, parent_id__isnull=True, quantity__gte=F("runs")),
                name="orders_runs",
            ),
            models.UniqueConstraint(
                fields=["parent_id", "part"], condition=Q(parent_id__isnull=False), name="orders_part_unique"
            ),
            models.UniqueConstraint(
                fields=["provider_id", "upstream_id"],
                condition=Q(upstream_id__isnull=False),
                name="orders_upstream_unique",
            ),
        ]
        indexes = [
            # None speaks of `state`, not even in its condition: each move of each order would then be written into
            # every index of the table, where now most of them stay on their page (HOT). Unknown orders are found by
            # their attempts (attempt_doubtful).
            models.Index(fields=["account_id", "id"], name="orders_account"),
            # Below, what the list of orders is read by (lists/orders_queries.py). The columns never change, or once.
            models.Index(fields=["service_id", "id"], name="orders_service"),
            # A B-tree of links would cost placing five times as much (bench/lists.py).
            BrinIndex(fields=["link"], name="orders_link", opclasses=[_BLOOM], pages_per_range=32, autosummarize=True),
            models.Index(fields=["created_at", "id"], name="orders_created"),
            # Written with the number that the provider gave, which is in an index anyway.
            models.Index(fields=["provider_id", "id"], condition=Q(provider_id__isnull=False), name="orders_provider"),
            models.Index(fields=["id"], condition=Q(at_a_loss=True), name="orders_at_a_loss"),
            models.Index(fields=["id"], condition=Q(cost_micros__isnull=True), name="orders_without_cost"),
            models.Index(fields=["id"], condition=Q(cancel_requested_at__isnull=False), name="orders_cancel_requested"),
        ]


class Drip(models.Model):
    """How far a drip-feed has come: the narrow and hot part of an order that has `runs`.

    `started` runs have become orders, of which `ended` are finished. Run number `stops_after` is the last that
    will be started: all of them, or fewer once the rest was canceled and refunded.
    """

    order = models.OneToOneField(Order, models.PROTECT, primary_key=True, related_name="drip")
    interval_minutes = models.IntegerField()
    started = models.IntegerField()
    ended = models.IntegerField()
    stops_after = models.IntegerField()

    class Meta:
        db_table = "drip"
        constraints = [
            models.CheckConstraint(condition=Q(interval_minutes__gte=1), name="drip_interval"),
            models.CheckConstraint(
                condition=Q(ended__gte=0) & Q(started__gte=F("ended")) & Q(stops_after__gte=F("started")),
                name="drip_counts",
            ),
        ]


class Subscription(models.Model):
    """What the parent of a subscription was asked to do, and how far it is (docs/subscriptions.md).

    `feed_id` is the feed a local one looks at, NULL of one that a provider runs. `posts` is how many new posts were
    asked for in all, `posts_left` how many of them are not ordered for yet, both NULL without a limit.
    `parts` counts the orders made. `looked_at` is when the existing posts were seen, `needed_micros` what
    the next order costs while the balance does not cover it.
    """

    order_id = models.BigIntegerField(primary_key=True)
    account_id = models.BigIntegerField()
    feed_id = models.BigIntegerField(null=True)
    username = models.CharField(max_length=500)
    minimum = models.BigIntegerField()
    maximum = models.BigIntegerField()
    posts = models.BigIntegerField(null=True)
    posts_left = models.BigIntegerField(null=True)
    old_posts = models.IntegerField()
    delay_minutes = models.IntegerField()
    expiry = models.DateField(null=True)
    parts = models.IntegerField(default=0)
    looked_at = models.DateTimeField(null=True)
    needed_micros = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "subscription"
        constraints = [
            models.CheckConstraint(
                condition=Q(minimum__gte=1) & Q(maximum__gte=F("minimum")), name="subscription_quantity"
            ),
            models.CheckConstraint(
                condition=Q(posts__isnull=True, posts_left__isnull=True)
                | (Q(posts_left__gte=0) & Q(posts__gte=F("posts_left"))),
                name="subscription_posts",
            ),
        ]
        indexes = [
            models.Index(fields=["feed_id"], condition=Q(feed_id__isnull=False), name="subscription_feed"),
            models.Index(
                fields=["feed_id", "created_at"],
                condition=Q(feed_id__isnull=False, looked_at__isnull=True),
                name="subscription_unlooked",
            ),
            models.Index(fields=["account_id"], condition=Q(needed_micros__isnull=False), name="subscription_needing"),
        ]


class SubscriptionPost(models.Model):
    """One post of one subscription, and the order made for it: once, whatever lists it how often.

    `key` is the post's id at its source, or the upstream order's number where a provider made that order.
    `due_at` is when to order, NULL while it is not known what (`problem` says why). `child_id` NULL is a post that
    still waits; one that `is_aside` is never ordered for, and only kept so that it is not found again.
    """

    id = models.BigAutoField(primary_key=True)
    order_id = models.BigIntegerField()
    key = models.CharField(max_length=250)
    link = models.TextField()
    is_new = models.BooleanField()
    quantity = models.BigIntegerField(null=True)
    due_at = models.DateTimeField(null=True)
    child_id = models.BigIntegerField(null=True)
    problem = models.CharField(max_length=300, default="", db_default="")
    is_aside = models.BooleanField(db_default=False)
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "subscription_post"
        constraints = [
            models.UniqueConstraint(fields=["order_id", "key"], name="subscription_post_once"),
            models.UniqueConstraint(
                fields=["child_id"], condition=Q(child_id__isnull=False), name="subscription_post_child"
            ),
        ]
        indexes = [
            models.Index(
                fields=["order_id", "id"], condition=Q(child_id__isnull=True), name="subscription_post_waiting"
            )
        ]


class WorkKind(models.TextChoices):
    """What is due for an order."""

    DISPATCH = "dispatch"
    POLL = "poll"
    DRIP = "drip"  # the next run of a drip-feed
    SUBSCRIBE = "subscribe"  # the next post of a subscription to be ordered for, or its end
    REFILL = "refill"  # a refill to be asked for upstream
    FOLLOW = "follow"  # a refill to be asked about
    CANCEL = "cancel"  # a cancel to be asked for upstream
    BIND = "bind"  # orders that a provider made for a subscription, to be read and charged
    RECONCILE = "reconcile"  # an unknown attempt to be cleared up


NO_PROVIDER = 0
"""The provider of work that needs none, such as the next run of a drip-feed. No provider has this number."""


class HoldKind(models.TextChoices):
    """Why work waits for something else than its time."""

    NO_ROUTE = "no_route"  # no provider is left that the service can be bought from
    COST_ABOVE_CHARGE = "cost_above_charge"  # the order would be sold under its cost
    MARGIN = "margin"  # it would bring in less than `minimum_margin_percent`
    PERSON = "person"  # an unknown attempt that no rule clears up: staff decide
    LATER = "later"  # an unknown attempt that cannot be cleared up yet
    RESTORED = "restored"  # the panel was restored from a backup: staff release it


class Work(models.Model):
    """What is to be done next, written in the order's own transaction, claimed with SKIP LOCKED.

    A claim moves `due_at` to the end of its lease, so that a killed worker's work is due again by itself. NULL is never
    due: an event (the last run of a drip-feed ends, a post is found, staff release it) sets the time. `hold_kind` is
    NULL of work that is not held; `hold` is the same for people to read.
    """

    pk = models.CompositePrimaryKey("order_id", "kind")
    order_id = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=WorkKind)
    provider_id = models.BigIntegerField()
    due_at = models.DateTimeField(null=True)
    tries = models.IntegerField(default=0)
    hold = models.CharField(max_length=80, default="")
    hold_kind = models.CharField(max_length=20, choices=HoldKind, null=True)

    class Meta:
        db_table = "work"
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=WorkKind.values), name="work_kind"),
            models.CheckConstraint(
                condition=Q(hold_kind__isnull=True, hold="") | Q(~Q(hold=""), hold_kind__in=HoldKind.values),
                name="work_hold_explained",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "provider_id", "due_at"], name="work_due"),
            models.Index(fields=["order_id"], condition=Q(hold_kind__isnull=False), name="work_held"),
        ]


class RefillState(models.TextChoices):
    """How far a refill has come; customers read these four words."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    REJECTED = "rejected"


RUNNING = (RefillState.PENDING, RefillState.IN_PROGRESS)


class Refill(models.Model):
    """A refill of an order that has ended: what was lost of the delivery is to be delivered again. Moves no money.

    `provider_id` is the upstream panel that is asked for it, under `upstream_id` once it has taken it; without one
    staff see to it. `reason` says why it ended as it did.
    """

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, models.PROTECT, related_name="refills", db_index=False)
    account_id = models.BigIntegerField()
    state = models.CharField(max_length=12, choices=RefillState)
    provider_id = models.BigIntegerField(null=True)
    upstream_id = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=500, default="")
    requested_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "refill"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RefillState.values), name="refill_state"),
            models.CheckConstraint(
                condition=Q(state__in=RUNNING, ended_at__isnull=True)
                | Q(~Q(state__in=RUNNING), ended_at__isnull=False),
                name="refill_ended",
            ),
            models.CheckConstraint(
                condition=Q(upstream_id__isnull=True) | Q(provider_id__isnull=False), name="refill_upstream"
            ),
            models.UniqueConstraint(fields=["order"], condition=Q(state__in=RUNNING), name="refill_one_running"),
            models.UniqueConstraint(
                fields=["provider_id", "upstream_id"],
                condition=Q(upstream_id__isnull=False),
                name="refill_upstream_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["order", "id"], name="refill_order"),
            models.Index(fields=["account_id", "id"], name="refill_account"),
        ]


class AttemptKind(models.TextChoices):
    """What was asked of the provider."""

    ADD = "add"
    REFILL = "refill"


class AttemptState(models.TextChoices):
    """How far an attempt is known to have come."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    NOT_CREATED = "not_created"
    MANUAL = "manual"


LIVE = (AttemptState.SENDING, AttemptState.UNKNOWN, AttemptState.ACCEPTED)


class Attempt(models.Model):
    """One try to have a provider make something (an order, a refill), and everything known of it.

    The evidence of at-most-once. `expected_cost_micros` is in our currency, `expected_charge_micros` the same in the
    provider's. `reason` is why the provider rejected it (protocol.upstream.Reason), NULL where it did not. An attempt
    that is `made_by_provider` was never sent: the provider made the order for a subscription and lists it.
    """

    id = models.BigAutoField(primary_key=True)
    # No index of its own: attempt_numbered begins with it.
    order = models.ForeignKey(Order, models.PROTECT, related_name="attempts", db_index=False)
    kind = models.CharField(max_length=8, choices=AttemptKind)
    refill = models.ForeignKey(Refill, models.PROTECT, null=True, related_name="attempts", db_index=False)
    n = models.SmallIntegerField()
    provider = models.ForeignKey("providers.Provider", models.PROTECT, db_index=False)
    state = models.CharField(max_length=12, choices=AttemptState)
    lease_until = models.DateTimeField()
    worker = models.CharField(max_length=80)
    expected_cost_micros = models.BigIntegerField(null=True)
    expected_charge_micros = models.BigIntegerField(null=True)
    started_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    http_status = models.SmallIntegerField(null=True)
    body_head = models.TextField(default="")
    upstream_id = models.BigIntegerField(null=True)
    evidence = models.TextField(default="")
    reason = models.CharField(max_length=12, choices=[(reason.value, reason.value) for reason in Reason], null=True)
    made_by_provider = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "attempt"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=AttemptState.values), name="attempt_state"),
            models.CheckConstraint(
                condition=Q(state=AttemptState.REJECTED, reason__in=[reason.value for reason in Reason])
                | Q(~Q(state=AttemptState.REJECTED), reason__isnull=True),
                name="attempt_rejected_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(state=AttemptState.ACCEPTED, upstream_id__isnull=False) | ~Q(state=AttemptState.ACCEPTED),
                name="attempt_accepted_has_id",
            ),
            models.UniqueConstraint(fields=["order", "kind", "n"], name="attempt_numbered"),
            models.UniqueConstraint(
                fields=["order", "kind"], condition=Q(state__in=LIVE, kind="add"), name="attempt_one_live"
            ),
            models.CheckConstraint(
                condition=Q(kind=AttemptKind.ADD, refill__isnull=True)
                | Q(kind=AttemptKind.REFILL, refill__isnull=False),
                name="attempt_of_refill",
            ),
            models.UniqueConstraint(
                fields=["refill"], condition=Q(state__in=LIVE, kind="refill"), name="attempt_one_live_refill"
            ),
            models.UniqueConstraint(
                fields=["provider", "kind", "upstream_id"],
                condition=Q(upstream_id__isnull=False),
                name="attempt_upstream_unique",
            ),
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=Q(state=AttemptState.SENDING), name="attempt_leases"),
            models.Index(
                fields=["provider", "started_at"],
                condition=Q(state__in=[AttemptState.UNKNOWN, AttemptState.MANUAL, AttemptState.NOT_CREATED]),
                name="attempt_doubtful",
            ),
            models.Index(
                fields=["provider", "id"],
                condition=Q(state=AttemptState.ACCEPTED, kind=AttemptKind.ADD),
                name="attempt_accepted",
            ),
        ]


class EvidenceKind(models.TextChoices):
    """Where a piece of evidence comes from."""

    SCAN = "scan"  # the provider was asked for the orders that could be this one
    WAIT = "wait"  # why it could not be asked, or its answer not be used
    LATE = "late"  # an answer that came after the attempt was decided
    DECISION = "decision"  # what a member of staff decided, and why


class AttemptEvidence(models.Model):
    """One thing learned of an attempt after it was sent. Append-only: every step of clearing up an unknown."""

    id = models.BigAutoField(primary_key=True)
    attempt = models.ForeignKey(Attempt, models.PROTECT, related_name="steps")
    at = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=EvidenceKind)
    text = models.TextField()
    facts = models.JSONField(null=True)

    class Meta:
        db_table = "attempt_evidence"
        constraints = [models.CheckConstraint(condition=Q(kind__in=EvidenceKind.values), name="attempt_evidence_kind")]


class OrderEvent(models.Model):
    """One transition of an order, or one thing that happened to it. Append-only.

    `actor_*` and `address` are those of core.actors.Actor; `address` is NULL of the system and of old rows.
    """

    id = models.BigAutoField(primary_key=True)
    order_id = models.BigIntegerField()
    at = models.DateTimeField()
    from_state = models.CharField(max_length=12)
    to_state = models.CharField(max_length=12)
    reason = models.CharField(max_length=500)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=254)
    address = models.CharField(max_length=45, null=True)

    class Meta:
        db_table = "order_event"
        indexes = [
            models.Index(fields=["order_id", "id"], name="order_event_order"),
            # The rare ends of orders, and those that staff began to deliver: how lists find them without an index on
            # the state of orders.
            models.Index(
                fields=["to_state", "order_id"],
                condition=Q(to_state__in=[State.CANCELED, State.PARTIAL]) & ~Q(from_state=F("to_state"))
                | Q(to_state=State.IN_PROGRESS, from_state=State.QUEUED),
                name="order_event_rare",
            ),
        ]


class OrderRequest(models.Model):
    """The id under which a client asked for an order: asked again, it answers the same order.

    `digest` is of the parameters it came with. Kept for the days that settings say, then forgotten. `order_id`
    is unique because an order has one request; the list of orders finds the id by it.
    """

    pk = models.CompositePrimaryKey("account_id", "request_id")
    account_id = models.BigIntegerField()
    request_id = models.CharField(max_length=128, db_collation="C")
    digest = models.CharField(max_length=64, db_collation="C")
    order_id = models.BigIntegerField(unique=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "order_request"
        # Rows come in the order of their time, so this index is a few pages whatever the table holds.
        indexes = [BrinIndex(fields=["created_at"], name="order_request_age")]


class ActiveLink(models.Model):
    """A link with an unfinished order, of a service that takes one at a time. Gone when the order ends.

    `link_digest` is of the link without what makes no difference (catalog/links.py).
    """

    pk = models.CompositePrimaryKey("service_id", "link_digest")
    service_id = models.BigIntegerField()
    link_digest = models.CharField(max_length=32, db_collation="C")
    order_id = models.BigIntegerField(unique=True)

    class Meta:
        db_table = "active_link"
