"""A panel that has traded for years beside one that has just begun."""

from dataclasses import replace

from bench.figures import Row
from bench.fill import add_bodies
from bench.measuring import Side, over_http
from bench.plan import FEW_ORDERS
from bench.stack import Stack, open_stack
from bench.works.bench import Bench, rate_row


def grown(bench: Bench) -> list[Row]:
    """`add` on the run's own panel, in turns with one that has few orders: each has a cluster of its own."""
    stack = bench.stack
    with open_stack(replace(stack.plan, orders=FEW_ORDERS, compared=False)) as young:
        sides = {"grown": _adding(stack), "young": _adding(young)}
        figures = bench.measure("grown", sides)
        bench.verified["young"] = young.verify()
    bench.verified["grown"] = stack.verify()
    row = rate_row(
        f"add, {stack.plan.orders:,} orders present",
        figures["grown"],
        figures["young"],
        against=f"{FEW_ORDERS:,} present",
        goal=0.85,
        issue=5,
    )
    return [replace(row, note="orders present before the first turn; each turn leaves more in both")]


def _adding(stack: Stack) -> Side:
    bodies = add_bodies(stack.filled, customers=stack.plan.customers)
    many = stack.plan.connections
    return over_http(stack, stack.hawker(), "/api/v2", bodies, connections=many, database="hawker", writes=True)
