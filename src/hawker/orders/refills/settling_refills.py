"""What the ruling on a `refill` makes of it: bound and followed, unknown, asked again later, or rejected."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hawker.core.actors import Actor
from hawker.core.sql import Cursor, ask
from hawker.orders.models import RefillState, WorkKind
from hawker.orders.refills import queries
from hawker.orders.refills.changes import RefillChange, write_refill_changes
from hawker.orders.sending.rules import Fate, Ruling
from hawker.orders.transitions.actions import DueWork, replace_work

FIRST_LOOK = timedelta(seconds=2)


def settle_refills(cursor: Cursor, rulings: Sequence[Ruling], *, actor: Actor, now: datetime) -> None:
    """Write what each refill becomes, its events and its next work. The caller holds its order's row lock."""
    if not rulings:
        return
    ask(cursor, queries.LOCK_REFILLS, ([ruling.attempt.refill_id for ruling in rulings],)).fetchall()
    write_refill_changes(cursor, [_change(ruling) for ruling in rulings], actor=actor, now=now)
    replace_work(
        cursor,
        [(ruling.attempt.order_id, WorkKind.REFILL) for ruling in rulings],
        [due for ruling in rulings if (due := _due(ruling, now)) is not None],
    )


def _change(ruling: Ruling) -> RefillChange:
    attempt = ruling.attempt
    assert attempt.refill_id is not None, "the database knows no attempt of a refill without it"
    refused = ruling.fate is Fate.REFUSED
    return RefillChange(
        attempt.refill_id,
        attempt.order_id,
        attempt.order_state,
        RefillState.REJECTED if refused else RefillState.PENDING,
        f"accepted as {ruling.upstream_id}" if ruling.fate is Fate.MADE else ruling.evidence,
        reason=ruling.evidence[:500] if refused else None,
        upstream_id=ruling.upstream_id,
    )


def _due(ruling: Ruling, now: datetime) -> DueWork | None:
    """What comes next: to ask how it goes, or to send it again; nothing where nothing is proven."""
    attempt = ruling.attempt
    match ruling.fate:
        case Fate.MADE:
            return DueWork(attempt.order_id, WorkKind.FOLLOW, attempt.provider_id, now + FIRST_LOOK)
        case Fate.LATER:
            due_at = now + ruling.wait
            return DueWork(attempt.order_id, WorkKind.REFILL, attempt.provider_id, due_at, tries=attempt.n)
        case _:
            return None
