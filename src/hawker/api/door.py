"""The endpoint `/api/v2` as a plain ASGI application: no framework on its path."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from hawker.accounts.actions import Grant, KeyAsk, LookUp, read_access_version, read_grants
from hawker.accounts.models import KeyScope
from hawker.api.answer import JSON, Answer
from hawker.api.coalescer import Coalescer
from hawker.api.gate import Gate, keep_hearing
from hawker.api.limits import Headers, Limits, TooManyRequests
from hawker.api.listings import Listings
from hawker.api.peer import peer_of
from hawker.api.uses import Uses
from hawker.catalog.snapshot import Catalogue, refresh_catalogue
from hawker.core.addresses import read_networks
from hawker.core.clock import Clock, SystemClock
from hawker.core.errors import Refusal, Unavailable
from hawker.core.settings import settings
from hawker.ledger.actions import read_balances
from hawker.orders.actions.cancel import CancelAnswers, CancelAsk, Canceling, request_cancels
from hawker.orders.actions.place import Draft, place_orders
from hawker.orders.actions.read import StatusAsk, read_statuses
from hawker.orders.actions.refill import RefillAnswers, RefillAsk, RefillStatusAsk, read_refills, request_refills
from hawker.protocol.errors import IncorrectOrder, IncorrectRequest, InvalidKey, RefillNotFound
from hawker.protocol.params import read_ids
from hawker.protocol.replies import (
    balance_reply,
    cancels_reply,
    error_reply,
    order_reply,
    plain_error_reply,
    refill_reply,
    refill_status_reply,
    refill_statuses_reply,
    refills_reply,
    statuses_reply,
)
from hawker.protocol.request import Request, read_request
from hawker.protocol.statuses import RefillStatus

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DATABASE_THREADS = 6
MAX_STATUS_BATCH = 64
"""Fewer asks to a batch than elsewhere: each may carry a hundred ids."""

MAX_CHANGE_BATCH = 16
"""Fewer still where each of a hundred ids is an order to lock and to change."""

log = structlog.get_logger(__name__)


class ClientGone(Exception):
    """The client hung up before its request was whole: there is nobody to answer."""


class BodyTooLarge(Exception):
    """The body is larger than the operator allows."""


class Door:
    """API v2: reads a request, finds who asks, has a batch verb answer, writes the bytes."""

    def __init__(self, *, clock: Clock | None = None, placed: Callable[[], None] = lambda: None) -> None:
        """`placed` is called after a batch that left work for the workers, in one of the database's threads."""
        self._clock = clock or SystemClock()
        self._placed = placed
        self._executor = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="batch")
        size = settings().api_batch_size
        keys: Coalescer[KeyAsk, LookUp] = Coalescer(self._look_up, executor=self._executor, max_batch=size)
        self._adds = Coalescer(self._place, executor=self._executor, max_batch=size, max_in_flight=2)
        self._balances = Coalescer(read_balances, executor=self._executor, max_batch=size)
        self._statuses: Coalescer[StatusAsk, Mapping[str, str]] = Coalescer(
            read_statuses, executor=self._executor, max_batch=MAX_STATUS_BATCH
        )
        self._cancels: Coalescer[CancelAsk, CancelAnswers] = Coalescer(
            self._cancel_all, executor=self._executor, max_batch=MAX_CHANGE_BATCH
        )
        self._refills: Coalescer[RefillAsk, RefillAnswers] = Coalescer(
            self._refill_all, executor=self._executor, max_batch=MAX_CHANGE_BATCH
        )
        self._refill_statuses: Coalescer[RefillStatusAsk, Mapping[str, RefillStatus]] = Coalescer(
            read_refills, executor=self._executor, max_batch=MAX_STATUS_BATCH
        )
        catalogues: Coalescer[None, Catalogue] = Coalescer(_catalogues, executor=self._executor, max_batch=size)
        self._listings = Listings(lambda: catalogues.ask(None))
        self._limits = Limits(self._executor, max_batch=size)
        self._gate = Gate(keys.ask, self._limits.empty)
        self._uses = Uses(self._executor)
        self._trusted_proxies = read_networks(settings().trusted_proxies)
        self._beside: list[asyncio.Task[None]] = []
        self._actions: dict[str, Callable[[Grant, Request], Awaitable[bytes | Answer]]] = {
            "add": self._add,
            "balance": self._balance,
            "cancel": self._cancel,
            "refill": self._refill,
            "refill_status": self._refill_status,
            "services": self._services,
            "status": self._status,
        }

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to follow the keys. A database that is away is waited for, not fatal."""
        self._beside = [
            asyncio.create_task(keep_hearing(self._hear)),
            asyncio.create_task(self._uses.keep_writing()),
        ]

    async def stop(self) -> None:
        """End following; the answers in flight are the server's to finish."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        self._executor.shutdown(wait=False)

    async def _hear(self) -> None:
        loop = asyncio.get_running_loop()
        asked_at = time.monotonic()
        self._gate.heard(await loop.run_in_executor(self._executor, read_access_version), asked_at=asked_at)

    # --- one request --------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request: always JSON, 200 but for 304, 413, 429 and 503 (protocol.md, Transport)."""
        headers: Headers = []
        try:
            answer = await self._answer(scope, receive, headers)
            if isinstance(answer, Answer):
                status, body = answer.status, answer.body
                headers.extend(answer.headers)
            else:
                status, body = 200, answer
        except Refusal as refusal:
            status, body = 200, error_reply(refusal)
        except TooManyRequests as refusal:
            status, body = 429, plain_error_reply("too_many_requests")
            headers.extend(refusal.headers())
        except BodyTooLarge:
            status, body = 413, plain_error_reply("body_too_large")
        except Unavailable:
            status, body = 503, plain_error_reply("unavailable")
        except ClientGone:
            return
        if status != 304:
            headers += [JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive, headers: Headers) -> bytes | Answer:
        request = await _read(scope, receive)
        address, now = peer_of(scope, self._trusted_proxies), self._clock.now()
        grant = await self._gate.find(request.key, address, now)
        if grant is None:
            raise InvalidKey
        self._uses.note(grant.key_id, now, address)
        act = self._actions.get(request.action)
        if act is None:
            raise IncorrectRequest
        if self._limits.on:
            return await self._limits.answer(act, grant, request, address=address, headers=headers)
        return await act(grant, request)

    # --- actions ------------------------------------------------------------------------------------

    async def _services(self, grant: Grant, request: Request) -> Answer:
        return await self._listings.answer(
            grant.account_id, accept_encoding=request.accept_encoding, if_none_match=request.if_none_match
        )

    async def _balance(self, grant: Grant, request: Request) -> bytes:
        del request
        return balance_reply(await self._balances.ask(grant.account_id), settings().currency)

    async def _status(self, grant: Grant, request: Request) -> bytes:
        listed = request.fields.get("orders")
        if listed is not None:
            ids = read_ids(listed)
            return statuses_reply(ids, await self._statuses.ask(StatusAsk(grant.account_id, ids)))
        single = request.fields.get("order", "")
        found = await self._statuses.ask(StatusAsk(grant.account_id, [single]))
        if single not in found:
            raise IncorrectOrder
        return found[single].encode()

    async def _add(self, grant: Grant, request: Request) -> bytes:
        _check_may_write(grant, request)
        answer = await self._adds.ask(Draft(grant.account_id, request.fields))
        if isinstance(answer, Refusal):
            raise answer
        return order_reply(answer)

    async def _refill(self, grant: Grant, request: Request) -> bytes:
        _check_may_write(grant, request)
        listed = request.fields.get("orders")
        if listed is not None:
            return refills_reply(await self._refills.ask(RefillAsk(grant.account_id, read_ids(listed))))
        single = request.fields.get("order", "")
        answer = (await self._refills.ask(RefillAsk(grant.account_id, [single])))[single]
        if isinstance(answer, Refusal):
            raise answer
        return refill_reply(answer)

    def _refill_all(self, asks: Sequence[RefillAsk]) -> list[RefillAnswers]:
        answers = request_refills(asks, now=self._clock.now())
        if any(isinstance(answer, int) for answered in answers for answer in answered.values()):
            self._executor.submit(self._placed)
        return answers

    async def _refill_status(self, grant: Grant, request: Request) -> bytes:
        listed = request.fields.get("refills")
        if listed is not None:
            ids = read_ids(listed)
            return refill_statuses_reply(ids, await self._refill_statuses.ask(RefillStatusAsk(grant.account_id, ids)))
        single = request.fields.get("refill", "")
        found = await self._refill_statuses.ask(RefillStatusAsk(grant.account_id, [single]))
        if single not in found:
            raise RefillNotFound
        return refill_status_reply(found[single])

    async def _cancel(self, grant: Grant, request: Request) -> bytes:
        _check_may_write(grant, request)
        # A lone `order` is a list of one (protocol.md, Replies).
        listed = request.fields.get("orders", request.fields.get("order"))
        if listed is None:
            raise IncorrectOrder
        answers = await self._cancels.ask(CancelAsk(grant.account_id, read_ids(listed)))
        return cancels_reply({asked: _refusal(answer) for asked, answer in answers.items()})

    def _cancel_all(self, asks: Sequence[CancelAsk]) -> list[CancelAnswers]:
        answers = request_cancels(asks, now=self._clock.now())
        if any(answer is Canceling.ASKED for answered in answers for answer in answered.values()):
            self._executor.submit(self._placed)
        return answers

    def _look_up(self, asks: Sequence[KeyAsk]) -> list[LookUp]:
        return read_grants(asks, now=self._clock.now())

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


def _refusal(answer: object) -> Refusal | None:
    return answer if isinstance(answer, Refusal) else None


def _catalogues(asks: Sequence[None]) -> list[Catalogue]:
    """The catalogue as it is now for all who ask: one look at its number."""
    return [refresh_catalogue()] * len(asks)


async def _read(scope: Scope, receive: Receive) -> Request:
    """The request of this scope. Raises IncorrectRequest, BodyTooLarge or ClientGone."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, value)
    body = await _read_body(receive, headers.get(b"content-length", b""))
    return read_request(
        method=scope["method"],
        content_type=headers.get(b"content-type", b"").decode("latin-1"),
        query=scope["query_string"],
        body=body,
        authorization=headers.get(b"authorization", b"").decode("latin-1"),
        idempotency=headers.get(b"idempotency-key", b"").decode("latin-1"),
        accept_encoding=headers.get(b"accept-encoding", b"").decode("latin-1"),
        if_none_match=headers.get(b"if-none-match", b"").decode("latin-1"),
    )


async def _read_body(receive: Receive, announced: bytes) -> bytes:
    limit = settings().api_max_body_bytes
    if announced.isdigit() and int(announced[:20]) > limit:
        raise BodyTooLarge
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge
        if not message.get("more_body"):
            return body
