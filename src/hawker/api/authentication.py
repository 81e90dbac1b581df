"""Authentication by API key: a key is looked up once, and its grant cached until anything about keys changes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from hawker.accounts.actions import Grant, KeyAsk, LookUp
from hawker.api.limits import EmptyBuckets, TooManyRequests
from hawker.core.addresses import Address, caller_of
from hawker.core.errors import Unavailable
from hawker.limits.actions import failed_bucket

REFRESH_SECONDS = 0.25
TRUSTED_SECONDS = 0.9
"""A cached grant counts for this long after the access version was last read: a revoked key is refused within a second
in every process."""

MAX_REMEMBERED = 100_000

log = structlog.get_logger(__name__)


class KeyAuthenticator:
    """Finds the grant of a key. Only valid keys are cached: guesses take no memory."""

    def __init__(self, look_up: "Callable[[KeyAsk], Awaitable[LookUp]]", empty: EmptyBuckets) -> None:
        """`empty` has the buckets of addresses that have shown too many wrong keys."""
        self._look_up = look_up
        self._empty_buckets = empty
        self._remembered: dict[str, tuple[int, Grant]] = {}
        self._version = 0
        self._version_read_at = 0.0

    def note_version(self, version: int, *, asked_at: float) -> None:
        """The access version that was read from the database at `asked_at` (monotonic) or later.

        Grants of an older version do not count any more, but are kept: a client whose key was valid is not counted as
        guessing, see `find`.
        """
        self._version = max(version, self._version)
        self._version_read_at = max(asked_at, self._version_read_at)

    def _holds(self, remembered: tuple[int, Grant]) -> bool:
        """Whether nothing can have changed about this grant for longer than a second."""
        fresh = time.monotonic() - self._version_read_at <= TRUSTED_SECONDS
        return fresh and remembered[0] == self._version

    def recall(self, key: str, address: Address | None, now: datetime) -> Grant | None:
        """The grant of a remembered key, where that is certain to hold; None where `find` must look."""
        remembered = self._remembered.get(key)
        if remembered is None or not self._holds(remembered) or not remembered[1].admits(address, now):
            return None
        return remembered[1]

    async def find(self, key: str, address: Address | None, now: datetime) -> Grant | None:
        """The grant of the key for this address now, or None where it is not valid.

        Raises Unavailable; TooManyRequests where the address has shown too many wrong keys, unless this
        use of the key is known to be good: others behind the same address go on working.
        """
        recalled = self.recall(key, address, now)
        if recalled is not None:
            return recalled
        remembered = self._remembered.get(key)
        known = remembered is not None and remembered[1].admits(address, now)
        bucket = failed_bucket(caller_of(address)) if address is not None else None
        if bucket is not None and not known:
            self._empty_buckets.check(bucket, 1)
        asked_at = time.monotonic()
        found = await self._look_up(KeyAsk(key, address, known))
        if known and found.grant is None:
            # The key is no longer valid: whoever goes on using it counts as guessing from now on.
            self._remembered.pop(key, None)
        if found.shut_out is not None and bucket is not None:
            self._empty_buckets.note(bucket, 1, found.shut_out)
            log.warning("too many wrong keys", address=str(address))
            raise TooManyRequests(found.shut_out)
        if found.grant is None:
            return None
        if found.version >= self._version:
            self.note_version(found.version, asked_at=asked_at)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (found.version, found.grant)
        return found.grant


async def keep_reading_version(read: Callable[[], Awaitable[None]]) -> None:
    """Call `read` several times a second until cancelled, also through outages of the database."""
    while True:
        try:
            await read()
        except Unavailable as error:
            log.debug("access version not read", why=str(error))
        await asyncio.sleep(REFRESH_SECONDS)
