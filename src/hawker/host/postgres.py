"""The embedded PostgreSQL of one data folder: started, adopted, watched, stopped.

The postmaster is no child of ours: a shell starts it and leaves at once. So it outlives whoever
started it, and one left by an earlier Hawker is treated in no other way than our own.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hawker.core.datadir import DataDir
from hawker.host import cluster, processes, roles
from hawker.host.access import open_trees, open_way
from hawker.host.account import SystemAccount, account_for
from hawker.host.backoff import Backoff
from hawker.host.binaries import Binaries, find_binaries
from hawker.host.errors import CannotHost, DatabaseUnusable, FolderUnusable
from hawker.host.folder import make_folder
from hawker.host.launch import launch
from hawker.host.serverlog import last_reason, was_ready
from hawker.host.speech import News, Say, say_on_stderr

_TICK_SECONDS = 0.03
_ORPHAN_PATIENCE_SECONDS = 0.7
_ASK_AGAIN_SECONDS = 0.5
_FAILURES_AT_START = 4
_STILL_IN_USE = "pre-existing shared memory block"


@dataclass(frozen=True, slots=True)
class _Setup:
    account: SystemAccount
    binaries: Binaries


class EmbeddedPostgres:
    """The database of one data folder. One process at a time may start, watch or stop it: the lock's holder."""

    def __init__(self, folder: DataDir, *, postgres_bin: Path | None = None, say: Say = say_on_stderr) -> None:
        """`postgres_bin` is a folder of programs to use instead of the wheel's; so is HAWKER_POSTGRES_BIN."""
        variable = os.environ.get("HAWKER_POSTGRES_BIN")
        self.folder = folder
        self._chosen = postgres_bin or (Path(variable) if variable else None)
        self._say = say
        self._setup: _Setup | None = None
        self._known: int | None = None  # the postmaster that was last seen or launched
        self._was_ready = False
        self._down_since: float | None = None
        self._retry_at = 0.0
        self._orphans_since: float | None = None
        self._backoff = Backoff(first_seconds=0.1, longest_seconds=5.0)
        self._log_offset = 0
        self._reason = ""

    @property
    def pid(self) -> int | None:
        """The number of the postmaster that runs on this folder, whoever started it; None if there is none."""
        postmaster = processes.find_postmaster(self.folder.cluster)
        return postmaster.pid if postmaster else None

    @property
    def exists(self) -> bool:
        """Whether the folder holds a cluster, running or not."""
        return (self.folder.cluster / "PG_VERSION").exists()

    def is_serving(self) -> bool:
        """Whether the panel's database answers a real query now."""
        return roles.answers(self.folder)

    def start(self, waiting: Callable[[], None] = lambda: None) -> None:
        """Make the cluster if there is none, start or adopt its postmaster, return when a query was answered.

        Recovery after a crash may take any time; `waiting` is called some 30 times a second meanwhile and
        may raise to give up (the postmaster is then left as it is). Raises CannotHost with one sentence
        where the folder, the programs or the cluster do not allow it.
        """
        self._prepare()
        self._stop_where_socket_differs()
        self._backoff.succeeded()
        news = News(self._say, f"waiting for PostgreSQL to start or recover, see {self.folder.cluster_log}")
        # A server that says itself that it is not ready is not asked: each question would be a line in its log.
        while not (self.ensure_running() and self._was_ready and roles.answers(self.folder, "postgres")):
            if self._backoff.failures >= _FAILURES_AT_START:
                raise DatabaseUnusable(f"PostgreSQL does not start: {self._reason}")
            news.tell()
            waiting()
            time.sleep(_TICK_SECONDS)
        roles.make_roles(self.folder)

    def ensure_running(self) -> bool:
        """One step of the watch: start the postmaster again if it died; returns whether one is there now.

        Never waits long and never raises, call it several times a second. A server that ends before it
        was ready is started again after 0.1 s, doubling to 5 s; what happened is said.
        """
        postmaster = processes.find_postmaster(self.folder.cluster)
        if postmaster is not None:
            self._known = postmaster.pid
            if postmaster.status == "ready":
                self._note_ready()
            elif postmaster.status == "stopping":
                # Somebody sent it SIGTERM: it would turn new clients away for as long as old ones stay.
                _send(postmaster.pid, signal.SIGINT)
            return True
        if self._living() is not None:
            return True  # Too young to have written its postmaster.pid.
        now = time.monotonic()
        if self._known is not None:
            self._note_end(now)
        if now >= self._retry_at and not self._end_orphans(now):
            self._launch(now)
        return self._known is not None

    def stop(self) -> None:
        """Stop the postmaster the fast way (clients are cut off, a checkpoint is written) and wait for its end.

        Does nothing where none runs. A start that was given up half-way is stopped too.
        """
        ask_at = 0.0
        news = News(self._say, "waiting for PostgreSQL to write its last checkpoint")
        while (pid := self._living()) is not None:
            if time.monotonic() >= ask_at:
                # Again and again: a postmaster in its first milliseconds does not listen yet.
                _send(pid, signal.SIGINT)
                ask_at = time.monotonic() + _ASK_AGAIN_SECONDS
            news.tell()
            time.sleep(_TICK_SECONDS)
        self._known, self._was_ready = None, False
        if self.folder.socket_dir.parent != self.folder.path:
            with contextlib.suppress(OSError):
                self.folder.socket_dir.rmdir()

    def _prepare(self) -> None:
        folder = self.folder
        make_folder(folder)
        account, major = account_for(folder), cluster.find_major(folder)
        binaries = find_binaries(self._chosen, major)
        self._setup = _Setup(account, binaries)
        self._open_way()
        open_trees(account, binaries.own_folders, folder.path, self._say)
        cluster.remove_unfinished(folder)
        if major is None:
            if folder.restoring.path.exists():
                raise FolderUnusable(
                    f"a restore into {folder.path} was interrupted: run `hawker restore` again, or remove "
                    f"{folder.restoring.path} to start a new panel"
                )
            cluster.make_cluster(folder, binaries, account)
        changed = cluster.configure(folder, account, binaries.major)
        cluster.make_socket_folder(folder, account)
        pid = self.pid
        if changed and pid is not None:
            _send(pid, signal.SIGHUP)

    def _open_way(self) -> None:
        setup = self._ready_setup
        programs = setup.binaries.own_folders or (setup.binaries.folder / "postgres",)
        open_way(setup.account, [self.folder.cluster, self.folder.socket_dir, *programs], self.folder.path, self._say)

    def _stop_where_socket_differs(self) -> None:
        # The data folder was renamed while its server ran on: clients would look for it in the new place.
        found = processes.find_postmaster(self.folder.cluster)
        if found is None or found.socket_dir is None:
            return
        with contextlib.suppress(OSError):
            if found.socket_dir.samefile(self.folder.socket_dir):
                return
        self.stop()
        cluster.make_socket_folder(self.folder, self._ready_setup.account)

    @property
    def _ready_setup(self) -> _Setup:
        assert self._setup is not None, "start() comes first"
        return self._setup

    def _living(self) -> int | None:
        """The postmaster of this folder, also before it has written its postmaster.pid."""
        pid = self.pid
        if pid is None and self._known is not None:
            process = processes.find_process(self._known)
            pid = self._known if processes.is_postmaster_of(self.folder.cluster, process) else None
        return pid

    def _note_ready(self) -> None:
        if self._down_since is not None:
            self._say(f"PostgreSQL is back after {time.monotonic() - self._down_since:.1f} s")
        self._was_ready, self._down_since, self._reason = True, None, ""
        self._backoff.succeeded()

    def _note_end(self, now: float) -> None:
        self._known = None
        # It may have been ready between two looks.
        if not self._was_ready and not was_ready(self.folder.cluster_log, self._log_offset):
            self._note_failure(now, last_reason(self.folder.cluster_log, self._log_offset))
            return
        # It had served, so there is no reason to wait before the first try.
        self._was_ready, self._down_since, self._retry_at = False, now, now
        self._say("PostgreSQL stopped unexpectedly; restarting it")

    def _note_failure(self, now: float, reason: str) -> None:
        if _STILL_IN_USE in reason:
            # A process of the old server is still going, too young or too old to carry its title.
            self._retry_at = now + self._backoff.first_seconds
            return
        if reason != self._reason:
            self._say(f"PostgreSQL did not start: {reason}")
        self._reason = reason
        self._retry_at = now + self._backoff.failed(0.0)

    def _end_orphans(self, now: float) -> bool:
        """End what a killed postmaster left behind; returns whether something still is.

        SIGQUIT is what a postmaster sends its own processes after a crash: they leave at once, and
        the log is replayed. They could do no more than hold up the new server.
        """
        orphans = processes.list_orphans(self._ready_setup.account.uid, cluster.cluster_name(self.folder))
        if not orphans:
            self._orphans_since = None
            return False
        if self._orphans_since is None:
            self._orphans_since = now
        patient = now - self._orphans_since < _ORPHAN_PATIENCE_SECONDS
        for orphan in orphans:
            _send(orphan.pid, signal.SIGQUIT if patient else signal.SIGKILL)
        return True

    def _launch(self, now: float) -> None:
        setup = self._ready_setup
        try:
            # Each time anew: a chmod of one of the parents since the last start has shut our account out.
            self._open_way()
            self._known, self._log_offset = launch(self.folder, setup.binaries, setup.account)
        except (CannotHost, OSError, subprocess.SubprocessError) as error:
            self._note_failure(now, str(error))


def _send(pid: int, signal_number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal_number)
