"""The counts of all processes, added up in the database: each process can report them all, and one that ends loses
only its last seconds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import structlog

from hawker.core.counters import Key, give_back, take
from hawker.core.errors import Unavailable
from hawker.core.sql import ask, in_transaction
from hawker.health import queries

WRITE_SECONDS = 5.0
LAST_WRITE_SECONDS = 2.0
_BETWEEN = "\t"
"""Between the parts of a key: names that people give are printable and hold none."""

log = structlog.get_logger(__name__)

InThread: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a verb in one of the process's database threads."""


def add_counts(counted: Mapping[Key, int]) -> None:
    """Add the counts of a process to those in the database. Raises Unavailable."""
    # In one order everywhere, to avoid deadlocks between processes.
    rows = sorted((_BETWEEN.join(key), times) for key, times in counted.items())
    keys, times = map(list, zip(*rows, strict=True))
    in_transaction(lambda cursor: ask(cursor, queries.ADD_TALLIES, (keys, times)))


def read_counts() -> dict[Key, int]:
    """All that was ever counted, by all processes. Raises Unavailable."""
    rows = in_transaction(lambda cursor: ask(cursor, queries.READ_TALLIES).fetchall())
    return {tuple(key.split(_BETWEEN)): times for key, times in rows}


async def write_counts(in_thread: InThread) -> None:
    """Write the counts of this process; they are kept for later where the database is away."""
    counted = take()
    if not counted:
        return
    try:
        await in_thread(partial(add_counts, counted))
    except Unavailable as error:
        give_back(counted)
        log.debug("counts wait to be written", why=str(error))
    except Exception:
        # Not important enough to stop a process.
        log.exception("counts are lost", counts=len(counted))


async def keep_writing_counts(in_thread: InThread) -> None:
    """Write the counts every few seconds until cancelled, then once more."""
    try:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await write_counts(in_thread)
    finally:
        await asyncio.wait([asyncio.ensure_future(write_counts(in_thread))], timeout=LAST_WRITE_SECONDS)
