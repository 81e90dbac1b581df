"""Following orders upstream: which to ask for, and what the answers change."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from hawker.alerts.actions import Raised, log_alerts, write_alerts
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import about_order
from hawker.core.actors import system
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import lock_accounts, open_book
from hawker.orders.following import queries
from hawker.orders.following.polling import LEASE, Polled, Reading, after_silence, longest_wait, shortest_wait, spread
from hawker.orders.following.rules import next_poll
from hawker.orders.models import State
from hawker.orders.subscriptions.run_by_provider import apply_relays
from hawker.orders.transitions.actions import NewOrderEvent, OrderChange, SettlementTerms, write_changes, write_events
from hawker.orders.transitions.rules import TRANSITIONS, is_finished, state_of
from hawker.protocol.upstream import UpstreamStatus
from hawker.protocol.upstream_subscriptions import UpstreamSubscription
from hawker.providers.availability import Pace, ask_slots, use_slots

ACTOR = system("poll")


PollReading: TypeAlias = Reading[Polled, UpstreamStatus | UpstreamSubscription]


def claim_polls(provider_id: int, *, limit: int, now: datetime) -> list[Polled]:
    """Due polls of this provider, oldest first, leased; none where its minute is used up. Raises Unavailable."""

    def work(cursor: Cursor) -> list[Polled]:
        slots = ask_slots(cursor, provider_id, Pace.STATUSES, now=now)
        if not slots.most:
            return []
        rows = ask(cursor, queries.CLAIM_POLLS, (provider_id, now, limit, now + LEASE)).fetchall()
        use_slots(cursor, slots, 1 if rows else 0, now=now)
        return [Polled(row[0], row[1], State(row[2]), *row[3:]) for row in rows]

    return in_transaction(work)


def apply_readings(readings: Sequence[PollReading], *, now: datetime) -> None:
    """Write what polls found and when to ask again.

    An order whose answer equals what is known costs no write to `orders`. Endings settle the escrow and
    refund in the same transaction. An answer that cannot be read changes nothing but the next poll. One that
    contradicts an end (Canceled, then Completed) is recorded and alerted, and takes nothing back.
    Raises Unavailable; the polls are then due again when their leases end.
    """
    log_alerts(in_transaction(lambda cursor: _apply(cursor, readings, now)))


def _apply(cursor: Cursor, readings: Sequence[PollReading], now: datetime) -> list[Raised]:
    relays: list[Reading[Polled, UpstreamSubscription]] = [
        Reading(r.asked, r.answer) for r in readings if isinstance(r.answer, UpstreamSubscription)
    ]
    news = {r.asked.order_id: r.answer for r in readings if isinstance(r.answer, UpstreamStatus) and _is_news(r)}
    ended: set[int] = set()
    flips: list[NewOrderEvent] = []
    # All at once, subscriptions among them, and before any account, as everybody locks.
    asked = sorted({*news, *(relay.asked.order_id for relay in relays)})
    rows = ask(cursor, queries.LOCK_ORDERS, (asked,)).fetchall() if asked else []
    if news:
        locked = [row for row in rows if row[0] in news]
        flips = [flip for row in locked if (flip := _flip(row[0], State(row[1]), news[row[0]])) is not None]
        changes = [change for row in locked if (change := _change(row, news[row[0]])) is not None]
        book = open_book(lock_accounts(cursor, (change.account_id for change in changes if change.settlement)))
        write_changes(cursor, changes, book, actor=ACTOR, operation="order.follow", now=now)
        write_events(cursor, flips, actor=ACTOR, now=now)
        ended = {change.order_id for change in changes if change.settlement is not None}
    raised, relays_ended = apply_relays(cursor, relays, now)
    ended |= relays_ended
    again = [
        (reading.asked.order_id, *_next(reading, now)) for reading in readings if reading.asked.order_id not in ended
    ]
    if again:
        leased_until = max(reading.asked.leased_until for reading in readings)
        ask(cursor, queries.DEFER_POLLS, (leased_until, *map(list, zip(*again, strict=True))))
    raised += [Raised(AlertKind.STATUS_FLIP, about_order(flip.order_id), flip.reason) for flip in flips]
    opened = write_alerts(cursor, raised, now=now)
    failpoint("follow-before-commit")
    return opened


def _flip(order_id: int, state: State, answer: UpstreamStatus) -> NewOrderEvent | None:
    """What is written down of an order that ended otherwise than its provider says now."""
    told = state_of(answer.status)
    if not (is_finished(state) and is_finished(told)) or told is state:
        return None
    return NewOrderEvent(
        order_id, state, state, f"it ended {state.value}, and the provider now reports {answer.status}"
    )


def _is_news(reading: PollReading) -> bool:
    """Whether the answer says anything that was not known when the poll was claimed."""
    known, answer = reading.asked, reading.answer
    assert isinstance(answer, UpstreamStatus), "callers ask about readable answers only"
    return (
        state_of(answer.status) is not known.state
        or (answer.start_count is not None and answer.start_count != known.start_count)
        or (answer.remains is not None and _clamped(answer.remains, known.quantity) != known.remains)
        or (answer.charge_micros is not None and answer.charge_micros != known.upstream_charge_micros)
    )


def _clamped(remains: int, quantity: int) -> int:
    """A negative remains is over-delivery and one above the quantity is nonsense: neither moves money."""
    return min(max(remains, 0), quantity)


def _change(row: tuple[int, str, int, int, int, int, int, int], answer: UpstreamStatus) -> OrderChange | None:
    order_id, state_text, *rest = row
    terms = SettlementTerms(*rest)
    before, after = State(state_text), state_of(answer.status)
    if is_finished(before):
        return None
    change = OrderChange(
        order_id,
        before,
        (after,) if after in TRANSITIONS[before] else (),
        start_count=answer.start_count,
        remains=None if answer.remains is None else _clamped(answer.remains, terms.quantity),
        upstream_charge_micros=answer.charge_micros,
    )
    if change.path and is_finished(after):
        if after is State.PARTIAL and answer.remains is None:
            # How much is owed back cannot be read, so nothing is guessed: ask again.
            change.path = ()
            return change
        change.end(terms, answer.status, answer.remains)
        change.reason = f"the provider says {answer.status}, remains {answer.remains}"
    return change


def _next(reading: PollReading, now: datetime) -> tuple[datetime, int]:
    """When to ask again, and how often in a row nothing could be read."""
    polled, answer = reading.asked, reading.answer
    if not isinstance(answer, UpstreamStatus | UpstreamSubscription):
        return after_silence(polled.tries, now)
    wait = next_poll(
        age=now - polled.moved_at,
        quantity=polled.quantity,
        remains=answer.remains if isinstance(answer, UpstreamStatus) else None,
        shortest=shortest_wait(),
        longest=longest_wait(),
    )
    return spread(now, wait), 0
