"""The lists of orders: orders, cancels, drip-feeds, subscriptions.

Open orders are found through `work` and `attempt`, which are narrow; canceled and partly delivered ones through the
events of those endings. No index speaks of `orders.state`.
"""

from hawker.lists.declaration import (
    Branch,
    Column,
    ColumnType,
    Filter,
    FilterType,
    KeyType,
    ListDeclaration,
    Sort,
    Walk,
)
from hawker.lists.names_queries import (
    CUSTOMER_OF,
    FIND_PROVIDER,
    PROVIDER_OF,
    SERVICE_OF,
    account_filter,
    customer_filter,
)

NUMBER, TEXT, FLAG, MONEY, INSTANT = (
    ColumnType.NUMBER,
    ColumnType.TEXT,
    ColumnType.FLAG,
    ColumnType.MONEY,
    ColumnType.INSTANT,
)

STATES = (
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
)

_UNKNOWN = "(SELECT order_id FROM attempt WHERE state = 'unknown' AND kind = 'add' OFFSET 0) a"
_SENDING = "(SELECT order_id FROM attempt WHERE state = 'sending' AND kind = 'add' OFFSET 0) a"
"""OFFSET 0: few rows, read by their partial index and then sorted, never looked for along the orders' numbers."""

_POLLED = Branch("work w", ("w.order_id",), "w.kind = 'poll'")
_BEGUN_BY_STAFF = Branch("order_event e", ("e.order_id",), "e.from_state = 'queued' AND e.to_state = 'in_progress'")
"""Staff deliver these; no work is due for them."""

_BOUGHT = "o.provider_id = %(provider)s"
_WAITING = "w.kind = 'dispatch' AND w.provider_id = %(provider)s"
_DOUBTFUL = "state = 'unknown' AND kind = 'add' AND provider_id = %(provider)s"
_AT_PROVIDER = f"""{_BOUGHT} OR o.provider_id IS NULL AND (
        EXISTS (SELECT FROM work w WHERE w.order_id = o.id AND {_WAITING})
        OR EXISTS (SELECT FROM attempt WHERE order_id = o.id AND {_DOUBTFUL}))"""

ORDER_COLUMNS = (
    Column("order", "Order", NUMBER, "o.id", own=True),
    Column("state", "State", TEXT, "o.state"),
    Column("customer", "Customer", TEXT, CUSTOMER_OF.format(account="o.account_id")),
    Column("account", "Account", NUMBER, "o.account_id"),
    Column("service", "Service", NUMBER, "o.service_id", own=True),
    Column("service_name", "Name of the service", TEXT, SERVICE_OF.format(service="o.service_id"), own=True),
    Column("type", "Type", TEXT, "o.type", own=True),
    Column("link", "Link", TEXT, "o.link", own=True),
    Column("quantity", "Quantity", NUMBER, "o.quantity", own=True),
    Column("charge", "Charge", MONEY, "o.charge_micros", own=True),
    Column("refunded", "Refunded", MONEY, "o.refunded_micros", own=True),
    Column("expected_cost", "Expected cost", MONEY, "o.cost_micros"),
    Column("provider", "Provider", TEXT, PROVIDER_OF.format(provider="o.provider_id")),
    Column("upstream_order", "Number at the provider", NUMBER, "o.upstream_id"),
    Column("start_count", "Start count", NUMBER, "o.start_count", own=True),
    Column("remains", "Remains", NUMBER, "o.remains", own=True),
    Column("parent", "Parent", NUMBER, "o.parent_id", own=True),
    Column(
        "hold",
        "Held because",
        TEXT,
        "COALESCE((SELECT min(w.hold) FROM work w WHERE w.order_id = o.id AND w.hold_kind IS NOT NULL), '')",
    ),
    Column("at_a_loss", "Released at a loss", FLAG, "o.at_a_loss"),
    Column("origin", "Placed by", TEXT, "o.origin"),
    Column("created_at", "Created", INSTANT, "o.created_at", own=True),
    Column("updated_at", "Changed", INSTANT, "o.updated_at", own=True),
    Column("ended_at", "Ended", INSTANT, "o.ended_at", own=True),
)

_HELD = "EXISTS (SELECT FROM work w WHERE w.order_id = o.id AND w.hold_kind IS NOT NULL)"
_HELD_AT_A_LOSS = "w.hold_kind = 'cost_above_charge'"
_AT_A_LOSS = f"o.at_a_loss OR EXISTS (SELECT FROM work w WHERE w.order_id = o.id AND {_HELD_AT_A_LOSS})"
_OVERDUE = "o.state IN ('submitted', 'in_progress', 'processing') AND o.created_at < {before}"
_SLOW = _OVERDUE.format(before="%(now)s::timestamptz - make_interval(hours => LEAST(%(slow)s, 1000000)::int)")

_CUSTOMER = customer_filter("o.account_id = %(customer)s")
_ACCOUNT = account_filter("o.account_id = %(account)s")
_SERVICE = Filter(
    "service", "Service", FilterType.NUMBER, "The service's number.", "o.service_id = %(service)s", own=True
)
_CREATED = Filter("created", "Created", FilterType.SPAN, "When the order was placed.", "o.created_at", own=True)
_NUMBER = Filter("order", "Order", FilterType.NUMBER, "The order's number.", "o.id = %(order)s", own=True)

_BY_NUMBER = Sort("order", "Order number", (("o.id", KeyType.NUMBER),), descending=True)
_BY_TIME = Sort(
    "created", "Time of the order", (("o.created_at", KeyType.INSTANT), ("o.id", KeyType.NUMBER)), descending=True
)


def _by(name: str, *, key: str = "o.id") -> Walk:
    """The orders that one filter leaves, by an index that begins with its column and goes on with the number."""
    return Walk(name, (Branch("orders o", (key,), f"{{{name}}}"),), {name: ()}, (name,))


def _created(span: str) -> Walk:
    """The orders of a span of time, by their time. A day is few enough to be looked through whole."""
    branch = Branch("orders o", ("o.created_at", "o.id"), "{created}")
    return Walk(f"created_{span}", (branch,), {"created": (span,)}, ("created",), sort="created", in_place=True)


ORDERS = ListDeclaration(
    name="orders",
    title="Orders",
    table="orders",
    alias="o",
    columns=ORDER_COLUMNS,
    filters=(
        _NUMBER,
        Filter("state", "State", FilterType.CHOICE, "The order's state.", "o.state = %(state)s", choices=STATES),
        Filter(
            "unknown", "Unknown", FilterType.FLAG, "Nobody knows whether the provider has it.", "o.state = 'unknown'"
        ),
        Filter("held", "Held", FilterType.FLAG, "It is held; the column `hold` says why.", _HELD),
        Filter(
            "at_a_loss", "At a loss", FilterType.FLAG, "Held because of its cost, or released at a loss.", _AT_A_LOSS
        ),
        Filter(
            "slow",
            "Slow",
            FilterType.NUMBER,
            "Placed so many hours ago (24 without a number), at a provider and not finished.",
            _SLOW,
            default="24",
        ),
        _CUSTOMER,
        _ACCOUNT,
        _SERVICE,
        Filter(
            "provider",
            "Provider",
            FilterType.NAME,
            "The provider that has it, may have it, or is to be sent it.",
            _AT_PROVIDER,
            lookup=FIND_PROVIDER,
        ),
        Filter(
            "link",
            "Link",
            FilterType.TEXT,
            "The link, exactly as it was ordered.",
            "o.link = %(link)s::text",
            own=True,
        ),
        Filter(
            "upstream_order",
            "Number at the provider",
            FilterType.NUMBER,
            "The provider's number of the order.",
            "o.upstream_id = %(upstream_order)s",
        ),
        Filter(
            "parent", "Parent", FilterType.NUMBER, "The order it is a part of.", "o.parent_id = %(parent)s", own=True
        ),
        _CREATED,
    ),
    sorts=(_BY_NUMBER, _BY_TIME),
    own="account",
    instant="o.created_at",
    walks=(
        Walk("order", (Branch("orders o", ("o.id",), "{order}"),), {"order": ()}, ("order",), in_place=True),
        Walk(
            "upstream_order",
            (Branch("provider p JOIN orders o ON o.provider_id = p.id AND {upstream_order}", ("o.id",)),),
            {"upstream_order": ()},
            ("upstream_order",),
        ),
        # So few keys at once that the planner walks along the numbers for a link that it knows to be popular: the
        # index of links would have it read most of the table.
        Walk("link", (Branch("orders o", ("o.id",), "{link}"),), {"link": ()}, ("link",), in_place=True, at_most=1_000),
        _by("parent"),
        Walk("unknown", (Branch(_UNKNOWN, ("a.order_id",)),), {"unknown": ("yes",)}),
        Walk("state_unknown", (Branch(_UNKNOWN, ("a.order_id",)),), {"state": ("unknown",)}),
        Walk("state_sending", (Branch(_SENDING, ("a.order_id",)),), {"state": ("sending",)}),
        Walk("held", (Branch("work w", ("w.order_id",), "w.hold_kind IS NOT NULL"),), {"held": ("yes",)}, ("held",)),
        Walk(
            "at_a_loss",
            (
                Branch("orders o", ("o.id",), "o.at_a_loss"),
                Branch("work w", ("w.order_id",), f"w.hold_kind IS NOT NULL AND {_HELD_AT_A_LOSS}"),
            ),
            {"at_a_loss": ("yes",)},
            ("at_a_loss",),
        ),
        _created("day"),
        _by("customer"),
        _by("account"),
        _created("closed"),
        Walk("slow", (_POLLED,), {"slow": ()}, descending=False),
        Walk(
            "state_queued",
            (
                Branch("work w", ("w.order_id",), "w.kind = 'dispatch'"),
                Branch("orders o", ("o.id",), "o.cost_micros IS NULL"),
            ),
            {"state": ("queued",)},
        ),
        Walk("state_at_provider", (_POLLED, _BEGUN_BY_STAFF), {"state": ("submitted", "in_progress", "processing")}),
        Walk(
            "state_parent",
            (Branch("drip d", ("d.order_id",)), Branch("subscription s", ("s.order_id",))),
            {"state": ("active", "paused")},
        ),
        Walk("state_expired", (Branch("subscription s", ("s.order_id",)),), {"state": ("expired",)}),
        _by("service"),
        Walk(
            "provider",
            (
                Branch("orders o", ("o.id",), f"{_BOUGHT}"),
                Branch("work w", ("w.order_id",), f"{_WAITING}"),
                Branch(f"(SELECT order_id FROM attempt WHERE {_DOUBTFUL} OFFSET 0) a", ("a.order_id",)),
            ),
            {"provider": ()},
            ("provider",),
        ),
        *(
            Walk(
                f"state_{state}",
                (Branch("order_event e", ("e.order_id",), f"e.to_state = '{state}' AND e.from_state <> e.to_state"),),
                {"state": (state,)},
            )
            for state in ("canceled", "partial")
        ),
        _created("open"),
        Walk("all", (Branch("orders o", ("o.id",)),), in_place=True),
        Walk(
            "all_by_time",
            (Branch("orders o", ("o.created_at", "o.id")),),
            sort="created",
            in_place=True,
        ),
    ),
)

_ORDER_OF = "CROSS JOIN LATERAL (SELECT * FROM orders WHERE id = {order} OFFSET 0) o"

CANCELS = ListDeclaration(
    name="cancels",
    title="Cancels",
    table="orders",
    alias="o",
    columns=(
        Column("order", "Order", NUMBER, "o.id", own=True),
        Column("state", "State", TEXT, "o.state"),
        Column("customer", "Customer", TEXT, CUSTOMER_OF.format(account="o.account_id")),
        Column("service", "Service", NUMBER, "o.service_id", own=True),
        Column("provider", "Provider", TEXT, PROVIDER_OF.format(provider="o.provider_id")),
        Column("upstream_order", "Number at the provider", NUMBER, "o.upstream_id"),
        Column(
            "asked",
            "Provider asked",
            FLAG,
            "NOT EXISTS (SELECT FROM work w WHERE w.order_id = o.id AND w.kind = 'cancel')",
        ),
        Column("refunded", "Refunded", MONEY, "o.refunded_micros", own=True),
        Column("requested_at", "Asked for", INSTANT, "o.cancel_requested_at", own=True),
        Column("ended_at", "Ended", INSTANT, "o.ended_at", own=True),
    ),
    filters=(
        _NUMBER,
        Filter(
            "open",
            "Open",
            FilterType.FLAG,
            "The order has not ended yet.",
            "o.ended_at IS NULL AND o.state NOT IN ('completed', 'partial', 'canceled', 'expired')",
            own=True,
        ),
        _CUSTOMER,
        _ACCOUNT,
        _SERVICE,
    ),
    sorts=(_BY_NUMBER,),
    own="account",
    instant="o.created_at",
    walks=(
        Walk(
            "account",
            (Branch("orders o", ("o.id",), "o.cancel_requested_at IS NOT NULL AND {account}"),),
            {"account": ()},
            ("account",),
        ),
        Walk("all", (Branch("orders o", ("o.id",), "o.cancel_requested_at IS NOT NULL"),)),
    ),
)

DRIP_FEEDS = ListDeclaration(
    name="drip_feeds",
    title="Drip-feeds",
    table="drip",
    alias="d",
    key="order_id",
    joins=_ORDER_OF.format(order="d.order_id"),
    columns=(
        Column("order", "Order", NUMBER, "o.id", own=True),
        Column("state", "State", TEXT, "o.state"),
        Column("customer", "Customer", TEXT, CUSTOMER_OF.format(account="o.account_id")),
        Column("account", "Account", NUMBER, "o.account_id"),
        Column("service", "Service", NUMBER, "o.service_id", own=True),
        Column("link", "Link", TEXT, "o.link", own=True),
        Column("quantity", "Quantity of all runs", NUMBER, "o.quantity", own=True),
        Column("runs", "Runs", NUMBER, "o.runs", own=True),
        Column("interval_minutes", "Minutes between runs", NUMBER, "d.interval_minutes", own=True),
        Column("started", "Runs started", NUMBER, "d.started", own=True),
        Column("ended", "Runs ended", NUMBER, "d.ended", own=True),
        Column("stops_after", "Last run", NUMBER, "d.stops_after", own=True),
        Column("charge", "Charge", MONEY, "o.charge_micros", own=True),
        Column("created_at", "Created", INSTANT, "o.created_at", own=True),
        Column("ended_at", "Ended", INSTANT, "o.ended_at", own=True),
    ),
    filters=(
        _NUMBER,
        Filter(
            "state",
            "State",
            FilterType.CHOICE,
            "The drip-feed's state.",
            "o.state = %(state)s",
            choices=("active", "completed", "partial", "canceled"),
            own=True,
        ),
        _CUSTOMER,
        _ACCOUNT,
        _SERVICE,
        _CREATED,
    ),
    sorts=(Sort("order", "Order number", (("d.order_id", KeyType.NUMBER),), descending=True),),
    own="account",
    instant="o.created_at",
    walks=(
        Walk("order", (Branch("drip d", ("d.order_id",), "d.order_id = %(order)s"),), {"order": ()}, in_place=True),
        _by("account"),
        Walk("all", (Branch("drip d", ("d.order_id",)),), in_place=True),
    ),
)

SUBSCRIPTIONS = ListDeclaration(
    name="subscriptions",
    title="Subscriptions",
    table="subscription",
    alias="s",
    key="order_id",
    joins=_ORDER_OF.format(order="s.order_id"),
    columns=(
        Column("order", "Order", NUMBER, "o.id", own=True),
        Column("state", "State", TEXT, "o.state", own=True),
        Column("customer", "Customer", TEXT, CUSTOMER_OF.format(account="o.account_id")),
        Column("account", "Account", NUMBER, "o.account_id"),
        Column("service", "Service", NUMBER, "o.service_id", own=True),
        Column("mode", "Mode", TEXT, "CASE WHEN s.feed_id IS NULL THEN 'forwarded' ELSE 'local' END"),
        Column("username", "User name", TEXT, "s.username", own=True),
        Column("min", "Minimum", NUMBER, "s.minimum", own=True),
        Column("max", "Maximum", NUMBER, "s.maximum", own=True),
        Column("new_posts", "Posts", NUMBER, "s.posts", own=True),
        Column("new_posts_left", "Posts left", NUMBER, "s.posts_left", own=True),
        Column("orders_made", "Orders made", NUMBER, "s.parts", own=True),
        Column("expiry", "Expiry", ColumnType.DAY, "s.expiry", own=True),
        Column("waits_for_funds", "Funds it waits for", MONEY, "s.needed_micros", own=True),
        Column("created_at", "Created", INSTANT, "s.created_at", own=True),
        Column("ended_at", "Ended", INSTANT, "o.ended_at", own=True),
    ),
    filters=(
        _NUMBER,
        Filter(
            "state",
            "State",
            FilterType.CHOICE,
            "The subscription's state.",
            "o.state = %(state)s",
            choices=("active", "paused", "completed", "canceled", "expired"),
            own=True,
        ),
        Filter(
            "needs_funds",
            "Waits for funds",
            FilterType.FLAG,
            "The balance does not cover its next order.",
            "s.needed_micros IS NOT NULL",
            own=True,
        ),
        _CUSTOMER,
        _ACCOUNT,
        _SERVICE,
        Filter(
            "username", "User name", FilterType.TEXT, "The user name, exactly.", "s.username = %(username)s", own=True
        ),
    ),
    sorts=(Sort("order", "Order number", (("s.order_id", KeyType.NUMBER),), descending=True),),
    own="account",
    instant="o.created_at",
    walks=(
        Walk(
            "order",
            (Branch("subscription s", ("s.order_id",), "s.order_id = %(order)s"),),
            {"order": ()},
            in_place=True,
        ),
        _by("account"),
        Walk("all", (Branch("subscription s", ("s.order_id",)),), in_place=True),
    ),
)

LISTS = (ORDERS, CANCELS, DRIP_FEEDS, SUBSCRIPTIONS)
