"""Rate limits on requests with valid keys: reported in headers, and refused from memory where that is possible."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from math import ceil
from typing import TypeAlias, TypeVar

from hawker.accounts.actions import Grant
from hawker.api.coalescer import Coalescer
from hawker.core.addresses import Address, caller_of
from hawker.core.errors import Unavailable
from hawker.limits.actions import Admission, ApiCall, admit_calls, are_calls_limited, quotas_of, release_calls
from hawker.limits.rules import Standing
from hawker.protocol.params import LISTED, MAX_IDS, MAX_LISTED, read_whole
from hawker.protocol.request import Request

Headers: TypeAlias = list[tuple[bytes, bytes]]
Reply = TypeVar("Reply")

ORDERS_TO_A_TOKEN = 10

MAX_NOTED = 10_000
RELEASE_SECONDS = 2.0
"""How long an answer waits for its place in flight to be given back; a lease that was not ends by itself."""


class TooManyRequests(Exception):
    """The caller has used up a limit: answered with 429, and with when to come back."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(standing)
        self.standing = standing

    def headers(self) -> Headers:
        """Retry-After, and how the limit stands."""
        wait = max(ceil(self.standing.retry_seconds), 1)
        return [*headers_of(self.standing), (b"retry-after", b"%d" % wait)]


def headers_of(standing: Standing) -> Headers:
    """The X-RateLimit headers. Reset is the second, in Unix time, by which all of the limit is there again."""
    return [
        (b"x-ratelimit-limit", b"%d" % standing.limit),
        (b"x-ratelimit-remaining", b"%d" % standing.remaining),
        (b"x-ratelimit-reset", b"%d" % ceil(standing.reset_at.timestamp())),
    ]


def weigh(request: Request) -> int:
    """What a request costs in tokens: one for every ten orders or refills that it asks about, and at least one."""
    if request.action == "orders":
        asked = read_whole(request.fields.get("limit", "")) or LISTED
    else:
        ids = request.fields.get("orders") or request.fields.get("refills") or ""
        # More than a hundred are refused whole: that is an error, and need not cost a fortune.
        asked = min(ids.count(",") + 1, MAX_IDS)
    return max(ceil(min(asked, MAX_LISTED) / ORDERS_TO_A_TOKEN), 1)


class EmptyBuckets:
    """Buckets that were found empty. Others may only empty them further, so until enough time has passed
    a caller can be turned away from memory: a flood of requests past the limit costs the database nothing.
    """

    def __init__(self) -> None:
        self._noted: dict[str, tuple[float, int, Standing]] = {}

    def check(self, bucket: str, cost: int) -> None:
        """Raises TooManyRequests where the bucket cannot have so many tokens yet."""
        noted = self._noted.get(bucket)
        if noted is None:
            return
        until, least, standing = noted
        left = until - time.monotonic()
        if left <= 0:
            del self._noted[bucket]
        elif cost >= least:
            raise TooManyRequests(replace(standing, retry_seconds=left))

    def note(self, bucket: str, cost: int, standing: Standing) -> None:
        """The bucket had fewer tokens than `cost` just now."""
        if len(self._noted) >= MAX_NOTED:
            self._noted.clear()
        self._noted[bucket] = (time.monotonic() + standing.retry_seconds, cost, standing)


class Limits:
    """The limits on requests with good keys. Where the operator has set none, `on` is false and nothing is asked."""

    def __init__(self, executor: Executor, *, max_batch: int) -> None:
        self.on = are_calls_limited()
        self.empty = EmptyBuckets()
        self._admissions: Coalescer[ApiCall, Admission] = Coalescer(admit_calls, executor=executor, max_batch=max_batch)
        self._releases: Coalescer[tuple[int, datetime], None] = Coalescer(
            release_calls, executor=executor, max_batch=max_batch
        )

    async def answer(
        self,
        act: Callable[[Grant, Request], Awaitable[Reply]],
        grant: Grant,
        request: Request,
        *,
        address: Address | None,
        headers: Headers,
    ) -> Reply:
        """What `act` answers, where the limits allow it; how they stand is added to `headers`.

        Raises TooManyRequests, or what `act` raises.
        """
        caller = caller_of(address) if address is not None else None
        call = ApiCall(grant.key_id, grant.account_id, caller, weigh(request))
        for bucket, _ in quotas_of(call):
            self.empty.check(bucket, call.cost)
        admission = await self._admissions.ask(call)
        if admission.standing is not None and admission.admitted:
            headers.extend(headers_of(admission.standing))
        elif admission.standing is not None:
            if admission.empty is not None:
                self.empty.note(admission.empty, call.cost, admission.standing)
            raise TooManyRequests(admission.standing)
        try:
            return await act(grant, request)
        finally:
            if admission.lease is not None:
                await self._release(grant.account_id, admission.lease)

    async def _release(self, account_id: int, lease: datetime) -> None:
        # Before the answer goes out: a client that asks one after the other always finds its place free,
        # at whichever process it asks next. What the request did is done, so nothing here may fail it.
        with suppress(Unavailable, TimeoutError):
            await asyncio.wait_for(self._releases.ask((account_id, lease)), RELEASE_SECONDS)
