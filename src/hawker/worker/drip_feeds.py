"""Starting the runs of drip-feeds that are due, in batches."""

from collections.abc import Callable

from hawker.core.clock import Clock
from hawker.orders import start_due_runs
from hawker.worker.threads import in_thread

BATCH = 500
"""Drip-feeds to a transaction: enough to share its costs, few enough that an ending run waits for it briefly."""


class DripSweep:
    """Starts what is due of all drip-feeds, until nothing is. Several workers may: what one claims, others skip."""

    def __init__(self, *, clock: Clock, stopping: Callable[[], bool]) -> None:
        self._clock = clock
        self._stopping = stopping

    async def run(self) -> int:
        """Sweep until nothing is due or the worker stops; answers how many drip-feeds were looked at."""
        looked_at = 0
        while not self._stopping():
            count = await in_thread(start_due_runs, limit=BATCH, now=self._clock.now())
            looked_at += count
            if count < BATCH:
                break
        return looked_at
