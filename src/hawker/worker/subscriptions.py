"""Subscriptions: looking at the feeds that are due, side by side, and ordering for the posts that are."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import structlog

from hawker.core.clock import Clock
from hawker.core.failpoints import failpoint
from hawker.orders import ClaimedFeed, apply_looks, claim_feeds, order_for_posts, wake_feeds
from hawker.posts.source import Failed, FetchResult, Posts
from hawker.posts.source_registry import FindSource
from hawker.worker.threads import in_thread

LOOKS = 32
"""Looks in flight in one worker: a slow feed holds one of them, and delays nobody else."""

LANES = 4
"""Of these at most so many at one host, which may serve thousands of feeds."""

BATCH = 50
LOOK_SECONDS = 60.0
_NEWS_SECONDS = 0.5

log = structlog.get_logger(__name__)


class SubscribeSweep:
    """Looks at due feeds and orders for due posts until nothing is due and no look is in flight."""

    def __init__(self, *, clock: Clock, find_source: FindSource, stopping: Callable[[], bool]) -> None:
        self._clock = clock
        self._find_source = find_source
        self._stopping = stopping
        self._looks: set[asyncio.Task[None]] = set()
        self._hosts: Counter[str] = Counter()
        self._seen: list[tuple[ClaimedFeed, FetchResult]] = []
        self._news = True
        self._ordered_at = 0.0
        self.looked = 0

    async def run(self) -> int:
        """Sweep until there is nothing to do or the worker stops; answers how many feeds were looked at.

        Raises Unavailable: what was claimed is then due again when its lease ends.
        """
        try:
            while not self._stopping():
                if self._news or time.monotonic() - self._ordered_at > _NEWS_SECONDS:
                    await self._order()
                self._start(await self._claim())
                if self._looks:
                    await asyncio.wait(self._looks, timeout=_NEWS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                # Looks may also end while feeds are claimed: what they saw counts, whoever is still in flight.
                elif not (self._news or self._seen):
                    break
                await self._apply()
        finally:
            for look in self._looks:
                look.cancel()
            await asyncio.gather(*self._looks, return_exceptions=True)
        return self.looked

    async def _order(self) -> None:
        """Order for a batch of posts, and have feeds looked at that somebody has subscribed to since."""
        self._ordered_at = time.monotonic()
        self._news = await in_thread(order_for_posts, limit=BATCH, now=self._clock.now())
        await in_thread(wake_feeds, now=self._clock.now())

    async def _claim(self) -> list[ClaimedFeed]:
        free = LOOKS - len(self._looks)
        busy = [host for host, count in self._hosts.items() if count >= LANES]
        if not free:
            return []
        # A host that has one look in flight may get as many less than LANES of a claim, never more.
        lanes = LANES - max((count for count in self._hosts.values() if count < LANES), default=0)
        return await in_thread(claim_feeds, limit=free, busy=busy, lanes=lanes, now=self._clock.now())

    def _start(self, claimed: list[ClaimedFeed]) -> None:
        for watch in claimed:
            self._hosts[watch.host] += 1
            look = asyncio.create_task(self._look(watch))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)

    async def _look(self, watch: ClaimedFeed) -> None:
        try:
            look = await self._ask(watch)
            # Not in one line with the asking: the list is another one by then.
            self._seen.append((watch, look))
            self.looked += 1
        finally:
            self._hosts[watch.host] -= 1
            if not self._hosts[watch.host]:
                del self._hosts[watch.host]

    async def _ask(self, watch: ClaimedFeed) -> FetchResult:
        source = self._find_source(watch.source)
        if source is None:
            return Failed(f"no post source {watch.source!r} is installed here")
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await source.look(watch.question)
        except TimeoutError:
            return Failed(f"no answer within {LOOK_SECONDS:g} s")
        except Exception as error:
            # Somebody else's code: whatever it raises is a failed look at this feed, and no other's.
            log.exception("a post source failed", source=watch.source, feed=watch.feed_id)
            return Failed(f"{type(error).__name__} in the source {watch.source!r}")

    async def _apply(self) -> None:
        """Write down what the looks that have ended saw."""
        seen, self._seen = self._seen, []
        if not seen:
            return
        failpoint("looked")
        self._news |= any(isinstance(look, Posts) for _, look in seen)
        for looked in await in_thread(apply_looks, seen, now=self._clock.now()):
            if looked.problem:
                log.info("feed trouble", feed=looked.feed_id, url=looked.url, why=looked.problem)
