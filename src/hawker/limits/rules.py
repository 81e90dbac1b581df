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


def spend(full_at: datetime, now: datetime, *, limit: int, cost: int) -> datetime | None:
    """When the bucket will be full after `cost` tokens were taken from it; None where it holds fewer.

    What costs more than the whole bucket takes all of it: it would never pass otherwise.
    """
    after = max(full_at, now) + token_time(limit) * min(cost, limit)
    return after if after - now <= token_time(limit) * limit else None


def standing(full_at: datetime, now: datetime, *, limit: int, cost: int = 0) -> Standing:
    """How the bucket stands, and how long whoever wants `cost` tokens has to wait for them."""
    token = token_time(limit)
    used = max(full_at - now, NOTHING)
    missing = used + token * min(cost, limit) - token * limit
    return Standing(
        limit=limit,
        # A limit that was lowered a moment ago may be overdrawn.
        remaining=max((token * limit - used) // token, 0),
        reset_at=now + used,
        retry_seconds=max(missing, NOTHING).total_seconds(),
    )


def living(leases: Sequence[datetime], now: datetime) -> list[datetime]:
    """The leases that have not run out."""
    return [lease for lease in leases if lease > now]


def lease_beside(leases: Sequence[datetime], now: datetime) -> datetime:
    """A lease for one more request: when it runs out, at an instant that no other of these has."""
    taken = set(leases)
    lease = now + LEASE
    while lease in taken:
        lease += MICROSECOND
    return lease
