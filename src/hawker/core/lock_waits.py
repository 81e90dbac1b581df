"""Schema changes beside traffic: short waits for locks, repeated, and the name of whoever holds them.

An ALTER TABLE waits for a lock that no reader or writer shares, and every statement that comes after it waits behind
it. Where a backup or a report holds the table for an hour, one patient ALTER would stop the panel for an hour.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Thread
from typing import Any, TypeVar

import psycopg
from django.db import connection

from hawker.core.sql import connect_apart

Result = TypeVar("Result")

_LOOK_SECONDS = 0.2
"""Several looks within each wait for a lock (OWNER_LOCK_TIMEOUT in core/database.py)."""

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 15.0
"""Between two tries traffic has the tables for itself, for at least as long as it had to wait."""

_BLOCKERS = """
    SELECT a.pid, a.application_name, a.usename, host(a.client_addr), a.xact_start,
           (SELECT min(l.relation::regclass::text) FROM pg_locks l
             WHERE l.pid = %(waiting)s AND NOT l.granted AND l.relation IS NOT NULL)
      FROM unnest(pg_blocking_pids(%(waiting)s::int)) AS blocking (pid)
      JOIN pg_stat_activity a ON a.pid = blocking.pid
     ORDER BY a.xact_start NULLS LAST
"""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that holds a lock which was waited for. What the login may not see of it is None or empty."""

    pid: int
    application: str
    user: str
    address: str | None
    since: datetime | None
    table: str | None

    def __str__(self) -> str:
        name = f"process {self.pid} ({self.application or 'no name'}, user {self.user}"
        name += f", from {self.address}" if self.address else ""
        name += f", transaction open since {self.since:%Y-%m-%d %H:%M:%S %Z}" if self.since else ""
        return f"{name}) holds {f'the table {self.table}' if self.table else 'a lock'}"


class LocksHeld(Exception):
    """A lock could not be taken in the time that was given; the message names who held it last."""


def with_short_lock_waits(work: Callable[[], Result], *, give_up_seconds: float, tell: Callable[[str], None]) -> Result:
    """Run `work` on this thread's connection until no lock times out, and return what it returns.

    The connection must have a `lock_timeout`, and `work` must be idempotent: it is run again from its beginning, after
    a pause that grows to 15 s. `tell` gets one sentence when the first wait has failed and each time that somebody else
    holds the lock. Raises LocksHeld after `give_up_seconds`; other errors as they are.
    """
    ends_at, pause, told = time.monotonic() + give_up_seconds, _FIRST_PAUSE_SECONDS, ""
    while True:
        connection.ensure_connection()
        with _watched(connection.connection.info.backend_pid) as blockers:
            try:
                return work()
            except Exception as error:
                if not _is_lock_timeout(error):
                    raise
                cause = error
        held = "; ".join(map(str, blockers)) or "a session that has ended since held a lock"
        if time.monotonic() + pause > ends_at:
            raise LocksHeld(held) from cause
        if held != told:
            tell(f"{held}; trying again until it is free, traffic goes on")
            told = held
        time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - nothing secret
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _is_lock_timeout(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return True
        error = error.__cause__
    return False


@contextmanager
def _watched(waiting: int) -> Iterator[Sequence[Blocker]]:
    """The sessions that block this one, as last seen while the block ran: after a timeout nothing tells any more."""
    blockers: list[Blocker] = []
    over = Event()
    watcher = Thread(target=_watch, args=(waiting, blockers, over), daemon=True)
    watcher.start()
    try:
        yield blockers
    finally:
        over.set()
        watcher.join()


def _watch(waiting: int, blockers: list[Blocker], over: Event) -> None:
    parameters: dict[str, Any] = {"waiting": waiting}
    try:
        with connect_apart() as own:
            while not over.wait(_LOOK_SECONDS):
                if found := own.execute(_BLOCKERS, parameters).fetchall():
                    blockers[:] = [Blocker(*row) for row in found]
    except psycopg.Error:
        # Only the names are lost: whoever waits has a connection of its own.
        return
