"""The answers of `services`, cached as bytes for each price list, plain and in gzip.

The version of the catalogue is read for every request under low load, and twenty times a second for all of them under
high load: reading it costs as much as forty answers. An answer is never older than STALE_SECONDS.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from hawker.api.response import ApiResponse
from hawker.catalog.listing import pack, tag_of, unpack, write_listing
from hawker.catalog.prices import PriceList
from hawker.catalog.snapshot import Catalogue, SoldService

FRESH_SECONDS = 0.01
BUSY_SECONDS = 0.05
"""How long the version counts after it was read, and how long when more than BUSY_ANSWERS were given since."""

BUSY_ANSWERS = 32
STALE_SECONDS = 0.1
"""While reading the next version takes longer than this, all requests wait: an older list is never sent."""

MAX_BYTES = 24 * 1024 * 1024
"""Most that is cached. The bytes of 5,000 services are a megabyte plain, and a twentieth of that in gzip."""

_COMMON = (
    # The same address answers every customer differently, and each in two encodings.
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Accept-Encoding"),
)


@dataclass(frozen=True, slots=True)
class CachedList:
    """The cached answer of one price list; the other encoding is made from it when it is first asked for."""

    tag: str
    plain: ApiResponse | None = None
    packed: ApiResponse | None = None

    def answer(self, *, packed: bool) -> ApiResponse | None:
        return self.packed if packed else self.plain

    @property
    def size(self) -> int:
        return sum(len(answer.body) for answer in (self.plain, self.packed) if answer is not None)


class ServiceLists:
    """Finds the cached answer of an account's price list. Accounts with the same list share it."""

    def __init__(self, look: Callable[[], Awaitable[Catalogue]], *, max_bytes: int = MAX_BYTES) -> None:
        """`look` answers the catalogue as it is now; lists are written and packed in a thread, one at a time.

        Past `max_bytes` those that were not asked for the longest are dropped, all but the newest.
        """
        self._look = look
        self._max_bytes = max_bytes
        self._catalogue: Catalogue | None = None
        self._looked_at = 0.0
        self._looking: asyncio.Future[Catalogue] | None = None
        self._given = 0
        self._ready: OrderedDict[PriceList, CachedList] = OrderedDict()
        self._ready_of: Mapping[int, SoldService] = {}
        self._size = 0
        self._making = asyncio.Lock()
        self.written = 0
        self.packed = 0

    def recall(self, account_id: int, *, accept_encoding: str = "", if_none_match: str = "") -> ApiResponse | None:
        """What `answer` would return, where that is cached and the version still counts; else None."""
        catalogue = self._held()
        if catalogue is None:
            return None
        packed = accepts_gzip(accept_encoding)
        ready = self._find(catalogue, catalogue.prices_of(account_id), packed=packed)
        return None if ready is None else _reply(ready, packed=packed, if_none_match=if_none_match)

    async def answer(self, account_id: int, *, accept_encoding: str = "", if_none_match: str = "") -> ApiResponse:
        """The services at this account's rates, or a 304 where the client has just these. Raises Unavailable.

        A 304 is never sent to a client that did not ask for it by If-None-Match, but also to one that posts:
        in this protocol POST is how everything is read.
        """
        packed = accepts_gzip(accept_encoding)
        catalogue = self._held() or await self._fresh()
        prices = catalogue.prices_of(account_id)
        ready = self._find(catalogue, prices, packed=packed)
        if ready is None:
            async with self._making:
                # Those who waited find what the first of them had made.
                ready = self._find(catalogue, prices, packed=packed) or await self._make(catalogue, prices, packed)
        return _reply(ready, packed=packed, if_none_match=if_none_match)

    def _held(self) -> Catalogue | None:
        """The catalogue, where it was looked at just now, or somebody is looking and it was a moment ago."""
        if self._looking is not None:
            limit = STALE_SECONDS
        else:
            limit = BUSY_SECONDS if self._given > BUSY_ANSWERS else FRESH_SECONDS
        self._given += 1
        return self._catalogue if time.monotonic() - self._looked_at <= limit else None

    async def _fresh(self) -> Catalogue:
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look_up(time.monotonic()))
        # Several wait for it: one that is cancelled must not take it from the others.
        return await asyncio.shield(self._looking)

    async def _look_up(self, now: float) -> Catalogue:
        try:
            catalogue = await self._look()
            self._catalogue, self._looked_at, self._given = catalogue, now, 0
            return catalogue
        finally:
            self._looking = None

    def _find(self, catalogue: Catalogue, prices: PriceList, *, packed: bool) -> CachedList | None:
        if catalogue.services is not self._ready_of:
            return None
        ready = self._ready.get(prices)
        if ready is None or ready.answer(packed=packed) is None:
            return None
        self._ready.move_to_end(prices)
        return ready

    async def _make(self, catalogue: Catalogue, prices: PriceList, packed: bool) -> CachedList:
        have = self._ready.get(prices) if catalogue.services is self._ready_of else None
        self.written += have is None
        self.packed += packed
        ready = await asyncio.to_thread(_make, catalogue.services, prices, have, packed)
        if catalogue.services is not self._ready_of:
            self._ready.clear()
            self._ready_of, self._size = catalogue.services, 0
        dropped = self._ready.pop(prices, None)
        self._size += ready.size - (dropped.size if dropped else 0)
        self._ready[prices] = ready
        while self._size > self._max_bytes and len(self._ready) > 1:
            self._size -= self._ready.popitem(last=False)[1].size
        return ready


def _reply(ready: CachedList, *, packed: bool, if_none_match: str) -> ApiResponse:
    if if_none_match and _names(if_none_match, ready.tag):
        return ApiResponse(304, (_etag(ready.tag), *_COMMON), b"")
    answer = ready.answer(packed=packed)
    assert answer is not None, "found or made in this encoding"
    return answer


def _make(services: Mapping[int, SoldService], prices: PriceList, have: CachedList | None, packed: bool) -> CachedList:
    """What is there already, with this encoding added to it."""
    if have is not None and have.plain is not None:
        return CachedList(have.tag, have.plain, _answer(have.tag, pack(have.plain.body), packed=True))
    if have is not None and have.packed is not None:
        return CachedList(have.tag, _answer(have.tag, unpack(have.packed.body), packed=False), have.packed)
    listing = write_listing(services.values(), prices)
    tag = tag_of(listing)
    if packed:
        return CachedList(tag, packed=_answer(tag, pack(listing), packed=True))
    return CachedList(tag, plain=_answer(tag, listing, packed=False))


def _answer(tag: str, body: bytes, *, packed: bool) -> ApiResponse:
    encoding = [(b"content-encoding", b"gzip")] if packed else []
    return ApiResponse(200, (*encoding, _etag(tag), *_COMMON), body)


def _etag(tag: str) -> tuple[bytes, bytes]:
    # Weak, because both encodings of a list carry the same one.
    return b"etag", f'W/"{tag}"'.encode()


def _names(if_none_match: str, tag: str) -> bool:
    """Whether an If-None-Match header names this tag (RFC 9110, 13.1.2: compared weakly)."""
    names = (name.strip().removeprefix("W/") for name in if_none_match.split(","))
    return any(name in (f'"{tag}"', "*") for name in names)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header asks for gzip: by its name and not with a weight of 0.

    `*` does not count: a client that cannot unpack has lost the answer, one that can loses only time.
    """
    for offer in accept_encoding.lower().split(","):
        name, _, parameters = offer.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            weight = parameters.replace(" ", "").partition("q=")[2]
            return weight.strip("0.") != "" if weight else True
    return False
