"""Following orders upstream: which to ask for, and what the answers change."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hawker.core.failpoints import failpoint
from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import lock_accounts, open_book
from hawker.orders.actions.move import Change, Terms, write_changes
from hawker.orders.models import State
from hawker.orders.queries import follow as queries
from hawker.orders.rules import TRANSITIONS, backoff, due_after, is_finished, next_poll, state_of
from hawker.protocol.upstream import Unreadable, UpstreamStatus

POLL_LEASE = timedelta(seconds=25)
"""A little longer than a status call may take: a killed worker's polls are soon due again, and asking twice
costs a call and nothing else."""

ACTOR = "poll"


@dataclass(frozen=True, slots=True)
class Polled:
    """An order to ask about, with what was known of it when its poll was claimed."""

    order_id: int
    upstream_id: int
    state: State
    quantity: int
    start_count: int | None
    remains: int | None
    upstream_charge_micros: int | None
    created_at: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a provider answered about one order; None where it left the order out."""

    polled: Polled
    answer: UpstreamStatus | Unreadable | None


def claim_polls(provider_id: int, *, limit: int, now: datetime) -> list[Polled]:
    """Due polls of this provider, oldest first, leased until POLL_LEASE from now. Raises Unavailable."""

    def work(cursor: Cursor) -> list[Polled]:
        rows = ask(cursor, queries.CLAIM_POLLS, (provider_id, now, limit, now + POLL_LEASE)).fetchall()
        return [Polled(row[0], row[1], State(row[2]), *row[3:]) for row in rows]

    return in_transaction(work)


def apply_readings(readings: Sequence[Reading], *, now: datetime) -> int:
    """Write what polls found and when to ask again; answers how many orders ended.

    An order whose answer equals what is known costs no write to `orders`. Endings settle the escrow and
    refund in the same transaction. An answer that cannot be read changes nothing but the next poll.
    Raises Unavailable; the polls are then due again when their leases end.
    """
    return in_transaction(lambda cursor: _apply(cursor, readings, now))


def _apply(cursor: Cursor, readings: Sequence[Reading], now: datetime) -> int:
    news = {r.polled.order_id: r.answer for r in readings if isinstance(r.answer, UpstreamStatus) and _is_news(r)}
    changes: list[Change] = []
    if news:
        locked = ask(cursor, queries.LOCK_ORDERS, (sorted(news),))
        changes = [change for row in locked.fetchall() if (change := _change(row, news[row[0]])) is not None]
        book = open_book(lock_accounts(cursor, (change.account_id for change in changes if change.settlement)))
        write_changes(cursor, changes, book, actor=ACTOR, now=now)
    ended = {change.order_id for change in changes if change.settlement is not None}
    again = [
        (reading.polled.order_id, *_next(reading, now)) for reading in readings if reading.polled.order_id not in ended
    ]
    if again:
        ask(cursor, queries.DEFER_POLLS, tuple(map(list, zip(*again, strict=True))))
    failpoint("follow-before-commit")
    return len(ended)


def _is_news(reading: Reading) -> bool:
    """Whether the answer says anything that was not known when the poll was claimed."""
    known, answer = reading.polled, reading.answer
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


def _change(row: tuple[int, str, int, int, int, int, int, int], answer: UpstreamStatus) -> Change | None:
    order_id, state_text, *rest = row
    terms = Terms(*rest)
    before, after = State(state_text), state_of(answer.status)
    if is_finished(before):
        return None
    change = Change(
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


def _next(reading: Reading, now: datetime) -> tuple[datetime, int]:
    """When to ask again, and how often in a row nothing could be read."""
    polled, answer = reading.polled, reading.answer
    shortest = timedelta(seconds=settings().poll_min_seconds)
    longest = timedelta(seconds=settings().poll_max_seconds)
    if isinstance(answer, UpstreamStatus):
        wait = next_poll(
            age=now - polled.created_at,
            quantity=polled.quantity,
            remains=answer.remains,
            shortest=shortest,
            longest=longest,
        )
        tries = 0
    else:
        tries = polled.tries + 1
        wait = backoff(tries, shortest=shortest, longest=longest)
    return due_after(now, wait, jitter=random.random()), tries  # noqa: S311 - spreads load, guards nothing
