"""The lists of what is sold and where it is bought: services, categories, providers, routes. All of them are small."""

from hawker.lists.declaration import Column, ColumnType, Filter, FilterType, KeyType, ListDeclaration, Sort
from hawker.lists.names_queries import FIND_PROVIDER

NUMBER, TEXT, FLAG, MONEY, INSTANT = (
    ColumnType.NUMBER,
    ColumnType.TEXT,
    ColumnType.FLAG,
    ColumnType.MONEY,
    ColumnType.INSTANT,
)

_PAUSED = "p.pause_kind <> '' AND COALESCE(p.paused_until > %(now)s, true)"

SERVICES = ListDeclaration(
    name="services",
    title="Services",
    table="service",
    alias="s",
    joins="JOIN category c ON c.id = s.category_id",
    columns=(
        Column("service", "Service", NUMBER, "s.id"),
        Column("name", "Name", TEXT, "s.name"),
        Column("category", "Category", TEXT, "c.name"),
        Column("type", "Type", TEXT, "s.type"),
        Column("rate", "Rate", TEXT, "s.rate"),
        Column("min", "Minimum", NUMBER, "s.minimum"),
        Column("max", "Maximum", NUMBER, "s.maximum"),
        Column("refill", "Refill", FLAG, "s.refill"),
        Column("cancel", "Cancel", FLAG, "s.cancel"),
        Column("dripfeed", "Drip-feed", FLAG, "s.dripfeed"),
        Column("free", "Free", FLAG, "s.free"),
        Column("enabled", "On sale", FLAG, "s.enabled"),
        Column(
            "providers",
            "Providers",
            TEXT,
            "(SELECT string_agg(p.name, ', ' ORDER BY r.position, r.id)"
            " FROM route r JOIN provider p ON p.id = r.provider_id WHERE r.service_id = s.id)",
        ),
        Column("created_at", "Created", INSTANT, "s.created_at"),
    ),
    filters=(
        Filter("service", "Service", FilterType.NUMBER, "The service's number.", "s.id = %(service)s"),
        Filter(
            "category",
            "Category",
            FilterType.TEXT,
            "The category's name, in capitals or not.",
            "upper(c.name) = upper(%(category)s::text)",
        ),
        Filter(
            "provider",
            "Provider",
            FilterType.NAME,
            "A provider that it is bought from.",
            "EXISTS (SELECT FROM route r WHERE r.service_id = s.id AND r.provider_id = %(provider)s)",
            lookup=FIND_PROVIDER,
        ),
        Filter("enabled", "On sale", FilterType.FLAG, "It is on sale.", "s.enabled"),
        Filter("free", "Free", FilterType.FLAG, "Its orders cost nothing.", "s.free"),
        Filter("type", "Type", FilterType.TEXT, "The service's type, such as Default.", "s.type = %(type)s::text"),
        Filter(
            "name",
            "Name",
            FilterType.TEXT,
            "A part of its name, in capitals or not.",
            "strpos(lower(s.name), lower(%(name)s::text)) > 0",
        ),
    ),
    sorts=(
        Sort(
            "catalogue",
            "As customers see them",
            (
                ("c.position", KeyType.NUMBER),
                ("c.name", KeyType.TEXT),
                ("s.position", KeyType.NUMBER),
                ("s.id", KeyType.NUMBER),
            ),
        ),
        Sort("service", "Service number", (("s.id", KeyType.NUMBER),)),
    ),
)

CATEGORIES = ListDeclaration(
    name="categories",
    title="Categories",
    table="category",
    alias="c",
    columns=(
        Column("category", "Category", NUMBER, "c.id"),
        Column("name", "Name", TEXT, "c.name"),
        Column("position", "Position", NUMBER, "c.position"),
        Column("services", "Services", NUMBER, "(SELECT count(*) FROM service s WHERE s.category_id = c.id)"),
    ),
    filters=(
        Filter(
            "name",
            "Name",
            FilterType.TEXT,
            "A part of its name, in capitals or not.",
            "strpos(lower(c.name), lower(%(name)s::text)) > 0",
        ),
    ),
    sorts=(
        Sort(
            "catalogue",
            "As customers see them",
            (("c.position", KeyType.NUMBER), ("c.name", KeyType.TEXT), ("c.id", KeyType.NUMBER)),
        ),
    ),
)

PROVIDERS = ListDeclaration(
    name="providers",
    title="Providers",
    table="provider",
    alias="p",
    columns=(
        Column("provider", "Provider", NUMBER, "p.id"),
        Column("name", "Name", TEXT, "p.name"),
        Column("url", "Address", TEXT, "p.url"),
        Column("enabled", "Switched on", FLAG, "p.enabled"),
        Column("services", "Services", NUMBER, "(SELECT count(*) FROM route r WHERE r.provider_id = p.id)"),
        Column("balance", "Our balance there", MONEY, "p.balance_micros"),
        Column("currency", "Currency", TEXT, "p.currency"),
        Column("balance_at", "Balance asked for", INSTANT, "p.balance_at"),
        Column("paused", "Paused", FLAG, _PAUSED),
        Column("paused_until", "Paused until", INSTANT, "p.paused_until"),
        Column("pause_reason", "Paused because", TEXT, "p.pause_reason"),
    ),
    filters=(
        Filter("enabled", "Switched on", FilterType.FLAG, "It is sent orders at all.", "p.enabled"),
        Filter(
            "paused",
            "Paused",
            FilterType.FLAG,
            "It is sent no orders for now.",
            _PAUSED,
        ),
        Filter(
            "name",
            "Name",
            FilterType.TEXT,
            "A part of its name, in capitals or not.",
            "strpos(lower(p.name), lower(%(name)s::text)) > 0",
        ),
    ),
    sorts=(Sort("name", "Name", (("p.name", KeyType.TEXT), ("p.id", KeyType.NUMBER))),),
)

ROUTES = ListDeclaration(
    name="routes",
    title="Routes",
    table="route",
    alias="r",
    joins="JOIN provider p ON p.id = r.provider_id JOIN provider_health h ON h.provider_id = p.id",
    columns=(
        Column("service", "Service", NUMBER, "r.service_id"),
        Column("position", "Position", NUMBER, "r.position"),
        Column("provider", "Provider", TEXT, "p.name"),
        Column("upstream_service", "Number at the provider", NUMBER, "r.upstream_service"),
        Column("cost_rate", "Rate at the provider", TEXT, "r.cost_rate"),
        Column(
            "takes_orders",
            "Takes orders",
            FLAG,
            f"p.enabled AND NOT ({_PAUSED}) AND COALESCE(h.retry_at <= %(now)s, true)",
        ),
    ),
    filters=(
        Filter("service", "Service", FilterType.NUMBER, "The service's number.", "r.service_id = %(service)s"),
        Filter(
            "provider",
            "Provider",
            FilterType.NAME,
            "The provider's name.",
            "r.provider_id = %(provider)s",
            lookup=FIND_PROVIDER,
        ),
    ),
    sorts=(
        Sort(
            "service",
            "Service, in the order in which its providers are asked",
            (("r.service_id", KeyType.NUMBER), ("r.position", KeyType.NUMBER), ("r.id", KeyType.NUMBER)),
        ),
    ),
)

LISTS = (SERVICES, CATEGORIES, PROVIDERS, ROUTES)
