"""Raising and closing alerts, in the transaction of what they tell of or in one of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from hawker.alerts import queries
from hawker.alerts.models import Alert, AlertKind
from hawker.core.sql import Cursor, ask, in_transaction

_MAX_SUBJECT, _MAX_TEXT = 120, 2_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Raised:
    """Something that a person must hear of: `subject` names the order or provider, `text` is a sentence."""

    kind: AlertKind
    subject: str
    text: str


def write_alerts(cursor: Cursor, raised: Sequence[Raised], *, now: datetime) -> list[Raised]:
    """Open an alert for each in the caller's transaction; answers those that were not open before.

    The caller logs what is answered once its transaction is committed (`log_alerts`).
    """
    if not raised:
        return []
    last = {(alert.kind, alert.subject[:_MAX_SUBJECT]): alert.text[:_MAX_TEXT] for alert in raised}
    # In one order everywhere, so that two transactions that raise the same alerts cannot deadlock.
    rows = [(kind.value, subject, text) for (kind, subject), text in sorted(last.items())]
    written = ask(cursor, queries.OPEN_ALERTS, (now, now, *map(list, zip(*rows, strict=True))))
    return [Raised(AlertKind(kind), subject, text) for kind, subject, text, fresh in written if fresh]


def log_alerts(opened: Sequence[Raised]) -> None:
    """Log newly opened alerts, at the level that wakes people."""
    for alert in opened:
        log.error("alert", alert=alert.kind.value, subject=alert.subject, text=alert.text)


def raise_alerts(raised: Sequence[Raised], *, now: datetime) -> None:
    """Open an alert for each that is not open already, and log it. Raises Unavailable."""
    if raised:
        log_alerts(in_transaction(lambda cursor: write_alerts(cursor, raised, now=now)))


def write_closed(cursor: Cursor, kind: AlertKind, subjects: Sequence[str], *, by: str, now: datetime) -> None:
    """Close what is open of this kind about these subjects, in the caller's transaction."""
    if subjects:
        ask(cursor, queries.CLOSE_ALERTS, (now, by[:500], kind.value, [subject[:_MAX_SUBJECT] for subject in subjects]))


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
            "subject": alert.subject,
            "text": alert.text,
            "opened_at": alert.opened_at,
            "seen_at": alert.seen_at,
            "times": alert.times,
            "closed_at": alert.closed_at,
            "closed_by": alert.closed_by,
        }
        for alert in alerts[:limit]
    ]
