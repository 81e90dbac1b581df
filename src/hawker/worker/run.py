"""The worker process: procrastinate's worker around the sweeps, through database outages, to a clean stop."""

import asyncio
import logging
import signal

import psycopg_pool
import structlog
from procrastinate import PsycopgConnector, exceptions
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params

from hawker.core.garbage_collection import tune_garbage_collector
from hawker.health.counter_store import keep_writing_counts
from hawker.worker.outage import outage
from hawker.worker.sweeps import sweeps, worker_name
from hawker.worker.threads import in_thread

CONCURRENCY = 50
"""Jobs at a time: sweeps mostly wait for providers, and a slow one must not keep the others out."""

STOP_SECONDS = 40
"""How long a stop waits for sends in flight: longer than their deadline, so that none ends unknown."""

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0

log = structlog.get_logger(__name__)


def run_worker() -> None:
    """Run until SIGTERM or SIGINT; then claim nothing more, settle what is in flight, and return."""
    tune_garbage_collector()
    asyncio.run(_run())


async def _run() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    for handler in logging.getLogger().handlers:
        handler.addFilter(outage)
    beside = [asyncio.create_task(keep_writing_counts(in_thread)), asyncio.create_task(outage.keep_watching())]
    wait = _FIRST_WAIT
    while not stop.is_set():
        started = loop.time()
        await _run_until_trouble(stop)
        if stop.is_set():
            break
        # The engine gives up when the database goes away; the worker does not.
        wait = _FIRST_WAIT if loop.time() - started > 30 else min(wait * 2, _LONGEST_WAIT)
        try:
            await asyncio.wait_for(stop.wait(), wait)
        except TimeoutError:
            continue
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    log.info("worker stopped", worker=worker_name())


async def _run_until_trouble(stop: asyncio.Event) -> None:
    connector = PsycopgConnector(kwargs=connector_params(), min_size=1, max_size=4, timeout=5.0)
    try:
        with app.replace_connector(connector):
            async with app.open_async():
                outage.engine_began()
                engine = asyncio.create_task(
                    app.run_worker_async(
                        name=worker_name(),
                        concurrency=CONCURRENCY,
                        install_signal_handlers=False,
                        delete_jobs="always",
                        fetch_job_polling_interval=1.0,
                        shutdown_graceful_timeout=STOP_SECONDS,
                    )
                )
                stopping = asyncio.create_task(stop.wait())
                await asyncio.wait({engine, stopping}, return_when=asyncio.FIRST_COMPLETED)
                sweeps.stopping = stop.is_set()
                stopping.cancel()
                engine.cancel()
                await asyncio.gather(engine, return_exceptions=True)
                if engine.done() and not engine.cancelled() and (error := engine.exception()) is not None:
                    raise error
    except (exceptions.ConnectorException, psycopg_pool.PoolTimeout, OSError) as error:
        outage.note(error.__cause__ or error)
