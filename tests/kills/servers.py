"""What is killed: `hawker serve` processes on ports that stay, and the postmaster with or without its family."""

import contextlib
import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack

import psutil
from django.db import connection

from hawker.host.postgres import EmbeddedPostgres
from processes import ServeProcess, eventually, start_serve


class Slot:
    """A place for a `hawker serve`, which keeps its address when the process is killed and started again."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment
        self._stack = ExitStack()
        self.server: ServeProcess = self._stack.enter_context(start_serve(environment))
        self.url = self.server.url

    def kill(self) -> None:
        """SIGKILL: no handler, no flush, connections cut by the kernel."""
        os.kill(self.server.pid, signal.SIGKILL)
        self._stack.close()

    def start(self) -> None:
        port = int(self.url.rpartition(":")[2])
        self.server = self._stack.enter_context(start_serve(self._environment, port=port))

    def close(self) -> None:
        self._stack.close()


def kill_postmaster(cluster: EmbeddedPostgres, *, with_family: bool) -> None:
    """SIGKILL the postmaster; the family too is what the kernel does to a machine that ran out of memory."""
    pid = cluster.pid
    assert pid is not None, "the database runs"
    family = psutil.Process(pid).children() if with_family else []
    os.kill(pid, signal.SIGKILL)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def bring_back(cluster: EmbeddedPostgres) -> None:
    """What `hawker up` does about a postmaster that died: start it again, and wait until it answers."""
    eventually("the database is back", lambda: cluster.ensure_running() and cluster.is_serving(), seconds=60)
    connection.close()
