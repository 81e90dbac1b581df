"""The token buckets and leases of a batch, locked: changed in memory item by item, written in one statement each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from hawker.core.sql import Cursor, ask
from hawker.limits import queries
from hawker.limits.rules import Standing, lease_beside, living, spend, standing

Quota: TypeAlias = tuple[str, int]
"""The name of a bucket, and how many tokens it regains in a minute."""


@dataclass(slots=True)
class LockedBuckets:
    """Locked buckets and leases at one instant of the database's clock. `write` writes the changes."""

    now: datetime
    full_at: dict[str, datetime]
    leases: dict[int, list[datetime]]
    _spent: set[str] = field(default_factory=set)
    _entered: set[int] = field(default_factory=set)

    def lacking(self, quotas: Sequence[Quota], cost: int) -> Quota | None:
        """The first bucket that holds fewer tokens than this costs."""
        for name, limit in quotas:
            if spend(self.full_at[name], self.now, limit=limit, cost=cost) is None:
                return name, limit
        return None

    def take(self, quotas: Sequence[Quota], cost: int) -> None:
        """Take the tokens out of every bucket. The caller has asked `lacking`."""
        for name, limit in quotas:
            after = spend(self.full_at[name], self.now, limit=limit, cost=cost)
            assert after is not None, "asked before"
            self.full_at[name] = after
            self._spent.add(name)

    def standing(self, quota: Quota, cost: int = 0) -> Standing:
        """How this bucket stands for whoever wants so many tokens."""
        name, limit = quota
        return standing(self.full_at[name], self.now, limit=limit, cost=cost)

    def enter(self, account_id: int, places: int) -> datetime | None:
        """A lease on one of the account's places, or None where all are taken."""
        held = living(self.leases[account_id], self.now)
        if len(held) >= places:
            return None
        lease = lease_beside(held, self.now)
        self.leases[account_id] = [*held, lease]
        self._entered.add(account_id)
        return lease

    def write(self, cursor: Cursor) -> None:
        """Write what was spent and entered, in the caller's transaction."""
        if self._spent:
            names = list(self._spent)
            cursor.execute(queries.WRITE_BUCKETS, (names, [self.full_at[name] for name in names]))
        if self._entered:
            pairs = [(account_id, lease) for account_id in self._entered for lease in self.leases[account_id]]
            cursor.execute(queries.WRITE_IN_FLIGHT, (*map(list, zip(*pairs, strict=True)), list(self._entered)))


def lock_buckets(cursor: Cursor, buckets: Iterable[str], accounts: Iterable[int] = ()) -> LockedBuckets:
    """Lock these buckets and the leases of these accounts, in this order, to the end of the transaction.

    One round trip in a pipelined transaction; another one for a row that was forgotten (`forget_full`)
    between the moment it was seen and the moment it was to be locked.
    """
    names, account_ids = sorted(set(buckets)), sorted(set(accounts))
    full_at: dict[str, datetime] = {}
    leases: dict[int, list[datetime]] = {}
    while True:
        found = _lock(cursor, queries.MAKE_BUCKETS, queries.LOCK_BUCKETS, names, full_at)
        held = _lock(cursor, queries.MAKE_IN_FLIGHT, queries.LOCK_IN_FLIGHT, account_ids, leases)
        clock = ask(cursor, queries.READ_CLOCK)
        full_at.update(found)
        leases.update(held)
        if len(full_at) == len(names) and len(leases) == len(account_ids):
            return LockedBuckets(read_clock(clock), full_at, leases)


def _lock(cursor: Cursor, make: str, lock: str, keys: Sequence[Any], have: Mapping[Any, Any]) -> Iterable[Any]:
    missing = [key for key in keys if key not in have]
    if not missing:
        return ()
    ask(cursor, make, (missing,))
    return ask(cursor, lock, (missing,))


def read_clock(asked: Cursor) -> datetime:
    """The instant that READ_CLOCK was asked for."""
    row = asked.fetchone()
    assert row is not None, "a clock always answers"
    instant: datetime = row[0]
    return instant
