"""Raising and closing alerts, in the transaction of what they tell of or in one of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from hawker.alerts import queries
from hawker.alerts.models import Alert, AlertKind, SubjectKind
from hawker.alerts.subjects import AlertSubject
from hawker.core.sql import Cursor, ask, columns, in_transaction

_MAX_TEXT = 2_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Raised:
    """Something that a person must know of; `text` is a sentence."""

    kind: AlertKind
    subject: AlertSubject
    text: str


def write_alerts(cursor: Cursor, raised: Sequence[Raised], *, now: datetime) -> list[Raised]:
    """Open an alert for each in the caller's transaction; answers those that were not open before.

    The caller logs what is answered once its transaction is committed (`log_alerts`).
    """
    if not raised:
        return []
    last = {(alert.kind, alert.subject): alert.text[:_MAX_TEXT] for alert in raised}
    # In one order everywhere, so that two transactions that raise the same alerts cannot deadlock.
    rows = sorted((kind.value, subject.kind.value, subject.id, text) for (kind, subject), text in last.items())
    kinds, subject_kinds, subject_ids, texts = columns(rows, 4)
    values = {
        "now": now,
        "kinds": kinds,
        "subject_kinds": subject_kinds,
        "subject_ids": subject_ids,
        "texts": texts,
    }
    return [
        Raised(AlertKind(kind), AlertSubject(SubjectKind(subject_kind), subject_id), text)
        for kind, subject_kind, subject_id, text, is_new in ask(cursor, queries.OPEN_ALERTS, values)
        if is_new
    ]


def log_alerts(opened: Sequence[Raised]) -> None:
    """Log newly opened alerts, at the level that wakes people."""
    for alert in opened:
        log.error("alert", alert=alert.kind.value, subject=str(alert.subject), text=alert.text)


def raise_alerts(raised: Sequence[Raised], *, now: datetime) -> None:
    """Open an alert for each that is not open already, and log it. Raises Unavailable."""
    if raised:
        log_alerts(in_transaction(lambda cursor: write_alerts(cursor, raised, now=now)))


def write_closed(cursor: Cursor, kind: AlertKind, subjects: Sequence[AlertSubject], *, by: str, now: datetime) -> None:
    """Close what is open of this kind about these subjects, in the caller's transaction."""
    if subjects:
        values = {
            "now": now,
            "by": by[:500],
            "kind": kind.value,
            "subject_kinds": [subject.kind.value for subject in subjects],
            "subject_ids": [subject.id for subject in subjects],
        }
        ask(cursor, queries.CLOSE_ALERTS, values)


def close_alert(alert_id: int, *, by: str, now: datetime) -> bool:
    """Close one alert by hand; False where no alert of this number is open."""

    def work(cursor: Cursor) -> bool:
        return ask(cursor, queries.CLOSE_BY_NUMBER, (now, by[:500], alert_id)).rowcount == 1

    return in_transaction(work)


def describe_alerts(*, closed: bool, limit: int) -> list[dict[str, Any]]:
    """The newest alerts, the open ones only unless `closed`."""
    alerts = Alert.objects.order_by("-id")
    if not closed:
        alerts = alerts.filter(closed_at__isnull=True)
    return [
        {
            "alert": alert.id,
            "kind": alert.kind,
            "subject": str(AlertSubject(SubjectKind(alert.subject_kind), alert.subject_id)),
            "text": alert.text,
            "opened_at": alert.opened_at,
            "seen_at": alert.seen_at,
            "times": alert.times,
            "closed_at": alert.closed_at,
            "closed_by": alert.closed_by,
        }
        for alert in alerts[:limit]
    ]
