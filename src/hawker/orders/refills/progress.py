"""Following refills upstream: which to ask for, and what the answers change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.following.actions import ACTOR
from hawker.orders.following.polling import LEASE, Reading, after_silence, longest_wait, shortest_wait, spread
from hawker.orders.following.rules import next_poll
from hawker.orders.models import RefillState, State, WorkKind
from hawker.orders.refills import queries
from hawker.orders.refills.changes import RefillChange, is_over, write_refill_changes
from hawker.orders.refills.rules import refill_state_after
from hawker.orders.transitions.actions import DueWork, replace_work
from hawker.protocol.statuses import RefillStatus
from hawker.providers.availability import Pace, ask_slots, use_slots


@dataclass(frozen=True, slots=True)
class Followed:
    """A refill to ask about, with what was known of it when it was claimed."""

    refill_id: int
    order_id: int
    upstream_id: int
    state: RefillState
    requested_at: datetime
    tries: int
    provider_id: int


FollowReading: TypeAlias = Reading[Followed, RefillStatus]


def claim_follows(provider_id: int, *, limit: int, now: datetime) -> list[Followed]:
    """Due looks at refills there, oldest first, leased; none where the minute is used up. Raises Unavailable."""

    def work(cursor: Cursor) -> list[Followed]:
        slots = ask_slots(cursor, provider_id, Pace.STATUSES, now=now)
        if not slots.most:
            return []
        rows = ask(cursor, queries.CLAIM_FOLLOWS, (provider_id, now, limit, now + LEASE)).fetchall()
        use_slots(cursor, slots, 1 if rows else 0, now=now)
        return [Followed(row[0], row[1], row[2], RefillState(row[3]), *row[4:]) for row in rows]

    return in_transaction(work)


def apply_refill_readings(readings: Sequence[FollowReading], *, now: datetime) -> None:
    """Write what was told of refills and when to ask again. An answer that cannot be read changes nothing but that.

    Raises Unavailable; the looks are then due again when their leases end.
    """
    in_transaction(lambda cursor: _apply(cursor, readings, now))


def _apply(cursor: Cursor, readings: Sequence[FollowReading], now: datetime) -> None:
    orders = {r.asked.order_id: r for r in readings}
    states = {row[0]: State(row[1]) for row in ask(cursor, queries.LOCK_THEIR_ORDERS, (sorted(orders),))}
    locked = ask(cursor, queries.LOCK_REFILLS, (sorted(r.asked.refill_id for r in readings),))
    running = {row[0]: state for row in locked if not is_over(state := RefillState(row[1]))}
    changes: list[RefillChange] = []
    ended: list[tuple[int, WorkKind]] = []
    due: list[DueWork] = []
    for reading in readings:
        asked, answer = reading.asked, reading.answer
        if asked.refill_id not in running:
            # Somebody else saw it end; its work went with it.
            continue
        after = refill_state_after(running[asked.refill_id], answer) if isinstance(answer, RefillStatus) else None
        if after is not None:
            why = f"the provider says {answer}"
            reason = why if is_over(after) else None
            changes.append(RefillChange(asked.refill_id, asked.order_id, states[asked.order_id], after, why, reason))
        if after is not None and is_over(after):
            ended.append((asked.order_id, WorkKind.FOLLOW))
        else:
            due.append(DueWork(asked.order_id, WorkKind.FOLLOW, asked.provider_id, *_next(reading, now)))
    write_refill_changes(cursor, changes, actor=ACTOR, now=now)
    replace_work(cursor, ended, due)
    failpoint("follow-before-commit")


def _next(reading: FollowReading, now: datetime) -> tuple[datetime, int]:
    if not isinstance(reading.answer, RefillStatus):
        return after_silence(reading.asked.tries, now)
    age = now - reading.asked.requested_at
    wait = next_poll(age=age, quantity=0, remains=None, shortest=shortest_wait(), longest=longest_wait())
    return spread(now, wait), 0
