"""Operations on many subjects: the dry run, the progress, the kill in the middle."""

from collections.abc import Sequence
from typing import Any

import pytest

from hawker.audit.actions import list_audit_events
from hawker.ledger.customers import OpenedCustomer
from hawker.operations import jobs
from hawker.operations.errors import BadInput, NoSuchJob, NotPermitted, Refused
from hawker.operations.jobs import Selection, advance_job, find_job, find_open_jobs, read_items, start_job, stop_job
from hawker.operations.running import EVERYTHING
from panel import Panel
from people import ANNA


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="1000.00")


def placed(panel: Panel, customer: OpenedCustomer, count: int) -> list[int]:
    service = panel.service()
    return [panel.place(customer, service, link=f"https://example.com/{n}") for n in range(count)]


def start(panel: Panel, orders: Sequence[int], **more: Any) -> jobs.JobView:
    asked: dict[str, Any] = {"permissions": EVERYTHING} | more
    return start_job(
        "order.cancel",
        {"reason": "closing"},
        Selection(ids=tuple(map(str, orders))),
        actor=ANNA,
        now=panel.clock.now(),
        **asked,
    )


def test_a_few_are_done_at_once(panel: Panel, customer: OpenedCustomer) -> None:
    orders = placed(panel, customer, 3)
    job = start(panel, [*orders, 999_999])
    assert (job.state, job.total, job.done, job.refused) == ("finished", 4, 3, 1)
    assert job.moved == {"refund": "0.27"}
    assert [(item.subject, item.state) for item in read_items(job.job)] == [
        *((str(order), "done") for order in orders),
        ("999999", "refused"),
    ]
    assert len(list_audit_events(action="order.cancel", limit=10)) == 3
    assert panel.balance(customer) == 1_000_000_000


def test_a_dry_run_says_what_would_be_and_changes_nothing(panel: Panel, customer: OpenedCustomer) -> None:
    orders = placed(panel, customer, 3)
    before = panel.balance(customer)
    job = start(panel, [*orders, 999_999], dry_run=True)
    assert (job.done, job.refused, job.moved) == (3, 1, {"refund": "0.27"})
    assert [item.answer for item in read_items(job.job) if item.state == "refused"] == ["there is no order 999999"]
    assert panel.balance(customer) == before
    assert {panel.order(order)["state"] for order in orders} == {"queued"}
    assert not list_audit_events(action="order.cancel", limit=10)


def test_many_are_left_to_a_worker(panel: Panel, customer: OpenedCustomer) -> None:
    orders = placed(panel, customer, jobs.INLINE + 1)
    job = start(panel, orders)
    assert (job.state, job.done) == ("waiting", 0)
    assert find_open_jobs(now=panel.clock.now()) == [job.job]
    assert advance_job(job.job, now=panel.clock.now(), limit=5) == 5
    assert (find_job(job.job).state, find_job(job.job).done) == ("running", 5)
    advance_job(job.job, now=panel.clock.now())
    assert (find_job(job.job).state, find_job(job.job).done) == ("finished", len(orders))
    assert not find_open_jobs(now=panel.clock.now())


def test_a_job_that_is_stopped_keeps_what_was_done(panel: Panel, customer: OpenedCustomer) -> None:
    orders = placed(panel, customer, jobs.INLINE + 1)
    job = start(panel, orders)
    advance_job(job.job, now=panel.clock.now(), limit=2)
    assert stop_job(job.job, now=panel.clock.now())
    assert not stop_job(job.job, now=panel.clock.now())
    assert advance_job(job.job, now=panel.clock.now()) == 0
    stopped = find_job(job.job)
    assert (stopped.state, stopped.done) == ("stopped", 2)


def test_a_job_under_an_id_is_made_once(panel: Panel, customer: OpenedCustomer) -> None:
    orders = placed(panel, customer, 2)
    first, again = (start(panel, orders, operation_id="the second click") for _ in range(2))
    assert first.job == again.job


def test_a_job_needs_a_permission_a_selection_and_an_operation_for_many(panel: Panel, customer: OpenedCustomer) -> None:
    orders = placed(panel, customer, 1)
    with pytest.raises(NotPermitted):
        start(panel, orders, permissions=set())
    with pytest.raises(BadInput, match="nothing is selected"):
        start(panel, [])
    with pytest.raises(BadInput, match="one subject at a time"):
        start_job(
            "order.partial",
            {"remains": 1, "reason": "x"},
            Selection(ids=("1",)),
            actor=ANNA,
            permissions=EVERYTHING,
            now=panel.clock.now(),
        )
    with pytest.raises(Refused, match="more than"):
        start(panel, range(1, jobs.MAX_SUBJECTS + 2))
    with pytest.raises(NoSuchJob):
        find_job(1)
