"""Writing the audit log in the transaction of what it tells of, and reading it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from hawker.audit import queries
from hawker.core.actors import Actor, ActorKind, read_actor
from hawker.core.sql import Cursor, ask, ask_named, columns, in_transaction, one_transaction

Facts: TypeAlias = Mapping[str, Any]

_SECRETS = frozenset({"api_key", "key_cipher", "digest", "password", "secret", "secret_key", "totp"})
_MAX_REASON, _MAX_SUBJECT = 500, 254


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change: what was done to whom, the fields that differ before and after, and why.

    `transfer` is the kind and reference of the transfer by which a balance was changed.
    """

    actor: Actor
    action: str
    subject_kind: str
    subject_id: str
    before: Facts | None = None
    after: Facts | None = None
    reason: str = ""
    transfer: tuple[str, int] | None = None


def record_audit(cursor: Cursor, events: Sequence[AuditRecord], *, now: datetime) -> None:
    """Write the events in the caller's transaction: either the change and its row are there, or neither."""
    if not events:
        return
    rows = [
        (
            event.actor.kind.value,
            event.actor.id,
            event.actor.name,
            event.actor.address,
            event.action,
            event.subject_kind,
            event.subject_id[:_MAX_SUBJECT],
            _json(event.before),
            _json(event.after),
            event.reason[:_MAX_REASON],
            *(event.transfer or (None, None)),
        )
        for event in events
    ]
    ask(cursor, queries.INSERT_EVENTS, (now, *columns(rows, 12)))


@dataclass(slots=True)
class AuditedChange:
    """What is being changed by one actor for one reason; collects the events that are written with it."""

    actor: Actor
    action: str
    reason: str
    _events: list[AuditRecord] = field(default_factory=list)
    _watched: list[tuple[str, str, Facts, Callable[[], Facts]]] = field(default_factory=list)

    def note(
        self, subject_kind: str, subject_id: object, *, before: Facts | None = None, after: Facts | None = None
    ) -> None:
        """Say what was done to a subject, where that is known better than by looking twice."""
        self._events.append(
            AuditRecord(self.actor, self.action, subject_kind, str(subject_id), before, after, self.reason)
        )

    def watch(self, subject_kind: str, subject_id: object, describe: Callable[[], Facts]) -> None:
        """Describe a subject now and once more when the change is done; what differs is written.

        Whoever changes the same subject in this way waits until this change is committed.
        """
        lock_subject(subject_kind, subject_id)
        self._watched.append((subject_kind, str(subject_id), dict(describe()), describe))

    def events(self) -> list[AuditRecord]:
        """All that was noted, and what became of all that was watched."""
        seen = []
        for subject_kind, subject_id, before, describe in self._watched:
            after = describe()
            differ = [name for name in {**before, **after} if before.get(name) != after.get(name)]
            old, new = ({name: facts[name] for name in differ if name in facts} for facts in (before, after))
            seen.append(AuditRecord(self.actor, self.action, subject_kind, subject_id, old, new, self.reason))
        return [*seen, *self._events]


@contextmanager
def audited(actor: Actor, action: str, *, reason: str = "", now: datetime) -> Iterator[AuditedChange]:
    """One transaction for the verbs called inside and for their audit rows.

    Ends with the COMMIT of both; an exception takes both back, but for OutcomeUnknown. Nothing may be asked of a
    provider inside: rows stay locked meanwhile. The verbs' own transactions become parts of this one.
    """
    change = AuditedChange(actor, action, reason)
    with one_transaction():
        yield change
        events = change.events()
        in_transaction(lambda cursor: record_audit(cursor, events, now=now))


def lock_subject(kind: str, subject_id: object) -> None:
    """Lock a subject to the end of the transaction: audited changes of one subject go one after the other."""
    in_transaction(lambda cursor: ask(cursor, queries.LOCK_SUBJECT, (f"{kind} {subject_id}",)))


def list_audit_events(
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    subjects: Sequence[tuple[str, str]] | None = None,
    since: datetime | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """The newest events first: of one actor, of an action (`key.revoke`, or `key` for all of its), about one subject
    (`provider:acme`, or `provider` for all of its), about any of some subjects, each a kind and an id."""
    kinds, ids = columns(subjects, 2) if subjects is not None else (None, None)
    kind, colon, number = (subject or "").partition(":")
    subject_id = number if colon else None
    actor_kind, actor_name = (None, None) if actor is None else read_actor(actor)
    values = {
        "actor_kind": actor_kind,
        "actor_name": actor_name,
        "action": action,
        "subject_kind": kind or None,
        "subject_id": subject_id,
        "kinds": kinds,
        "ids": ids,
        "since": since,
        "limit": limit,
    }
    rows = in_transaction(lambda cursor: ask_named(cursor, queries.LIST_EVENTS, values).fetchall())
    return [
        {
            "event": row.id,
            "at": row.at,
            "actor": str(Actor(ActorKind(row.actor_kind), row.actor_id, row.actor_name)),
            "actor_kind": row.actor_kind,
            "address": row.address,
            "action": row.action,
            "subject": {"kind": row.subject_kind, "id": row.subject_id},
            "before": _facts(row.before),
            "after": _facts(row.after),
            "reason": row.reason,
        }
        for row in rows
    ]


def _json(facts: Facts | None) -> str | None:
    if facts is None:
        return None
    assert not _SECRETS & set(facts), f"secrets do not belong into the audit log: {sorted(_SECRETS & set(facts))}"
    # PostgreSQL's jsonb refuses the one character that hostile texts of providers may bring.
    return msgspec.json.encode(facts).decode().replace("\\u0000", "\\ufffd")


def _facts(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
