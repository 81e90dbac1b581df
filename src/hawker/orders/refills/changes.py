"""The one way in which a refill changes after it was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hawker.core.actors import Actor
from hawker.core.sql import Cursor, ask
from hawker.orders.models import RUNNING, RefillState, State
from hawker.orders.refills import queries
from hawker.orders.transitions.actions import NewOrderEvent, write_events


@dataclass(frozen=True, slots=True)
class RefillChange:
    """What becomes of one running refill whose order is locked; `why` goes into the order's events.

    `reason` stays with the refill, None leaves it as it is.
    """

    refill_id: int
    order_id: int
    order_state: State
    state: RefillState
    why: str
    reason: str | None = None
    upstream_id: int | None = None


def is_over(state: RefillState) -> bool:
    """Whether nothing more will happen to a refill in this state."""
    return state not in RUNNING


def write_refill_changes(cursor: Cursor, changes: Sequence[RefillChange], *, actor: Actor, now: datetime) -> None:
    """Write the changes of refills and what happened to their orders by them. The caller holds the row locks."""
    if not changes:
        return
    rows = [(item.refill_id, item.state.value, item.upstream_id, item.reason, is_over(item.state)) for item in changes]
    written = ask(cursor, queries.CHANGE_REFILLS, (now, now, *map(list, zip(*rows, strict=True))))
    assert written.rowcount == len(rows), "a refill changed under its own lock, or after its end"
    events = [
        NewOrderEvent(item.order_id, item.order_state, item.order_state, f"refill {item.refill_id}: {item.why}")
        for item in changes
    ]
    write_events(cursor, events, actor=actor, now=now)
