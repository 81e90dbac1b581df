"""A job on many subjects whose worker is killed is carried on by the next one, and does no subject twice."""

import os
import signal

from hawker.audit.actions import list_audit_events
from hawker.operations.jobs import INLINE, Selection, find_job, read_items, start_job
from hawker.operations.running import EVERYTHING
from panel import Panel
from people import ANNA
from processes import eventually, start_worker


def test_a_killed_workers_job_is_carried_on_and_does_nothing_twice(panel: Panel) -> None:
    customer, service = panel.customer(credit="1000.00"), panel.service()
    count = INLINE + 100
    orders = [panel.place(customer, service, link=f"https://example.com/{n}") for n in range(count)]
    job = start_job(
        "order.cancel",
        {"reason": "closing"},
        Selection(ids=tuple(map(str, orders))),
        actor=ANNA,
        permissions=EVERYTHING,
        now=panel.clock.now(),
    )
    kills = 0
    while kills < 2:
        done = find_job(job.job).done
        with start_worker() as worker:
            eventually("the job goes on", lambda before=done: find_job(job.job).done > before, seconds=120)
            if find_job(job.job).finished_at is None:
                os.kill(worker.pid, signal.SIGKILL)
        kills += 1
    assert find_job(job.job).done > 0
    with start_worker():
        eventually("the job ends", lambda: find_job(job.job).finished_at, seconds=240)
    ended = find_job(job.job)
    assert (ended.state, ended.done, ended.refused) == ("finished", count, 0)
    assert {item.state for item in read_items(job.job)} == {"done"}
    told = [event["subject"]["id"] for event in list_audit_events(action="order.cancel", limit=10_000)]
    assert sorted(told) == sorted(map(str, orders))
    assert panel.balance(customer) == 1_000_000_000
