"""Every statement of the queries modules finds its rows in a large table by an index.

Planned with the sequential scan priced out of reach: where one is left, no index serves. So this needs no rows,
and a new statement is looked at without an entry anywhere; only an exception has one, with its reason.
"""

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import hawker
from hawker.core.settings import settings
from panel import Panel, forget_figures

LARGE = {
    "orders",
    "transfer",
    "work",
    "attempt",
    "order_event",
    "order_request",
    "active_link",
    "refill",
    "drip",
    "subscription",
    "subscription_post",
    "account",
    "api_key",
    "alert",
    "deposit",
    "correction",
    "app_user",
    "rate_bucket",
    "in_flight",
    "attempt_evidence",
    "balance_reading",
    "customer_rate",
}
"""Tables that grow with the trade. The catalogue, the providers and the rest stay small."""

EXCEPTIONS = {
    "catalog.queries.READ_RATES": "the catalogue is read whole, once for each version of it",
    "catalog.queries.READ_CATALOGUE[3]": "the same statement in its place among the four",
    "orders.subscriptions.queries.FIND_WATCHED": "chosen over empty tables: both have an index for it",
    "orders.subscriptions.queries.FIND_DUE": "the same",
    "orders.subscriptions.queries.WAKE_FEEDS": "the same",
    "health.queries.STUCK": "the doctor's look at the newest orders, up to its LIMIT",
    "health.queries.OPEN_ORDERS": "reads up to its LIMIT, once for each scrape",
    "limits.queries.FORGET_BUCKETS": "deletes by row addresses that it has just locked",
    "limits.queries.FORGET_IN_FLIGHT": "the same",
}

_PARTIAL_INDEXES = "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL"
_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)


def statements() -> Iterator[tuple[str, str]]:
    """Every statement of every module of queries, by its name."""
    for module in pkgutil.walk_packages(hawker.__path__, "hawker."):
        if not module.name.endswith("queries") or module.ispkg:
            continue
        found = importlib.import_module(module.name)
        for name, value in vars(found).items():
            if name.startswith("_") or not name.isupper():
                continue
            several = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
            for place, text in enumerate(several):
                if isinstance(text, str) and _SQL.match(text):
                    yield f"{module.name.removeprefix('hawker.')}.{name}" + (f"[{place}]" if place else ""), text


def numbered(text: str) -> str:
    """The driver's placeholders as the server's own: $1, $2."""
    places = iter(range(1, 1_000))
    named: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        name = match[1]
        return f"${next(places) if name is None else named.setdefault(name, len(named) + 1)}"

    return re.sub(r"%%|%(?:\((\w+)\))?s", number, text)


def scans(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Of each node that reads a table or an index from its beginning to its end: the table, and by which index."""
    kind, table = node["Node Type"], node.get("Relation Name", "")
    if table and "Scan" in kind and "Index Cond" not in node and not kind.startswith("Bitmap"):
        yield table, node.get("Index Name", "")
    for below in node.get("Plans", []):
        yield from scans(below)


def read_by_all(database: "psycopg.Connection[Any]", text: str) -> list[str]:
    """The large tables that a statement reads from end to end. A partial index is read so with good reason: it holds
    the few rows that are meant, open alerts or leases that run.
    """
    partial = {row[0] for row in database.execute(_PARTIAL_INDEXES)}
    return sorted({table for table, index in scans(plan_of(database, text)) if table in LARGE and index not in partial})


def plan_of(database: "psycopg.Connection[Any]", text: str) -> dict[str, Any]:
    row = database.execute("EXPLAIN (GENERIC_PLAN, FORMAT JSON) " + numbered(text)).fetchone()
    assert row is not None
    plan: dict[str, Any] = (row[0] if isinstance(row[0], list) else json.loads(row[0]))[0]["Plan"]
    return plan


@pytest.fixture
def planner(panel: Panel) -> Iterator["psycopg.Connection[Any]"]:
    forget_figures()
    with psycopg.connect(settings().folder.embedded_url("hawker_app"), autocommit=True) as database:
        # Joins by hash and merge read whole tables where these are empty, as here.
        for method in ("seqscan", "hashjoin", "mergejoin"):
            database.execute(f"SET enable_{method} = off")
        yield database


def test_no_statement_reads_a_large_table_from_end_to_end(planner: "psycopg.Connection[Any]") -> None:
    found = {name: read for name, text in statements() if (read := read_by_all(planner, text))}
    assert {name: read for name, read in found.items() if name not in EXCEPTIONS} == {}
    assert EXCEPTIONS.keys() <= dict(statements()).keys(), "an exception for a statement that is gone goes too"


def test_what_is_called_large_is_there(planner: "psycopg.Connection[Any]") -> None:
    there = {row[0] for row in planner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert there >= LARGE


def test_the_guard_sees_a_scan(planner: "psycopg.Connection[Any]") -> None:
    assert list(scans(plan_of(planner, "SELECT id FROM orders WHERE quantity = %s"))) == [("orders", "")]
