"""What answers tell of a provider itself: that it takes nothing from us now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hawker.alerts.actions import Raised
from hawker.alerts.models import AlertKind
from hawker.core.sql import Cursor, ask
from hawker.providers import queries

PAUSE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Stop:
    """A provider must get no orders for a while, and why."""

    provider_id: int
    kind: AlertKind
    reason: str


def pause_for(cursor: Cursor, stops: Sequence[Stop], *, now: datetime) -> list[Raised]:
    """Pause these providers in the caller's transaction; answers the alerts that it must raise."""
    raised = []
    until = now + PAUSE
    for stop in sorted({stop.provider_id: stop for stop in stops}.values(), key=lambda stop: stop.provider_id):
        row = ask(cursor, queries.PAUSE, (until, stop.reason[:500], until, stop.provider_id)).fetchone()
        if row is not None:
            raised.append(Raised(stop.kind, f"provider {row[0]}", f"no orders are sent for now: {stop.reason}"))
    return raised
