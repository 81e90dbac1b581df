"""What a parent of orders (a drip-feed, a subscription) is to the verbs that all orders share.

A parent is bought through its children only, so the module that makes the children cancels it. These are the types that
the two share; `STOPS` in cancels/actions.py says which module cancels which parent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from hawker.core.sql import Cursor
from hawker.orders.models import State
from hawker.orders.transitions.actions import OrderChange, SettlementTerms


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent under its row lock, ACTIVE or PAUSED."""

    order_id: int
    state: State
    terms: SettlementTerms


@dataclass(slots=True)
class Stopped:
    """What stopping parents comes to.

    `changes` are the parents' own, written by the caller: the settlement of what is refunded now, and a move where
    the parent ends at once (a path may be empty: it then goes on until its children have ended). `children` are
    the orders for which a cancel is to be asked as well; those that have ended are passed over.
    """

    changes: list[OrderChange] = field(default_factory=list)
    children: list[int] = field(default_factory=list)


class StopParents(Protocol):
    """Stop making children for these parents, in the caller's transaction, which holds their row locks.

    Strikes out or puts down the parents' own work; leaves writing the changes to the caller. It is asked
    once for each parent: a second cancel of a parent that stops already does not come here.
    """

    def __call__(self, cursor: Cursor, parents: Sequence[Parent], *, reason: str, now: datetime) -> Stopped: ...
