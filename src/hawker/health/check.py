"""The check of every invariant at its time: kept, and told to people where something is broken."""

from collections import Counter
from datetime import timedelta

import structlog

from hawker.alerts.actions import Raised, log_alerts, write_alerts, write_closed
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import BOOKS
from hawker.core.clock import Clock
from hawker.core.invariants import Report
from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.health import queries
from hawker.orders.invariants import check_invariants

_KEPT = timedelta(days=400)

log = structlog.get_logger(__name__)


def check_when_due(clock: Clock) -> Report | None:
    """Check every invariant where the last check began long enough ago; None where it did not. Raises Unavailable.

    A breach raises an alert, and a check without any closes it. The claim is a row of its own, committed first:
    a check that kills its worker is not begun again at once. Minutes on millions of orders, over a snapshot.
    """
    now = clock.now()
    before = now - timedelta(hours=settings().check_every_hours)

    def claim(cursor: Cursor) -> int | None:
        row = ask(cursor, queries.CLAIM_CHECK, (now, before)).fetchone()
        return row[0] if row else None

    number = in_transaction(claim)
    if number is None:
        return None
    report = check_invariants()
    ended = clock.now()

    def keep(cursor: Cursor) -> list[Raised]:
        ask(cursor, queries.END_CHECK, (ended, len(report.breaches), number))
        ask(cursor, queries.FORGET_CHECKS, (ended - _KEPT,))
        if report.ok:
            write_closed(cursor, AlertKind.INVARIANT, [BOOKS], by="a check without a breach", now=ended)
            return []
        return write_alerts(cursor, [Raised(AlertKind.INVARIANT, BOOKS, _told(report))], now=ended)

    log_alerts(in_transaction(keep))
    log.info("invariants checked", breaches=len(report.breaches))
    return report


def _told(report: Report) -> str:
    counts = Counter(breach.invariant for breach in report.breaches)
    named = ", ".join(f"{name} ({count})" for name, count in counts.items())
    return f"broken: {named}; first: {report.breaches[0].what}; `hawker verify` lists all"
