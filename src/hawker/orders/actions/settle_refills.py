"""What the ruling on a `refill` makes of it: bound and followed, unknown, asked again later, or rejected."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hawker.core.sql import Cursor, ask
from hawker.orders.actions.attempts import Ruled
from hawker.orders.actions.move import Due, replace_work
from hawker.orders.actions.refill_moves import RefillChange, write_refill_changes
from hawker.orders.models import RefillState, WorkKind
from hawker.orders.queries import refill as queries
from hawker.orders.rulings import Fate

FIRST_LOOK = timedelta(seconds=2)


def settle_refills(cursor: Cursor, ruled: Sequence[Ruled], *, actor: str, now: datetime) -> None:
    """Write what each refill becomes, its events and its next work. The caller holds its order's row lock."""
    if not ruled:
        return
    ask(cursor, queries.LOCK_REFILLS, ([item.attempt.refill_id for item in ruled],)).fetchall()
    write_refill_changes(cursor, [_change(item) for item in ruled], actor=actor, now=now)
    replace_work(
        cursor,
        [(item.attempt.order_id, WorkKind.REFILL) for item in ruled],
        [due for item in ruled if (due := _due(item, now)) is not None],
    )


def _change(item: Ruled) -> RefillChange:
    attempt, ruling = item.attempt, item.ruling
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


def _due(item: Ruled, now: datetime) -> Due | None:
    """What comes next: to ask how it goes, or to send it again; nothing where nothing is proven."""
    attempt = item.attempt
    match item.ruling.fate:
        case Fate.MADE:
            return Due(attempt.order_id, WorkKind.FOLLOW, attempt.provider_id, now + FIRST_LOOK)
        case Fate.LATER:
            due_at = now + item.ruling.wait
            return Due(attempt.order_id, WorkKind.REFILL, attempt.provider_id, due_at, tries=attempt.n)
        case _:
            return None
