"""Asking one provider about the orders that are due, a hundred a call."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from hawker.core.clock import Clock
from hawker.orders.actions.follow import Polled, Reading, apply_readings, claim_polls
from hawker.protocol.params import MAX_IDS
from hawker.protocol.upstream import Unreadable, read_statuses
from hawker.providers.actions import Access, Opener
from hawker.providers.errors import CallFailed
from hawker.worker.lines import Lines
from hawker.worker.threads import in_thread

LANES = 4
"""Calls in flight to one provider: enough to hide its latency, few enough to be a polite client."""

STATUS_SECONDS = 20.0

log = structlog.get_logger(__name__)


class PollSweep:
    """Asks one provider for every due order, LANES calls at a time, until none is due."""

    def __init__(self, access: Access, *, opener: Opener, clock: Clock, stopping: Callable[[], bool]) -> None:
        self._access = access
        self._opener = opener
        self._clock = clock
        self._stopping = stopping
        self.asked = 0

    async def run(self) -> int:
        """Sweep until nothing is due or the worker stops; answers how many orders were asked for.

        Raises CannotConnect and Unavailable: what was claimed is then due again when its lease ends.
        """
        async with Lines(self._access, self._opener) as lines, asyncio.TaskGroup() as group:
            for _ in range(LANES):
                group.create_task(self._lane(lines))
        return self.asked

    async def _lane(self, lines: Lines) -> None:
        while not self._stopping():
            polled = await in_thread(claim_polls, self._access.provider_id, limit=MAX_IDS, now=self._clock.now())
            if not polled:
                return
            readings = await self._ask(lines, polled)
            await in_thread(apply_readings, readings, now=self._clock.now())
            self.asked += len(polled)
            if len(polled) < MAX_IDS:
                return

    async def _ask(self, lines: Lines, polled: Sequence[Polled]) -> list[Reading]:
        (line,) = await lines.take(1)
        ids = [order.upstream_id for order in polled]
        try:
            fields = {"key": self._access.key, "action": "status", "orders": ",".join(map(str, ids))}
            answer = await line.call(fields, deadline_seconds=STATUS_SECONDS)
        except CallFailed as failure:
            return [Reading(order, Unreadable("status", str(failure))) for order in polled]
        finally:
            lines.give(line)
        found = read_statuses(answer.body, ids)
        if isinstance(found, Unreadable):
            log.warning("status unreadable", provider=self._access.name, why=found.why)
            return [Reading(order, found) for order in polled]
        return [Reading(order, found.get(order.upstream_id)) for order in polled]
