"""The second half of a restore, inside the loaded database, once it has this version's tables."""

from datetime import datetime

from hawker.audit.actions import audited
from hawker.core.actors import Actor
from hawker.orders import Restored, hold_restored, skip_numbers


def hold_back(*, taken_at: datetime, actor: Actor, now: datetime) -> Restored:
    """Hold whatever may have been sent since the backup was taken, and skip the order numbers given out since.

    One transaction with its audit row. Raises Unavailable.
    """
    with audited(actor, "restore.finish", now=now) as change:
        held = hold_restored(taken_at=taken_at, now=now)
        skip_numbers()
        change.note("panel", "restored", after={"taken_at": taken_at.isoformat(), "unknown": held.unknown_orders})
    return held
