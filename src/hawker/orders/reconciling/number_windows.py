"""Where an unknown order can be among a provider's order numbers, and what a look at them proves. Pure.

Numbers grow: what is made later has a higher one. So an unknown order, if it was made at all, lies between the last
number that was surely given before its attempt was sent and the first that was surely given after it can have been
carried out. Whatever in that window answers to our key and belongs to nothing of ours is an orphan; what orphans
prove is told in `rules`.

A panel that gets few orders has only one of the two for a long time. Its window is open on the other side: an orphan
in it can be bound, but its emptiness never proves that nothing was made, because it holds only some of the numbers
that the order may have.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

MAX_ASKED = 300
"""Numbers asked about for one unknown, in calls of a hundred; the first and the last of each call are known ones."""

PER_CALL = 98
MAX_CALLS = MAX_ASKED // 100
MAX_CANDIDATES = MAX_CALLS * PER_CALL

_CONTROLS = 20
"""The calls for a window that is open on one side have room for so many numbers on the other side of the known order,
which no order of ours can have."""

OPEN_AFTER = timedelta(minutes=10)
"""An order that is sent this soon after an unknown closes its window, which proves more. Only then is it looked for
without one. Nothing is in progress any more by then, and a provider shows what it took."""

BEFORE_ALL, AFTER_ALL = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""The moments of an open side: whatever was or will be sent there may have a number in the window."""

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


class Side(StrEnum):
    """A side of a window."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Window:
    """The numbers strictly between two others. `whole` is False where it may be too narrow to hold an order that
    the provider made late: an orphan in it can be bound, but its emptiness proves nothing.

    `open` is the side on which no order of ours is known: the number there is only where the window stops, and
    `known` are two orders of ours beyond the other side. A closed window is between two known orders.
    """

    low: Neighbour
    high: Neighbour
    whole: bool = True
    open: Side | None = None
    known: tuple[int, int] | None = None

    @property
    def numbers(self) -> int:
        return self.high.upstream_id - self.low.upstream_id - 1

    @property
    def ours(self) -> tuple[int, int]:
        """Two numbers that are surely ours, to be asked about in each call: the first and the last of it."""
        return self.known or (self.low.upstream_id, self.high.upstream_id)

    def overlaps(self, started_at: datetime, ended_at: datetime | None) -> bool:
        """Whether something carried out between these moments may have got a number in the window. `ended_at` is None
        of what goes on.
        """
        return started_at <= self.high.done_at and (ended_at is None or ended_at >= self.low.started_at)


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing can be said yet: why, and whether only a person can change that.

    `advice` is what that person can do, `look_by` the moment at which it is looked at again at the latest.
    """

    why: str
    person: bool = False
    advice: str = ""
    look_by: datetime | None = None

    @property
    def text(self) -> str:
        return f"{self.why}; {self.advice}" if self.advice else self.why


RESOLVE = "look for it in the provider's list of orders, then run `hawker order resolve`"
ORDER_OR_RESOLVE = f"place one small order at this provider and it is looked at again, or {RESOLVE}"


def windows_of(
    doubt: Doubt,
    before: Sequence[Neighbour],
    after: Sequence[Neighbour],
    *,
    now: datetime,
    most_calls: int = MAX_CALLS,
) -> Sequence[Window] | Later:
    """The windows of an unknown, the whole one first, then a narrower one where there is one.

    `before` are orders answered before it was sent, `after` ones sent after it became unknown, both near to it. An open
    window has as many numbers as `most_calls` hold.
    """
    low = max(
        (n for n in before if n.done_at <= doubt.started_at - CLOCK_SKEW), key=lambda n: n.upstream_id, default=None
    )
    high = min((n for n in after if n.started_at >= doubt.ended_at), key=lambda n: n.upstream_id, default=None)
    if not numbers_grow([*before, *after]) or (low and high and high.upstream_id <= low.upstream_id):
        return Later("the provider's order numbers do not grow with time", person=True)
    open_numbers = min(most_calls * PER_CALL, MAX_CANDIDATES) - _CONTROLS
    if high is None:
        return _open_above(doubt, low, before, now, open_numbers)
    if low is None:
        return _open_below(high, after, now, open_numbers)
    soon = min(
        (n for n in after if n.started_at >= doubt.seen_at + CLOCK_SKEW), key=lambda n: n.upstream_id, default=high
    )
    whole = Window(low, high)
    return [whole] if soon.upstream_id >= high.upstream_id else [whole, Window(low, soon, whole=False)]


def _open_above(
    doubt: Doubt, low: Neighbour | None, before: Sequence[Neighbour], now: datetime, numbers: int
) -> Sequence[Window] | Later:
    """The window above the last order before it; it has to wait for OPEN_AFTER."""
    opens_at = doubt.ended_at + OPEN_AFTER
    if low is None:
        why = "no order before it has a known number, and none after it yet"
        return Later(why, person=True, advice=RESOLVE, look_by=now + OPEN_AFTER)
    if now < opens_at:
        return Later("no order after it has a known number yet", look_by=opens_at)
    second = max((n.upstream_id for n in before if n.upstream_id < low.upstream_id), default=None)
    if second is None:
        # Of a list that was cut short, the known number at its end is missing; one known order cannot be at both ends.
        return Later("no order after it has a known number yet, and only one before it", advice=ORDER_OR_RESOLVE)
    end = Neighbour(low.upstream_id + numbers + 1, AFTER_ALL, AFTER_ALL)
    return [Window(low, end, whole=False, open=Side.HIGH, known=(second, low.upstream_id))]


def _open_below(high: Neighbour, after: Sequence[Neighbour], now: datetime, numbers: int) -> Sequence[Window] | Later:
    """The window below the first order after it."""
    second = min((n.upstream_id for n in after if n.upstream_id > high.upstream_id), default=None)
    if second is None:
        why = "no order before it has a known number, and only one after it"
        return Later(why, person=True, advice=RESOLVE, look_by=now + OPEN_AFTER)
    end = Neighbour(max(0, high.upstream_id - numbers - 1), BEFORE_ALL, BEFORE_ALL)
    return [Window(end, high, whole=False, open=Side.LOW, known=(second, high.upstream_id))]


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
