"""What should be: the money of every account and order, reckoned apart from the panel, in exact fractions.

It knows what was asked for, what the upstreams made and told, and what staff decided. From the panel it takes how far
each order has come; whether it may have come there, and what that must have cost, is checked to the micro.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from peer import Made, Peer

STEP = Fraction(1, 100_000)
MICROS = 1_000_000
WORDS = {"completed": "Completed", "canceled": "Canceled", "partial": "Partial"}
ENDED = (*WORDS, "expired")


class Row(NamedTuple):
    """An order as the panel has it. `READ` says how it is read."""

    id: int
    account_id: int
    service_id: int
    type: str
    state: str
    link: str
    quantity: int
    charge: int
    refunded: int
    earned: int
    handed: int
    remains: int | None
    provider_id: int | None
    upstream_id: int | None
    parent_id: int | None
    part: int | None

    @property
    def is_over(self) -> bool:
        return self.state in ENDED

    @property
    def money(self) -> tuple[int, int, int]:
        return self.refunded, self.earned, self.handed


READ = """
    SELECT id, account_id, service_id, type, state, link, quantity, charge_micros, refunded_micros, earned_micros,
           handed_micros, remains, provider_id, upstream_id, parent_id, part
      FROM orders ORDER BY id
"""


def in_micros(steps: int) -> int:
    return int(steps * STEP * MICROS)


def price(rate: Fraction, quantity: int, *, package: bool) -> int:
    """What an order costs: never nothing, and never less than its exact price."""
    exact = rate if package else rate * quantity / 1000
    return in_micros(max(ceil(exact / STEP), 1))


def at_percent(rate: Fraction, percent: Fraction) -> Fraction:
    """A customer's rate: rounded up to five decimals, but never above the catalogue's by a discount."""
    changed = ceil(rate * (100 + percent) / 100 / STEP) * STEP
    return rate if not percent or (percent < 0 and changed >= rate) else changed


def rounded_down(micros: Fraction) -> int:
    return in_micros(floor(micros / MICROS / STEP))


def taken(charge: int, runs_started: int, runs: int) -> int:
    """What the first so many runs of a drip-feed take of its charge."""
    return min(in_micros(ceil(Fraction(charge * runs_started, runs) / MICROS / STEP)), charge)


@dataclass
class Asked:
    """An order that the panel has taken, as it was asked for."""

    account_id: int
    service_id: int
    type: str
    link: str
    quantity: int
    charge: int
    runs: int = 0
    low: int = 0
    stopped: bool = False
    """Of a drip-feed: whether no more runs are to be started."""


@dataclass
class Expected:
    """Everything that was asked, made, told and decided."""

    peers: Mapping[int, Peer]
    paid: Counter[int] = field(default_factory=Counter)
    asked: dict[int, Asked] = field(default_factory=dict)
    delivered: dict[int, tuple[str, int | None]] = field(default_factory=dict)
    """By staff: how an order ended, and what remained."""

    decided: set[str] = field(default_factory=set)
    """Links of orders of which a person said, right or wrong, that nobody has them."""

    rows: dict[int, Row] = field(default_factory=dict)

    def balance(self, account_id: int) -> int:
        return (
            self.paid[account_id]
            - sum(asked.charge for asked in self.asked.values() if asked.account_id == account_id)
            + sum(row.refunded for row in self.rows.values() if row.account_id == account_id)
        )

    def look(
        self, rows: Iterable[Row], balances: Mapping[int, int], rate_of: Mapping[tuple[int, int], Fraction]
    ) -> None:
        """Compare everything; `rate_of` are the prices of this moment, by account and service."""
        before, self.rows = self.rows, {row.id: row for row in rows}
        assert self.asked.keys() <= self.rows.keys(), "an order that was taken is lost"
        families: defaultdict[int, list[Row]] = defaultdict(list)
        for row in self.rows.values():
            if row.parent_id is not None:
                families[row.parent_id].append(row)
        for row in self.rows.values():
            if row.id not in before:
                self._check_new(row, rate_of)
            elif before[row.id].is_over:
                known = before[row.id]
                assert (row.state, row.money, row.charge) == (known.state, known.money, known.charge), (
                    "changed after its end"
                )
            assert row.money == self._money(row, families[row.id]), f"the money of {row}"
            self._check_end(row)
        self._check_made()
        for account_id, micros in balances.items():
            assert micros == self.balance(account_id), f"account {account_id}: {micros}, not {self.balance(account_id)}"

    # --- one order ---------------------------------------------------------------------------------

    def _check_new(self, row: Row, rate_of: Mapping[tuple[int, int], Fraction]) -> None:
        asked = self.asked.get(row.id)
        if row.parent_id is not None:
            parent = self.asked[row.parent_id]
            assert row.part is not None
            if parent.runs:
                share = taken(parent.charge, row.part, parent.runs) - taken(parent.charge, row.part - 1, parent.runs)
                quantity = parent.quantity // parent.runs
                asked = Asked(parent.account_id, parent.service_id, parent.type, parent.link, quantity, share)
            else:
                assert parent.low <= row.quantity <= parent.quantity
                assert [other.link for other in self.rows.values() if other.parent_id == row.parent_id].count(
                    row.link
                ) == 1
                charge = price(rate_of[row.account_id, row.service_id], row.quantity, package=False)
                asked = Asked(parent.account_id, parent.service_id, "Default", row.link, row.quantity, charge)
                # Each post is paid by itself.
                self.asked[row.id] = asked
        assert asked is not None, f"nobody asked for {row}"
        found = Asked(
            row.account_id, row.service_id, row.type, row.link, row.quantity, row.charge, asked.runs, asked.low
        )
        found.stopped = asked.stopped
        assert found == asked

    def _money(self, row: Row, family: list[Row]) -> tuple[int, int, int]:
        """Refunded, earned and handed down, as they must be of an order that has come so far."""
        asked = self.asked.get(row.id)
        if asked is not None and asked.runs:
            assert [run.part for run in family] == list(range(1, len(family) + 1))
            handed = taken(asked.charge, len(family), asked.runs)
            return (asked.charge - handed if asked.stopped else 0), 0, handed
        match row.state:
            case "completed":
                return 0, row.charge, 0
            case "canceled" | "expired":
                return row.charge, 0, 0
            case "partial":
                remains = min(max(row.remains or 0, 0), row.quantity)
                back = (
                    row.charge
                    if remains == row.quantity
                    else rounded_down(Fraction(row.charge * remains, row.quantity))
                )
                return back, row.charge - back, 0
        return 0, 0, 0

    def _check_end(self, row: Row) -> None:
        """An order is bound to what was made for it, and ended as its upstream told, or staff."""
        made = self._made(row)
        if made is not None:
            assert made.link == row.link, f"{row} is bound to another's"
        asked = self.asked.get(row.id)
        if row.state not in WORDS or (asked is not None and (asked.runs or asked.low)):
            return
        if row.id in self.delivered:
            state, remains = self.delivered[row.id]
            assert (row.state, row.remains) in ((state, remains), (state, 0))
        elif made is None:
            assert row.state == "canceled", f"{row} ended without anybody"
        else:
            # What remains is told beside every status; it counts only where a part was delivered.
            told = {
                (word, min(max(remains, 0), row.quantity) if word == "Partial" else None) for word, remains in made.told
            }
            assert (WORDS[row.state], row.remains if row.state == "partial" else None) in told, f"{row} was not told so"

    def _made(self, row: Row) -> Made | None:
        if row.upstream_id is None or row.provider_id is None:
            return None
        return self.peers[row.provider_id].orders[row.upstream_id]

    # --- all of them -------------------------------------------------------------------------------

    def look_at_refills(self, asked: Mapping[tuple[int, int], int]) -> None:
        """An upstream is asked for each refill once; `asked` counts those of each of its orders."""
        for provider_id, peer in self.peers.items():
            for number, count in Counter(int(refill.link) for refill in peer.refills.values()).items():
                assert count <= asked.get((provider_id, number), 0), f"{count} refills of {provider_id}/{number}"

    def _check_made(self) -> None:
        """Whatever an upstream has made is bound to an order, or an order is in doubt for it; never more than one."""
        bound = [(row.provider_id, row.upstream_id) for row in self.rows.values() if row.upstream_id is not None]
        assert len(bound) == len(set(bound)), "one upstream order is bound twice"
        made = Counter(made.link for peer in self.peers.values() for made in peer.orders.values())
        explained = Counter(
            row.link for row in self.rows.values() if row.upstream_id is not None or row.state in ("sending", "unknown")
        )
        for link, count in made.items():
            assert link in self.decided or count <= explained[link], f"{link} was made {count} times"
