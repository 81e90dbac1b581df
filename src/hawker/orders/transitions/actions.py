"""The one way in which an order changes after it was placed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hawker.core.actors import Actor, ActorKind
from hawker.core.sql import Cursor, ask
from hawker.ledger.book import Book
from hawker.orders.drip_feeds import queries as drip_queries
from hawker.orders.models import HoldKind, State, WorkKind
from hawker.orders.refunds import Settlement, settle
from hawker.orders.transitions import queries
from hawker.orders.transitions.rules import check_transition, is_finished
from hawker.protocol.statuses import OrderStatus


@dataclass(frozen=True, slots=True)
class SettlementTerms:
    """Of an order under its row lock: the money and the numbers that its end is reckoned from."""

    account_id: int
    quantity: int
    charge_micros: int
    refunded_micros: int
    earned_micros: int
    settlements: int


@dataclass(slots=True)
class OrderChange:
    """What becomes of one locked order: its way through the states, and the facts learned with it.

    `path` may be empty (facts only), one move, or two (rejected and queued again). None leaves a
    column as it is; `settlement` says what of the escrow is refunded and what is earned. `starts_no_more` stops a
    drip-feed after the runs that it has started.
    """

    order_id: int
    before: State
    path: tuple[State, ...] = ()
    reason: str = ""
    account_id: int = 0
    settlements: int = 0
    settlement: Settlement | None = None
    start_count: int | None = None
    remains: int | None = None
    provider_id: int | None = None
    upstream_id: int | None = None
    upstream_charge_micros: int | None = None
    starts_no_more: bool = False

    def end(self, terms: SettlementTerms, status: OrderStatus, remains: int | None = None) -> None:
        """Settle the escrow with this change, whose path comes to a finished state."""
        self.account_id, self.settlements = terms.account_id, terms.settlements
        self.settlement = settle(
            charge_micros=terms.charge_micros,
            refunded_micros=terms.refunded_micros,
            earned_micros=terms.earned_micros,
            quantity=terms.quantity,
            status=status,
            remains=remains,
        )


@dataclass(frozen=True, slots=True)
class NewOrderEvent:
    """One thing that happened to an order; `before` and `after` are the same where it did not move."""

    order_id: int
    before: State
    after: State
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Why work waits for something else than its time: a kind for code, a text of at most 80 characters for people."""

    kind: HoldKind
    text: str


@dataclass(frozen=True, slots=True)
class DueWork:
    """The next thing to do for an order. `due_at` is None where an event sets the time."""

    order_id: int
    kind: WorkKind
    provider_id: int
    due_at: datetime | None
    tries: int = 0
    hold: Hold | None = None


def write_changes(
    cursor: Cursor, changes: Sequence[OrderChange], book: Book, *, actor: Actor, operation: str, now: datetime
) -> None:
    """Write the changes of locked orders, their events, and the transfers of their settlements, made by `operation`.

    Whatever was due for an order that ends is struck out, and a run that ends is counted at its drip-feed. The caller
    holds the orders' row locks and, for settlements, has opened `book` over their accounts; the counts of drip-feeds
    are locked after both, here only. Raises IllegalMove for a move that is not in the table; the database
    refuses it too.
    """
    runs_of: list[int] = []
    for step in range(max((len(change.path) for change in changes), default=0) or 1):
        runs_of += _write_step(cursor, changes, step, now)
    write_events(cursor, [event for change in changes for event in _events(change)], actor=actor, now=now)
    ended = [change.order_id for change in changes if change.path and is_finished(change.path[-1])]
    if ended:
        ask(cursor, queries.END_WORK, (ended, ended))
    _write_drips(cursor, [change.order_id for change in changes if change.starts_no_more], runs_of, now)
    for change in changes:
        settlement = change.settlement
        if settlement is None:
            continue
        # Parts count from 1: part 0 is the charge's, and a second settlement must not look like the first.
        part = change.settlements + 1
        if settlement.refund_micros:
            book.refund(change.account_id, settlement.refund_micros, change.order_id, part)
        if settlement.earned_micros:
            book.deliver(settlement.earned_micros, change.order_id, part)
    book.write(cursor, operation, now)


def _write_step(cursor: Cursor, changes: Sequence[OrderChange], step: int, now: datetime) -> list[int]:
    """Write one step of each change; answers the drip-feed of each run that ended by it."""
    rows = []
    for change in changes:
        if step and step >= len(change.path):
            continue
        before = change.path[step - 1] if step else change.before
        after = change.path[step] if change.path else before
        if after is not before:
            check_transition(before, after)
        # What was learned is written with the last step, where the order comes to rest.
        rests = step >= len(change.path) - 1
        settlement = change.settlement if rests else None
        rows.append(
            (
                change.order_id,
                before.value,
                after.value,
                settlement.refund_micros if settlement else 0,
                settlement.earned_micros if settlement else 0,
                change.start_count if rests else None,
                (settlement.remains if settlement else change.remains) if rests else None,
                change.provider_id if rests else None,
                change.upstream_id if rests else None,
                change.upstream_charge_micros if rests else None,
                after is not before and is_finished(after),
            )
        )
    if not rows:
        return []
    written = ask(cursor, queries.CHANGE_ORDERS, (now, now, *map(list, zip(*rows, strict=True)))).fetchall()
    assert len(written) == len(rows), "an order changed under its own lock"
    return [parent_id for (parent_id,) in written if parent_id is not None]


def _write_drips(cursor: Cursor, stopped: Sequence[int], ended_runs_of: Sequence[int], now: datetime) -> None:
    """Start no more runs of the stopped drip-feeds; count the runs that ended, one mention of its drip-feed each."""
    if stopped:
        ask(cursor, drip_queries.STOP_DRIPS, (list(stopped), now))
    if ended_runs_of:
        ask(cursor, drip_queries.COUNT_ENDED, (list(ended_runs_of), now))


def _events(change: OrderChange) -> Iterator[NewOrderEvent]:
    before = change.before
    for after in change.path:
        yield NewOrderEvent(change.order_id, before, after, change.reason)
        before = after
    if not change.path and change.reason:
        yield NewOrderEvent(change.order_id, before, before, change.reason)


def write_events(cursor: Cursor, events: Sequence[NewOrderEvent], *, actor: Actor, now: datetime) -> None:
    """Write down what happened to orders, moves or not."""
    if events:
        rows = [(event.order_id, event.before.value, event.after.value, event.reason[:500]) for event in events]
        who = (actor.kind.value, actor.id, actor.name, None if actor.kind is ActorKind.SYSTEM else actor.address)
        ask(cursor, queries.INSERT_EVENTS, (now, *who, *map(list, zip(*rows, strict=True))))


def replace_work(cursor: Cursor, ended: Sequence[tuple[int, WorkKind]], due: Sequence[DueWork]) -> None:
    """Strike out the work that is done and put down what comes next."""
    if ended:
        order_ids, kinds = zip(*ended, strict=True)
        ask(cursor, queries.DELETE_WORK, (list(order_ids), [kind.value for kind in kinds]))
    if due:
        rows = [
            (
                item.order_id,
                item.kind.value,
                item.provider_id,
                item.due_at,
                item.tries,
                item.hold.text if item.hold else "",
                item.hold.kind.value if item.hold else None,
            )
            for item in due
        ]
        ask(cursor, queries.PUT_WORK, tuple(map(list, zip(*rows, strict=True))))
