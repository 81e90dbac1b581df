"""Placing orders: many customers, one customer, one connection, half of the maximum."""

import os
from dataclasses import replace
from statistics import median

from bench.figures import Row, turn_ratios
from bench.fill import add_bodies
from bench.measuring import over_http, over_sql
from bench.works.bench import Bench, rate_row

_API = "/api/v2"


def many_customers(bench: Bench) -> list[Row]:
    """64 connections, each order another customer by chance."""
    stack, many = bench.stack, bench.stack.plan.connections
    bodies = add_bodies(stack.filled, customers=stack.plan.customers)
    figures = bench.measure(
        "add",
        {
            "hawker": over_http(stack, stack.hawker(), _API, bodies, connections=many, database="hawker", writes=True),
            "plain": over_http(stack, stack.plain(), _API, bodies, connections=many, database="plain", writes=True),
            "pgbench": over_sql(stack, accounts=stack.plan.customers, clients=many),
        },
    )
    bench.verify("add")
    work = f"add, {many} connections, {stack.plan.customers:,} customers"
    ours = figures["hawker"]
    return [
        rate_row(work, ours, figures["plain"], against="plain Django view", goal=10, issue=2),
        rate_row(work, ours, figures["pgbench"], against="pgbench, 1 order a tx", goal=1.0, issue=5),
    ]


def one_customer(bench: Bench) -> list[Row]:
    """64 connections on one account's row."""
    stack, many = bench.stack, bench.stack.plan.connections
    bodies = add_bodies(stack.filled, customers=1)
    figures = bench.measure(
        "add-one-customer",
        {
            "hawker": over_http(stack, stack.hawker(), _API, bodies, connections=many, database="hawker", writes=True),
            "pgbench": over_sql(stack, accounts=1, clients=many),
        },
    )
    bench.verify("add-one-customer")
    work = f"add, {many} connections, one customer"
    row = rate_row(work, figures["hawker"], figures["pgbench"], against="pgbench, one row", goal=3, issue=5)
    return [row]


def one_connection(bench: Bench) -> list[Row]:
    """A lone client: what gathering costs somebody who has nobody to share with."""
    stack = bench.stack
    bodies = add_bodies(stack.filled, customers=stack.plan.customers)
    figures = bench.measure(
        "add-one-connection",
        {
            name: over_http(stack, server, _API, bodies, connections=1, database="hawker", writes=True)
            for name, server in (("hawker", stack.hawker()), ("hawker-batch-1", stack.hawker(batch_size=1)))
        },
    )
    bench.verify("add-one-connection")
    ours, theirs = figures["hawker"], figures["hawker-batch-1"]
    ratios = turn_ratios(ours, theirs, lambda loaded: loaded.p50_micros)
    return [
        Row(
            work="add, 1 connection (p50)",
            hawker=f"{ours.p50_ms:.2f} ms",
            against=f"batch size 1 {theirs.p50_ms:.2f} ms",
            value=median(ratios) if ratios else 0.0,
            unit="×",
            spread=(min(ratios), max(ratios)) if ratios else None,
            goal=1.5,
            at_least=False,
            issue=5,
            hawker_cpu=ours.cpu_text,
            against_cpu=theirs.cpu_text,
            void=ours.trouble or theirs.trouble,
        )
    ]


def half_rate(bench: Bench) -> list[Row]:
    """The wait of a customer on a panel that is half as busy as it can be."""
    stack, many = bench.stack, bench.stack.plan.connections
    bodies = add_bodies(stack.filled, customers=stack.plan.customers)
    full = over_http(stack, stack.hawker(), _API, bodies, connections=many, database="hawker", writes=True)
    # Known where the first work has run; else asked for here.
    known = bench.figures.get("add", {}).get("hawker")
    maximum = known.per_second if known is not None else full(stack.plan.seconds).loaded.per_second
    rest_ms = many / (maximum / 2) * 1e3
    half = over_http(
        stack,
        stack.hawker(),
        _API,
        bodies,
        connections=many,
        database="hawker",
        writes=True,
        rest_ms=rest_ms,
    )
    ours = bench.measure("add-half-rate", {"hawker": half})["hawker"]
    bench.verify("add-half-rate")
    return [
        Row(
            work="add, at half of the maximum rate (p99)",
            hawker=f"{ours.p99_ms:.1f} ms",
            against=f"at {ours.per_second:,.0f}/s",
            value=ours.p99_ms,
            unit=" ms",
            goal=50,
            at_least=False,
            issue=5,
            hawker_cpu=ours.cpu_text,
            void=ours.trouble,
        )
    ]


def two_servers(bench: Bench) -> list[Row]:
    """Two processes against one: what a second core of Python is worth where everything shares the machine."""
    stack, many = bench.stack, bench.stack.plan.connections
    bodies = add_bodies(stack.filled, customers=stack.plan.customers)
    figures = bench.measure(
        "serve2",
        {
            name: over_http(stack, server, _API, bodies, connections=many, database="hawker", writes=True)
            for name, server in (("two", stack.hawker(processes=2)), ("one", stack.hawker(processes=1)))
        },
    )
    bench.verify("serve2")
    row = rate_row("add, 2 serve processes", figures["two"], figures["one"], against="1 process")
    cores = os.cpu_count() or 1
    return [replace(row, note=f"generator, server and database share the machine's {cores} cores")]
