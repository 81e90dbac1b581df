"""The lists of what providers are asked for: attempts, unknowns, refills."""

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
    account_filter,
    customer_filter,
)

NUMBER, TEXT, MONEY, INSTANT = ColumnType.NUMBER, ColumnType.TEXT, ColumnType.MONEY, ColumnType.INSTANT

_DOUBTFUL = ("unknown", "manual", "not_created", "sending")
"""States that few attempts are in, each with a partial index."""

_PROVIDER = Filter(
    "provider",
    "Provider",
    FilterType.NAME,
    "The provider's name.",
    "a.provider_id = %(provider)s",
    lookup=FIND_PROVIDER,
)
_KIND = Filter(
    "kind",
    "Kind",
    FilterType.CHOICE,
    "What the provider was asked for.",
    "a.kind = %(kind)s",
    choices=("add", "refill"),
)

ATTEMPTS = ListDeclaration(
    name="attempts",
    title="Attempts",
    table="attempt",
    alias="a",
    columns=(
        Column("attempt", "Attempt", NUMBER, "a.id"),
        Column("order", "Order", NUMBER, "a.order_id"),
        Column("kind", "Kind", TEXT, "a.kind"),
        Column("refill", "Refill", NUMBER, "a.refill_id"),
        Column("n", "Number of its order's", NUMBER, "a.n"),
        Column("provider", "Provider", TEXT, PROVIDER_OF.format(provider="a.provider_id")),
        Column("state", "State", TEXT, "a.state"),
        Column("worker", "Worker", TEXT, "a.worker"),
        Column("started_at", "Started", INSTANT, "a.started_at"),
        Column("done_at", "Done", INSTANT, "a.done_at"),
        Column("http_status", "HTTP status", NUMBER, "a.http_status"),
        Column("upstream_order", "Number at the provider", NUMBER, "a.upstream_id"),
        Column("expected_cost", "Expected cost", MONEY, "a.expected_cost_micros"),
        Column("body_head", "Beginning of the answer", TEXT, "a.body_head"),
        Column("evidence", "Evidence", TEXT, "a.evidence"),
    ),
    filters=(
        Filter("order", "Order", FilterType.NUMBER, "The order's number.", "a.order_id = %(order)s"),
        Filter(
            "state",
            "State",
            FilterType.CHOICE,
            "The attempt's state.",
            "a.state = %(state)s",
            choices=("sending", "accepted", "rejected", "not_sent", "unknown", "not_created", "manual"),
        ),
        _KIND,
        _PROVIDER,
        Filter(
            "upstream_order",
            "Number at the provider",
            FilterType.NUMBER,
            "The provider's number of the order or refill.",
            "a.upstream_id = %(upstream_order)s",
        ),
        Filter("started", "Started", FilterType.SPAN, "When it was sent.", "a.started_at"),
    ),
    sorts=(Sort("attempt", "Attempt number", (("a.id", KeyType.NUMBER),), descending=True),),
    instant="a.started_at",
    walks=(
        Walk("order", (Branch("attempt a", ("a.id",), "{order}"),), {"order": ()}, ("order",)),
        Walk(
            "upstream_order",
            (
                Branch(
                    "provider p CROSS JOIN (VALUES ('add'), ('refill')) k(kind)"
                    " JOIN attempt a ON a.provider_id = p.id AND a.kind = k.kind AND {upstream_order}",
                    ("a.id",),
                ),
            ),
            {"upstream_order": ()},
            ("upstream_order",),
        ),
        *(
            Walk(
                state,
                (Branch(f"(SELECT id FROM attempt WHERE state = '{state}' OFFSET 0) a", ("a.id",)),),
                {"state": (state,)},
                ("state",),
            )
            for state in _DOUBTFUL
        ),
        Walk(
            "started_day",
            (Branch("(SELECT * FROM attempt a WHERE {started} OFFSET 0) a", ("a.id",)),),
            {"started": ("day",)},
            ("started",),
            in_place=True,
        ),
        Walk("all", (Branch("attempt a", ("a.id",)),), in_place=True),
    ),
)

_RECONCILE = "(SELECT w.{column} FROM work w WHERE w.order_id = a.order_id AND w.kind = 'reconcile')"

UNKNOWNS = ListDeclaration(
    name="unknowns",
    title="Unknown orders and refills",
    table="attempt",
    alias="a",
    joins="CROSS JOIN LATERAL (SELECT * FROM orders WHERE id = a.order_id OFFSET 0) o",
    columns=(
        Column("order", "Order", NUMBER, "a.order_id"),
        Column("kind", "Kind", TEXT, "a.kind"),
        Column("refill", "Refill", NUMBER, "a.refill_id"),
        Column("attempt", "Attempt", NUMBER, "a.id"),
        Column("provider", "Provider", TEXT, PROVIDER_OF.format(provider="a.provider_id")),
        Column("customer", "Customer", TEXT, CUSTOMER_OF.format(account="o.account_id")),
        Column("service", "Service", NUMBER, "o.service_id"),
        Column("link", "Link", TEXT, "o.link"),
        Column("quantity", "Quantity", NUMBER, "o.quantity"),
        Column("charge", "Charge", MONEY, "o.charge_micros"),
        Column("expected_cost", "Expected cost", MONEY, "a.expected_cost_micros"),
        Column("started_at", "Sent", INSTANT, "a.started_at"),
        Column("http_status", "HTTP status", NUMBER, "a.http_status"),
        Column("body_head", "Beginning of the answer", TEXT, "a.body_head"),
        Column("evidence", "Evidence", TEXT, "a.evidence"),
        Column("tries", "Times looked for", NUMBER, _RECONCILE.format(column="tries")),
        Column("next_look_at", "Looked for again", INSTANT, _RECONCILE.format(column="due_at")),
    ),
    filters=(
        Filter("order", "Order", FilterType.NUMBER, "The order's number.", "a.order_id = %(order)s"),
        _KIND,
        _PROVIDER,
        Filter("sent", "Sent", FilterType.SPAN, "When it was sent.", "a.started_at"),
    ),
    sorts=(Sort("sent", "Time of sending", (("a.started_at", KeyType.INSTANT), ("a.id", KeyType.NUMBER))),),
    instant="a.started_at",
    walks=(
        Walk(
            "unknown",
            (Branch("(SELECT * FROM attempt WHERE state = 'unknown' OFFSET 0) a", ("a.started_at", "a.id")),),
            in_place=True,
        ),
    ),
)

_OF_REFILL = "EXISTS (SELECT FROM attempt t WHERE t.refill_id = r.id AND t.kind = 'refill' AND t.state = 'unknown')"

REFILLS = ListDeclaration(
    name="refills",
    title="Refills",
    table="refill",
    alias="r",
    columns=(
        Column("refill", "Refill", NUMBER, "r.id", own=True),
        Column("order", "Order", NUMBER, "r.order_id", own=True),
        Column("account", "Account", NUMBER, "r.account_id"),
        Column("customer", "Customer", TEXT, CUSTOMER_OF.format(account="r.account_id")),
        Column("state", "State", TEXT, "r.state", own=True),
        Column("provider", "Provider", TEXT, PROVIDER_OF.format(provider="r.provider_id")),
        Column("upstream_refill", "Number at the provider", NUMBER, "r.upstream_id"),
        Column("reason", "Reason", TEXT, "r.reason"),
        Column("requested_at", "Asked for", INSTANT, "r.requested_at", own=True),
        Column("ended_at", "Ended", INSTANT, "r.ended_at", own=True),
    ),
    filters=(
        Filter(
            "state",
            "State",
            FilterType.CHOICE,
            "The refill's state, or unknown: nobody knows whether the provider took it.",
            "r.state = %(state)s",
            choices=("pending", "in_progress", "completed", "rejected", "unknown"),
            by_choice={"unknown": _OF_REFILL},
        ),
        Filter("order", "Order", FilterType.NUMBER, "The order's number.", "r.order_id = %(order)s", own=True),
        customer_filter("r.account_id = %(customer)s"),
        account_filter("r.account_id = %(account)s"),
        Filter(
            "provider",
            "Provider",
            FilterType.NAME,
            "The provider that is asked for it.",
            "r.provider_id = %(provider)s",
            lookup=FIND_PROVIDER,
        ),
        Filter("requested", "Asked for", FilterType.SPAN, "When it was asked for.", "r.requested_at", own=True),
    ),
    sorts=(Sort("refill", "Refill number", (("r.id", KeyType.NUMBER),), descending=True),),
    own="account",
    instant="r.requested_at",
    walks=(
        Walk("order", (Branch("refill r", ("r.id",), "{order}"),), {"order": ()}, ("order",)),
        Walk(
            "unknown",
            (
                Branch(
                    "(SELECT refill_id AS id FROM attempt WHERE state = 'unknown' AND kind = 'refill' OFFSET 0) t",
                    ("t.id",),
                ),
            ),
            {"state": ("unknown",)},
            ("state",),
        ),
        Walk(
            "running",
            (Branch("(SELECT id FROM refill WHERE state IN ('pending', 'in_progress') OFFSET 0) r", ("r.id",)),),
            {"state": ("pending", "in_progress")},
        ),
        Walk("account", (Branch("refill r", ("r.id",), "{account}"),), {"account": ()}, ("account",)),
        Walk("all", (Branch("refill r", ("r.id",)),), in_place=True),
    ),
)

LISTS = (ATTEMPTS, UNKNOWNS, REFILLS)
