"""What runs where: the sweeps of this process, at most one per provider and kind."""

import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from hawker.core.clock import Clock, SystemClock
from hawker.core.errors import Unavailable
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders import expire_leases, is_due, wake_held
from hawker.orders.models import NO_PROVIDER, WorkKind
from hawker.orders.sending.queries import FIND_DUE
from hawker.posts.source_registry import FindSource, find_source
from hawker.providers.actions import Opener, open_access, read_access
from hawker.providers.availability import note_unreachable
from hawker.providers.errors import BadProvider, CannotConnect, NoSuchProvider
from hawker.worker.drip_feeds import DripSweep
from hawker.worker.following import QUESTIONS, AskSweep
from hawker.worker.outage import outage
from hawker.worker.reconciling import ReconcileSweep
from hawker.worker.sending import ERRANDS, DispatchSweep
from hawker.worker.subscriptions import SubscribeSweep
from hawker.worker.threads import in_thread

log = structlog.get_logger(__name__)


def worker_name() -> str:
    """This process, for people who read attempts: host and process id."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


@dataclass(slots=True)
class Sweeps:
    """The sweeps of one worker process, and the clock and way out that they use."""

    clock: Clock = field(default_factory=SystemClock)
    opener: Opener = open_access
    find_source: FindSource = find_source
    stopping: bool = False
    _seen_version: int | None = None
    _running: set[tuple[int, WorkKind]] = field(default_factory=set)

    async def run(self, provider_id: int, kind: WorkKind) -> None:
        """Sweep this provider's due work of this kind, unless this process is doing so already.

        Several processes may sweep one provider side by side: what each claims, the others skip.
        """
        if (provider_id, kind) in self._running or self.stopping:
            return
        self._running.add((provider_id, kind))
        try:
            await self._sweep(provider_id, kind)
        except (BadProvider, CannotConnect) as error:
            # An address or key that cannot be used is out of reach too: its orders must not wait for it for ever.
            log.warning("provider out of reach", provider=provider_id, why=str(error))
            if kind in (WorkKind.DISPATCH, WorkKind.REFILL):
                with contextlib.suppress(Unavailable):
                    await in_thread(note_unreachable, provider_id, now=self.clock.now())
        except NoSuchProvider as error:
            log.warning("provider is gone", provider=provider_id, why=str(error))
        except Unavailable as error:
            outage.note(error)
        finally:
            self._running.discard((provider_id, kind))

    async def _sweep(self, provider_id: int, kind: WorkKind) -> None:
        if kind is WorkKind.DRIP:
            await DripSweep(clock=self.clock, stopping=lambda: self.stopping).run()
            return
        if kind is WorkKind.SUBSCRIBE:
            subscribe = SubscribeSweep(clock=self.clock, find_source=self.find_source, stopping=lambda: self.stopping)
            await subscribe.run()
            return
        access = await in_thread(read_access, provider_id)
        match kind:
            case WorkKind.DISPATCH | WorkKind.REFILL:
                sweep = DispatchSweep(
                    access,
                    ERRANDS[kind],
                    opener=self.opener,
                    clock=self.clock,
                    worker=worker_name(),
                    stopping=lambda: self.stopping,
                )
                await sweep.run()
            case WorkKind.POLL | WorkKind.FOLLOW | WorkKind.CANCEL | WorkKind.BIND:
                await AskSweep(
                    access,
                    QUESTIONS[kind],
                    opener=self.opener,
                    clock=self.clock,
                    stopping=lambda: self.stopping,
                ).run()
            case WorkKind.RECONCILE:
                await ReconcileSweep(access, opener=self.opener, clock=self.clock).run()

    async def due(self) -> list[tuple[int, WorkKind]]:
        """Which provider has something due, of which kind. Raises Unavailable."""
        return await in_thread(find_due, now=self.clock.now())

    async def wake_held(self) -> None:
        """Have held orders looked at again when the catalogue has changed, and after a start. Raises Unavailable."""
        self._seen_version = await in_thread(wake_held, self._seen_version, now=self.clock.now())

    async def expire(self) -> None:
        """End the leases of workers that never came back."""
        for settled in await in_thread(expire_leases, now=self.clock.now()):
            log.error("attempt lost its worker", order=settled.order_id, state=settled.state.value)


def find_due(*, now: datetime, kinds: Sequence[WorkKind] = tuple(WorkKind)) -> list[tuple[int, WorkKind]]:
    """Which provider has something due now, of which kind; NO_PROVIDER where none is needed. Raises Unavailable."""

    def work(cursor: Cursor) -> list[tuple[int, WorkKind]]:
        names = [kind.value for kind in kinds]
        rows = ask(cursor, FIND_DUE, (names, now, now, now, now, names, now))
        due = [(provider_id, WorkKind(kind)) for provider_id, kind in rows]
        subscribe = (NO_PROVIDER, WorkKind.SUBSCRIBE)
        if WorkKind.SUBSCRIBE in kinds and subscribe not in due and is_due(cursor, now):
            due.append(subscribe)
        return due

    return in_transaction(work)


sweeps = Sweeps()
"""The sweeps of this process; `hawker worker` stops them through it."""
