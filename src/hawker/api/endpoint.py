"""The endpoint `/api/v2`: no framework on its path."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

import structlog

from hawker.accounts.actions import Grant, KeyAsk, LookUp, read_access_version, read_grants
from hawker.api.actions import Actions
from hawker.api.authentication import KeyAuthenticator, keep_reading_version
from hawker.api.coalescer import Coalescer
from hawker.api.connection_limits import ConnectionLimits, raise_file_limit
from hawker.api.exchange import HttpExchange
from hawker.api.key_usage import KeyUsage
from hawker.api.limits import Headers, Limits, TooManyRequests
from hawker.api.response import ApiResponse
from hawker.api.service_lists import ServiceLists
from hawker.catalog.snapshot import Catalogue, refresh_catalogue
from hawker.core.addresses import Address, read_networks
from hawker.core.client_address import find_client_address
from hawker.core.clock import Clock, SystemClock
from hawker.core.counters import count
from hawker.core.errors import Refusal, Unavailable
from hawker.core.settings import settings
from hawker.protocol.errors import IncorrectRequest, InvalidKey
from hawker.protocol.replies import (
    error_reply,
    plain_error_reply,
)
from hawker.protocol.request import Request, read_request

DATABASE_THREADS = 6

SERVICES = "services"
"""The one action that is not gathered: its answers are ready."""

OK, REFUSED, LIMITED, UNAVAILABLE, TOO_LARGE = "ok", "refused", "limited", "unavailable", "too_large"
"""What became of a request, as it is counted for /metrics."""

log = structlog.get_logger(__name__)


class Endpoint:
    """Answers requests of API v2: authenticates, hands each to a batch verb, writes the reply."""

    def __init__(self, *, clock: Clock | None = None, placed: Callable[[], None] = lambda: None) -> None:
        """`placed` is called after a batch that left work for the workers, in one of the database's threads."""
        self._clock = clock or SystemClock()
        self._executor = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="batch")
        size = settings().api_batch_size
        self._batched_actions = Actions(self._executor, clock=self._clock, placed=placed)
        self._actions = self._batched_actions.by_name
        keys: Coalescer[KeyAsk, LookUp] = Coalescer(self._look_up, executor=self._executor, max_batch=size, name="key")
        catalogues: Coalescer[None, Catalogue] = Coalescer(_catalogues, executor=self._executor, max_batch=size)
        self._service_lists = ServiceLists(lambda: catalogues.ask(None))
        self._limits = Limits(self._executor, max_batch=size)
        self._authenticator = KeyAuthenticator(keys.ask, self._limits.empty)
        self._key_usage = KeyUsage(self._executor)
        self._trusted_proxies = read_networks(settings().trusted_proxies)
        self.connection_limits = ConnectionLimits(
            seconds=settings().request_seconds,
            most=settings().connections_per_address,
            places=raise_file_limit(),
            trusted=self._trusted_proxies,
        )
        self._background_tasks: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.actions = frozenset({*self._actions, SERVICES})
        self.max_body = settings().api_max_body_bytes

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to follow the keys. A database that is away is waited for, not fatal."""
        self._background_tasks = [
            asyncio.create_task(keep_reading_version(self._read_version)),
            asyncio.create_task(self._key_usage.keep_writing()),
            asyncio.create_task(self.connection_limits.keep_checking()),
        ]

    async def stop(self) -> None:
        """End following; the answers in flight are the server's to finish."""
        for task in self._background_tasks:
            task.cancel()
        await asyncio.gather(*self._background_tasks, return_exceptions=True)
        self._batched_actions.close()
        self._executor.shutdown(wait=False)

    async def _read_version(self) -> None:
        loop = asyncio.get_running_loop()
        asked_at = time.monotonic()
        self._authenticator.note_version(
            await loop.run_in_executor(self._executor, read_access_version), asked_at=asked_at
        )

    # --- one request --------------------------------------------------------------------------------

    def take(self, exchange: HttpExchange) -> None:
        """Answer one HTTP request: always JSON, 200 but for 304, 413, 429 and 503.

        Most requests show a key that was good a moment ago and ask for something that is gathered: those go
        straight into their batch, and its reply straight onto the wire. The others are waited for in a task.
        """
        try:
            self._take(exchange)
        except Refusal as refusal:
            _count(exchange, REFUSED)
            exchange.answer(200, error_reply(refusal))
        except Exception:
            log.exception("request failed")
            _count(exchange, UNAVAILABLE)
            exchange.answer(*_failure(Unavailable()))

    def _take(self, exchange: HttpExchange) -> None:
        if exchange.is_too_large:
            _count(exchange, TOO_LARGE)
            exchange.answer(413, plain_error_reply("body_too_large"))
            return
        request = _read(exchange)
        if request.action in self.actions:
            exchange.action = request.action
        address, now = find_client_address(exchange.peer, exchange.headers, self._trusted_proxies), self._clock.now()
        grant = None if self._limits.on else self._authenticator.recall(request.key, address, now)
        prepare = self._actions.get(request.action)
        if grant is not None and prepare is not None:
            self._key_usage.note(grant.key_id, now, address)
            asked = prepare(grant, request)
            asked.batches.put(asked.item, partial(_finish, exchange, asked.write))
            return
        if grant is not None and request.action == SERVICES:
            ready = self._service_lists.recall(grant.account_id, **_wants(request))
            if ready is not None:
                self._key_usage.note(grant.key_id, now, address)
                _count(exchange, OK)
                exchange.answer(ready.status, ready.body, ready.headers)
                return
        task = asyncio.get_running_loop().create_task(self._answer(exchange, request, address, now))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, exchange: HttpExchange, request: Request, address: Address | None, now: datetime) -> None:
        headers: Headers = []
        try:
            answer = await self._find_answer(request, address, now, headers)
        except TooManyRequests as refusal:
            _count(exchange, LIMITED)
            exchange.answer(429, plain_error_reply("too_many_requests"), [*headers, *refusal.headers()])
        except (Refusal, Unavailable) as failure:
            _count(exchange, REFUSED if isinstance(failure, Refusal) else UNAVAILABLE)
            exchange.answer(*_failure(failure), headers)
        except Exception:
            log.exception("request failed", action=request.action, hidden=[request.key])
            _count(exchange, UNAVAILABLE)
            exchange.answer(*_failure(Unavailable()), headers)
        else:
            _count(exchange, OK)
            exchange.answer(answer.status, answer.body, [*headers, *answer.headers])

    async def _find_answer(
        self, request: Request, address: Address | None, now: datetime, headers: Headers
    ) -> ApiResponse:
        grant = await self._authenticator.find(request.key, address, now)
        if grant is None:
            raise InvalidKey
        self._key_usage.note(grant.key_id, now, address)
        if request.action not in self.actions:
            raise IncorrectRequest
        if self._limits.on:
            return await self._limits.answer(self._act, grant, request, address=address, headers=headers)
        return await self._act(grant, request)

    async def _act(self, grant: Grant, request: Request) -> ApiResponse:
        prepare = self._actions.get(request.action)
        if prepare is None:
            return await self._services(grant, request)
        asked = prepare(grant, request)
        return ApiResponse(200, (), asked.write(await asked.batches.ask(asked.item)))

    # --- actions ------------------------------------------------------------------------------------

    async def _services(self, grant: Grant, request: Request) -> ApiResponse:
        return await self._service_lists.answer(grant.account_id, **_wants(request))

    def _look_up(self, asks: Sequence[KeyAsk]) -> list[LookUp]:
        return read_grants(asks, now=self._clock.now())


def _catalogues(asks: Sequence[None]) -> list[Catalogue]:
    """The catalogue as it is now for all who ask: one look at its number."""
    return [refresh_catalogue()] * len(asks)


def _wants(request: Request) -> dict[str, str]:
    """How the client would have the list of services."""
    return {"accept_encoding": request.accept_encoding, "if_none_match": request.if_none_match}


_READ_HEADERS = (b"content-type", b"authorization", b"idempotency-key", b"accept-encoding", b"if-none-match")
"""What a request says outside its body."""

_SHORT = 100
"""Bytes of a request worth remembering, and of its headers: programs ask for their balance and the services in the
same words again and again. What is longer (orders, lists of ids) hardly comes twice."""


def _read(exchange: HttpExchange) -> Request:
    """The request of this exchange. Raises IncorrectRequest."""
    header, query, body = exchange.headers.get, exchange.query, exchange.body
    said = tuple([header(name, b"") for name in _READ_HEADERS])
    size = len(body) + len(query)
    read = _read_short if size <= _SHORT and sum(map(len, said)) <= _SHORT else _read_words
    return read(exchange.method, query, bytes(body), said)


def _read_words(method: str, query: bytes, body: bytes, said: tuple[bytes, ...]) -> Request:
    content_type, authorization, idempotency, accept_encoding, if_none_match = [text.decode("latin-1") for text in said]
    return read_request(
        method=method,
        content_type=content_type,
        query=query,
        body=body,
        authorization=authorization,
        idempotency=idempotency,
        accept_encoding=accept_encoding,
        if_none_match=if_none_match,
    )


_read_short = lru_cache(maxsize=4_096)(_read_words)


def _finish(exchange: HttpExchange, write: Callable[[Any], bytes], reply: object) -> None:
    """Write a batch's reply as the answer of the exchange that asked."""
    outcome = OK
    try:
        status, body = _failure(reply) if isinstance(reply, Unavailable) else (200, write(reply))
        if status != 200:
            outcome = UNAVAILABLE
    except Refusal as refusal:
        outcome, (status, body) = REFUSED, _failure(refusal)
    except Exception:
        log.exception("reply cannot be written")
        outcome, (status, body) = UNAVAILABLE, _failure(Unavailable())
    _count(exchange, outcome)
    exchange.answer(status, body)


def _count(exchange: HttpExchange, outcome: str) -> None:
    count(("requests", exchange.action, outcome))


def _failure(failure: Refusal | Unavailable) -> tuple[int, bytes]:
    return (200, error_reply(failure)) if isinstance(failure, Refusal) else (503, plain_error_reply("unavailable"))
