"""Drip-feeds under several hands, under kills and past the code: each run once, and the checker sees what is wrong."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection

from hawker.core.failpoints import InjectedFault, arm, disarm
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import CancelAsk, request_cancels, start_due_runs
from hawker.orders.invariants import check_invariants
from hawker.orders.models import Drip, Order, WorkKind
from hawker.worker.sweeps import Sweeps
from panel import Panel
from processes import SandboxProcess


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="1000.00")


def place(panel: Panel, customer: OpenedCustomer, count: int, *, runs: int = 3) -> list[int]:
    service = panel.service(minimum=1, dripfeed=True, cancel=True)
    return [panel.place(customer, service, runs=runs, interval=10, quantity=10) for _ in range(count)]


def test_side_by_side_sweeps_start_each_run_once(panel: Panel, customer: OpenedCustomer) -> None:
    orders = place(panel, customer, 60, runs=4)

    async def together() -> None:
        workers = [Sweeps(clock=panel.clock) for _ in range(6)]
        await asyncio.gather(*(worker.run(0, WorkKind.DRIP) for worker in workers))

    for run in range(1, 5):
        asyncio.run(together())
        assert Order.objects.filter(parent_id__in=orders).count() == 60 * run
        assert set(Drip.objects.values_list("started", flat=True)) == {run}
        panel.clock.advance(minutes=10)


def test_a_cancel_and_a_sweep_at_the_same_moment_end_in_exact_refunds(panel: Panel, customer: OpenedCustomer) -> None:
    """Whichever comes first, a run is either started and then canceled in the queue, or never started."""
    orders = place(panel, customer, 40)
    now = panel.clock.now()

    def sweep() -> None:
        try:
            start_due_runs(limit=5, now=now)
        finally:
            connection.close()

    def cancel(order: int) -> None:
        try:
            request_cancels([CancelAsk(customer.account_id, [str(order)])], now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(sweep) for _ in range(10)] + [pool.submit(cancel, order) for order in orders]
        for job in jobs:
            job.result()
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert panel.balance(customer) == 1_000_000_000
    assert set(Order.objects.values_list("state", flat=True)) == {"canceled"}


@pytest.mark.parametrize("point", ["drip-before-commit", "place-before-commit", "cancel-before-commit"])
def test_what_dies_before_its_commit_leaves_nothing_behind(panel: Panel, customer: OpenedCustomer, point: str) -> None:
    (order,) = place(panel, customer, 1)
    start_due_runs(limit=5, now=panel.clock.now())
    panel.clock.advance(minutes=10)
    before, balance, orders = panel.order(order), panel.balance(customer), Order.objects.count()
    verbs: dict[str, Callable[[], object]] = {
        "drip-before-commit": lambda: start_due_runs(limit=5, now=panel.clock.now()),
        "place-before-commit": lambda: place(panel, customer, 1),
        "cancel-before-commit": lambda: request_cancels(
            [CancelAsk(customer.account_id, [str(order)])], now=panel.clock.now()
        ),
    }
    arm(f"{point}=raise")
    try:
        with pytest.raises(InjectedFault):
            verbs[point]()
    finally:
        disarm()
    assert (panel.order(order), panel.balance(customer), Order.objects.count()) == (before, balance, orders)
    start_due_runs(limit=5, now=panel.clock.now())
    assert [child["part"] for child in panel.order(order)["children"]] == [1, 2]


def refused(statement: str, error: type[Exception]) -> None:
    """The application's statement fails this way, and changes nothing."""
    with pytest.raises(error), psycopg.connect(settings().folder.embedded_url("hawker_app")) as app:
        app.execute(statement)  # type: ignore[arg-type]


COPY_RUN = """
    INSERT INTO orders (account_id, service_id, type, state, link, quantity, rate, charge_micros, refunded_micros,
                        earned_micros, settlements, parent_id, part, from_parent, created_at, updated_at,
                        origin)
    SELECT account_id, service_id, type, 'queued', link, quantity, rate, 0, 0, 0, 0, parent_id, part, true,
           created_at, updated_at, 'drip_feed'
      FROM orders WHERE parent_id = {order} AND part = 2
"""


def test_the_database_refuses_what_no_code_may_do(panel: Panel, customer: OpenedCustomer) -> None:
    (order,) = place(panel, customer, 1)
    for _ in range(2):
        start_due_runs(limit=5, now=panel.clock.now())
        panel.clock.advance(minutes=10)
    for change in ("started = 1", "ended = -1", "interval_minutes = 5", "stops_after = 4"):
        refused(f"UPDATE drip SET {change} WHERE order_id = {order}", psycopg.errors.RestrictViolation)
    for change in ("started = 4", "ended = 3", "stops_after = 1"):
        refused(f"UPDATE drip SET {change} WHERE order_id = {order}", psycopg.errors.CheckViolation)
    refused(f"DELETE FROM drip WHERE order_id = {order}", psycopg.errors.InsufficientPrivilege)
    refused(f"UPDATE orders SET runs = 4 WHERE id = {order}", psycopg.errors.RestrictViolation)
    refused(f"UPDATE orders SET handed_micros = 0 WHERE id = {order}", psycopg.errors.RestrictViolation)
    refused(COPY_RUN.format(order=order), psycopg.errors.UniqueViolation)


@pytest.mark.parametrize(
    ("harm", "mend", "found"),
    [
        ("UPDATE drip SET started = 1", "UPDATE drip SET started = 2", "1 runs started, 0 ended; there are 2"),
        ("UPDATE drip SET ended = 1", "UPDATE drip SET ended = 0", "1 ended; there are 2"),
        ("UPDATE orders SET part = 3 WHERE part = 2", "UPDATE orders SET part = 2 WHERE part = 3", "numbered to 3"),
        ("UPDATE orders SET link = '@x' WHERE part = 2", "UPDATE orders SET link = '@y' WHERE part = 2", "another"),
        ("UPDATE orders SET quantity = 9 WHERE part = 2", "UPDATE orders SET quantity = 10 WHERE part = 2", "another"),
        ("UPDATE orders SET runs = NULL WHERE runs = 3", "UPDATE orders SET runs = 3 WHERE part IS NULL", "missing"),
        ("UPDATE work SET kind = 'follow'", "UPDATE work SET kind = 'drip'", "the next is not due"),
        (
            "UPDATE work SET due_at = NULL",
            "UPDATE work SET due_at = now()",
            "the next is not due",
        ),
        (
            "UPDATE orders SET state = 'completed', earned_micros = charge_micros - handed_micros WHERE runs = 3",
            "UPDATE orders SET state = 'active', earned_micros = 0 WHERE runs = 3",
            "completed with 2 of 3 runs started and 0 ended",
        ),
        ("UPDATE drip SET stops_after = 2", "UPDATE drip SET stops_after = 3", "neither refunded nor handed down"),
    ],
)
def test_the_checker_finds_what_is_wrong_with_a_drip_feed(
    panel: Panel, customer: OpenedCustomer, harm: str, mend: str, found: str
) -> None:
    service = panel.service(minimum=1, dripfeed=True)
    panel.place(customer, service, runs=3, interval=10, quantity=10, link="@y")
    for _ in range(2):
        start_due_runs(limit=5, now=panel.clock.now())
        panel.clock.advance(minutes=10)
    panel.assert_verified()
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(harm)  # type: ignore[arg-type]
        breaches = [breach.what for breach in check_invariants().breaches if breach.invariant == "drip"]
        owner.execute(mend)  # type: ignore[arg-type]
    assert [breach for breach in breaches if found in breach], breaches


def test_many_runs_that_end_in_one_poll_are_counted_each(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer
) -> None:
    service = panel.service(minimum=1, dripfeed=True, provider=panel.provider(sandbox), cost_rate="0.01")
    link = "https://example.com/a?fate=completed"
    orders = [panel.place(customer, service, runs=4, interval=1, quantity=50, link=link) for _ in range(10)]
    for _ in range(5):
        for _ in range(2):
            panel.sweep(WorkKind.DRIP, WorkKind.DISPATCH)
        panel.clock.advance(minutes=1)
    assert len(sandbox.calls("add")) == 40
    sandbox.advance(days=60)
    panel.clock.advance(hours=1)
    panel.sweep(WorkKind.POLL)
    assert set(Drip.objects.values_list("ended", flat=True)) == {4}
    panel.sweep()
    assert {panel.order(order)["state"] for order in orders} == {"completed"}
