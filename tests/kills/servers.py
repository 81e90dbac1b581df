"""`hawker serve` processes that are killed, on ports that stay."""

import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack

from processes import ServeProcess, start_serve


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
