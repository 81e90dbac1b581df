"""The verbs of limits: admitting requests, letting them go, counting keys that failed."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction, read_rows
from hawker.limits import queries
from hawker.limits.locked_buckets import LockedBuckets, Quota, lock_buckets, read_clock
from hawker.limits.rules import Standing, standing

PAGES_AT_ONCE = 50
"""Pages that one transaction of the clean-up reads: some 4,000 rows, deleted within about 10 ms. A request that needs
one of them waits that long."""

FORGET_SECONDS = 50
"""The clean-up runs every minute."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request with a good key that wants to be answered; `cost` in tokens, at least 1."""

    key_id: int
    account_id: int
    caller: str | None
    """Whom the limit per address counts (core/addresses.caller_of); None where that is unknown."""
    cost: int


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request may be answered, and how the limit that is nearest stands after it."""

    admitted: bool
    standing: Standing | None
    lease: datetime | None = None
    """The place in flight that `release_calls` gives back."""
    empty: str | None = None
    """The bucket that turned the request away; None where all places were taken."""


def are_calls_limited() -> bool:
    """Whether the operator has set any limit on requests with good keys."""
    chosen = settings()
    return bool(chosen.limit_key_per_minute or chosen.limit_address_per_minute or chosen.limit_in_flight_per_account)


def admit_calls(calls: Sequence[ApiCall]) -> list[Admission]:
    """Admit each call that every limit has room for, in their order; one that has none spends nothing.

    Counted for all processes: the buckets are rows, locked while the batch spends from them. An
    admitted call with a `lease` must be given to `release_calls` when it is answered. Raises Unavailable.
    """
    places = settings().limit_in_flight_per_account
    wanted = [quotas_of(call) for call in calls]

    def work(cursor: Cursor) -> list[Admission]:
        names = {name for quotas in wanted for name, _ in quotas}
        locked = lock_buckets(cursor, names, {call.account_id for call in calls} if places else ())
        answers = [_admit(locked, call, quotas, places) for call, quotas in zip(calls, wanted, strict=True)]
        locked.write(cursor)
        return answers

    return in_transaction(work, pipelined=True)


def quotas_of(call: ApiCall) -> list[Quota]:
    """The buckets that a call spends from."""
    chosen = settings()
    quotas = []
    if chosen.limit_key_per_minute:
        quotas.append((f"key:{call.key_id}", chosen.limit_key_per_minute))
    if chosen.limit_address_per_minute and call.caller is not None:
        quotas.append((f"address:{call.caller}", chosen.limit_address_per_minute))
    return quotas


def _admit(locked: LockedBuckets, call: ApiCall, quotas: Sequence[Quota], places: int) -> Admission:
    empty = locked.lacking(quotas, call.cost)
    if empty is not None:
        return Admission(admitted=False, standing=locked.standing(empty, call.cost), empty=empty[0])
    lease = locked.enter(call.account_id, places) if places else None
    if places and lease is None:
        # Places become free as answers are given: soon, at an instant that nobody knows.
        soon = locked.now + timedelta(seconds=1)
        return Admission(admitted=False, standing=Standing(places, 0, soon, retry_seconds=1))
    locked.take(quotas, call.cost)
    if quotas:
        nearest = min((locked.standing(quota) for quota in quotas), key=lambda stands: stands.remaining)
        return Admission(admitted=True, standing=nearest, lease=lease)
    if not places:
        return Admission(admitted=True, standing=None)
    left = places - len(locked.leases[call.account_id])
    return Admission(admitted=True, standing=Standing(places, left, locked.now), lease=lease)


def release_calls(held: Sequence[tuple[int, datetime]]) -> list[None]:
    """Give back the leases of these accounts; one that has run out already is no matter. Raises Unavailable."""
    accounts, leases = map(list, zip(*held, strict=True))

    def work(cursor: Cursor) -> None:
        ids = sorted(set(accounts))
        ask(cursor, queries.LOCK_IN_FLIGHT, (ids,))
        ask(cursor, queries.END_LEASES, (accounts, leases, ids))

    in_transaction(work, pipelined=True)
    return [None] * len(held)


def failed_bucket(caller: str) -> str:
    """The bucket that this caller's wrong keys spend from."""
    return f"failed:{caller}"


@dataclass(frozen=True, slots=True)
class Shown:
    """One key that was shown, as the limit on wrong keys sees it."""

    caller: str | None
    """Who showed it (core/addresses.caller_of); None where that is unknown: such a caller is not counted."""
    failed: bool
    exempt: bool
    """Whether it is not turned away while it is good, however many wrong ones came from there."""


class FailedKeys:
    """The limit on wrong keys, per caller, as one transaction of look-ups meets it.

    The question goes out with the look-ups, without waiting; only failures lock and write.
    """

    def __init__(self, cursor: Cursor, callers: Iterable[str | None]) -> None:
        self._cursor = cursor
        self._limit = settings().limit_failed_keys_per_minute
        names = sorted({failed_bucket(caller) for caller in callers if caller is not None}) if self._limit else []
        self._asked = (ask(cursor, queries.READ_BUCKETS, (names,)), ask(cursor, queries.READ_CLOCK)) if names else None

    def turn_away(self, shown: Sequence[Shown]) -> list[Standing | None]:
        """For each key, in their order, how the limit stands that turns it away; None where none does.

        A failure spends a token; without one it is turned away, and so is a good key that is not
        exempt: whoever guesses must not learn from it. Written in the caller's transaction.
        """
        if self._asked is None:
            return [None] * len(shown)
        shut_out = self._shut_out()
        failing = {one.caller for one in shown if one.failed and (one.exempt or one.caller not in shut_out)}
        quotas = {caller: (failed_bucket(caller), self._limit) for caller in failing if caller is not None}
        locked = lock_buckets(self._cursor, (name for name, _ in quotas.values())) if quotas else None
        answers: list[Standing | None] = []
        for one in shown:
            quota = quotas.get(one.caller or "")
            if one.caller in shut_out and not one.exempt:
                answers.append(shut_out[one.caller])
            elif locked is None or quota is None or (one.exempt and not one.failed):
                answers.append(None)
            elif locked.lacking([quota], 1) is not None:
                answers.append(locked.standing(quota, 1))
            else:
                answers.append(None)
                if one.failed:
                    locked.take([quota], 1)
        if locked is not None:
            locked.write(self._cursor)
        return answers

    def _shut_out(self) -> Mapping[str | None, Standing]:
        """The callers whose bucket is empty now."""
        assert self._asked is not None, "asked before"
        rows, now = self._asked[0].fetchall(), read_clock(self._asked[1])
        stands = {
            name.removeprefix(failed_bucket("")): standing(full_at, now, limit=self._limit, cost=1)
            for name, full_at in rows
        }
        return {caller: stand for caller, stand in stands.items() if not stand.remaining}


def forget_full() -> int:
    """Delete the rows that say nothing any more: full buckets, accounts with nothing in flight. Returns how many.

    Reads each table once, a few pages in a transaction: the cost grows with the rows and not with their square, and a
    request whose bucket is deleted at this moment waits for some milliseconds only. Ends after FORGET_SECONDS also
    where pages are left; the next run begins with the first page again. Raises Unavailable.
    """
    ends_at = time.monotonic() + FORGET_SECONDS
    return sum(
        _forget_pages(table, query, ends_at)
        for table, query in (("rate_bucket", queries.FORGET_BUCKETS), ("in_flight", queries.FORGET_IN_FLIGHT))
    )


def _forget_pages(table: str, query: str, ends_at: float) -> int:
    forgotten = 0
    for page in range(0, read_rows(queries.PAGES, (table,))[0][0], PAGES_AT_ONCE):
        if time.monotonic() >= ends_at:
            break
        pages = (f"({page},0)", f"({page + PAGES_AT_ONCE},0)")
        forgotten += in_transaction(partial(_count_changed, query, pages))
    return forgotten


def _count_changed(query: str, parameters: Sequence[str], cursor: Cursor) -> int:
    return ask(cursor, query, parameters).rowcount
