"""How long a page of each list takes with 5,000,000 orders, and what the indexes of lists cost `add`.

    python -m bench.lists pages [ORDERS]
    python -m bench.lists cost [ORDERS]

`pages` fills a panel (about 15 minutes and 9 GB for 5,000,000 orders), reads the first page, the next one and the count
of each list by each filter that a person would use, and prints the shortest of three times. `cost` places orders in two
panels in turns, of which one has no index that only lists need.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import psycopg

from bench.figures import turn_ratios
from bench.fill import add_bodies
from bench.measuring import Side, measure, over_http
from bench.plan import Plan
from bench.stack import Stack, open_stack

LIST_INDEXES = (
    "orders_service",
    "orders_link",
    "orders_created",
    "orders_provider",
    "orders_at_a_loss",
    "orders_without_cost",
    "orders_cancel_requested",
    "order_event_rare",
)

_MANY, _SOME = 5_000_000, 200_000
_TIMES = 3

_VARIETY = (
    # What the filling leaves out: a provider and a service that are rare, a service of long ago, a popular link, holds,
    # orders released at a loss, cancels asked for, unknown orders, a long audit log, and many alerts.
    """INSERT INTO provider (name, url, key_cipher, currency, exchange_rate, allow_private, enabled, pause_reason,
                             created_at)
       VALUES ('rare', 'https://rare.invalid/api/v2', '', 'USD', '1', false, true, '', now())""",
    """UPDATE orders SET provider_id = (SELECT id FROM provider WHERE name = 'rare')
        WHERE id <= (SELECT min(id) + 400 FROM orders) AND id % 10 = 0 AND provider_id IS NOT NULL""",
    "UPDATE orders SET link = 'https://example.com/popular' WHERE id % 500 = 7",
    """UPDATE orders SET service_id = (SELECT max(id) FROM service)
        WHERE id < (SELECT min(id) + count(*) / 30 FROM orders) AND id % 2 = 0""",
    """INSERT INTO service (category_id, name, type, rate, minimum, maximum, enabled, position, refill, cancel,
                            dripfeed, free, created_at)
       SELECT min(id), 'rare', 'Default', '1', 1, 10, true, 1, false, false, false, false, now() FROM category""",
    """UPDATE orders SET service_id = (SELECT max(id) FROM service)
        WHERE id BETWEEN (SELECT min(id) FROM orders) AND (SELECT min(id) + 2 FROM orders)""",
    """UPDATE work SET hold = 'cost above the charge', hold_kind = 'cost_above_charge'
        WHERE kind = 'dispatch' AND order_id % 997 = 0""",
    "UPDATE orders SET at_a_loss = true WHERE id % 20011 = 0",
    "UPDATE orders SET cancel_requested_at = created_at + interval '1 hour' WHERE id % 1013 = 0",
    """UPDATE orders SET state = 'unknown', provider_id = NULL, upstream_id = NULL
        WHERE state = 'in_progress' AND id % 1009 = 0""",
    """UPDATE attempt SET state = 'unknown', upstream_id = NULL
        WHERE order_id IN (SELECT id FROM orders WHERE state = 'unknown')""",
    """INSERT INTO audit_event (at, actor_kind, actor_name, address, action, subject_kind, subject_id, reason,
                                transaction_id)
       SELECT now(), 'cli', 'root', 'local', 'provider.pause', 'provider', 'upstream ' || n % 3, '', 1
         FROM generate_series(1, 200000) n""",
    """INSERT INTO alert (kind, subject_kind, subject_id, text, opened_at, seen_at, times, closed_at, closed_by)
       SELECT 'breaker_open', 'provider', n::text, '', now(), now(), 1, CASE WHEN n % 1000 <> 0 THEN now() END, ''
         FROM generate_series(1, 100000) n""",
)

_STATES = "queued sending unknown submitted in_progress processing completed partial canceled active paused expired"

QUESTIONS: Sequence[tuple[str, str]] = (
    ("orders", ""),
    *(("orders", f"state={state}") for state in _STATES.split()),
    *(("orders", words) for words in ("unknown=yes", "held=yes", "at_a_loss=yes", "slow=24", "slow=2400")),
    *(("orders", f"customer={{customer}}{more}") for more in ("", " state=canceled", " state=queued")),
    *(("orders", f"service={{{name}}}") for name in ("common_service", "old_service", "rare_service")),
    ("orders", "service={old_service} state=canceled"),
    *(("orders", f"provider=upstream~1{more}") for more in ("", " state=unknown", " state=queued")),
    ("orders", "provider=rare"),
    *(("orders", f"link={link}") for link in ("{link}", "https://example.com/popular", "nothing")),
    *(("orders", f"upstream_order={number}") for number in ("{upstream}", "5")),
    *(("orders", f"created={span}") for span in ("{day}", "{month}", "90d")),
    *(("orders", f"created={span}") for span in ("{month} state=canceled", "{day} provider=upstream~1")),
    *(("orders", f"created={span} customer={{customer}}") for span in ("{day}", "{month}", "90d")),
    *(("cancels", words) for words in ("", "open=yes")),
    *(("attempts", words) for words in ("", "state=unknown", "state=rejected", "started={day}", "provider=rare")),
    *(("unknowns", words) for words in ("", "provider=upstream~1")),
    *(("transfers", words) for words in ("", "customer={customer}", "customer={customer} kind=deposit")),
    *(("customers", words) for words in ("", "email=500@", "owing=yes")),
    *((name, "") for name in ("refills", "keys", "deposits", "services", "categories", "providers", "routes")),
    ("services", "name=drop"),
    *(("alerts", words) for words in ("", "open=yes", "kind=nothing")),
    *(("audit", words) for words in ("", "subject=provider:upstream~1", "customer={customer}", "action=nothing")),
)
"""Lists with their filters; `~` stands for a blank."""

_NAMED = """
    SELECT (SELECT u.email FROM app_user u WHERE u.id = (SELECT min(id) + 17 FROM app_user)),
           (SELECT (min(id) + 5)::text FROM service), (SELECT (max(id) - 1)::text FROM service),
           (SELECT max(id)::text FROM service), o.link, o.upstream_id::text, to_char(o.created_at, 'YYYY-MM-DD'),
           to_char(o.created_at, 'YYYY-MM')
      FROM orders o WHERE o.id = (SELECT (min(id) + max(id)) / 2 FROM orders)
"""
_NAMES = ("customer", "common_service", "old_service", "rare_service", "link", "upstream", "day", "month")


def measure_pages(orders: int) -> None:
    """Fill a panel and print how long each question takes there."""
    with open_stack(Plan(orders=orders, compared=False)) as stack:
        with psycopg.connect(stack.database_url("hawker", "hawker"), autocommit=True) as owner:
            owner.execute("SET session_replication_role = replica")
            for statement in _VARIETY:
                owner.execute(statement)
            owner.execute("VACUUM ANALYZE")
        os.environ |= dict(stack.env) | {"DJANGO_SETTINGS_MODULE": "hawker.django_settings"}
        _print_times()


def _print_times() -> None:
    import django

    django.setup()
    from hawker.core.sql import read_rows
    from hawker.lists.filters import read_filters
    from hawker.lists.reading import count, read_page

    named = dict(zip(_NAMES, read_rows(_NAMED, ())[0], strict=True))
    print(f"{'list and filters':<60} {'page':>9} {'next':>9} {'count':>9}  rows  count")
    for name, words in QUESTIONS:
        texts = dict(word.replace("~", " ").split("=", 1) for word in words.format(**named).split())
        filters = read_filters(name, texts)
        page = read_page(name, filters)
        times = [
            _shortest(lambda name=name, filters=filters: read_page(name, filters)),
            _shortest(lambda name=name, filters=filters, page=page: read_page(name, filters, after=page.next)),
            _shortest(lambda name=name, filters=filters: count(name, filters)),
        ]
        shown = " ".join(f"{seconds * 1e3:>6.1f} ms" for seconds in times)
        print(f"{name + ' ' + words:<60} {shown}  {len(page.rows):>4}  {count(name, filters)}", flush=True)


def _shortest(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def measure_cost(orders: int) -> None:
    """Print `add` with the indexes of lists against `add` without them: the median of the turns' ratios."""
    plan = Plan(orders=orders, compared=False, runs=5, seconds=4)
    with open_stack(plan) as with_them, open_stack(replace(plan)) as without:
        with psycopg.connect(without.database_url("hawker", "hawker"), autocommit=True) as owner:
            owner.execute(f"DROP INDEX {', '.join(LIST_INDEXES)}")
        figures = measure(with_them, {"with": _adding(with_them), "without": _adding(without)})
    ours, theirs = figures["with"], figures["without"]
    ratios = turn_ratios(ours, theirs, lambda loaded: loaded.per_second)
    print(f"with the indexes    {ours.per_second:,.0f}/s, {ours.cpu_text}")
    print(f"without them        {theirs.per_second:,.0f}/s, {theirs.cpu_text}")
    print(f"ratio               {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def _adding(stack: Stack) -> Side:
    bodies = add_bodies(stack.filled, customers=stack.plan.customers)
    many = stack.plan.connections
    return over_http(stack, stack.hawker(), "/api/v2", bodies, connections=many, database="hawker", writes=True)


if __name__ == "__main__":
    _, what, *rest = [*sys.argv, "pages"] if len(sys.argv) == 1 else sys.argv
    if what == "cost":
        measure_cost(int(rest[0]) if rest else _SOME)
    else:
        measure_pages(int(rest[0]) if rest else _MANY)
