"""How an order is meant to end: drawn from a mix, or wished for in its link.

The convention of wishes, for tests and for the README's script: query parameters or a fragment
of the link (or, for a subscription, of its username).

  https://shop.example/flyer?fate=completed     ends Completed
  https://shop.example/flyer?fate=partial       ends Partial (with `&remains=157` exactly so many are left)
  https://shop.example/flyer#fate=canceled      ends Canceled, nothing delivered
  https://shop.example/flyer?refill=rejected    its refills end Rejected (or `refill=completed`)
  https://shop.example/flyer?cancel=refused     its cancel is refused (`cancel=ignored`: taken, but nothing comes of it)

Each run of a drip-feed and each order of a subscription follows the wish. A quantity of 1 (every
package) cannot be delivered in part: such an order ends Completed instead.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from hawker.sandbox.chance import lane

_WISH = re.compile(r"[?&#](fate|remains|refill|cancel)=([a-z]+|[0-9]{1,12})(?=[&#]|$)", re.ASCII)
_FATE_LANE, _LEFT_LANE = 0, 3


class WireFate(StrEnum):
    """How an order ends when nobody cancels it first."""

    COMPLETED = "completed"
    PARTIAL = "partial"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a link asks of the sandbox; None where it leaves that to chance."""

    fate: WireFate | None = None
    remains: int | None = None
    refill_rejected: bool | None = None
    cancel: str | None = None


CANCELS = ("taken", "refused", "ignored")
_NO_WISH = Wish()
_FATES = {fate.value: fate for fate in WireFate}


def read_wish(link: str) -> Wish:
    """The wishes in a link. Words that are none are left to chance, never an error: it is somebody's link."""
    if "=" not in link:
        return _NO_WISH
    found = dict(_WISH.findall(link))
    remains, refill = found.get("remains", ""), found.get("refill", "")
    return Wish(
        fate=_FATES.get(found.get("fate", "")),
        remains=int(remains) if remains.isdigit() else None,
        refill_rejected=(refill == "rejected") if refill in ("rejected", "completed") else None,
        cancel=found["cancel"] if found.get("cancel") in CANCELS else None,
    )


@dataclass(frozen=True, slots=True)
class FateMix:
    """Weights of the three fates; only their proportion counts."""

    completed: int = 80
    partial: int = 12
    canceled: int = 8

    def __post_init__(self) -> None:
        weights = (self.completed, self.partial, self.canceled)
        if min(weights) < 0 or sum(weights) == 0:
            raise ValueError("the weights of the fates must be 0 or more, and not all 0")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `80,12,8`: the weights of Completed, Partial, Canceled. Raises ValueError with a sentence."""
        match = re.fullmatch(r"([0-9]{1,6}),([0-9]{1,6}),([0-9]{1,6})", text, re.ASCII)
        if match is None:
            raise ValueError(f"{text!r} is not a mix of fates such as 80,12,8 (completed, partial, canceled)")
        return cls(*map(int, match.groups()))

    def draw(self, rolled: int) -> WireFate:
        """The fate that a roll gets under this mix."""
        point = lane(rolled, _FATE_LANE, self.completed + self.partial + self.canceled)
        if point < self.completed:
            return WireFate.COMPLETED
        return WireFate.PARTIAL if point < self.completed + self.partial else WireFate.CANCELED


def left_by(fate: WireFate, wish: Wish, quantity: int, rolled: int) -> int:
    """How many of `quantity` stay undelivered; a partial leaves 10 to 80 % unless a number is wished."""
    if fate is WireFate.CANCELED:
        return quantity
    if fate is WireFate.COMPLETED or quantity == 1:
        return 0
    left = wish.remains if wish.remains is not None else quantity * (10 + lane(rolled, _LEFT_LANE, 71)) // 100
    return min(max(left, 1), quantity - 1)
