"""Gathering requests into batches: what arrives while a batch is in the database becomes the next one.

An idle server runs a lone request at once; a busy one shares a transaction, its round trips, row locks
and COMMIT among all that wait (docs/adr/0001-coalescing-with-set-sql.md).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Generic, TypeAlias, TypeVar

import structlog

from hawker.api.async_query import AsyncQuery
from hawker.core.counters import SIZES, measure
from hawker.core.errors import Unavailable

Ask = TypeVar("Ask")
Reply = TypeVar("Reply")
Then: TypeAlias = Callable[[Reply | Unavailable], None]
Batch: TypeAlias = Sequence[tuple[Ask, Then[Reply]]]

log = structlog.get_logger(__name__)


class Coalescer(Generic[Ask, Reply]):
    """Runs a batch verb over asks that come one by one, each awaiting its own reply."""

    def __init__(
        self,
        verb: Callable[[Sequence[Ask]], Sequence[Reply]],
        *,
        executor: Executor,
        max_batch: int,
        name: str = "",
        max_in_flight: int = 1,
        max_waiting: int = 20_000,
        async_query: "AsyncQuery[Ask, Reply] | None" = None,
    ) -> None:
        """`verb` answers item by item, in order; it runs in `executor`, so it may block. Its batches are measured under
        `name` (core/counters.py), of one without a name nothing is.

        More than `max_in_flight` batches at once make them smaller and the database busier; past
        `max_waiting` asks the server is drowning and says so at once. With `async_query` a batch is asked without a
        thread where that can be, and by the verb where it cannot.
        """
        self._verb = verb
        self._executor = executor
        self._max_batch = max_batch
        self._max_in_flight = max_in_flight
        self._max_waiting = max_waiting
        self._async_query = async_query
        self._name = name
        self._waiting: deque[tuple[Ask, Then[Reply]]] = deque()
        self._first_at = 0.0  # when the first of those that wait came
        self._in_flight = 0
        self._scheduled = False
        self.batches = 0
        self.asks = 0

    def put(self, item: Ask, then: "Then[Reply]") -> None:
        """Have `then` called with the reply in the event loop, or with Unavailable when the database cannot
        be asked or too many wait. Waking a task for each reply would cost as much as its share of the batch.
        """
        if len(self._waiting) >= self._max_waiting:
            then(Unavailable("too many requests are waiting"))
            return
        if not self._waiting:
            self._first_at = time.monotonic()
        self._waiting.append((item, then))
        if not self._scheduled and self._in_flight < self._max_in_flight:
            # One turn of the loop later, so that requests read in this turn travel together.
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start)

    def ask(self, item: Ask) -> "asyncio.Future[Reply]":
        """The reply to come, for who can wait for it. It fails with Unavailable as `put` says."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def then(reply: "Reply | Unavailable") -> None:
            if future.done():  # the client went away
                return
            if isinstance(reply, Unavailable):
                future.set_exception(reply)
            else:
                future.set_result(reply)

        self.put(item, then)
        return future

    def _start(self) -> None:
        self._scheduled = False
        while self._waiting and self._in_flight < self._max_in_flight:
            batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
            self._in_flight += 1
            self.batches += 1
            self.asks += len(batch)
            began = time.monotonic()
            if self._name:
                measure(("batch_size", self._name), len(batch), SIZES)
                measure(("batch_wait", self._name), began - self._first_at)
            # Those that are left over have waited since about now at the latest: it is not known of each.
            self._first_at = began
            items = [item for item, _ in batch]
            if self._async_query is None or not self._async_query.ask(
                items, partial(self._finish_async_query, batch, began)
            ):
                self._hand_over(batch, began)

    def _hand_over(self, batch: "Batch[Ask, Reply]", began: float) -> None:
        items = [item for item, _ in batch]
        run = asyncio.get_running_loop().run_in_executor(self._executor, self._run, items)
        run.add_done_callback(partial(self._finish, batch, began))

    def _run(self, items: Sequence[Ask]) -> "Sequence[Reply | Unavailable]":
        try:
            return self._verb(items)
        except Unavailable as error:
            return [error] * len(items)
        except Exception:
            log.exception("batch failed", size=len(items))
            if len(items) == 1:
                return [Unavailable("an error of ours")]
        # Rolled back as a whole: each alone, so that one poisoned ask does not fail its neighbours.
        return [reply for item in items for reply in self._run([item])]

    def _finish_async_query(
        self, batch: "Batch[Ask, Reply]", began: float, replies: "Sequence[Reply | Unavailable] | None"
    ) -> None:
        if replies is None:
            self._hand_over(batch, began)
        else:
            self._give(batch, began, replies)

    def _finish(
        self, batch: "Batch[Ask, Reply]", began: float, done: "asyncio.Future[Sequence[Reply | Unavailable]]"
    ) -> None:
        error = done.exception()
        replies = done.result() if error is None else [Unavailable(f"the server stops: {error}")] * len(batch)
        self._give(batch, began, replies)

    def _give(self, batch: "Batch[Ask, Reply]", began: float, replies: "Sequence[Reply | Unavailable]") -> None:
        self._in_flight -= 1
        if self._name:
            measure(("batch_run", self._name), time.monotonic() - began)
        # The next batch is on its way to the database before this one's answers are written.
        self._start()
        for (_, then), reply in zip(batch, replies, strict=True):
            try:
                then(reply)
            except Exception:
                # One answer that cannot be written must not keep its neighbours from theirs.
                log.exception("reply lost")
