"""What must not go on by itself in a database that came back from a backup.

The panel worked on after the backup was made: what waits in the copy may be with a provider since, under a number
that the copy has never heard of, or may have been cleared up and sent a second time. No rule can tell, because orders
that were placed after the backup look the same from outside. So everything that could be sent is left to a person.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hawker.alerts.actions import log_alerts
from hawker.core.actors import system
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import Book
from hawker.orders.models import AttemptKind, EvidenceKind, State
from hawker.orders.reconciling import after_restore_queries as queries
from hawker.orders.sending import settling_queries as settle_queries
from hawker.orders.sending.attempts import Begun, begin_attempts
from hawker.orders.sending.settling import Outcome, settle_within
from hawker.orders.transitions.actions import NewOrderEvent, OrderChange, write_changes, write_events
from hawker.protocol.upstream import Unknown
from hawker.providers.models import PauseKind

ACTOR = system("restore")
SKIPPED_NUMBERS = 10_000_000
"""Orders and refills of the copy get numbers far above those that customers may have been told since the backup."""

_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Restored:
    """What waits for a person now."""

    paused_providers: Sequence[str]
    unknown_orders: int
    unknown_refills: int
    held_drips: Sequence[int]
    held_subscriptions: Sequence[int]


def hold_restored(*, taken_at: datetime, now: datetime) -> Restored:
    """In one transaction: pause every provider, and hold all that may have been sent since `taken_at`.

    Orders that wait to be sent, or are being sent, become `unknown`; so do refills. Drip-feeds with a run overdue
    and subscriptions to feeds are held. Reconciling leaves all of them to a person (reconciling/actions.py), and
    binds nothing by guess that fell into the time between. Nothing else may work on the database meanwhile. Raises
    Unavailable.
    """

    def work(cursor: Cursor) -> Restored:
        why = f"restored from a backup of {taken_at:%Y-%m-%d %H:%M:%S} UTC"
        ask(cursor, queries.INSERT_RESTORE, (taken_at, now))
        parameters = (PauseKind.MANUAL.value, f"{why}: see docs/operations.md before it is resumed")
        paused = [row[0] for row in ask(cursor, queries.PAUSE_ALL, parameters)]
        _note_unknown(cursor, f"{why}: the panel may have resolved it since", now)
        doubt = Unknown(f"{why}: the panel may have sent it since")
        _doubt(cursor, [row[0] for row in ask(cursor, queries.FIND_SENDING)], doubt, now)
        orders = _doubt_orders(cursor, doubt, now)
        refills = _doubt_refills(cursor, doubt, now)
        ask(cursor, queries.RECONCILE_NOW, (now,))
        hold = f"restored: {why[len('restored from ') :]}"[:80]
        drips: dict[int, str] = dict(ask(cursor, queries.HOLD_DRIPS, (hold, now)).fetchall())
        subscriptions: dict[int, str] = dict(ask(cursor, queries.HOLD_SUBSCRIPTIONS, (hold,)).fetchall())
        held = [
            NewOrderEvent(order, State(state), State(state), f"held: {why}")
            for order, state in (drips | subscriptions).items()
        ]
        write_events(cursor, held, actor=ACTOR, now=now)
        failpoint("restored-before-commit")
        return Restored(sorted(paused), orders, refills, sorted(drips), sorted(subscriptions))

    return in_transaction(work)


def skip_numbers() -> None:
    """Give new orders and refills numbers that the panel has not told anybody since the backup. As the owner only."""
    in_transaction(lambda cursor: ask(cursor, queries.SKIP_NUMBERS, (SKIPPED_NUMBERS, ["orders", "refill"])))


def _note_unknown(cursor: Cursor, text: str, now: datetime) -> None:
    ids = [row[0] for row in ask(cursor, queries.FIND_UNKNOWN)]
    kinds = [EvidenceKind.WAIT.value] * len(ids)
    ask(cursor, settle_queries.INSERT_EVIDENCE, (now, ids, kinds, [text] * len(ids), [None] * len(ids)))


def _doubt(cursor: Cursor, attempt_ids: Sequence[int], doubt: Unknown, now: datetime) -> None:
    _, opened = settle_within(
        cursor,
        [Outcome(attempt_id, doubt, seen=False) for attempt_id in attempt_ids],
        now,
        actor=ACTOR,
        operation="panel.restore",
    )
    log_alerts(opened)


def _doubt_orders(cursor: Cursor, doubt: Unknown, now: datetime) -> int:
    """Give every order that waits an attempt of which nobody knows what came of it. Answers how many were waiting."""
    count = 0
    while rows := ask(cursor, queries.LOCK_QUEUED, (_BATCH,)).fetchall():
        count += len(rows)
        begun: defaultdict[int, list[Begun]] = defaultdict(list)
        for order_id, provider_id, n in rows:
            begun[provider_id].append(Begun(order_id, n + 1))
        moves = [OrderChange(row[0], State.QUEUED, (State.SENDING,), "it may have been sent") for row in rows]
        write_changes(cursor, moves, Book(), actor=ACTOR, operation="panel.restore", now=now)
        _begin_and_doubt(cursor, AttemptKind.ADD, begun, doubt, now)
    return count


def _doubt_refills(cursor: Cursor, doubt: Unknown, now: datetime) -> int:
    count = 0
    while rows := ask(cursor, queries.LOCK_REFILLS, (_BATCH,)).fetchall():
        count += len(rows)
        begun: defaultdict[int, list[Begun]] = defaultdict(list)
        for order_id, provider_id, n, refill_id in rows:
            begun[provider_id].append(Begun(order_id, n + 1, refill_id=refill_id))
        _begin_and_doubt(cursor, AttemptKind.REFILL, begun, doubt, now)
    return count


def _begin_and_doubt(
    cursor: Cursor, kind: AttemptKind, begun: dict[int, list[Begun]], doubt: Unknown, now: datetime
) -> None:
    for provider_id, items in begun.items():
        attempts = begin_attempts(cursor, kind, items, provider_id=provider_id, token=str(ACTOR), now=now)
        _doubt(cursor, list(attempts.values()), doubt, now)
