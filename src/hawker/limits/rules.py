"""Token buckets and places in flight. Pure: instants come in, decisions go out.

A bucket of a limit of L a minute holds L tokens and regains one every minute/L. It is kept as the
instant at which it will be full again: spending moves that instant on, and a bucket whose instant has
passed is full (the generic cell rate algorithm, known from ATM networks).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE_MICROS = 60_000_000
MICROSECOND = timedelta(microseconds=1)
NOTHING = timedelta(0)

LONGEST = timedelta(minutes=2)
"""An empty bucket of any limit is full after a minute, rounded up by a microsecond a token."""

LEASE = timedelta(seconds=90)
"""Longer than any answer takes, because no statement may run for more than 60 s."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a limit stands for whoever asked, as the X-RateLimit headers tell it."""

    limit: int
    remaining: int
    reset_at: datetime
    """When all of the limit is there again."""
    retry_seconds: float = 0.0
    """For whoever was turned away: in how long the same request would pass."""


def token_time(limit: int) -> timedelta:
    """How long one token takes to come back. Rounded up: never more than the limit in a minute."""
    return timedelta(microseconds=-(-MINUTE_MICROS // limit))


def missing(full_at: datetime, now: datetime) -> timedelta:
    """How long the bucket takes to be full again. One that would take longer than any spending explains
    counts as full: the clock was set back, and nobody shall wait for it to catch up.
    """
    ahead = full_at - now
    return ahead if NOTHING < ahead <= LONGEST else NOTHING


def spend(full_at: datetime, now: datetime, *, limit: int, cost: int) -> datetime | None:
    """When the bucket will be full after `cost` tokens were taken from it; None where it holds fewer.

    What costs more than the whole bucket takes all of it: it would never pass otherwise.
    """
    after = missing(full_at, now) + token_time(limit) * min(cost, limit)
    return now + after if after <= token_time(limit) * limit else None


def standing(full_at: datetime, now: datetime, *, limit: int, cost: int = 0) -> Standing:
    """How the bucket stands, and how long whoever wants `cost` tokens has to wait for them."""
    token = token_time(limit)
    used = missing(full_at, now)
    short = used + token * min(cost, limit) - token * limit
    return Standing(
        limit=limit,
        remaining=max((token * limit - used) // token, 0),
        reset_at=now + used,
        retry_seconds=max(short, NOTHING).total_seconds(),
    )


def living(leases: Sequence[datetime], now: datetime) -> list[datetime]:
    """The leases that have not run out. One that would last longer than any is of a clock that was set back."""
    return [lease for lease in leases if now < lease <= now + 2 * LEASE]


def lease_beside(leases: Sequence[datetime], now: datetime) -> datetime:
    """A lease for one more request: when it runs out, at an instant that no other of these has."""
    taken = set(leases)
    lease = now + LEASE
    while lease in taken:
        lease += MICROSECOND
    return lease
