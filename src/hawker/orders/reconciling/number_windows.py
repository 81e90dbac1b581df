"""Where an unknown order can be among a provider's order numbers, and what a look at them proves. Pure.

Numbers grow: what is made later has a higher one. So an unknown order, if it was made at all, lies between the last
number that was surely given before its attempt was sent and the first that was surely given after it can have been
carried out. Whatever in that window answers to our key and belongs to nothing of ours is an orphan; what orphans
prove is told in `orphans`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_ASKED = 300
"""Numbers asked about for one unknown, in calls of a hundred; the first and the last of each call are known ones."""

PER_CALL = 98
MAX_CANDIDATES = MAX_ASKED // 100 * PER_CALL

CLOCK_SKEW = timedelta(seconds=5)
"""The workers that wrote two moments down may be on machines whose clocks are so far apart."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An order of ours whose number is known: it was given between these two moments."""

    upstream_id: int
    started_at: datetime
    done_at: datetime


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt that may have made an order whose number nobody knows.

    It can have been carried out from `started_at` to `ended_at`: soon after the provider itself answered, senselessly,
    else well after the last moment at which we may have been writing or waiting. `seen_at` is when it became unknown.
    `charge_micros` is in the provider's currency. `open` is False where a person has decided otherwise than by a
    number: an order of it may be there all the same.
    """

    attempt_id: int
    order_id: int
    started_at: datetime
    seen_at: datetime
    ended_at: datetime
    charge_micros: int | None
    quantity: int
    resends: int
    open: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """The numbers strictly between two known ones. `whole` is False where it may be too narrow to hold an order that
    the provider made late: an orphan in it can be bound, but its emptiness proves nothing."""

    low: Neighbour
    high: Neighbour
    whole: bool = True

    @property
    def numbers(self) -> int:
        return self.high.upstream_id - self.low.upstream_id - 1

    def overlaps(self, started_at: datetime, ended_at: datetime | None) -> bool:
        """Whether something carried out between these moments may have got a number in the window. `ended_at` is None
        of what goes on.
        """
        return started_at <= self.high.done_at and (ended_at is None or ended_at >= self.low.started_at)


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing can be said yet: why, and whether only a person can change that."""

    why: str
    person: bool = False


def windows_of(doubt: Doubt, before: Sequence[Neighbour], after: Sequence[Neighbour]) -> Sequence[Window] | Later:
    """The windows of an unknown, the whole one first, then a narrower one where there is one.

    `before` are orders answered before it was sent, `after` ones sent after it became unknown, both near to it.
    """
    low = max(
        (n for n in before if n.done_at <= doubt.started_at - CLOCK_SKEW), key=lambda n: n.upstream_id, default=None
    )
    if low is None:
        return Later("no order before it has a known number", person=True)
    high = min((n for n in after if n.started_at >= doubt.ended_at), key=lambda n: n.upstream_id, default=None)
    if not numbers_grow([*before, *after]) or (high is not None and high.upstream_id <= low.upstream_id):
        return Later("the provider's order numbers do not grow with time", person=True)
    if high is None:
        return Later("no order after it has a known number yet")
    soon = min(
        (n for n in after if n.started_at >= doubt.seen_at + CLOCK_SKEW), key=lambda n: n.upstream_id, default=high
    )
    whole = Window(low, high)
    return [whole] if soon.upstream_id >= high.upstream_id else [whole, Window(low, soon, whole=False)]


def numbers_grow(orders: Sequence[Neighbour]) -> bool:
    """Whether of any two orders, one answered before the other was sent, the later has the higher number."""
    by_end = sorted(orders, key=lambda order: order.done_at)
    ends = [order.done_at for order in by_end]
    highest: list[int] = []
    for order in by_end:
        highest.append(max(order.upstream_id, highest[-1] if highest else 0))
    for order in orders:
        earlier = bisect_right(ends, order.started_at - CLOCK_SKEW)
        if earlier and highest[earlier - 1] >= order.upstream_id:
            return False
    return True
