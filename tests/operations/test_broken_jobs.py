"""Jobs on many subjects that are stopped, killed, refused or old: nothing is lost, done twice or kept for ever."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from hawker.accounts.models import User
from hawker.audit.actions import lock_subject
from hawker.core.errors import Unavailable
from hawker.core.sql import connect_apart, one_transaction
from hawker.operations import jobs
from hawker.operations.errors import BadInput, NoSuchJob, OperationIdReused, Refused
from hawker.operations.jobs import Selection, advance_job, find_job, find_open_jobs, forget_jobs, start_job, stop_job
from hawker.operations.once import forget_runs
from hawker.operations.running import EVERYTHING
from hawker.worker.tasks import run_job
from hawker.worker.threads import in_thread
from panel import Panel
from people import ANNA

ID = "9a5f7c1e-0000-4d0e-a2b4-0d9c8d1f3c11"


def start(
    panel: Panel, name: str, subjects: Sequence[object], values: Mapping[str, Any] | None = None, **more: Any
) -> jobs.JobView:
    return start_job(
        name,
        values or {},
        Selection(ids=tuple(map(str, subjects))),
        actor=ANNA,
        permissions=EVERYTHING,
        now=panel.clock.now(),
        **more,
    )


@contextmanager
def short_lock_waits() -> Iterator[None]:
    """Statements of this thread wait for a lock for a moment only."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


def wait_for_a_waiting_lock() -> None:
    """Until a statement of another connection waits for an advisory lock."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone() != (0,):
                return
            time.sleep(0.01)


def test_a_job_that_is_stopped_within_a_subject_keeps_and_counts_that_one(panel: Panel) -> None:
    customer, service = panel.customer(), panel.service()
    orders = [panel.place(customer, service, link=f"https://example.com/{n}") for n in range(2)]
    job = start(panel, "order.cancel", [*orders, *range(900_000, 900_000 + jobs.INLINE)], {"reason": "closing"})
    done: list[int] = []

    def work() -> None:
        try:
            done.append(advance_job(job.job, now=panel.clock.now()))
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    with one_transaction():
        lock_subject("order", orders[0])
        worker.start()
        wait_for_a_waiting_lock()
        assert stop_job(job.job, now=panel.clock.now())
    worker.join()
    assert done == [1]
    stopped = find_job(job.job)
    assert (stopped.state, stopped.done, stopped.refused) == ("stopped", 1, 0)
    assert [panel.order(order)["state"] for order in orders] == ["canceled", "queued"]


def test_a_small_job_whose_asker_was_cut_off_is_finished_by_a_worker_or_a_repeated_command(panel: Panel) -> None:
    emails = [User.objects.get(id=panel.customer().user_id).email for _ in range(2)]
    with connect_apart() as other, short_lock_waits(), other.transaction():
        other.execute("SELECT FROM app_user WHERE email = %s FOR UPDATE", (emails[1],))
        with pytest.raises(Unavailable):
            start(panel, "customer.disable", emails, operation_id=ID)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM job")
        ((number,),) = cursor.fetchall()
    assert (find_job(number).state, find_job(number).done, find_job(number).refused) == ("running", 1, 0)
    assert not find_open_jobs(now=panel.clock.now())
    panel.clock.advance(minutes=3)
    assert find_open_jobs(now=panel.clock.now()) == [number]
    again = start(panel, "customer.disable", emails, operation_id=ID)
    assert (again.job, again.state, again.done, again.refused) == (number, "finished", 2, 0)


def test_an_id_of_a_dry_run_is_not_that_of_the_job_and_the_order_of_fields_says_nothing(panel: Panel) -> None:
    order = panel.place(panel.customer(), panel.service())
    start(panel, "order.release", [order], {"reason": "x", "at_a_loss": True}, operation_id=ID, dry_run=True)
    with pytest.raises(OperationIdReused):
        start(panel, "order.release", [order], {"reason": "x", "at_a_loss": True}, operation_id=ID)
    start(panel, "order.release", [order], {"at_a_loss": True, "reason": "x"}, operation_id=ID, dry_run=True)


def test_a_job_of_an_operation_that_is_no_more_is_stopped(panel: Panel) -> None:
    job = start(panel, "order.cancel", range(1, jobs.INLINE + 2), {"reason": "closing"})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE job SET operation = 'order.destroy'")
    assert advance_job(job.job, now=panel.clock.now()) == 0
    assert find_job(job.job).state == "stopped"
    assert not find_open_jobs(now=panel.clock.now())


def test_old_jobs_and_ids_are_forgotten_with_all_that_is_theirs(panel: Panel) -> None:
    old = [start(panel, "order.cancel", [1], {"reason": "closing"}, operation_id=f"{ID}{n}") for n in range(3)]
    panel.clock.advance(days=60)
    young = start(panel, "order.cancel", [1], {"reason": "closing"}, operation_id=ID)
    panel.clock.advance(days=31)
    assert forget_jobs(now=panel.clock.now()) == 3
    assert forget_jobs(now=panel.clock.now()) == 0
    assert forget_runs(now=panel.clock.now()) == 4
    assert find_job(young.job).refused == 1
    for job in old:
        with pytest.raises(NoSuchJob):
            find_job(job.job)


@pytest.mark.parametrize("text", ["1e2", "100.0", "0100", " 100", "1" * 300, "1\0", "\udcff"])
def test_a_number_has_one_name(panel: Panel, text: str) -> None:
    """Or one subject could be twice in a selection."""
    with pytest.raises(BadInput):
        start(panel, "order.cancel", [text], {"reason": "closing"})


def test_a_selection_that_names_nothing_is_refused_whole(panel: Panel) -> None:
    service = panel.service()
    for wrong in ("1" * 30, "x"):
        with pytest.raises(BadInput):
            start(panel, "service.disable", [service.id, wrong])
    with pytest.raises(Refused):
        start(panel, "service.disable", [service.id, service.id + 1])
    service.refresh_from_db()
    assert service.enabled
    with pytest.raises(BadInput, match="the list orders has no column email"):
        start_job(
            "customer.disable",
            {},
            Selection(list_name="orders"),
            actor=ANNA,
            permissions=EVERYTHING,
            now=panel.clock.now(),
        )


def test_jobs_that_wait_leave_the_threads_of_the_sweeps_free(panel: Panel) -> None:
    order = panel.place(panel.customer(), panel.service())
    selected = [order, *range(900_000, 900_000 + jobs.INLINE)]
    numbers = [start(panel, "order.cancel", selected, {"reason": f"closing {n}"}).job for n in range(5)]

    async def work(release: Callable[[], object]) -> None:
        running = [asyncio.create_task(run_job(job_id=number)) for number in numbers]
        try:
            async with asyncio.timeout(10):
                await in_thread(wait_for_a_waiting_lock)
                assert await in_thread(find_open_jobs, now=panel.clock.now()) == numbers
        finally:
            release()
            for number in numbers:
                await in_thread(stop_job, number, now=panel.clock.now())
            await asyncio.gather(*running)

    with connect_apart() as other:
        other.execute("BEGIN")
        other.execute("SELECT FROM orders WHERE id = %s FOR UPDATE", (order,))
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1635083369))", (f"order {order}",))
        asyncio.run(work(lambda: other.execute("ROLLBACK")))
    assert sum(find_job(number).done for number in numbers) == 1
