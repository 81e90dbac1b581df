"""What thousands of drip-feeds cost a sweep: index look-ups for those that are due, and nothing for the others."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import Draft, place_orders, start_due_runs
from hawker.orders.drip_feeds import queries
from hawker.orders.models import Drip, Order, Work
from hawker.worker.sweeps import find_due
from panel import Panel
from processes import ServeProcess

MANY = 10_000
TABLES = ("orders", "work", "drip", "attempt", "route")


@pytest.fixture
def crowd(panel: Panel) -> tuple[OpenedCustomer, int]:
    """So many drip-feeds, of a free service so that they need no ledger, each with its first run started."""
    customer = panel.customer()
    service = panel.service(dripfeed=True, free=True, minimum=1, maximum=10**9)
    fields = {"service": str(service.id), "link": "@crowd", "quantity": "10", "runs": "50", "interval": "60"}
    for _ in range(MANY // 500):
        placed = place_orders([Draft(customer.account_id, fields)] * 500, now=panel.clock.now())
        assert all(isinstance(order, int) for order in placed)
    while start_due_runs(limit=500, now=panel.clock.now()):
        pass
    assert Order.objects.filter(part=1).count() == MANY
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute("VACUUM (ANALYZE) orders, work, drip, service, route, attempt")
    return customer, service.id


@contextmanager
def rows_read() -> Iterator[dict[str, dict[str, int]]]:
    """What this thread's statements read of each table: rows by scans of the whole, and rows through indexes."""
    found: dict[str, dict[str, int]] = {}
    # In one transaction, whose counts are its own: autovacuum reads the tables too, to summarise an index.
    with transaction.atomic():
        before = _counts()
        yield found
        after = _counts()
    for table in TABLES:
        found[table] = {name: after[table][name] - before[table][name] for name in ("scanned", "looked_up")}


def _counts() -> dict[str, dict[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, seq_tup_read, COALESCE(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
            " WHERE relname = ANY(%s)",
            [list(TABLES)],
        )
        return {name: {"scanned": scanned, "looked_up": looked_up} for name, scanned, looked_up in cursor}


def test_ten_thousand_drip_feeds_cost_a_sweep_no_more_than_those_that_are_due(
    panel: Panel, crowd: tuple[OpenedCustomer, int]
) -> None:
    with rows_read() as idle:
        assert find_due(now=panel.clock.now()) == []
        assert start_due_runs(limit=500, now=panel.clock.now()) == 0
    assert all(read == {"scanned": 0, "looked_up": 0} for name, read in idle.items() if name != "route"), idle
    seven = list(Drip.objects.order_by("order_id").values_list("order_id", flat=True)[5_000:5_007])
    Work.objects.filter(order_id__in=seven).update(due_at=panel.clock.now())
    with rows_read() as busy:
        assert start_due_runs(limit=500, now=panel.clock.now()) == 7
    assert all(read["scanned"] == 0 for name, read in busy.items() if name != "route"), busy
    # Each is looked at a few times: claimed, counted, its last run looked up, its work put down.
    assert sum(read["looked_up"] for read in busy.values()) < 7 * 20, busy


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def test_the_sweeps_statements_scan_no_large_table(panel: Panel, crowd: tuple[OpenedCustomer, int]) -> None:
    now = panel.clock.now()
    statements: list[tuple[str, tuple[Any, ...]]] = [
        (queries.CLAIM_DRIPS, (now, 500)),
        (queries.COUNT_ENDED, ([1, 2, 3], now)),
        (queries.STOP_DRIPS, ([1, 2, 3], now)),
        (queries.READ_FOR_STOP, ([1, 2, 3],)),
        (queries.OPEN_RUNS, ([1, 2, 3],)),
        (queries.READ_RUNS_ENDED, ([1, 2, 3],)),
    ]
    with connection.cursor() as cursor:
        for statement, parameters in statements:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            (text,) = cursor.fetchone()
            plan = (json.loads(text) if isinstance(text, str) else text)[0]["Plan"]
            scanned = {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
            assert not scanned & {"orders", "work", "drip"}, (statement, scanned)


RUNS_DONE = """
    INSERT INTO orders (account_id, service_id, type, state, link, quantity, rate, charge_micros, refunded_micros,
                        earned_micros, settlements, remains, parent_id, part, from_parent, created_at, updated_at,
                        ended_at, origin)
    SELECT o.account_id, o.service_id, o.type, 'completed', o.link, 10, o.rate, 0, 0, 0, 0, 0, o.id, run, true,
           o.created_at, o.created_at, o.created_at, 'drip_feed'
      FROM orders o, generate_series(1, %s) AS run WHERE o.id = %s
"""


def test_a_drip_feed_of_ten_thousand_runs_costs_its_next_run_as_little_as_a_young_one(
    panel: Panel, server: ServeProcess
) -> None:
    customer = panel.customer(credit="1.00")
    service = panel.service(dripfeed=True, free=True, minimum=1, maximum=10**9)
    answer = server.call(customer.api_key, "add", service=service.id, link="@long", quantity=10, runs=MANY, interval=60)
    order = answer.json["order"]
    assert (Order.objects.count(), Work.objects.count()) == (1, 1), "runs are made when they are due"
    done = MANY - 2
    with connection.cursor() as cursor:
        cursor.execute(RUNS_DONE, [done, order])
        cursor.execute("UPDATE drip SET started = %s, ended = %s", [done, done])
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute("VACUUM (ANALYZE) orders, work, drip, service, route, attempt")
    panel.clock.pass_by_the_server()
    with rows_read() as read:
        assert start_due_runs(limit=500, now=panel.clock.now()) == 1
    assert read["orders"]["scanned"] == 0
    assert sum(table["looked_up"] for table in read.values()) < 30, read
    status = server.call(customer.api_key, "status", order=order).json
    assert (status["runs"], status["remains"], status["status"]) == (str(MANY - 1), "20", "In progress")
    assert len(status["orders"]) == MANY - 1
    assert panel.order(order)["drip"]["started"] == MANY - 1
