"""Drip-feeds: each run an order of its own, started at its time; the whole ends when its runs have ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hawker.catalog.rules import read_rate
from hawker.core.actors import system
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import Book
from hawker.orders.cancels.parent_orders import Parent, Stopped
from hawker.orders.drip_feeds import queries
from hawker.orders.drip_feeds.rules import end_of_drip, next_run, run_must_wait_until, share_of_run
from hawker.orders.models import NO_PROVIDER, State, WorkKind
from hawker.orders.placing.rules import cost_for
from hawker.orders.refunds import Settlement
from hawker.orders.transitions.actions import DueWork, OrderChange, replace_work, write_changes

WHEN_RUNS_END = None
"""When work is due once all runs have been started: the last run to end sets the time (COUNT_ENDED)."""

ACTOR = system("drip")


@dataclass(frozen=True, slots=True)
class _Drip:
    """A drip-feed that is due, locked, with the first route of its service and the fate of its last run."""

    order_id: int
    quantity: int
    charge_micros: int
    runs: int
    interval_minutes: int
    started: int
    ended: int
    stops_after: int
    due_at: datetime
    provider_id: int | None
    cost_rate: str | None
    last_is_queued: bool
    last_sent_at: datetime | None

    @property
    def interval(self) -> timedelta:
        return timedelta(minutes=self.interval_minutes)

    @property
    def run_quantity(self) -> int:
        return self.quantity // self.runs

    @property
    def cost_micros(self) -> int | None:
        """What a run costs upstream today, in the provider's currency."""
        if self.cost_rate is None:
            return None
        return cost_for(read_rate(self.cost_rate), self.run_quantity, package=False)


def start_due_runs(*, limit: int, now: datetime) -> int:
    """Do what is due of up to `limit` drip-feeds: start their next run, or end those whose runs have ended.

    Answers how many were looked at. One transaction: a run, its share of the charge, the sending that is due
    for it and the time of the next one are there together or not at all. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _start_due(cursor, limit, now))


def _start_due(cursor: Cursor, limit: int, now: datetime) -> int:
    drips = [_Drip(*row) for row in ask(cursor, queries.CLAIM_DRIPS, (now, limit))]
    starting: list[_Drip] = []
    over: list[_Drip] = []
    due: list[tuple[_Drip, datetime | None]] = []
    for drip in drips:
        if drip.ended == drip.stops_after:
            over.append(drip)
        elif drip.started == drip.stops_after:
            due.append((drip, WHEN_RUNS_END))
        elif wait_until := run_must_wait_until(
            now, drip.interval, last_is_queued=drip.last_is_queued, last_sent_at=drip.last_sent_at
        ):
            due.append((drip, wait_until))
        else:
            starting.append(drip)
            is_last = drip.started + 1 == drip.stops_after
            due.append((drip, WHEN_RUNS_END if is_last else next_run(drip.due_at, now, drip.interval)))
    _start(cursor, starting, now)
    _end(cursor, over, now)
    replace_work(cursor, [], [DueWork(drip.order_id, WorkKind.DRIP, NO_PROVIDER, due_at) for drip, due_at in due])
    failpoint("drip-before-commit")
    return len(drips)


def _start(cursor: Cursor, drips: Sequence[_Drip], now: datetime) -> None:
    rows = [
        (
            drip.order_id,
            drip.started + 1,
            drip.run_quantity,
            share_of_run(drip.charge_micros, drip.started + 1, drip.runs),
            drip.cost_micros,
            drip.provider_id,
        )
        for drip in drips
    ]
    if rows:
        ask(cursor, queries.START_RUNS, (*map(list, zip(*rows, strict=True)), now, now, now, now))


def _end(cursor: Cursor, drips: Sequence[_Drip], now: datetime) -> None:
    ends = _read_ends(cursor, [_Progress(drip.order_id, drip.quantity, drip.runs, drip.started) for drip in drips])
    changes = [
        OrderChange(drip.order_id, State.ACTIVE, (end.state,), end.why, remains=end.remains)
        for drip, end in zip(drips, ends, strict=True)
    ]
    if changes:
        write_changes(cursor, changes, Book(), actor=ACTOR, operation="drip_feed.end", now=now)


@dataclass(frozen=True, slots=True)
class _Progress:
    """Of a drip-feed that will start no more runs: what it was to be, and how far it came."""

    order_id: int
    quantity: int
    runs: int
    started: int

    @property
    def not_started(self) -> int:
        """The quantity of the runs that were never started."""
        return self.quantity // self.runs * (self.runs - self.started)


@dataclass(frozen=True, slots=True)
class _End:
    """How a drip-feed ends whose started runs have all ended."""

    state: State
    remains: int
    why: str


def _read_ends(cursor: Cursor, drips: Sequence[_Progress]) -> list[_End]:
    """The end of each, from its runs."""
    if not drips:
        return []
    ended = {row[0]: row[1:] for row in ask(cursor, queries.READ_RUNS_ENDED, ([drip.order_id for drip in drips],))}
    ends = []
    for drip in drips:
        completed, canceled, remains = ended.get(drip.order_id, (0, 0, 0))
        state = end_of_drip(runs=drip.runs, started=drip.started, completed=completed, canceled=canceled)
        why = f"{drip.started} of {drip.runs} runs started: {completed} completed, {canceled} canceled"
        ends.append(_End(state, remains + drip.not_started, why))
    return ends


def stop_drips(cursor: Cursor, parents: Sequence[Parent], *, reason: str, now: datetime) -> Stopped:
    """Start no more runs of these drip-feeds and refund those that were not (cancels/parent_orders.py).

    One whose runs have all ended, or that had none yet, ends here; the others end with their last run.
    """
    del reason, now  # The caller has written down who asked; what is due is put right with the changes.
    order_ids = [parent.order_id for parent in parents]
    rows = {row[0]: row[1:] for row in ask(cursor, queries.READ_FOR_STOP, (order_ids,))}
    stopped = Stopped(children=[row[0] for row in ask(cursor, queries.OPEN_RUNS, (order_ids,))])
    over = []
    for parent in parents:
        runs, rest_micros, started, ended = rows[parent.order_id]
        progress = _Progress(parent.order_id, parent.terms.quantity, runs, started)
        change = OrderChange(parent.order_id, parent.state, starts_no_more=True)
        if rest_micros:
            change.account_id, change.settlements = parent.terms.account_id, parent.terms.settlements
            change.settlement = Settlement(refund_micros=rest_micros, earned_micros=0, remains=progress.not_started)
        stopped.changes.append(change)
        if ended == started:
            over.append((change, progress))
    for (change, _), end in zip(over, _read_ends(cursor, [progress for _, progress in over]), strict=True):
        change.path, change.reason, change.remains = (end.state,), end.why, end.remains
        if change.settlement is not None:
            change.settlement = replace(change.settlement, remains=end.remains)
    return stopped
