"""Asking providers for cancels. A call may be repeated; what comes of it is told by the order's status."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from hawker.core.actors import system
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.cancels import queries
from hawker.orders.cancels.actions import NEXT_LOOK
from hawker.orders.following.polling import LEASE, Reading, after_silence
from hawker.orders.models import State, WorkKind
from hawker.orders.transitions.actions import DueWork, NewOrderEvent, replace_work, write_events
from hawker.orders.transitions.rules import is_finished
from hawker.protocol.upstream import CancelRefused, CancelTaken, Reason
from hawker.providers.availability import Pace, ask_slots, use_slots

ACTOR = system("cancel")


@dataclass(frozen=True, slots=True)
class Canceled:
    """An order to be canceled upstream."""

    order_id: int
    upstream_id: int
    tries: int
    provider_id: int


CancelReading: TypeAlias = Reading[Canceled, CancelTaken | CancelRefused]


def claim_cancels(provider_id: int, *, limit: int, now: datetime) -> list[Canceled]:
    """Due cancels at this provider, oldest first, leased; none where its minute is used up. Raises Unavailable."""

    def work(cursor: Cursor) -> list[Canceled]:
        slots = ask_slots(cursor, provider_id, Pace.STATUSES, now=now)
        if not slots.most:
            return []
        rows = ask(cursor, queries.CLAIM_CANCELS, (provider_id, now, limit, now + LEASE)).fetchall()
        use_slots(cursor, slots, 1 if rows else 0, now=now)
        return [Canceled(*row) for row in rows]

    return in_transaction(work)


def apply_cancels(readings: Sequence[CancelReading], *, now: datetime) -> None:
    """Write what providers said of cancels: taken, refused, or to be asked again.

    Taken says nothing yet of how much was delivered, so the order goes on and its status is asked for soon. A
    refusal is an event of the order and takes the wish back, so that it may be asked for anew. An
    answer that cannot be read, or a provider that is busy, is asked again. Raises Unavailable.
    """
    in_transaction(lambda cursor: _apply(cursor, readings, now))


def _apply(cursor: Cursor, readings: Sequence[CancelReading], now: datetime) -> None:
    locked = ask(cursor, queries.LOCK_OPEN, (sorted(reading.asked.order_id for reading in readings),))
    states = {row[0]: state for row in locked if not is_finished(state := State(row[1]))}
    events: list[NewOrderEvent] = []
    ended: list[tuple[int, WorkKind]] = []
    due: list[DueWork] = []
    taken: list[int] = []
    refused: list[int] = []
    for reading in readings:
        order_id, answer = reading.asked.order_id, reading.answer
        if order_id not in states:
            # It ended meanwhile, and its work with it.
            continue
        match answer:
            case CancelTaken():
                why = "the provider took the cancel"
                taken.append(order_id)
            case CancelRefused(Reason.OTHER, text):
                why = f"the provider refused the cancel: {text}"
                refused.append(order_id)
            case _:
                due_at, tries = after_silence(reading.asked.tries, now)
                due.append(DueWork(order_id, WorkKind.CANCEL, reading.asked.provider_id, due_at, tries))
                continue
        events.append(NewOrderEvent(order_id, states[order_id], states[order_id], why))
        ended.append((order_id, WorkKind.CANCEL))
    write_events(cursor, events, actor=ACTOR, now=now)
    replace_work(cursor, ended, due)
    if taken:
        ask(cursor, queries.POLL_SOON, (now + NEXT_LOOK, taken))
    if refused:
        ask(cursor, queries.TAKE_BACK, (refused,))
    failpoint("cancel-answer-before-commit")
