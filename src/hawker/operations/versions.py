"""The version of a subject, by which an edit notices that somebody else changed it in between."""

from typing import Any

import msgspec

from hawker.audit.actions import lock_subject
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.operations import queries
from hawker.operations.errors import ChangedSince


def read_version(kind: str, subject_id: object) -> int:
    """The number of the last audited change of this subject; 0 before the first."""

    def read(cursor: Cursor) -> int:
        row = ask(cursor, queries.READ_VERSION, (kind, str(subject_id))).fetchone()
        assert row is not None, "the statement always answers a row"
        return int(row[0])

    return in_transaction(read)


def check_version(kind: str, subject_id: object, seen: int) -> None:
    """Lock the subject to the end of the transaction. Raises ChangedSince where it was changed after version `seen`."""
    lock_subject(kind, subject_id)
    parameters = (kind, str(subject_id), seen)
    changes = in_transaction(lambda cursor: ask(cursor, queries.READ_CHANGES_SINCE, parameters).fetchall())
    if changes:
        what = "; ".join(_told(*change) for change in changes)
        raise ChangedSince(f"the {kind.replace('_', ' ')} {subject_id} was changed meanwhile: {what}. Look at it again")


def _told(at: Any, actor: str, action: str, before: str | None, after: str | None) -> str:
    """One change as a person reads it: `rate 0.90 → 0.95 by staff:anna at 12:03 UTC (service.set)`."""
    old, new = (msgspec.json.decode(facts) if facts else {} for facts in (before, after))
    fields = ", ".join(f"{name} {_short(old.get(name))} → {_short(new.get(name))}" for name in {**old, **new})
    return f"{fields or action} by {actor} at {at:%Y-%m-%d %H:%M} UTC ({action})"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}…"
