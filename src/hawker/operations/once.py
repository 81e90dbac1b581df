"""An operation id is done once: the second call with it answers the result of the first.

The id comes from a form, a header or a command. Its row is written in the transaction of the change, so that the id is
known exactly where the change is.
"""

import hmac
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hawker.core.actors import Actor
from hawker.core.settings import settings
from hawker.core.sql import ask, in_transaction
from hawker.operations import queries
from hawker.operations.base import Operation
from hawker.operations.errors import BadInput, OperationIdReused, Refused

MAX_ID = 128
KEPT = timedelta(days=30)
_BATCH = 5_000


def check_id(operation_id: str) -> None:
    """Raise BadInput where the text cannot be an operation id."""
    if not 8 <= len(operation_id) <= MAX_ID or not operation_id.isascii() or not operation_id.isprintable():
        raise BadInput("operation_id", f"8 to {MAX_ID} printable ASCII characters, such as a UUID")


def find_result(
    operation: Operation, given: Any, operation_id: str, actor: Actor, *, result_type: Any = None
) -> Any | None:
    """The result of the run that was committed under this id, or None where there is none yet.

    It is of the operation's type of result, or of `result_type`.

    Raises OperationIdReused where the id was used by another actor, or for another operation or input.
    """
    rows = in_transaction(lambda cursor: ask(cursor, queries.READ_RUN, (operation_id,)).fetchall())
    if not rows:
        return None
    name, kind, actor_id, input_digest, result, is_encrypted = rows[0]
    same = (name, kind, actor_id) == (operation.name, actor.kind.value, actor.id)
    if not same or bytes(input_digest) != digest_of(operation, given):
        raise OperationIdReused(f"the operation id {operation_id} was used before, for something else")
    return _decode(result_type or operation.result, bytes(result), is_encrypted=is_encrypted)


def claim_id(operation: Operation, given: Any, operation_id: str, actor: Actor, now: datetime) -> bool:
    """Whether this transaction is the first with the id; waits for another one that is under way with it."""
    values = {
        "operation_id": operation_id,
        "operation": operation.name,
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        "input_digest": digest_of(operation, given),
        "now": now,
    }
    return in_transaction(lambda cursor: ask(cursor, queries.CLAIM_ID, values).fetchone()) is not None


def keep_result(operation: Operation, operation_id: str, result: Any) -> None:
    """Write the result beside the id; encrypted where it holds a secret that is shown once, such as a new API key."""
    encoded = msgspec.json.encode(result)
    if operation.secret_fields:
        from hawker.providers.vault import read_keyring

        encoded = read_keyring().seal(encoded.decode())
    parameters = (encoded, bool(operation.secret_fields), operation_id)
    in_transaction(lambda cursor: ask(cursor, queries.WRITE_RESULT, parameters))


def forget_runs(*, now: datetime) -> int:
    """Delete ids that are older than KEPT, in small transactions; answers how many were deleted."""
    forgotten = 0
    while True:
        deleted = in_transaction(lambda cursor: ask(cursor, queries.FORGET_RUNS, (now - KEPT, _BATCH)).rowcount)
        forgotten += deleted
        if deleted < _BATCH:
            return forgotten


def digest_of(operation: Operation, given: Any) -> bytes:
    """What tells one input from another without keeping it. Keyed: an input may hold a secret that could be guessed."""
    text = operation.name.encode() + b"\0" + msgspec.json.encode(given, order="deterministic")
    return hmac.digest(settings().require_secret().encode(), text, "sha256")


def _decode(result_type: Any, encoded: bytes, *, is_encrypted: bool) -> Any:
    if is_encrypted:
        from hawker.providers.vault import read_keyring

        text = read_keyring().unseal(encoded)
        if text is None:
            raise Refused("this was done before; its result cannot be shown again, because the panel's secret changed")
        encoded = text.encode()
    return msgspec.json.decode(encoded, type=result_type)
