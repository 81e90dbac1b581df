"""The lists of people and their money: customers, keys, transfers, deposits."""

from hawker.audit.queries import ACTOR_TEXT
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
from hawker.lists.names_queries import CUSTOMER_OF, account_filter, customer_filter

NUMBER, TEXT, FLAG, MONEY, INSTANT = (
    ColumnType.NUMBER,
    ColumnType.TEXT,
    ColumnType.FLAG,
    ColumnType.MONEY,
    ColumnType.INSTANT,
)


CUSTOMERS = ListDeclaration(
    name="customers",
    title="Customers",
    table="app_user",
    alias="u",
    joins="CROSS JOIN LATERAL (SELECT * FROM account WHERE user_id = u.id OFFSET 0) a"
    " LEFT JOIN customer_price f ON f.account_id = a.id LEFT JOIN price_group g ON g.id = f.group_id",
    columns=(
        Column("customer", "Customer", NUMBER, "u.id"),
        Column("email", "E-mail address", TEXT, "u.email"),
        Column("account", "Account", NUMBER, "a.id"),
        Column("active", "Active", FLAG, "u.is_active"),
        Column("balance", "Balance", MONEY, "a.balance_micros"),
        Column("credit_limit", "Credit limit", MONEY, "a.credit_limit_micros"),
        Column("currency", "Currency", TEXT, "a.currency"),
        Column("price_group", "Price group", TEXT, "g.name"),
        Column(
            "keys",
            "Working keys",
            NUMBER,
            "(SELECT count(*) FROM api_key k WHERE k.user_id = u.id AND k.revoked_at IS NULL"
            " AND COALESCE(k.expires_at > %(now)s, true))",
        ),
        Column("created_at", "Created", INSTANT, "u.created_at"),
    ),
    filters=(
        Filter(
            "email",
            "E-mail address",
            FilterType.TEXT,
            "A part of the address, in capitals or not.",
            "strpos(u.email, lower(%(email)s::text)) > 0",
        ),
        customer_filter("a.id = %(customer)s"),
        account_filter("a.id = %(account)s"),
        Filter("active", "Active", FilterType.FLAG, "The customer is let in.", "u.is_active"),
        Filter("owing", "Owing", FilterType.FLAG, "The balance is below 0.", "a.balance_micros < 0"),
        Filter(
            "price_group",
            "Price group",
            FilterType.TEXT,
            "The name of the price group.",
            "COALESCE(g.name = %(price_group)s::text, false)",
        ),
        Filter("created", "Created", FilterType.SPAN, "When the customer was added.", "u.created_at"),
    ),
    sorts=(Sort("customer", "Customer number", (("u.id", KeyType.NUMBER),), descending=True),),
    own="account",
    instant="u.created_at",
    walks=(
        *(
            Walk(
                name,
                (Branch("account b JOIN app_user u ON u.id = b.user_id", ("u.id",), f"b.id = %({name})s"),),
                {name: ()},
                (name,),
            )
            for name in ("customer", "account")
        ),
        Walk("all", (Branch("app_user u", ("u.id",)),), in_place=True),
    ),
)

_USER_OF = "(SELECT user_id FROM account WHERE id = {account})"

KEYS = ListDeclaration(
    name="keys",
    title="API keys",
    table="api_key",
    alias="k",
    columns=(
        Column("key", "Key", NUMBER, "k.id", own=True),
        Column("customer", "Customer", TEXT, "(SELECT u.email FROM app_user u WHERE u.id = k.user_id)"),
        Column(
            "state",
            "State",
            TEXT,
            "CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= %(now)s THEN 'expired'"
            " ELSE 'active' END",
            own=True,
        ),
        Column("ends_with", "Ends with", TEXT, "k.hint", own=True),
        Column("label", "Label", TEXT, "k.label", own=True),
        Column("scope", "Scope", TEXT, "k.scope", own=True),
        Column("addresses", "Addresses", ColumnType.FACTS, "to_json(k.allowed_addresses)", own=True),
        Column("created_at", "Created", INSTANT, "k.created_at", own=True),
        Column("expires_at", "Expires", INSTANT, "k.expires_at", own=True),
        Column("revoked_at", "Revoked", INSTANT, "k.revoked_at", own=True),
        Column("replaced_by", "Replaced by", NUMBER, "k.replaced_by_id", own=True),
        Column("last_used_at", "Last used", INSTANT, "k.last_used_at", own=True),
        Column("last_address", "Last address", TEXT, "k.last_address", own=True),
    ),
    filters=(
        customer_filter("k.user_id = " + _USER_OF.format(account="%(customer)s")),
        account_filter("k.user_id = " + _USER_OF.format(account="%(account)s")),
        Filter(
            "live",
            "Works",
            FilterType.FLAG,
            "It is neither revoked nor expired.",
            "k.revoked_at IS NULL AND COALESCE(k.expires_at > %(now)s, true)",
            own=True,
        ),
    ),
    sorts=(Sort("key", "Key number", (("k.id", KeyType.NUMBER),), descending=True),),
    own="account",
    instant="k.created_at",
    walks=(
        Walk("customer", (Branch("api_key k", ("k.id",), "{customer}"),), {"customer": ()}, ("customer",)),
        Walk("account", (Branch("api_key k", ("k.id",), "{account}"),), {"account": ()}, ("account",)),
        Walk("all", (Branch("api_key k", ("k.id",)),), in_place=True),
    ),
)

TRANSFERS = ListDeclaration(
    name="transfers",
    title="Transfers; of one account its statement",
    table="transfer",
    alias="t",
    columns=(
        Column("transfer", "Transfer", NUMBER, "t.id", own=True),
        Column("entry", "Entry", NUMBER, "t.seq", own=True),
        Column("at", "At", INSTANT, "t.created_at", own=True),
        Column("kind", "Kind", TEXT, "t.kind", own=True),
        Column("customer", "Customer", TEXT, CUSTOMER_OF.format(account="t.account_id")),
        Column("account", "Account", NUMBER, "t.account_id"),
        Column(
            "amount",
            "Amount",
            MONEY,
            "CASE WHEN t.account_id = t.debit_id THEN -t.amount_micros ELSE t.amount_micros END",
            own=True,
        ),
        Column("balance", "Balance after it", MONEY, "t.balance_after_micros", own=True),
        Column("currency", "Currency", TEXT, "t.currency", own=True),
        Column("operation", "Operation", TEXT, "t.operation"),
        Column(
            "order",
            "Order",
            NUMBER,
            "CASE WHEN t.kind IN ('charge', 'refund', 'delivery') THEN t.reference END",
            own=True,
        ),
        Column(
            "service",
            "Service",
            TEXT,
            "CASE WHEN t.kind IN ('charge', 'refund', 'delivery') THEN"
            " (SELECT s.name FROM orders o JOIN service s ON s.id = o.service_id WHERE o.id = t.reference) END",
            own=True,
        ),
        Column(
            "gateway",
            "Gateway",
            TEXT,
            "CASE WHEN t.kind = 'deposit' THEN (SELECT d.gateway FROM deposit d WHERE d.id = t.reference) END",
            own=True,
        ),
        Column(
            "transaction",
            "Payment",
            TEXT,
            "CASE WHEN t.kind = 'deposit' THEN"
            " (SELECT d.gateway_transaction FROM deposit d WHERE d.id = t.reference) END",
            own=True,
        ),
        Column(
            "reason",
            "Reason",
            TEXT,
            "CASE t.kind WHEN 'deposit' THEN (SELECT d.reason FROM deposit d WHERE d.id = t.reference)"
            " WHEN 'correction' THEN (SELECT c.reason FROM correction c WHERE c.id = t.reference) ELSE '' END",
        ),
        Column("debit", "From account", NUMBER, "t.debit_id"),
        Column("credit", "To account", NUMBER, "t.credit_id"),
        Column("reference", "Reference", NUMBER, "t.reference"),
    ),
    filters=(
        customer_filter("t.account_id = %(customer)s"),
        account_filter("t.account_id = %(account)s"),
        Filter(
            "kind",
            "Kind",
            FilterType.CHOICE,
            "What the transfer is for.",
            "t.kind = %(kind)s",
            choices=("charge", "refund", "delivery", "deposit", "correction"),
            own=True,
        ),
        Filter(
            "order",
            "Order",
            FilterType.NUMBER,
            "The order's number.",
            "t.reference = %(order)s AND t.kind IN ('charge', 'refund', 'delivery')",
            own=True,
        ),
        Filter("created", "Created", FilterType.SPAN, "When it was made.", "t.created_at", own=True),
    ),
    sorts=(
        Sort("transfer", "Transfer number", (("t.id", KeyType.NUMBER),), descending=True),
        Sort("entry", "Entry of the account", (("t.seq", KeyType.NUMBER), ("t.id", KeyType.NUMBER)), descending=True),
    ),
    own="account",
    instant="t.created_at",
    walks=(
        Walk("order", (Branch("transfer t", ("t.id",), "{order}"),), {"order": ()}, ("order",)),
        *(
            Walk(
                name,
                (Branch("transfer t", ("t.seq", "t.id"), f"{{{name}}}"),),
                {name: ()},
                (name,),
                sort="entry",
                in_place=True,
            )
            for name in ("customer", "account")
        ),
        Walk("all", (Branch("transfer t", ("t.id",)),), in_place=True),
    ),
)

DEPOSITS = ListDeclaration(
    name="deposits",
    title="Deposits",
    table="deposit",
    alias="d",
    columns=(
        Column("deposit", "Deposit", NUMBER, "d.id", own=True),
        Column("at", "At", INSTANT, "d.created_at", own=True),
        Column("customer", "Customer", TEXT, CUSTOMER_OF.format(account="d.account_id")),
        Column("account", "Account", NUMBER, "d.account_id"),
        Column("gateway", "Gateway", TEXT, "d.gateway", own=True),
        Column("transaction", "Transaction", TEXT, "d.gateway_transaction", own=True),
        Column("amount", "Amount", MONEY, "d.amount_micros", own=True),
        Column("actor", "Recorded by", TEXT, ACTOR_TEXT.format(row="d")),
        Column("reason", "Reason", TEXT, "d.reason"),
    ),
    filters=(
        customer_filter("d.account_id = %(customer)s"),
        account_filter("d.account_id = %(account)s"),
        Filter("gateway", "Gateway", FilterType.TEXT, "The gateway's name.", "d.gateway = %(gateway)s::text", own=True),
        Filter(
            "transaction",
            "Transaction",
            FilterType.TEXT,
            "The gateway's own number of the payment.",
            "d.gateway_transaction = %(transaction)s::text",
            own=True,
        ),
        Filter("created", "Created", FilterType.SPAN, "When it was recorded.", "d.created_at", own=True),
    ),
    sorts=(Sort("deposit", "Deposit number", (("d.id", KeyType.NUMBER),), descending=True),),
    own="account",
    instant="d.created_at",
    walks=(
        Walk("customer", (Branch("deposit d", ("d.id",), "{customer}"),), {"customer": ()}, ("customer",)),
        Walk("account", (Branch("deposit d", ("d.id",), "{account}"),), {"account": ()}, ("account",)),
        Walk("all", (Branch("deposit d", ("d.id",)),), in_place=True),
    ),
)

LISTS = (CUSTOMERS, KEYS, TRANSFERS, DEPOSITS)
