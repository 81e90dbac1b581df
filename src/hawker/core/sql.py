"""Running set SQL: one transaction per verb, on this thread's Django connection.

The hot verbs bypass the ORM but not its connection: one driver, one address, one life cycle, one set-up.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import psycopg
from django.db import InterfaceError, OperationalError, connection, transaction
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import namedtuple_row

from hawker.core.connections import set_up_connection
from hawker.core.errors import OutcomeUnknown, Unavailable

Cursor: TypeAlias = psycopg.Cursor[tuple[Any, ...]]
NamedCursor: TypeAlias = psycopg.Cursor[Any]
"""Its rows are named tuples of the columns of its statement."""
Result = TypeVar("Result")

_TRIES = 3

_DJANGOS = frozenset({"cursor_factory", "context", "server_side_binding"})
"""What only Django's own way of asking needs of a connection."""

IDLE, INTRANS, INERROR = TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR


def in_transaction(work: Callable[[Cursor], Result], *, pipelined: bool = False) -> Result:
    """Run `work` in one transaction and return what it returns, committed.

    `pipelined` sends statements without waiting for each answer; reading a result waits for it. The
    last statements then travel with the COMMIT, in one round trip.

    Raises Unavailable when the database is away, full or too busy. Where that happened before the
    COMMIT was sent, the work was run again first (a restarted database, a deadlock victim); where the
    COMMIT itself got no answer it was not, because nobody can know whether it took effect: that is an OutcomeUnknown.
    Any other error of the database is a bug and surfaces as it is, rolled back.

    Inside Django's atomic() it is a part of that transaction: rolled back alone, committed with all, never run again.
    """
    for tries_left in reversed(range(_TRIES)):
        phase = _Phase()
        try:
            raw = _open_connection()
            if connection.in_atomic_block and raw.pgconn.transaction_status == IDLE:
                # Django begins with the first statement; without one, what follows would commit by itself.
                raw.execute("SELECT 1")
            if pipelined and raw.pgconn.transaction_status == IDLE:
                return _run_pipelined(raw, work, phase)
            with raw.transaction():
                result = work(psycopg.Cursor(raw))
                phase.committing = True
            return result
        except psycopg.Error as error:
            # The driver's own words, without a code: it got another number of answers than it asked for, as when the
            # database says right behind the COMMIT's answer that it ends (seen). Nothing of that connection is sure.
            confused = isinstance(error, psycopg.InternalError) and error.sqlstate is None
            lost = confused or _is_lost()
            # A server that takes no writes (a standby by now, or a restore is at work on it) may not be the next one.
            reads_only = isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
            if lost or reads_only or (pipelined and not connection.in_atomic_block):
                # After an error the server skips the rest of a pipeline, and the driver goes on believing that what was
                # skipped is prepared: the connection would fail at it for ever (seen).
                connection.close()
            if not (isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or reads_only or confused):
                raise
            rolled_back = isinstance(error, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)
            again = rolled_back or (not phase.committing and lost)
            if not again or not tries_left or connection.in_atomic_block:
                kind = OutcomeUnknown if phase.committing and lost else Unavailable
                raise kind(str(error)) from error
    raise AssertionError("unreachable")


@contextmanager
def one_transaction() -> Iterator[None]:
    """Django's atomic(), for verbs that belong together and what the ORM writes beside them.

    Raises OutcomeUnknown where the COMMIT gets no answer; other errors as they are, with nothing written.
    """
    is_outermost, committing = not connection.in_atomic_block, False
    try:
        with transaction.atomic():
            yield
            committing = is_outermost
    except (OperationalError, InterfaceError) as error:
        if not committing:
            raise
        raise OutcomeUnknown(str(error)) from error


@dataclass(slots=True)
class _Phase:
    """Whether the COMMIT may have been sent: from then on nobody knows but the database."""

    committing: bool = False


def _run_pipelined(
    raw: "psycopg.Connection[tuple[Any, ...]]", work: Callable[[Cursor], Result], phase: _Phase
) -> Result:
    """One transaction in one pipeline. The driver's own transaction() would wait for the last statements
    before it sends the COMMIT: a round trip more, and a third of the CPU of a small batch (measured).
    """
    try:
        with raw.pipeline():
            raw.execute("BEGIN")
            result = work(psycopg.Cursor(raw))
            # A statement that failed on the way takes the COMMIT with it: the server skips what follows it.
            phase.committing = True
            raw.execute("COMMIT")
    except BaseException:
        if not raw.closed and raw.pgconn.transaction_status in (INTRANS, INERROR):
            raw.execute("ROLLBACK")
        raise
    return result


def read_rows(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of one statement that only reads, in one round trip: a transaction around it would cost two more.

    Raises Unavailable when the database is away, full or too busy; one that was restarted is asked again first.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            return _open_connection().execute(statement, parameters).fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            again = _is_lost()
            if again:
                connection.close()
            if not again or not tries_left:
                raise Unavailable(str(error)) from error
    raise AssertionError("unreachable")


def connect_apart() -> "psycopg.Connection[tuple[Any, ...]]":
    """A connection of the caller's own, set up as this process's others are, each statement a transaction of its own.

    Raises psycopg.Error where the database is away.
    """
    parameters = connection.get_connection_params()
    raw: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(
        **{name: value for name, value in parameters.items() if name not in _DJANGOS}, autocommit=True
    )
    set_up_connection(raw)
    return raw


def in_snapshot(work: Callable[[Cursor], Result]) -> Result:
    """Run `work`, which only reads, over one snapshot of the database, however long it takes."""

    def read(cursor: Cursor) -> Result:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = 0")
        return work(cursor)

    return in_transaction(read)


def ask(cursor: Cursor, statement: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> Cursor:
    """Send a statement on the cursor's connection and answer the cursor its rows will come to.

    In a pipelined transaction nothing is waited for until the rows are read, so several questions
    asked before the first is read share one round trip.
    """
    asked = psycopg.Cursor(cursor.connection)
    asked.execute(statement, parameters)
    return asked


def ask_named(cursor: Cursor, statement: str, parameters: Mapping[str, Any]) -> NamedCursor:
    """Like `ask`; each row is a named tuple of the statement's columns. For statements that are not hot."""
    asked = psycopg.Cursor(cursor.connection, row_factory=namedtuple_row)
    asked.execute(statement, parameters)
    return asked


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as the columns that `unnest` takes, also where there are none."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _open_connection() -> "psycopg.Connection[tuple[Any, ...]]":
    if connection.connection is None:
        try:
            connection.connect()
        except Exception as error:
            # Django wraps the driver's error in its own; a refused connection is always "ask later".
            raise Unavailable(str(error)) from error
    return _raw()


def _raw() -> "psycopg.Connection[tuple[Any, ...]]":
    return cast("psycopg.Connection[tuple[Any, ...]]", connection.connection)


def _is_lost() -> bool:
    """Whether this thread's connection is of no more use.

    One whose server said in the middle of a pipeline that it ends is still open to the driver, which neither leaves the
    pipeline nor reads on: kept, it would fail whatever its thread does from then on.
    """
    if connection.connection is None:
        return False
    raw = _raw()
    return raw.closed or raw.broken or raw.pgconn.pipeline_status != PipelineStatus.OFF
