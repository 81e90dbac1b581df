"""Attempts that stay unknown: a person hears of them after LINGERS."""

from datetime import datetime, timedelta

from hawker.alerts.actions import Raised, log_alerts, write_alerts
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import about_order, about_refill_of
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.models import AttemptKind
from hawker.orders.reconciling import provider_balance_queries as queries

LINGERS = timedelta(minutes=15)


def watch_unknowns(*, now: datetime) -> None:
    """Raise an alert for each attempt that is unknown for longer than LINGERS, and close those that are over."""

    def work(cursor: Cursor) -> list[Raised]:
        lingering = ask(cursor, queries.FIND_LINGERING, (now - LINGERS,)).fetchall()
        ask(cursor, queries.CLOSE_CLEARED, (now,))
        return write_alerts(cursor, [_raised(*row) for row in lingering], now=now)

    log_alerts(in_transaction(work))


def _raised(
    order_id: int, kind: str, n: int, provider: str, started_at: datetime, evidence: str, step: str | None
) -> Raised:
    subject = about_order(order_id) if kind == AttemptKind.ADD else about_refill_of(order_id)
    text = f"attempt {n} at {provider} is unknown since {started_at:%Y-%m-%d %H:%M:%S} UTC: {evidence}"
    return Raised(AlertKind.UNKNOWN_ATTEMPT, subject, f"{text}; {step}" if step else text)
