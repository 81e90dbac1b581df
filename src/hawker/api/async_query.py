"""A query that the event loop sends to the database itself, without a thread.

For a statement as small as that of balances a thread costs more than the batch: the thread and the loop take the GIL
from each other twenty times for one query (measured, docs/performance.md).

It is an optimisation only. Whatever is out of the ordinary (no connection yet, a broken one, an error, a timeout) is
left to the thread pool that runs all other batches, with its retries and its errors.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Generic, TypeAlias, TypeVar

import psycopg
import structlog
from psycopg.pq import ConnStatus, ExecStatus

from hawker.core.sql import connect_apart

Ask = TypeVar("Ask")
Reply = TypeVar("Reply")
Rows: TypeAlias = list[tuple[bytes, ...]]
"""Values as the database writes them; NULL is empty."""

TIMEOUT_SECONDS = 0.5
"""How long to wait for the result before the thread pool runs the query."""

RETRY_SECONDS = 1.0
"""Time between two attempts to connect."""

_STATEMENT_NAME = b"async_query"

log = structlog.get_logger(__name__)


class AsyncQuery(Generic[Ask, Reply]):
    """A connection with one prepared statement, opened when it is first needed and again after it broke.

    All but the opening happens in the event loop. It runs one query at a time; the thread pool runs the others.
    """

    def __init__(
        self,
        statement: str,
        *,
        write: Callable[[Sequence[Ask]], bytes],
        read: Callable[[Sequence[Ask], Rows], Sequence[Reply]],
        executor: Executor,
    ) -> None:
        """`statement` only reads and has one parameter, `$1`, which `write` makes of the asks; `read` answers them, in
        their order, from the rows. The connection is opened in `executor`.
        """
        self._statement = statement.encode()
        self._write = write
        self._read = read
        self._executor = executor
        self._raw: psycopg.Connection[tuple[object, ...]] | None = None
        self._tried_at = -RETRY_SECONDS
        self._socket = -1
        self._opening = False
        self._closed = False
        self._on_rows: Callable[[Rows | None], None] | None = None
        self._rows: Rows | None = None
        self._timeout: asyncio.TimerHandle | None = None
        self.answered = 0

    def ask(self, asks: Sequence[Ask], then: Callable[[Sequence[Reply] | None], None]) -> bool:
        """Send the query and have `then` called with the replies, or with None where the thread pool must run it.

        Returns False, and never calls `then`, where nothing can be sent now.
        """
        raw = self._raw
        if raw is None or self._on_rows is not None:
            self._open()
            return False
        try:
            raw.pgconn.send_query_prepared(_STATEMENT_NAME, [self._write(asks)])
            # A query is small: where the socket does not take it at once, something is wrong.
            if raw.pgconn.flush() != 0:
                raise psycopg.OperationalError("the socket takes no more")
        except psycopg.Error as error:
            self._drop(str(error))
            return False
        self._on_rows = partial(self._answer, asks, then)
        self._timeout = asyncio.get_running_loop().call_later(TIMEOUT_SECONDS, self._drop, "no answer in time")
        return True

    def close(self) -> None:
        """Close the connection. The thread pool runs the query that is under way."""
        self._closed = True
        self._drop("closed")

    # --- the connection -----------------------------------------------------------------------------

    def _open(self) -> None:
        now = time.monotonic()
        if self._raw is not None or self._opening or self._closed or now - self._tried_at < RETRY_SECONDS:
            return
        self._opening, self._tried_at = True, now
        opened = asyncio.get_running_loop().run_in_executor(self._executor, self._connect)
        opened.add_done_callback(self._take)

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        raw = connect_apart()
        prepared = raw.pgconn.prepare(_STATEMENT_NAME, self._statement)
        if prepared.status != ExecStatus.COMMAND_OK:
            raw.close()
            raise psycopg.OperationalError(prepared.get_error_message())
        return raw

    def _take(self, opened: "asyncio.Future[psycopg.Connection[tuple[object, ...]]]") -> None:
        self._opening = False
        error = None if opened.cancelled() else opened.exception()
        if opened.cancelled() or error is not None:
            # The thread pool raises and logs the same error.
            log.debug("not connected", why=str(error))
            return
        raw = opened.result()
        try:
            if self._closed:
                raise psycopg.OperationalError("closed")
            # A duplicate: the driver closes its socket as soon as it fails, while the loop still watches the number.
            self._socket = os.dup(raw.pgconn.socket)
        except (psycopg.Error, OSError) as failure:
            log.debug("connection dropped", why=str(failure))
            raw.close()
            return
        self._raw = raw
        asyncio.get_running_loop().add_reader(self._socket, self._read_input)

    def _drop(self, why: str) -> None:
        raw, self._raw = self._raw, None
        if raw is not None:
            log.debug("connection dropped", why=why)
            asyncio.get_running_loop().remove_reader(self._socket)
            os.close(self._socket)
            raw.close()
        self._end(None)

    # --- the answer ---------------------------------------------------------------------------------

    def _read_input(self) -> None:
        """Something has come: the answer, a part of it, a notice, or the end of the server."""
        assert self._raw is not None, "heard only while there is a connection"
        try:
            pgconn = self._raw.pgconn
            pgconn.consume_input()
            if pgconn.status != ConnStatus.OK:
                raise psycopg.OperationalError("the connection ended")
            while self._on_rows is not None and not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    self._end(self._rows)
                    return
                if result.status != ExecStatus.TUPLES_OK:
                    raise psycopg.OperationalError(result.get_error_message())
                columns, value = range(result.nfields), result.get_value
                self._rows = [tuple([value(row, column) or b"" for column in columns]) for row in range(result.ntuples)]
        except psycopg.Error as error:
            self._drop(str(error))

    def _end(self, rows: Rows | None) -> None:
        settle, self._on_rows, self._rows = self._on_rows, None, None
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        if settle is not None:
            settle(rows)

    def _answer(self, asks: Sequence[Ask], then: Callable[[Sequence[Reply] | None], None], rows: Rows | None) -> None:
        replies = None
        if rows is not None:
            try:
                replies = self._read(asks, rows)
                self.answered += 1
            except Exception:
                # The thread pool finds out which of them it is, and answers the others.
                log.exception("rows cannot be read", asks=len(asks))
        then(replies)
