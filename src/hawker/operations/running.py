"""Running an operation: permission, input, once, seen version, transaction and audit row, written once for all.

One click: a page shows order 7 with its version, the person presses "Cancel", the form posts the input, an operation
id made with the page, and the version. `run_operation` checks the permission and the input, asks outside what `prepare`
asks, opens the transaction, claims the id, locks order 7 and compares its version, calls the verb, writes the audit row
and the result, and commits. A second click finds the id and answers the same result.
"""

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

from hawker.audit.actions import audited, lock_subject
from hawker.core.actors import Actor
from hawker.core.sql import one_transaction
from hawker.operations.base import Operation, Run, find_operation
from hawker.operations.errors import BadInput, NotPermitted
from hawker.operations.inputs import read_input
from hawker.operations.once import check_id, claim_id, find_result, keep_result
from hawker.operations.versions import check_version


class _Everything(Container[str]):
    def __contains__(self, name: object) -> bool:
        return True


EVERYTHING = _Everything()
"""The permissions of whoever runs commands on the panel's own machine: they own its files and its database."""


def run_operation(
    name: str,
    values: Mapping[str, Any],
    *,
    actor: Actor,
    permissions: Container[str],
    now: datetime,
    operation_id: str | None = None,
    seen: int | None = None,
) -> Any:
    """Run the operation `name` and answer its result, committed together with its audit rows.

    `operation_id` makes it happen once: a repeated call answers the first result. `seen` is the version of the subject
    that the actor saw (versions.read_version); None does not compare. Raises an OperationError, with nothing written;
    Unavailable, with nothing known to be written; OutcomeUnknown where the COMMIT got no answer: repeating the call
    with the same operation id is then safe.
    """
    operation = find_operation(name)
    if name not in permissions:
        raise NotPermitted(f"{actor} may not do this: the permission {name} is missing")
    given = read_input(operation.input, values)
    if operation_id is not None:
        check_id(operation_id)
        done = find_result(operation, given, operation_id, actor)
        if done is not None:
            return done
    if seen is not None and not operation.is_edit:
        raise BadInput("seen", f"{operation.name} changes nothing that could be seen before")
    prepared = operation.prepare(given) if operation.prepare is not None else None
    if not operation.audited_by_run:
        return _run_alone(operation, given, actor, now, prepared, operation_id, seen)
    with one_transaction():
        if operation_id is not None and not claim_id(operation, given, operation_id, actor, now):
            return find_result(operation, given, operation_id, actor)
        result = run_within(operation, given, actor=actor, now=now, prepared=prepared, seen=seen)
        if operation_id is not None:
            keep_result(operation, operation_id, result)
    return result


def run_within(
    operation: Operation, given: Any, *, actor: Actor, now: datetime, prepared: Any = None, seen: int | None = None
) -> Any:
    """Run an operation in the caller's transaction, with its audit rows. Raises as run_operation does."""
    subjects = operation.subjects_of(given)
    with audited(actor, operation.name, reason=getattr(given, "reason", None) or "", now=now) as change:
        # Also where no version is compared: the change must not come between another one's comparison and its COMMIT,
        # and its audit row must not become visible after a row with a greater number.
        for subject in sorted(subjects, key=str):
            lock_subject(operation.subject, subject)
        if seen is not None:
            check_version(operation.subject, subjects[0], seen)
        return operation.run(Run(operation, actor, now, change, prepared), given)


def _run_alone(
    operation: Operation,
    given: Any,
    actor: Actor,
    now: datetime,
    prepared: Any,
    operation_id: str | None,
    seen: int | None,
) -> Any:
    """Run an operation that opens its own transactions. Its result is kept when it is done, in one more."""
    from hawker.audit.actions import AuditedChange

    if seen is not None:
        with one_transaction():
            check_version(operation.subject, operation.subjects_of(given)[0], seen)
    result = operation.run(Run(operation, actor, now, AuditedChange(actor, operation.name, ""), prepared), given)
    if operation_id is not None:
        with one_transaction():
            if claim_id(operation, given, operation_id, actor, now):
                keep_result(operation, operation_id, result)
    return result
