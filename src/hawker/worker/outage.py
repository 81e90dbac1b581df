"""A database that is away, told in one line when it goes and one when it is back, whoever notices how often."""

import asyncio
import logging
import time
from collections.abc import Iterator

import psycopg
import psycopg_pool
import structlog

from hawker.core.errors import Unavailable
from hawker.core.sql import in_transaction
from hawker.worker.threads import in_thread

_LOOK_SECONDS = 0.5
_QUIET_SECONDS = 10.0

_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout, Unavailable)

log = structlog.get_logger(__name__)


class Outage(logging.Filter):
    """Whether the database is away, as this process has it. As a filter of a handler it keeps the engine's own words of
    an outage (a traceback for each part of it that fails, a line for each try of its pool) out of the log."""

    def __init__(self) -> None:
        super().__init__()
        self._since: float | None = None
        self._noted_at = 0.0
        self._engine_at = 0.0

    def note(self, why: object) -> None:
        """Something could not be done because the database is away."""
        self._noted_at = time.monotonic()
        if self._since is None:
            self._since = self._noted_at
            log.warning("the database is unavailable: waiting for it", why=" ".join(str(why).split())[:300])

    def engine_began(self) -> None:
        """The engine has its connections."""
        self._engine_at = time.monotonic()

    async def keep_watching(self) -> None:
        """Look whether the database is back, while it is away; until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._since is not None and await self._is_back():
                seconds = round(time.monotonic() - self._since, 1)
                self._since = None
                log.warning("the database is back", seconds=seconds)

    async def _is_back(self) -> bool:
        # The engine notices a short outage late, and begins anew then: that still is the same one.
        began_anew = self._since is not None and self._engine_at > self._since
        if not began_anew and time.monotonic() - self._noted_at < _QUIET_SECONDS:
            return False
        try:
            await in_thread(in_transaction, lambda cursor: cursor.execute("SELECT 1"))
        except Unavailable as error:
            self.note(error)
            return False
        return True

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what the engine or its pool says of an outage: that was told already."""
        # The loop tells of a job of the engine's whose end could not be written down.
        if not record.name.startswith(("procrastinate", "psycopg", "asyncio")):
            return True
        error = record.exc_info[1] if record.exc_info else None
        found = next((cause for cause in _causes(error) if isinstance(cause, _AWAY)), None)
        if found is not None:
            self.note(found)
            return False
        told = record.getMessage()
        if record.levelno == logging.WARNING and (record.name == "psycopg.pool" or "OperationalError" in told):
            self.note(told)
            return False
        return True


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


outage = Outage()
"""Of this process."""
