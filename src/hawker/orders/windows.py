"""Where an unknown order can be among a provider's order numbers, and what a look at them proves. Pure.

Numbers grow: what is made later has a higher one. So an unknown order, if it was made at all, lies between the last
number that was surely given before its attempt was sent and the first that was surely given after it can have been
carried out. Whatever in that window answers to our key and belongs to nothing of ours is an orphan. One unknown and
one orphan of its charge belong together; a window without an orphan, seen twice, proves that nothing was made. All
else is for a person: a wrong guess here sends an order twice, or gives a customer another one's delivery.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hawker.core.money import CUSTOMER_STEP_MICROS
from hawker.protocol.upstream import UpstreamStatus

MAX_ASKED = 300
"""Numbers asked about for one unknown, in calls of a hundred; the first and the last of each call are known ones."""

PER_CALL = 98
MAX_CANDIDATES = MAX_ASKED // 100 * PER_CALL

CLOCK_SKEW = timedelta(seconds=5)
"""The workers that wrote two moments down may be on machines whose clocks are so far apart."""

SECOND_LOOK = timedelta(seconds=60)
"""A provider may show an order some time after it took it: nothing is absent that was looked for only once."""

GROWTH_SAMPLE = 10
"""So many orders around an unknown must have growing numbers before an empty window proves anything: with fewer, a
provider that draws its numbers from two rows might not have shown it yet."""

MAX_RESENDS = 2
"""After so many attempts of one order were found not to have been made, the next unknown is for a person."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An order of ours whose number is known: it was given between these two moments."""

    upstream_id: int
    started_at: datetime
    done_at: datetime


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt that may have made an order whose number nobody knows.

    It can have been carried out from `started_at` to `ended_at`, which lies well after the last moment at which we may
    have been writing or waiting; `seen_at` is when it became unknown. `charge_micros` is in the provider's currency.
    `open` is False where a person has decided otherwise than by a number: an order of it may be there all the same.
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

    def overlaps(self, started_at: datetime, ended_at: datetime) -> bool:
        """Whether something carried out between these moments may have got a number in the window."""
        return started_at <= self.high.done_at and ended_at >= self.low.started_at


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


# --- the judgement ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a window found. `orphans` are orders under our key that belong to nothing of ours, `strays`
    such orders outside of every window, where none should be; `unclear` numbers were not answered clearly."""

    window: Window
    orphans: Mapping[int, UpstreamStatus | None]
    strays: Sequence[int] = ()
    unclear: int = 0

    @property
    def empty(self) -> bool:
        return not (self.orphans or self.strays or self.unclear)


@dataclass(frozen=True, slots=True)
class Bind:
    """The order is this one."""

    upstream_id: int
    why: str


@dataclass(frozen=True, slots=True)
class NotMade:
    """The provider made no order of this attempt."""

    why: str


def judge(
    doubt: Doubt,
    look: Look,
    others: Sequence[Doubt],
    *,
    currency: str,
    relayed: bool = False,
    sample: int,
    empty_since: datetime | None,
    charged: bool | None,
    now: datetime,
) -> Bind | NotMade | Later:
    """What a look at its window makes of an unknown.

    `others` are all other doubts at this provider, `relayed` whether it made orders of its own for a subscription of
    ours meanwhile, `sample` how many orders around it have growing numbers, `empty_since` when this same window was
    first seen empty, `charged` what the balance tells (None: nothing). The balance decides nothing, but it can forbid.
    """
    if look.unclear:
        return Later(f"{look.unclear} numbers were not answered clearly")
    if look.strays:
        return Later(f"something else orders under our key: {_numbers(look.strays)}", person=True)
    rivals = [other for other in others if look.window.overlaps(other.started_at, other.ended_at)]
    if look.orphans and relayed:
        return Later("an orphan may be of a subscription that the provider runs", person=True)
    if look.orphans:
        return _judge_orphans(doubt, look, rivals, currency, charged)
    if not look.window.whole:
        return Later("the window that would prove that it was not made holds too many numbers", person=True)
    if sample < GROWTH_SAMPLE:
        return Later(f"only {sample} orders around it show how the numbers grow", person=True)
    if doubt.resends >= MAX_RESENDS:
        return Later(f"{doubt.resends} attempts of this order were not made before", person=True)
    if empty_since is None or now - empty_since < SECOND_LOOK:
        return Later("no orphan at the first look")
    if charged:
        return Later("no orphan, but the balance says that it was charged", person=True)
    return NotMade(f"no orphan between {look.window.low.upstream_id} and {look.window.high.upstream_id}, seen twice")


def _judge_orphans(
    doubt: Doubt, look: Look, rivals: Sequence[Doubt], currency: str, charged: bool | None
) -> Bind | Later:
    """Bind where one orphan can be this one's and nobody else's, and every other one in the window is explained."""
    owners: dict[int, list[Doubt]] = {}
    for number, status in look.orphans.items():
        owners[number] = [d for d in (doubt, *rivals) if _could_be(d, status, currency)]
        if not owners[number]:
            return Later(f"orphan {number} is the order of no unknown: {_shown(status)}", person=True)
    for possible in owners.values():
        alike = [number for number, others in owners.items() if others == possible]
        if len(alike) > len(possible):
            return Later(f"more orphans than orders that they could be: {_numbers(alike)}", person=True)
    own = [number for number, possible in owners.items() if doubt in possible]
    if not own:
        clear = all(len(possible) == 1 and possible[0].open for possible in owners.values())
        return Later("the orphans in its window are those of other unknowns", person=not clear)
    names = ", ".join(str(d.order_id) for d in owners[own[0]])
    if len(owners[own[0]]) > 1:
        return Later(f"orphan {own[0]} could be any of the orders {names}", person=True)
    if charged is False:
        return Later(f"orphan {own[0]} has its charge, but the balance says that it was not charged", person=True)
    window = f"between {look.window.low.upstream_id} and {look.window.high.upstream_id}"
    return Bind(own[0], f"order {own[0]}, the only orphan of its charge {window}: {_shown(look.orphans[own[0]])}")


def _could_be(doubt: Doubt, status: UpstreamStatus | None, currency: str) -> bool:
    """Whether an orphan's charge, currency and remains are those that this attempt's order would have."""
    if status is None or status.charge_micros is None or doubt.charge_micros is None:
        return False
    if status.currency is not None and status.currency.upper() != currency.upper():
        return False
    if status.remains is not None and status.remains > doubt.quantity:
        return False
    return abs(status.charge_micros - doubt.charge_micros) < CUSTOMER_STEP_MICROS


def _numbers(found: Sequence[int]) -> str:
    return ", ".join(map(str, found[:5])) + (" …" if len(found) > 5 else "")


def _shown(status: UpstreamStatus | None) -> str:
    if status is None:
        return "a status that we do not know"
    return f"{status.status.value}, charge {status.charge_micros} micros, remains {status.remains}"
