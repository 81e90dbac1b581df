"""The jobs of procrastinate: a pulse that sees what is due, and the sweeps that it asks for.

A job may run twice, late, or on two machines at once: nothing here guards an order.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog
from django.db import connection
from procrastinate import exceptions
from procrastinate.contrib.django import app

from hawker.core.errors import Unavailable
from hawker.core.settings import settings
from hawker.health.check import check_when_due
from hawker.limits.actions import forget_full
from hawker.operations.jobs import advance_job, find_open_jobs, forget_jobs
from hawker.operations.once import forget_runs
from hawker.orders import forget_requests
from hawker.orders.models import WorkKind
from hawker.providers.balances import thin_readings
from hawker.worker.outage import outage
from hawker.worker.sweeps import sweeps
from hawker.worker.threads import in_job_thread, in_thread
from hawker.worker.upkeep import check_balances, forget_engine_jobs, move_orders, sync, watch

PULSE = "hawker.pulse"
PULSE_LOCK = "pulse"
UPKEEP = "hawker.upkeep"
SYNC = "hawker.sync_prices"
FORGET = "hawker.forget_limits"
JOBS = "hawker.find_jobs"

JOB_SLICE = 100
"""How many subjects of a job are done before other sweeps of the worker have their turn."""

log = structlog.get_logger(__name__)


@app.periodic(cron="* * * * * *", periodic_id="pulse", queueing_lock=PULSE_LOCK)
@app.task(name=PULSE, queueing_lock=PULSE_LOCK, queue="pulse")
async def pulse(timestamp: int = 0) -> None:
    """Every second, and at once when orders were placed: end dead leases, ask for the sweeps that are due."""
    del timestamp
    try:
        await sweeps.expire()
        await sweeps.wake_held()
        await move_orders(sweeps.clock)
        due = await sweeps.due()
    except Unavailable as error:
        outage.note(error)
        return
    for provider_id, kind in due:
        lock = f"sweep:{kind.value}:{provider_id}"
        try:
            await sweep.configure(queueing_lock=lock).defer_async(provider_id=provider_id, kind=kind.value)
        except exceptions.AlreadyEnqueued:
            continue


@app.periodic(cron="* * * * * */15", periodic_id="upkeep", queueing_lock=UPKEEP)
@app.task(name=UPKEEP, queueing_lock=UPKEEP, queue="sweep")
async def upkeep(timestamp: int = 0) -> None:
    """Four times a minute: balances that are due, and unknowns that stay."""
    del timestamp
    try:
        await watch(sweeps.clock)
        await check_balances(sweeps.clock, sweeps.opener)
    except Unavailable as error:
        outage.note(error)


@app.periodic(cron="* * * * * 45", periodic_id="sync", queueing_lock=SYNC)
@app.task(name=SYNC, queueing_lock=SYNC, queue="sweep")
async def sync_prices(timestamp: int = 0) -> None:
    """Once a minute: the catalogues of providers whose prices are followed."""
    del timestamp
    try:
        await sync(sweeps.clock, sweeps.opener)
    except Unavailable as error:
        outage.note(error)


@app.task(name="hawker.sweep", queue="sweep")
async def sweep(provider_id: int, kind: str) -> None:
    """Do one provider's due work of one kind."""
    await sweeps.run(provider_id, WorkKind(kind))
    if kind == WorkKind.DRIP:
        # The runs that were started are to be sent: at once, not with the next second's pulse.
        with suppress(exceptions.AlreadyEnqueued):
            await pulse.configure(queueing_lock=PULSE_LOCK).defer_async()


@app.periodic(cron="7 * * * *", periodic_id="check")
@app.task(name="hawker.check", queueing_lock="hawker.check", queue="sweep")
async def check_books(timestamp: int = 0) -> None:
    """Every hour: where it is time again, check every invariant, in a thread of its own: it may take minutes."""
    del timestamp
    try:
        await asyncio.to_thread(_check)
    except Unavailable as error:
        outage.note(error)


def _check() -> None:
    try:
        check_when_due(sweeps.clock)
    finally:
        connection.close()


@app.periodic(cron="* * * * *", periodic_id="forget")
@app.task(name=FORGET, queueing_lock=FORGET, queue="sweep")
async def forget_limits(timestamp: int = 0) -> None:
    """Every minute: delete the counts of limits that say nothing any more. A count lives for a minute itself, so the
    tables hold what two or three minutes bring."""
    del timestamp
    try:
        await in_thread(forget_full)
    except Unavailable as error:
        outage.note(error)


@app.periodic(cron="* * * * * */5", periodic_id="jobs", queueing_lock=JOBS)
@app.task(name=JOBS, queueing_lock=JOBS, queue="sweep")
async def find_jobs(timestamp: int = 0) -> None:
    """Every five seconds: carry on the jobs on many subjects that nobody is at work on."""
    del timestamp
    try:
        open_jobs = await in_thread(find_open_jobs, now=sweeps.clock.now())
    except Unavailable as error:
        outage.note(error)
        return
    for job_id in open_jobs:
        with suppress(exceptions.AlreadyEnqueued):
            await run_job.configure(queueing_lock=f"job:{job_id}").defer_async(job_id=job_id)


@app.task(name="hawker.job", queue="sweep")
async def run_job(job_id: int) -> None:
    """Do the next subjects of a job. Two workers may be at it: each takes subjects that no other has."""
    try:
        done = await in_job_thread(advance_job, job_id, now=sweeps.clock.now(), limit=JOB_SLICE)
    except Unavailable as error:
        outage.note(error)
        return
    if done == JOB_SLICE:
        # At once, and not with the next look: what is asked for is to be done soon, and other sweeps have their turn.
        with suppress(exceptions.AlreadyEnqueued):
            await run_job.configure(queueing_lock=f"job:{job_id}").defer_async(job_id=job_id)


@app.periodic(cron="23 4 * * *", periodic_id="retention")
@app.task(name="hawker.retention", queueing_lock="hawker.retention", queue="sweep")
async def delete_old_rows(timestamp: int = 0) -> None:
    """Every night: delete what is kept for some time only (the table of docs/operations.md)."""
    del timestamp
    now = sweeps.clock.now()
    try:
        requests = await in_thread(forget_requests, before=now - timedelta(days=settings().request_id_days))
        readings = await in_thread(thin_readings, now=now)
        engine_jobs = await in_thread(forget_engine_jobs, before=now - timedelta(days=1))
        operation_ids = await in_thread(forget_runs, now=now)
        jobs = await in_thread(forget_jobs, now=now)
    except Unavailable as error:
        outage.note(error)
        return
    log.info(
        "old rows deleted",
        request_ids=requests,
        balance_readings=readings,
        engine_jobs=engine_jobs,
        operation_ids=operation_ids,
        jobs=jobs,
    )
