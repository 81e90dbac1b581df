"""The parent process of `hawker up`: one loop, no threads, no framework.

It owns the data folder, the database, the listening socket and the children. Killed, it takes the children
with it; the database stays and is adopted by the next start.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hawker.core.datadir import DataDir
from hawker.host.children import Child, ChildSpec, reap_strangers
from hawker.host.errors import ChildKeepsFailing
from hawker.host.folder import make_folder
from hawker.host.listener import Listener, listen, refuse_newcomers
from hawker.host.lock import lock_for_up
from hawker.host.postgres import EmbeddedPostgres
from hawker.host.secret_file import ensure_secrets
from hawker.host.signals import StopSignals
from hawker.host.speech import Say, say_on_stderr

_TICK_SECONDS = 0.2
_TICK_IN_HASTE_SECONDS = 0.05
"""While something is awaited: readiness, the database, the end of children."""
_FAILURES_BEFORE_READY = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What to supervise. The callables run in the supervisor's one thread, so they had better be quick.

    They may start processes of their own and wait for them until the panel is ready, not later.
    """

    children: Callable[[Listener], Sequence[ChildSpec]]
    is_ready: Callable[[Listener], bool]
    """Asked about every 50 ms until it says yes."""
    on_ready: Callable[[Listener], None]
    """Called once."""
    before_children: Callable[[], None] = lambda: None
    """Called once when the database serves: migrations. It may take its time."""
    host: str = "127.0.0.1"
    port: int | None = None
    embedded: bool = True
    """False where the database is somebody else's (HAWKER_DATABASE_URL)."""
    postgres_bin: Path | None = None
    grace_seconds: float = 45.0
    """How long children may take to finish what they have in hand: an order on its way upstream takes up to 30 s."""


def supervise(folder: DataDir, plan: Plan, say: Say = say_on_stderr) -> None:
    """Run a panel until SIGTERM, SIGINT or SIGHUP, then stop it in order: children, database, lock.

    Raises CannotHost where it cannot be started; whatever was started by then has been stopped again.
    """
    make_folder(folder)
    with lock_for_up(folder) as lock:
        listener = listen(plan.host, plan.port)
        try:
            lock.describe(listener.url)
            ensure_secrets(folder)
            _Supervision(folder, plan, listener, say).run()
        finally:
            listener.socket.close()


class _StopAsked(Exception):
    """Raised between two steps of the start, where nothing is half done."""


class _Supervision:
    def __init__(self, folder: DataDir, plan: Plan, listener: Listener, say: Say) -> None:
        self._plan = plan
        self._listener = listener
        self._say = say
        self._signals = StopSignals()
        self._children: list[Child] = []
        self._postgres = EmbeddedPostgres(folder, postgres_bin=plan.postgres_bin, say=say) if plan.embedded else None

    def run(self) -> None:
        with self._signals:
            try:
                self._start()
                self._watch()
            except _StopAsked:
                pass
            except Exception:
                # A Ctrl-C reaches what `before_children` runs as well: its failure then is no news.
                if not self._signals.asked:
                    raise
            finally:
                self._stop()

    def _start(self) -> None:
        if self._postgres is not None:
            self._postgres.start(self._heed_signals)
        self._heed_signals()
        self._plan.before_children()
        self._heed_signals()
        self._children = [Child(spec, self._say) for spec in self._plan.children(self._listener)]

    def _watch(self) -> None:
        ready = False
        while not self._signals.asked:
            now = time.monotonic()
            database_runs = self._postgres is None or self._postgres.ensure_running()
            for child in self._children:
                child.keep_running(now)
                if not ready and child.failures >= _FAILURES_BEFORE_READY:
                    raise ChildKeepsFailing(f"{child.spec.name} ended {child.failures} times before it was ready")
            if ready and os.getpid() == 1:
                reap_strangers([child.pid for child in self._children if child.pid is not None])
            if not ready and self._plan.is_ready(self._listener):
                ready = True
                self._plan.on_ready(self._listener)
            self._signals.wait(_TICK_SECONDS if ready and database_runs else _TICK_IN_HASTE_SECONDS)

    def _heed_signals(self) -> None:
        if self._signals.asked:
            raise _StopAsked

    def _stop(self) -> None:
        try:
            # Nobody new from here on, so that the server can answer all who were let in before. First ours is
            # closed, then theirs: with the last one new connections are refused, not left hanging.
            refuse_newcomers(self._listener.socket)
            self._listener.socket.close()
            self._stop_children()
        finally:
            if self._postgres is not None:
                self._postgres.stop()

    def _stop_children(self) -> None:
        for child in self._children:
            child.ask_to_stop()
        give_up_at = time.monotonic() + self._plan.grace_seconds
        while running := [child for child in self._children if not child.has_ended()]:
            if time.monotonic() >= give_up_at or self._signals.asked_again:
                self._say(f"ending {', '.join(child.spec.name for child in running)} with work in progress")
                for child in running:
                    child.kill()
                give_up_at = float("inf")
            self._signals.wait(_TICK_IN_HASTE_SECONDS)
