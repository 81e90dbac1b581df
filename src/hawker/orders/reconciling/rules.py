"""What the orders without an owner in a window prove about an unknown. Pure.

Every orphan is the order of one of our unknowns, or something else orders under our key. Its number tells between
which two moments it was made, its charge what it can be. Where there is just one way to give each orphan to an unknown
that can have made it then, and numbers grow with the moments, the unknown's orphan is its order; a window in which no
orphan can be its own, seen twice, proves that nothing was made. All else is for a person: a wrong guess here sends an
order twice, or gives a customer another one's delivery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hawker.core.money import CUSTOMER_STEP_MICROS
from hawker.orders.reconciling.number_windows import (
    CLOCK_SKEW,
    ORDER_OR_RESOLVE,
    RESOLVE,
    Doubt,
    Later,
    Neighbour,
    Side,
    Window,
)
from hawker.protocol.upstream import UpstreamStatus

SECOND_LOOK = timedelta(seconds=60)
"""A provider may show an order some time after it took it: nothing is absent that was looked for only once."""

GROWTH_SAMPLE = 10
"""So many orders around an unknown must have growing numbers before an empty window proves anything: with fewer, a
provider that draws its numbers from two rows might not have shown it yet."""

MAX_RESENDS = 2
"""After so many attempts of one order were found not to have been made, the next unknown is for a person."""

MAX_STEPS = 20_000
"""Ways of giving orphans to unknowns that are tried before a person is asked: some milliseconds' work."""


@dataclass(frozen=True, slots=True)
class NumberScan:
    """What one look at a window found.

    `orphans` are orders under our key that belong to nothing of ours, `strays` such orders outside of every window,
    where none should be; `unclear` numbers got an unclear response; `known` are our orders in the window.
    """

    window: Window
    orphans: Mapping[int, UpstreamStatus | None]
    strays: Sequence[int] = ()
    unclear: int = 0
    known: Sequence[Neighbour] = ()


@dataclass(frozen=True, slots=True)
class Bind:
    """The order is this one."""

    upstream_id: int
    why: str


@dataclass(frozen=True, slots=True)
class NotMade:
    """The provider made no order of this attempt."""

    why: str


def holds_none(doubt: Doubt, look: NumberScan, currency: str) -> bool:
    """Whether a look was answered clearly and no orphan in it can be this unknown's."""
    if look.strays or look.unclear:
        return False
    return not any(
        _could_be(doubt, status, currency) and _fits(doubt, span)
        for (_, span), status in zip(_spans(look), _statuses(look), strict=True)
    )


def judge(
    doubt: Doubt,
    look: NumberScan,
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
    first seen to hold none of its own (`holds_none`), `charged` what the balance tells (None: nothing). The balance
    decides nothing, but it can forbid.
    """
    if look.unclear:
        return Later(f"{look.unclear} order numbers got an unclear response")
    if look.strays:
        return Later(f"another program orders with our key: {_numbers(look.strays)}", person=True)
    if look.orphans and relayed:
        return Later("an orphan may belong to a subscription that the provider runs", person=True)
    rivals = [other for other in others if look.window.overlaps(other.started_at, other.ended_at)]
    if look.orphans:
        judged = _judge_orphans(doubt, look, rivals, currency, charged)
        if isinstance(judged, Bind) and look.window.open is Side.LOW and not charged:
            # An order that was made under our key before Hawker ordered here looks the same.
            why = f"no order before it tells when orphan {judged.upstream_id} was made, nor does the balance show it"
            return Later(why, person=True, advice=RESOLVE)
        if judged is not None:
            return judged
    if look.window.open is Side.HIGH:
        why = f"no orphan that matches among the numbers after {look.window.low.upstream_id}"
        return Later(why, person=True, advice=ORDER_OR_RESOLVE)
    if look.window.open is Side.LOW:
        why = f"no orphan that matches among the numbers before {look.window.high.upstream_id}"
        return Later(why, person=True, advice=RESOLVE)
    if not look.window.whole:
        return Later("the window is too wide to prove that the order was not made", person=True)
    if sample < GROWTH_SAMPLE:
        return Later(f"only {sample} known orders around the window show that numbers grow", person=True)
    if doubt.resends >= MAX_RESENDS:
        return Later(f"{doubt.resends} attempts of this order were not made before", person=True)
    if empty_since is None or now - empty_since < SECOND_LOOK:
        return Later("no orphan in the first scan")
    if charged:
        return Later("no orphan, but the balance shows that the order was charged", person=True)
    own = " that matches" if look.orphans else ""
    return NotMade(
        f"no orphan{own} between {look.window.low.upstream_id} and {look.window.high.upstream_id}, in two scans"
    )


def _judge_orphans(
    doubt: Doubt, look: NumberScan, rivals: Sequence[Doubt], currency: str, charged: bool | None
) -> Bind | Later | None:
    """Bind where every way to explain the orphans gives this one the same; None where none of them can be its own."""
    puzzle = _Puzzle(look, [doubt, *rivals], currency)
    for number, owners in zip(puzzle.numbers, puzzle.owners, strict=True):
        if not owners:
            return Later(
                f"provider order {number} matches no pending attempt: {_shown(look.orphans[number])}", person=True
            )
    own = [number for number, owners in zip(puzzle.numbers, puzzle.owners, strict=True) if doubt in owners]
    possible: list[int | None] = [number for number in own if puzzle.is_explained(doubt, number)]
    if puzzle.is_explained(doubt, None):
        possible.append(None)
    if puzzle.steps > MAX_STEPS:
        return Later(f"too many possible assignments of {len(puzzle.numbers)} orphans", person=True)
    if not possible:
        return Later(f"more orphans than pending attempts that match: {_numbers(puzzle.numbers)}", person=True)
    if not own:
        return None
    if possible == [None]:
        return Later("the orphans in its window match other unknown orders")
    if len(possible) > 1:
        names = ", ".join(str(other.order_id) for other in (doubt, *rivals) if puzzle.shares(other, own))
        return Later(f"orphans {_numbers(own)} match several orders: {names}", person=True)
    number = own[0] if possible[0] is None else possible[0]
    if charged is False:
        return Later(f"orphan {number} has its charge, but the balance shows no charge", person=True)
    window = f"between {look.window.low.upstream_id} and {look.window.high.upstream_id}"
    only = "the only orphan with its charge" if len(own) == 1 else "the only orphan that matches,"
    return Bind(number, f"order {number}, {only} {window}: {_shown(look.orphans[number])}")


class _Puzzle:
    """Which unknown each orphan can be of, when each is of another, and their moments grow with their numbers."""

    def __init__(self, look: NumberScan, doubts: Sequence[Doubt], currency: str) -> None:
        spans = _spans(look)
        self.numbers = [number for number, _ in spans]
        self._spans = [span for _, span in spans]
        self.owners = [
            sorted(
                (doubt for doubt in doubts if _could_be(doubt, status, currency) and _fits(doubt, span)),
                key=lambda doubt: doubt.ended_at,
            )
            for (_, span), status in zip(spans, _statuses(look), strict=True)
        ]
        self.steps = 0

    def shares(self, doubt: Doubt, numbers: Sequence[int]) -> bool:
        """Whether this unknown, too, could be one of these."""
        return any(doubt in owners for n, owners in zip(self.numbers, self.owners, strict=True) if n in numbers)

    def is_explained(self, doubt: Doubt, number: int | None) -> bool:
        """Whether every orphan can be of another unknown when this one's is `number`, or none."""
        choices = [
            [doubt] if number == own else [other for other in owners if other is not doubt]
            for own, owners in zip(self.numbers, self.owners, strict=True)
        ]
        return self._place(choices, 0, self._spans[0][0], set())

    def _place(self, choices: Sequence[Sequence[Doubt]], at: int, moment: datetime, taken: set[int]) -> bool:
        if at == len(choices):
            return True
        since, until = self._spans[at]
        for doubt in choices[at]:
            self.steps += 1
            if self.steps > MAX_STEPS:
                return False
            made = max(moment, since, doubt.started_at - CLOCK_SKEW)
            if doubt.attempt_id in taken or made > min(until, doubt.ended_at + CLOCK_SKEW):
                continue
            if self._place(choices, at + 1, made, taken | {doubt.attempt_id}):
                return True
        return False


def _spans(look: NumberScan) -> list[tuple[int, tuple[datetime, datetime]]]:
    """Between which moments each orphan was made, by the known orders on either side of it; by growing number."""
    known = sorted([look.window.low, *look.known, look.window.high], key=lambda order: order.upstream_id)
    spans = []
    for number in sorted(look.orphans):
        since = max(order.started_at for order in known if order.upstream_id < number)
        until = min(order.done_at for order in known if order.upstream_id > number)
        spans.append((number, (since - CLOCK_SKEW, until + CLOCK_SKEW)))
    return spans


def _statuses(look: NumberScan) -> list[UpstreamStatus | None]:
    return [look.orphans[number] for number in sorted(look.orphans)]


def _fits(doubt: Doubt, span: tuple[datetime, datetime]) -> bool:
    """Whether the attempt can have been carried out in this time."""
    since, until = span
    return doubt.started_at - CLOCK_SKEW <= until and doubt.ended_at + CLOCK_SKEW >= since


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
        return "an unknown status"
    return f"{status.status.value}, charge {status.charge_micros} micros, remains {status.remains}"
