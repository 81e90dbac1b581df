"""Refills as customers ask for them and read them. A refill moves no money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hawker.core.actors import system
from hawker.core.errors import Refusal
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.models import RefillState, State, WorkKind
from hawker.orders.refills import queries
from hawker.orders.refills.rules import LastRefill, check_refill
from hawker.orders.transitions.actions import DueWork, NewOrderEvent, replace_work, write_events
from hawker.protocol.errors import IncorrectOrder, RefillRunning
from hawker.protocol.params import read_whole
from hawker.protocol.statuses import RefillStatus

ACTOR = system("customer")

WIRE_STATUS: dict[RefillState, RefillStatus] = {
    RefillState.PENDING: RefillStatus.PENDING,
    RefillState.IN_PROGRESS: RefillStatus.IN_PROGRESS,
    RefillState.COMPLETED: RefillStatus.COMPLETED,
    RefillState.REJECTED: RefillStatus.REJECTED,
}


@dataclass(frozen=True, slots=True)
class RefillAsk:
    """Whose orders, by the ids as they were asked (any text; what is no number is no order)."""

    account_id: int
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class RefillStatusAsk:
    """Whose refills, by the ids as they were asked."""

    account_id: int
    ids: Sequence[str]


RefillAnswers = Mapping[str, int | Refusal]


@dataclass(frozen=True, slots=True)
class _Locked:
    """An order under its row lock, with what its service says of refills."""

    id: int
    account_id: int
    state: State
    ended_at: datetime | None
    provider_id: int | None
    upstream_id: int | None
    offered: bool
    days: int
    is_parent: bool


def request_refills(asks: Sequence[RefillAsk], *, now: datetime) -> list[RefillAnswers]:
    """For each ask the number of each order's new refill, or the refusal (refills/rules.py, check_refill).

    A refill of an order that was bought upstream is due to be asked for there; any other is for staff to see to.
    An order has one running refill at most, however many ask at once. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _request(cursor, asks, now))


def _request(cursor: Cursor, asks: Sequence[RefillAsk], now: datetime) -> list[RefillAnswers]:
    numbers = [{text: read_whole(text) or 0 for text in asked.ids} for asked in asks]
    pairs = [(asked.account_id, number) for asked, ids in zip(asks, numbers, strict=True) for number in ids.values()]
    orders = _lock(cursor, pairs)
    last = {
        order_id: LastRefill(RefillState(state), requested_at)
        for order_id, state, requested_at in ask(cursor, queries.READ_LAST, (list(orders),))
    }
    refusals: dict[int, Refusal | None] = {}
    granted: list[_Locked] = []
    # In the order asked, so that refills are numbered as a client expects.
    for account_id, number in pairs:
        order = orders.get(number)
        if order is None or order.account_id != account_id or order.id in refusals:
            continue
        refusals[order.id] = refusal = check_refill(
            offered=order.offered and not order.is_parent,
            days=order.days,
            state=order.state,
            ended_at=order.ended_at,
            last=last.get(order.id),
            now=now,
        )
        if refusal is None:
            granted.append(order)
    refills = _write(cursor, granted, now)
    failpoint("refill-before-commit")
    answers: list[RefillAnswers] = []
    for asked, ids in zip(asks, numbers, strict=True):
        answered: dict[str, int | Refusal] = {}
        for text, number in ids.items():
            order = orders.get(number)
            if order is None or order.account_id != asked.account_id:
                answered[text] = IncorrectOrder()
            else:
                # Asked for twice in one batch: the first has the refill, and it runs for the second.
                answered[text] = refusals[number] or refills.pop(number, None) or RefillRunning()
        answers.append(answered)
    return answers


def _lock(cursor: Cursor, pairs: Sequence[tuple[int, int]]) -> dict[int, _Locked]:
    if not pairs:
        return {}
    return {row[0]: _read(row) for row in ask(cursor, queries.LOCK_ORDERS, tuple(map(list, zip(*pairs, strict=True))))}


def _read(row: tuple[Any, ...]) -> _Locked:
    return _Locked(row[0], row[1], State(row[2]), *row[3:])


def _write(cursor: Cursor, granted: Sequence[_Locked], now: datetime) -> dict[int, int]:
    """Write the refills, their events and what is due for them; answers the refill of each order."""
    if not granted:
        return {}
    # The provider that delivered the order is the one that can refill it, whatever route the service has by now.
    rows = [(order.id, order.account_id, order.provider_id if order.upstream_id else None) for order in granted]
    refills: dict[int, int] = dict(
        ask(cursor, queries.INSERT_REFILLS, (now, now, *map(list, zip(*rows, strict=True)))).fetchall()
    )
    events = [
        NewOrderEvent(order.id, order.state, order.state, f"refill {refills[order.id]}: the customer asked for it")
        for order in granted
    ]
    write_events(cursor, events, actor=ACTOR, now=now)
    due = [DueWork(order_id, WorkKind.REFILL, provider_id, now) for order_id, _, provider_id in rows if provider_id]
    replace_work(cursor, [], due)
    return refills


def read_refills(asks: Sequence[RefillStatusAsk]) -> list[Mapping[str, RefillStatus]]:
    """For each ask the status of each of its refills, by the id as asked.

    An id that is unknown, another account's, or no number at all is left out. Raises Unavailable.
    """
    numbers = [{text: read_whole(text) or 0 for text in asked.ids} for asked in asks]
    pairs = [(asked.account_id, number) for asked, ids in zip(asks, numbers, strict=True) for number in ids.values()]
    if not pairs:
        return [{} for _ in asks]

    def work(cursor: Cursor) -> dict[tuple[int, int], RefillStatus]:
        rows = ask(cursor, queries.READ_STATES, tuple(map(list, zip(*pairs, strict=True))))
        return {(account_id, refill_id): WIRE_STATUS[RefillState(state)] for account_id, refill_id, state in rows}

    found = in_transaction(work)
    return [
        {text: status for text, number in ids.items() if (status := found.get((asked.account_id, number))) is not None}
        for asked, ids in zip(asks, numbers, strict=True)
    ]
