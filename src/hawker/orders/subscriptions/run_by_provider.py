"""Following subscriptions that a provider runs: its orders become ours, each charged once its quantity is known.

The provider's status of the subscription lists the orders it made (`apply_relays`, called by following/actions.py).
The list does not have their quantities, so their own statuses are polled (`claim_unread`, `apply_unread`). When a
status shows the quantity for certain, subscriptions/actions.py makes the order and charges it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from hawker.alerts.actions import Raised, log_alerts, write_alerts, write_closed
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import about_order
from hawker.catalog.rules import read_rate
from hawker.core.actors import system
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import Book
from hawker.orders.following.polling import LEASE, Polled, Reading, after_silence
from hawker.orders.models import NO_PROVIDER, State, WorkKind
from hawker.orders.subscriptions import run_by_provider_queries as queries
from hawker.orders.subscriptions.rules import relayed_quantity, relayed_state
from hawker.orders.transitions.actions import DueWork, OrderChange, replace_work, write_changes
from hawker.orders.transitions.rules import TRANSITIONS, is_finished
from hawker.protocol.upstream import UpstreamStatus
from hawker.protocol.upstream_subscriptions import UpstreamSubscription
from hawker.providers.availability import Pace, ask_slots, use_slots

ACTOR = system("poll")
UNREAD_TRIES = 4
"""So many times in a row nothing could be read of an order before a person hears of it."""

_SUBSCRIPTIONS, _EACH = 5, 20
"""A call asks for a hundred orders: of so many subscriptions, so many of each."""


# --- the subscription's own status -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Relayed:
    """A subscription under its row lock; `owes` while the balance does not cover what was delivered."""

    order_id: int
    state: State
    provider_id: int
    username: str
    minimum: int
    maximum: int
    posts: int | None
    old_posts: int
    owes: bool


@dataclass(slots=True)
class _Listed:
    """What is known of a subscription's orders upstream: keys, how many of them count as new, how many still wait."""

    keys: set[str] = field(default_factory=set)
    new: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    """One order of the provider's list, to be written down."""

    order_id: int
    key: str
    link: str
    is_new: bool
    quantity: int | None
    due_at: datetime | None
    is_aside: bool
    problem: str


def apply_relays(
    cursor: Cursor, readings: Sequence[Reading[Polled, UpstreamSubscription]], now: datetime
) -> tuple[list[Raised], set[int]]:
    """Write what providers say of these subscriptions: their state, and orders that were not known yet.

    Answers the alerts to raise and the numbers of those that ended. A subscription ends here only when every order
    of it is charged. In the caller's transaction.
    """
    told = {r.asked.order_id: r.answer for r in readings if isinstance(r.answer, UpstreamSubscription)}
    if not told:
        return [], set()
    relayed = [_Relayed(row[0], State(row[1]), *row[2:]) for row in ask(cursor, queries.LOCK_RELAYED, (sorted(told),))]
    known: defaultdict[int, _Listed] = defaultdict(_Listed)
    for order_id, key, is_new, waits in ask(cursor, queries.READ_LISTED, (list(told),)):
        listed = known[order_id]
        listed.keys.add(key)
        listed.new += is_new
        listed.waiting += waits
    rows: list[_Row] = []
    changes: list[OrderChange] = []
    raised: list[Raised] = []
    for item in relayed:
        answer, listed = told[item.order_id], known[item.order_id]
        if is_finished(item.state):
            continue
        fresh = _fresh(item, answer, listed, now)
        rows += fresh
        raised += _alerts(item, answer, fresh)
        waiting = listed.waiting + sum(not row.is_aside for row in fresh)
        change = _change(item, answer, waiting=waiting)
        if change is not None:
            changes.append(change)
    _write(cursor, rows, {item.order_id: item.provider_id for item in relayed}, now)
    write_changes(cursor, changes, Book(), actor=ACTOR, operation="order.follow", now=now)
    return raised, {change.order_id for change in changes if is_finished(change.path[-1])}


def _fresh(item: _Relayed, answer: UpstreamSubscription, listed: _Listed, now: datetime) -> list[_Row]:
    """The orders of the list that are not known yet, oldest first: the first `old_posts` of all are for old posts."""
    rows: list[_Row] = []
    count, new = len(listed.keys), listed.new
    exact = item.minimum if item.minimum == item.maximum else None
    for number in sorted(answer.orders or ()):
        key = str(number)
        if key in listed.keys:
            continue
        is_new = count >= item.old_posts
        over = is_new and item.posts is not None and new >= item.posts
        problem = "more posts than were requested" if over else ""
        due_at = None if exact is None or over else now
        rows.append(_Row(item.order_id, key, item.username, is_new, None if over else exact, due_at, over, problem))
        count += 1
        new += is_new
    return rows


def _alerts(item: _Relayed, answer: UpstreamSubscription, fresh: Sequence[_Row]) -> list[Raised]:
    subject = about_order(item.order_id)
    over = [row.key for row in fresh if row.is_aside]
    if over:
        extra = ", ".join(over[:20])
        why = f"the provider made more orders than posts were requested; the extra orders are not charged: {extra}"
        return [Raised(AlertKind.SUBSCRIPTION_UNREAD, subject, why)]
    if answer.orders is None and (answer.posts or answer.charge_micros):
        why = f"the provider reports {answer.posts or 'some'} posts but lists no orders for them: nothing is charged"
        return [Raised(AlertKind.SUBSCRIPTION_UNREAD, subject, why)]
    return []


def _change(item: _Relayed, answer: UpstreamSubscription, *, waiting: int) -> OrderChange | None:
    after = relayed_state(answer.status)
    if is_finished(after) and (waiting or (answer.orders is None and answer.posts)):
        # It has ended there, and not all of it is charged here.
        return None
    if item.owes and after in (State.ACTIVE, State.PAUSED):
        # It is paused here until what was delivered is paid for.
        return None
    if after not in TRANSITIONS[item.state]:
        return None
    return OrderChange(item.order_id, item.state, (after,), f"the provider says {answer.status}")


def _write(cursor: Cursor, rows: Sequence[_Row], providers: dict[int, int], now: datetime) -> None:
    if not rows:
        return
    listed = [
        (row.order_id, row.key, row.link, row.is_new, row.quantity, row.due_at, row.is_aside, row.problem)
        for row in rows
    ]
    ask(cursor, queries.INSERT_LISTED, (now, *map(list, zip(*listed, strict=True))))
    read = {row.order_id for row in rows if row.due_at is not None}
    unread = {row.order_id for row in rows if row.due_at is None and not row.is_aside}
    due = [DueWork(order_id, WorkKind.SUBSCRIBE, NO_PROVIDER, now) for order_id in sorted(read)]
    due += [DueWork(order_id, WorkKind.BIND, providers[order_id], now) for order_id in sorted(unread)]
    replace_work(cursor, [], due)


# --- its orders ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unread:
    """An order that a provider made for a subscription of ours, of which the quantity is not known."""

    post_id: int
    order_id: int
    upstream_id: int
    provider_id: int
    tries: int
    minimum: int
    maximum: int
    cost_rate: str | None


UnreadReading: TypeAlias = Reading[Unread, UpstreamStatus]


def claim_unread(provider_id: int, *, limit: int, now: datetime) -> list[Unread]:
    """Orders at this provider to be read, leased; none where its minute is used up. Raises Unavailable."""
    assert limit >= _SUBSCRIPTIONS * _EACH, "a call holds them all"

    def work(cursor: Cursor) -> list[Unread]:
        slots = ask_slots(cursor, provider_id, Pace.STATUSES, now=now)
        if not slots.most:
            return []
        rows = ask(cursor, queries.CLAIM_UNREAD, (provider_id, now, _SUBSCRIPTIONS, now + LEASE, _EACH)).fetchall()
        use_slots(cursor, slots, 1 if rows else 0, now=now)
        return [Unread(*row) for row in rows]

    return in_transaction(work)


def apply_unread(readings: Sequence[UnreadReading], *, now: datetime) -> None:
    """Write which quantities could be read; their orders are then due to be made and charged here.

    What tells no quantity for certain is asked about again, and a person hears of it. Raises Unavailable.
    """
    log_alerts(in_transaction(lambda cursor: _apply_unread(cursor, readings, now)))


def _apply_unread(cursor: Cursor, readings: Sequence[UnreadReading], now: datetime) -> list[Raised]:
    order_ids = sorted({reading.asked.order_id for reading in readings})
    locked = ask(cursor, queries.LOCK_PARENTS, (order_ids,)).fetchall()
    asked_of = {reading.asked.order_id: reading.asked for reading in readings}
    open_ = [order_id for order_id, state in locked if not is_finished(State(state))]
    rows: list[tuple[int, int | None, datetime | None, str]] = []
    read: set[int] = set()
    for reading in readings:
        quantity = _quantity(reading)
        if isinstance(quantity, int):
            rows.append((reading.asked.post_id, quantity, now, ""))
            read.add(reading.asked.order_id)
        else:
            rows.append((reading.asked.post_id, None, None, quantity[:300]))
    ask(cursor, queries.SET_READ, tuple(map(list, zip(*rows, strict=True))))
    left: dict[int, int] = dict(ask(cursor, queries.COUNT_UNREAD, (open_,)).fetchall())
    due = [DueWork(order_id, WorkKind.SUBSCRIBE, NO_PROVIDER, now) for order_id in open_ if order_id in read]
    raised = []
    for order_id in open_:
        asked = asked_of[order_id]
        if order_id not in left:
            continue
        due_at, tries = (now, 0) if order_id in read else after_silence(asked.tries, now)
        due.append(DueWork(order_id, WorkKind.BIND, asked.provider_id, due_at, tries))
        if tries >= UNREAD_TRIES:
            why = f"{left[order_id]} orders that the provider made cannot be read, and are not charged"
            raised.append(Raised(AlertKind.SUBSCRIPTION_UNREAD, about_order(order_id), why))
    done = [order_id for order_id in open_ if order_id not in left]
    replace_work(cursor, [(order_id, WorkKind.BIND) for order_id in done], due)
    subjects = [about_order(order_id) for order_id in done]
    write_closed(cursor, AlertKind.SUBSCRIPTION_UNREAD, subjects, by="its orders were read", now=now)
    opened = write_alerts(cursor, raised, now=now)
    failpoint("unread-before-commit")
    return opened


def _quantity(reading: UnreadReading) -> int | str:
    """The quantity of an order, or why it cannot be told."""
    asked, answer = reading.asked, reading.answer
    if answer is None:
        return "the provider returned no status for it"
    if not isinstance(answer, UpstreamStatus):
        return answer.why
    rate = None if asked.cost_rate is None else read_rate(asked.cost_rate)
    found = relayed_quantity(answer, asked.minimum, asked.maximum, rate)
    return (
        found if found is not None else f"{answer.status}, remains {answer.remains}: its quantity cannot be determined"
    )
