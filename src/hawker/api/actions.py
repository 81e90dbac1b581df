"""What each action of API v2 asks of which batch, and how the reply is written."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

from hawker.accounts.actions import Grant
from hawker.accounts.models import KeyScope
from hawker.api.async_query import AsyncQuery
from hawker.api.coalescer import Coalescer
from hawker.core.clock import Clock
from hawker.core.errors import Refusal
from hawker.core.settings import settings
from hawker.ledger.actions import READ_BALANCES, balances_in, read_balances, write_account_ids
from hawker.orders import (
    NEWEST,
    CancelAnswers,
    CancelAsk,
    Canceling,
    Draft,
    ListAsk,
    RefillAnswers,
    RefillAsk,
    RefillStatusAsk,
    StatusAsk,
    list_orders,
    place_orders,
    read_refills,
    read_statuses,
    request_cancels,
    request_refills,
)
from hawker.protocol.errors import IncorrectOrder, IncorrectRequest, InvalidKey, RefillNotFound
from hawker.protocol.params import BEFORE, LIMIT, LISTED, Param, read_ids
from hawker.protocol.replies import (
    balance_reply,
    cancels_reply,
    listed_reply,
    order_reply,
    refill_reply,
    refill_status_reply,
    refill_statuses_reply,
    refills_reply,
    statuses_reply,
)
from hawker.protocol.request import Request
from hawker.protocol.statuses import RefillStatus

MAX_STATUS_BATCH = 64
"""Fewer asks to a batch than elsewhere: each may carry a hundred ids."""

MAX_CHANGE_BATCH = 16
"""Fewer still where each of a hundred ids is an order to lock and to change."""


MAX_LIST_BATCH = 4
"""And the fewest where each may carry a thousand orders to read."""


class BatchItem(NamedTuple):
    """What a request asks of which batches, and how the reply is written; `write` raises a Refusal that it is."""

    batches: Coalescer[Any, Any]
    item: object
    write: Callable[[Any], bytes]


Prepare = Callable[[Grant, Request], BatchItem]
"""Raises the Refusal of a request that cannot be asked."""


class Actions:
    """The actions whose requests are gathered: all but `services`, whose answers are ready."""

    def __init__(self, executor: Executor, *, clock: Clock, placed: Callable[[], None]) -> None:
        """`placed` is called after a batch that left work for the workers, in one of the executor's threads."""
        self._executor = executor
        self._clock = clock
        self._placed = placed
        size = settings().api_batch_size
        self._adds = Coalescer(self._place, executor=executor, max_batch=size, name="add", max_in_flight=2)
        self._async_balances = AsyncQuery(READ_BALANCES, write=write_account_ids, read=balances_in, executor=executor)
        self._balances = Coalescer(
            read_balances, executor=executor, max_batch=size, name="balance", async_query=self._async_balances
        )
        self._statuses: Coalescer[StatusAsk, Mapping[str, str]] = Coalescer(
            read_statuses, executor=executor, max_batch=MAX_STATUS_BATCH, name="status"
        )
        self._cancels: Coalescer[CancelAsk, CancelAnswers] = Coalescer(
            self._cancel_all, executor=executor, max_batch=MAX_CHANGE_BATCH, name="cancel"
        )
        self._refills: Coalescer[RefillAsk, RefillAnswers] = Coalescer(
            self._refill_all, executor=executor, max_batch=MAX_CHANGE_BATCH, name="refill"
        )
        self._refill_statuses: Coalescer[RefillStatusAsk, Mapping[str, RefillStatus]] = Coalescer(
            read_refills, executor=executor, max_batch=MAX_STATUS_BATCH, name="refill_status"
        )
        self._lists: Coalescer[ListAsk, list[str]] = Coalescer(
            list_orders, executor=executor, max_batch=MAX_LIST_BATCH, name="orders"
        )
        self.by_name: Mapping[str, Prepare] = {
            "add": self._add,
            "balance": self._balance,
            "cancel": self._cancel,
            "orders": self._orders,
            "refill": self._refill,
            "refill_status": self._refill_status,
            "status": self._status,
        }

    def close(self) -> None:
        """Let go of what the event loop has open."""
        self._async_balances.close()

    def _balance(self, grant: Grant, request: Request) -> BatchItem:
        del request
        return BatchItem(self._balances, grant.account_id, _write_balance)

    def _status(self, grant: Grant, request: Request) -> BatchItem:
        listed = request.fields.get("orders")
        ids = [request.fields.get("order", "")] if listed is None else read_ids(listed)
        write = partial(_write_status, ids[0]) if listed is None else partial(statuses_reply, ids)
        return BatchItem(self._statuses, StatusAsk(grant.account_id, ids), write)

    def _orders(self, grant: Grant, request: Request) -> BatchItem:
        limit, before = _whole(LIMIT, request, LISTED), _whole(BEFORE, request, NEWEST)
        return BatchItem(self._lists, ListAsk(grant.account_id, limit, before), listed_reply)

    def _add(self, grant: Grant, request: Request) -> BatchItem:
        _check_may_write(grant, request)
        return BatchItem(self._adds, Draft(grant.account_id, request.fields, api_key_id=grant.key_id), _write_order)

    def _refill(self, grant: Grant, request: Request) -> BatchItem:
        _check_may_write(grant, request)
        listed = request.fields.get("orders")
        ids = [request.fields.get("order", "")] if listed is None else read_ids(listed)
        write = partial(_write_refill, ids[0]) if listed is None else refills_reply
        return BatchItem(self._refills, RefillAsk(grant.account_id, ids), write)

    def _refill_all(self, asks: Sequence[RefillAsk]) -> list[RefillAnswers]:
        answers = request_refills(asks, now=self._clock.now())
        if any(isinstance(answer, int) for answered in answers for answer in answered.values()):
            self._executor.submit(self._placed)
        return answers

    def _refill_status(self, grant: Grant, request: Request) -> BatchItem:
        listed = request.fields.get("refills")
        ids = [request.fields.get("refill", "")] if listed is None else read_ids(listed)
        write = partial(_write_refill_status, ids[0]) if listed is None else partial(refill_statuses_reply, ids)
        return BatchItem(self._refill_statuses, RefillStatusAsk(grant.account_id, ids), write)

    def _cancel(self, grant: Grant, request: Request) -> BatchItem:
        _check_may_write(grant, request)
        # A single `order` counts as a list of one.
        listed = request.fields.get("orders", request.fields.get("order"))
        if listed is None:
            raise IncorrectOrder
        return BatchItem(self._cancels, CancelAsk(grant.account_id, read_ids(listed)), _write_cancels)

    def _cancel_all(self, asks: Sequence[CancelAsk]) -> list[CancelAnswers]:
        answers = request_cancels(asks, now=self._clock.now())
        if any(answer is Canceling.ASKED for answered in answers for answer in answered.values()):
            self._executor.submit(self._placed)
        return answers

    def _place(self, drafts: Sequence[Draft]) -> list[int | Refusal]:
        answers = place_orders(drafts, now=self._clock.now())
        if any(isinstance(answer, int) for answer in answers):
            # In a thread of its own: the customers of this batch do not wait for the hint to the workers.
            self._executor.submit(self._placed)
        return answers


def _check_may_write(grant: Grant, request: Request) -> None:
    """Raise the refusal where this transport or this key may only read."""
    if request.reads_only and not settings().api_get_writes:
        raise IncorrectRequest
    if grant.scope is not KeyScope.ORDER:
        raise InvalidKey


def _whole(param: Param, request: Request, otherwise: int) -> int:
    """The number that was sent, else the other. Raises the parameter's refusal of what is none."""
    text = request.fields.get(param.name)
    return otherwise if text is None else int(str(param.read(text)))


def _refusal(answer: object) -> Refusal | None:
    return answer if isinstance(answer, Refusal) else None


def _write_balance(balance_micros: int) -> bytes:
    return balance_reply(balance_micros, settings().currency)


def _write_status(asked: str, found: Mapping[str, str]) -> bytes:
    if asked not in found:
        raise IncorrectOrder
    return found[asked].encode()


def _write_order(answer: int | Refusal) -> bytes:
    if isinstance(answer, Refusal):
        raise answer
    return order_reply(answer)


def _write_cancels(answers: CancelAnswers) -> bytes:
    return cancels_reply({asked: _refusal(answer) for asked, answer in answers.items()})


def _write_refill(asked: str, answers: RefillAnswers) -> bytes:
    answer = answers[asked]
    if isinstance(answer, Refusal):
        raise answer
    return refill_reply(answer)


def _write_refill_status(asked: str, found: Mapping[str, RefillStatus]) -> bytes:
    if asked not in found:
        raise RefillNotFound
    return refill_status_reply(found[asked])
