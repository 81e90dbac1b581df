"""The open connections of one sweep to one provider."""

import asyncio
from types import TracebackType
from typing import Self

from hawker.providers.actions import Opener, ProviderAccess
from hawker.providers.errors import CannotConnect
from hawker.providers.http_client import ProviderClient

_TRIES = 3


class ProviderClients:
    """Opens lines before they are needed and keeps those that may be used again."""

    def __init__(self, access: ProviderAccess, opener: Opener) -> None:
        self._access = access
        self._opener = opener
        self._idle: list[ProviderClient] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(line.close() for line in self._idle))

    async def take(self, count: int) -> list[ProviderClient]:
        """At least one and at most `count` fresh lines. Raises CannotConnect when not even one can be opened.

        One line that is slow to open may let the others go stale: those are closed and not handed out. An upstream
        that hangs up on every one of them cannot be connected to either.
        """
        for _ in range(_TRIES):
            taken = await self._take(count)
            fresh = [line for line in taken if line.is_fresh()]
            await asyncio.gather(*(line.close() for line in taken if line not in fresh))
            if fresh:
                return fresh
        raise CannotConnect("every connection was closed before anything could be sent")

    async def _take(self, count: int) -> list[ProviderClient]:
        taken: list[ProviderClient] = []
        while self._idle and len(taken) < count:
            line = self._idle.pop()
            if line.is_fresh():
                taken.append(line)
            else:
                await line.close()
        missing = count - len(taken)
        opened = await asyncio.gather(*(self._opener(self._access) for _ in range(missing)), return_exceptions=True)
        taken += [line for line in opened if not isinstance(line, BaseException)]
        failures = [failure for failure in opened if isinstance(failure, BaseException)]
        unexpected = [failure for failure in failures if not isinstance(failure, CannotConnect)]
        if unexpected or (failures and not taken):
            self.give(*taken)
            raise (unexpected or failures)[0]
        return taken

    def give(self, *lines: ProviderClient) -> None:
        """Take lines back; those closed in use are dropped when they are next looked at."""
        self._idle.extend(lines)
