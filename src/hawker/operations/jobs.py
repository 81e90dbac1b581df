"""An operation on many subjects: a selection, a dry run, a job with progress.

A job's subjects are written down when it is made, so a later change of a list's filter result changes nothing. Each
subject is done in one transaction together with its item's state: a worker that is killed leaves the item as it was,
and the next one goes on there. Up to INLINE subjects are done at once by whoever asks; more are left to a worker, and
so are those of an asker that was killed.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import msgspec
import structlog
from django.db import InterfaceError, OperationalError

from hawker.core.actors import Actor, ActorKind
from hawker.core.errors import OutcomeUnknown, Unavailable
from hawker.core.money import format_micros
from hawker.core.sql import Cursor, ask, in_transaction, one_transaction
from hawker.ledger.book import counting_transfers
from hawker.lists.errors import BadList
from hawker.lists.filters import read_filters
from hawker.lists.reading import columns_of, stream
from hawker.operations import queries
from hawker.operations.base import Operation, find_operation
from hawker.operations.errors import (
    BadInput,
    NoSuchJob,
    NoSuchOperation,
    NotPermitted,
    OperationError,
    Refused,
)
from hawker.operations.inputs import read_input
from hawker.operations.once import check_id, claim_id, find_result, keep_result
from hawker.operations.running import run_within

log = structlog.get_logger(__name__)

INLINE = 200
MAX_SUBJECTS = 100_000
MAX_SUBJECT = 254
"""The longest text that names a subject: an e-mail address."""
KEPT = timedelta(days=90)
ABANDONED = timedelta(minutes=2)
"""A small job that is not finished after this time is carried on by a worker."""
_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Selection:
    """The subjects of a job: their ids, or all that a list finds with these filters."""

    ids: tuple[str, ...] = ()
    list_name: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as people see it. `moved` is the money that was moved, or would have been moved in a dry run,
    by kind of transfer."""

    job: int
    operation: str
    input: Mapping[str, Any]
    dry_run: bool
    state: str
    by: str
    total: int
    done: int
    refused: int
    moved: Mapping[str, str]
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ItemView:
    """What became of one subject: waiting, done with its answer as JSON, or refused with a sentence."""

    position: int
    subject: str
    state: str
    answer: str
    moved: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Job:
    """A job as it is run."""

    id: int
    operation: Operation
    input: Mapping[str, Any]
    is_dry_run: bool
    actor: Actor


class _TakenBack(Exception):
    """Ends a dry run's transaction."""


def start_job(
    name: str,
    values: Mapping[str, Any],
    selection: Selection,
    *,
    actor: Actor,
    permissions: Container[str],
    now: datetime,
    dry_run: bool = False,
    operation_id: str | None = None,
) -> JobView:
    """Make a job of the operation `name` on each selected subject; up to INLINE of them are done before it answers.

    `values` are the input's other fields. Raises BadInput where the operation is not for many, an input is wrong or
    nothing is selected; NotPermitted; Refused where more than MAX_SUBJECTS are selected. With an `operation_id` the
    job is made once: the second call answers the first one's job, and does what a broken first call left waiting.
    """
    operation = find_operation(name)
    if name not in permissions:
        raise NotPermitted(f"{actor} may not do this: the permission {name} is missing")
    if not operation.many:
        raise BadInput("selection", f"{name} is done to one subject at a time")
    asked = {
        "input": dict(values),
        "ids": selection.ids,
        "list": selection.list_name,
        "filters": selection.filters,
        "dry_run": dry_run,
    }
    if operation_id is not None:
        check_id(operation_id)
        made = find_result(operation, asked, operation_id, actor, result_type=int)
        if made is not None:
            return _advance_small(made, now)
    subjects = list(dict.fromkeys(_subjects(selection, operation.many)))
    if not subjects:
        raise BadInput("selection", "nothing is selected")
    if len(subjects) > MAX_SUBJECTS:
        raise Refused(f"more than {MAX_SUBJECTS:,} are selected: narrow the filter")
    read_input(operation.input, {**values, operation.many: subjects[0]})
    if selection.ids and operation.check_selection is not None:
        operation.check_selection(selection.ids)
    with one_transaction():
        if operation_id is not None and not claim_id(operation, asked, operation_id, actor, now):
            return find_job(find_result(operation, asked, operation_id, actor, result_type=int) or 0)
        job_id = in_transaction(
            lambda cursor: _write_job(cursor, operation, values, selection, subjects, actor, now, dry_run=dry_run)
        )
        if operation_id is not None:
            keep_result(operation, operation_id, job_id)
    return _advance_small(job_id, now)


def _advance_small(job_id: int, now: datetime) -> JobView:
    """Do what waits of a job that is small enough; answers the job."""
    job = find_job(job_id)
    if job.finished_at is not None or job.total > INLINE:
        return job
    advance_job(job_id, now=now)
    return find_job(job_id)


def advance_job(job_id: int, *, now: datetime, limit: int = MAX_SUBJECTS) -> int:
    """Do up to `limit` subjects of a job that are still waiting; answers how many were done or refused.

    Several processes may do this at once: each takes items that no other has. A job whose operation this version of
    Hawker does not have is stopped. Raises NoSuchJob, Unavailable.
    """
    try:
        job = _access_job(job_id)
    except NoSuchOperation:
        log.exception("a job was stopped: this version of Hawker does not have its operation", job=job_id)
        stop_job(job_id, now=now)
        return 0
    count = 0
    while count < limit:
        if not _run_next(job, now):
            in_transaction(lambda cursor: ask(cursor, queries.FINISH_JOB, {"job_id": job_id, "now": now}))
            break
        count += 1
    return count


def find_job(job_id: int) -> JobView:
    """The job of this number. Raises NoSuchJob."""
    row = _read_job(job_id)
    id_, name, given, _, is_dry_run, state, *who, total, done, refused, created_at, finished_at = row
    return JobView(
        id_,
        name,
        _json(given),
        is_dry_run,
        state,
        str(_actor(who)),
        total,
        done,
        refused,
        _moved_text(in_transaction(lambda cursor: ask(cursor, queries.READ_MOVED, (job_id,)).fetchall())),
        created_at,
        finished_at,
    )


def read_items(job_id: int) -> Iterator[ItemView]:
    """The items of a job in their order, read in chunks."""
    position = -1
    while True:
        parameters = (job_id, position, _CHUNK)
        rows = in_transaction(partial(_read_items, parameters))
        for row in rows:
            yield ItemView(row[0], row[1], row[2], row[3], _moved_text(_json(row[4]).items()))
        if len(rows) < _CHUNK:
            return
        position = rows[-1][0]


def _read_items(parameters: tuple[int, int, int], cursor: Cursor) -> list[tuple[Any, ...]]:
    return ask(cursor, queries.READ_ITEMS, parameters).fetchall()


def stop_job(job_id: int, *, now: datetime) -> bool:
    """Do no more of a job; answers whether there was one to stop. What was done stays done."""
    return in_transaction(lambda cursor: ask(cursor, queries.STOP_JOB, (now, job_id)).fetchone()) is not None


def find_open_jobs(*, now: datetime) -> list[int]:
    """The jobs that wait for a worker."""
    values = {"inline": INLINE, "abandoned_before": now - ABANDONED}
    return [row[0] for row in in_transaction(lambda cursor: ask(cursor, queries.FIND_OPEN_JOBS, values).fetchall())]


def forget_jobs(*, now: datetime) -> int:
    """Delete jobs that ended longer ago than KEPT, each in a transaction of its own; answers how many."""
    forgotten = 0
    while in_transaction(lambda cursor: ask(cursor, queries.FORGET_JOB, (now - KEPT,)).rowcount):
        forgotten += 1
    return forgotten


def _subjects(selection: Selection, field: str) -> Iterator[str]:
    """The selected subjects: of a list the column that is called like the input's field. One too many is enough."""
    for text in selection.ids:
        if len(text) > MAX_SUBJECT or not text.isprintable():
            raise BadInput("selection", f"{text[:40]!r} names nothing")
        yield text
    if not selection.list_name:
        return
    try:
        if all(column.name != field for column in columns_of(selection.list_name)):
            raise BadInput("selection", f"the list {selection.list_name} has no column {field}")
        filters = read_filters(selection.list_name, selection.filters)
        for row in islice(stream(selection.list_name, filters), MAX_SUBJECTS + 1):
            yield str(row.values[field])
    except BadList as error:
        raise BadInput("filter", str(error)) from error


def _write_job(
    cursor: Cursor,
    operation: Operation,
    values: Mapping[str, Any],
    selection: Selection,
    subjects: Sequence[str],
    actor: Actor,
    now: datetime,
    *,
    dry_run: bool,
) -> int:
    made = {
        "operation": operation.name,
        "input": msgspec.json.encode(values).decode(),
        "selection": msgspec.json.encode({"list": selection.list_name, "filters": dict(selection.filters)}).decode(),
        "is_dry_run": dry_run,
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "actor_address": actor.address,
        "now": now,
    }
    row = ask(cursor, queries.INSERT_JOB, made).fetchone()
    assert row is not None, "INSERT … RETURNING answers a row"
    (job_id,) = row
    for first in range(0, len(subjects), _CHUNK):
        chunk = list(subjects[first : first + _CHUNK])
        ask(cursor, queries.INSERT_ITEMS, {"job_id": job_id, "first": first, "subject_ids": chunk})
    ask(cursor, queries.COUNT_ITEMS, (job_id, job_id))
    return int(job_id)


def _run_next(job: _Job, now: datetime) -> bool:
    """Do the next waiting subject and write what became of it, in one transaction; False where none waits.

    A dry run takes the operation back before it writes what it came to.
    """
    with one_transaction():
        claimed = in_transaction(lambda cursor: ask(cursor, queries.CLAIM_ITEM, (job.id,)).fetchone())
        if claimed is None:
            return False
        position, subject = claimed
        answer = refused = ""
        with counting_transfers() as counted:
            try:
                with suppress(_TakenBack), one_transaction():
                    given = read_input(job.operation.input, {**job.input, job.operation.many: subject})
                    answer = msgspec.json.encode(run_within(job.operation, given, actor=job.actor, now=now)).decode()
                    _take_back_if(is_dry_run=job.is_dry_run)
            except OperationError as error:
                refused = str(error)
                counted.clear()
            except (Unavailable, OutcomeUnknown):
                raise
            except (OperationalError, InterfaceError) as error:
                # The database again, as the ORM says it: the subject waits for the next try.
                raise Unavailable(str(error)) from error
            except Exception:
                # A bug at one subject must not keep the others waiting for ever.
                log.exception("a job failed at a subject", job=job.id, operation=job.operation.name, subject=subject)
                refused = "an internal error; the log of the worker has it"
                counted.clear()
        _end(job, position, answer=answer, refused=refused, moved=dict(counted))
    return True


def _take_back_if(*, is_dry_run: bool) -> None:
    if is_dry_run:
        raise _TakenBack


def _end(job: _Job, position: int, *, answer: str, refused: str, moved: Mapping[str, int]) -> None:
    ended = {
        "state": "refused" if refused else "done",
        "answer": refused or answer,
        "moved": msgspec.json.encode(moved).decode(),
        "job_id": job.id,
        "position": position,
    }
    counts = {"done": int(not refused), "refused": int(bool(refused)), "job_id": job.id}

    def write(cursor: Cursor) -> None:
        ask(cursor, queries.END_ITEM, ended)
        ask(cursor, queries.COUNT_ITEM, counts)

    in_transaction(write)


def _access_job(job_id: int) -> _Job:
    row = _read_job(job_id)
    return _Job(row[0], find_operation(row[1]), _json(row[2]), row[4], _actor(row[6:10]))


def _read_job(job_id: int) -> tuple[Any, ...]:
    row = in_transaction(lambda cursor: ask(cursor, queries.READ_JOB, (job_id,)).fetchone())
    if row is None:
        raise NoSuchJob(f"there is no job {job_id}")
    return row


def _moved_text(moved: Iterable[tuple[str, int]]) -> Mapping[str, str]:
    return {kind: format_micros(micros) for kind, micros in moved}


def _actor(who: Sequence[Any]) -> Actor:
    kind, actor_id, name, address = who
    return Actor(ActorKind(kind), actor_id, name, address)


def _json(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str | bytes) else value
