"""Who may pass: keys verified once and remembered while nothing about keys has changed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from hawker.accounts.actions import Grant
from hawker.core.errors import Unavailable

REFRESH_SECONDS = 0.25
TRUSTED_SECONDS = 0.9
"""Without news from the database for this long, remembered keys are looked up again: a revoked key is
refused within a second in every process."""

MAX_REMEMBERED = 100_000

log = structlog.get_logger(__name__)


class Gate:
    """Finds what a key allows. Only keys that are good are remembered: guesses cost memory nothing."""

    def __init__(self, look_up: "Callable[[str], Awaitable[tuple[int, Grant | None]]]") -> None:
        self._look_up = look_up
        self._remembered: dict[str, tuple[int, Grant]] = {}
        self._version = 0
        self._heard_at = 0.0

    def heard(self, version: int) -> None:
        """The access version as the database tells it now."""
        self._heard_at = time.monotonic()
        if version > self._version:
            self._version = version
            self._remembered.clear()

    def recall(self, key: str, now: datetime) -> Grant | None:
        """The grant of a remembered key, where that is certain to hold; None otherwise."""
        remembered = self._remembered.get(key)
        if remembered is None or remembered[0] != self._version:
            return None
        if time.monotonic() - self._heard_at > TRUSTED_SECONDS:
            return None
        grant = remembered[1]
        return None if grant.expires_at is not None and grant.expires_at <= now else grant

    async def find(self, key: str, now: datetime) -> Grant | None:
        """What the key allows now, or None for a key that may not pass. Raises Unavailable."""
        grant = self.recall(key, now)
        if grant is not None:
            return grant
        version, grant = await self._look_up(key)
        if grant is None or (grant.expires_at is not None and grant.expires_at <= now):
            return None
        if version > self._version:
            self.heard(version)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (version, grant)
        return grant


async def keep_hearing(listen: Callable[[], Awaitable[None]]) -> None:
    """Call `listen` several times a second for ever; outages of the database are waited out."""
    while True:
        try:
            await listen()
        except Unavailable as error:
            log.debug("no news", why=str(error))
        await asyncio.sleep(REFRESH_SECONDS)
