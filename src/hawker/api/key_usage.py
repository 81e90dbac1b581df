"""When each key was last used: noted in memory with every request, written about once a minute."""

import asyncio
import time
from concurrent.futures import Executor
from datetime import datetime

import structlog

from hawker.accounts.actions import note_key_uses
from hawker.core.addresses import Address
from hawker.core.errors import Unavailable

WRITE_SECONDS = 60.0
LOOK_SECONDS = 0.5
LAST_WRITE_SECONDS = 2.0

log = structlog.get_logger(__name__)


class KeyUsage:
    """The keys that were used and are not written yet."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._noted: dict[int, tuple[datetime, Address | None]] = {}
        # The first use after a start is written at once, so that a person who tries a new key sees it.
        self._written_at = -WRITE_SECONDS

    def note(self, key_id: int, now: datetime, address: Address | None) -> None:
        """The key was used."""
        self._noted[key_id] = (now, address)

    async def keep_writing(self) -> None:
        """Write what was noted, once a minute, until cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if self._noted and time.monotonic() - self._written_at >= WRITE_SECONDS:
                    await self._write()
        finally:
            if self._noted:
                await asyncio.wait([asyncio.ensure_future(self._write())], timeout=LAST_WRITE_SECONDS)

    async def _write(self) -> None:
        noted, self._noted = self._noted, {}
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, note_key_uses, noted)
            self._written_at = time.monotonic()
        except Unavailable as error:
            self._noted = noted | self._noted
            log.debug("uses of keys wait to be written", why=str(error))
        except Exception:
            # Not important enough to stop the process.
            log.exception("uses of keys are lost", keys=len(noted))
