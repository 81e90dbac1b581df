"""When an order may have a refill, and the states of a refill. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hawker.core.errors import Refusal
from hawker.orders.models import RUNNING, RefillState, State
from hawker.protocol.errors import (
    OrderNotCompleted,
    RefillDisabled,
    RefillOver,
    RefillRunning,
    RefillTooEarly,
)
from hawker.protocol.statuses import RefillStatus

REFILLABLE = (State.COMPLETED, State.PARTIAL)


REFILL_WAIT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class LastRefill:
    """The refill of an order that was asked for last."""

    state: RefillState
    requested_at: datetime


def check_refill(
    *, offered: bool, days: int, state: State, ended_at: datetime | None, last: LastRefill | None, now: datetime
) -> Refusal | None:
    """Why an order gets no refill now, or None where it does (docs/api.md, Errors).

    `days` after the order's end the offer is over; 0 is without an end. A refill may be asked for 24 hours
    after the end and again 24 hours after the last was asked for, whatever came of that.
    """
    if not offered:
        return RefillDisabled()
    if state not in REFILLABLE or ended_at is None:
        return OrderNotCompleted()
    if last is not None and last.state in RUNNING:
        return RefillRunning()
    if now - max(ended_at, last.requested_at if last is not None else ended_at) < REFILL_WAIT:
        return RefillTooEarly()
    return RefillOver() if days and now - ended_at > timedelta(days=days) else None


_REFILL_STATE_OF: dict[RefillStatus, RefillState] = {
    RefillStatus.PENDING: RefillState.PENDING,
    RefillStatus.IN_PROGRESS: RefillState.IN_PROGRESS,
    RefillStatus.COMPLETED: RefillState.COMPLETED,
    RefillStatus.REJECTED: RefillState.REJECTED,
}


REFILL_TRANSITIONS: dict[RefillState, frozenset[RefillState]] = {
    RefillState.PENDING: frozenset({RefillState.IN_PROGRESS, RefillState.COMPLETED, RefillState.REJECTED}),
    RefillState.IN_PROGRESS: frozenset({RefillState.COMPLETED, RefillState.REJECTED}),
    RefillState.COMPLETED: frozenset(),
    RefillState.REJECTED: frozenset(),
}
"""Every transition of a refill. The database refuses all others too (migrations/guards.sql)."""


def refill_state_after(before: RefillState, status: RefillStatus) -> RefillState | None:
    """The state that a refill moves to by what its provider tells, or None where it stays."""
    after = _REFILL_STATE_OF[status]
    return after if after in REFILL_TRANSITIONS[before] else None
