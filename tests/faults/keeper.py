"""A program that keeps one real worker running: each time it is killed, the next one is started.

  python keeper.py '{"clock": "FILE", "plan": [["claimed", "kill@2"], ["anywhere", "0.8"]], "off": "", "seed": 1}'

The plan begins with SIGUSR1; until then a worker runs unharmed. Each worker of the plan is armed to kill itself at a
failpoint, or is killed from here after so many seconds; when the plan is used up, the last one runs unarmed until
SIGTERM. Everything is loaded before, and each worker is a fork: what takes a second and a half otherwise takes a
moment, so more kills fit into a test. `off` names a guard that these workers do without (naive.py).
On stdout one line of JSON for each start and each end.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.01


class Keeper:
    """Starts workers one after the other."""

    def __init__(self, plan: list[tuple[str, str]], seed: int) -> None:
        self._plan = plan
        self._seed = seed
        self._stopping = False
        self._begun = False
        self._parent = os.getppid()

    def run(self) -> None:
        """Keep a worker running until SIGUSR1, then work through the plan, then keep one running until SIGTERM."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGUSR1, self._begin)
        number = 0
        while not self._stopping:
            number += 1
            waiting = not self._begun
            point, armed = self._plan.pop(0) if self._plan and self._begun else ("", "")
            pid = self._start(point, armed, number)
            _tell(event="started", pid=pid, point=point)
            killed = self._wait(pid, float(armed) if point == "anywhere" else None, waiting=waiting)
            _tell(event="ended", pid=pid, point=point, killed=killed, asked=self._stopping)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _begin(self, *_: object) -> None:
        self._begun = True

    def _start(self, point: str, armed: str, number: int) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGUSR1, signal.SIG_DFL)
            # A fork has its parent's random numbers: the waits of all workers would be the same.
            random.seed(f"{self._seed} {os.getppid()} {number}")
            if point and point != "anywhere":
                from hawker.core.failpoints import arm

                arm(f"{point}={armed}")
            from hawker.worker.run import run_worker

            run_worker()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _wait(self, pid: int, seconds: float | None, *, waiting: bool) -> bool:
        """Whether the worker was killed, by itself or after these seconds; otherwise it has ended in order."""
        until = time.monotonic() + seconds if seconds is not None else None
        asked = 0.0
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            now = time.monotonic()
            if os.getppid() != self._parent:
                # The test is gone, and nobody will ask for an end.
                os.kill(pid, signal.SIGKILL)
                self._stopping = True
            elif self._stopping and now - asked > 1:
                # More than once: the first may have come before the worker listened.
                os.kill(pid, signal.SIGTERM)
                asked = now
            elif (waiting and self._begun) or (until is not None and now >= until):
                waiting = False
                os.kill(pid, signal.SIGKILL)
                until = None
            time.sleep(_POLL_SECONDS)


def _tell(**event: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(event), flush=True)


def main(asked: dict[str, Any]) -> None:
    from hawker.cli.panel import set_up_service

    set_up_service()
    from shifted import ShiftedClock

    import hawker.worker.run  # noqa: F401 - loaded once, for all workers
    from hawker.worker.sweeps import sweeps

    sweeps.clock = ShiftedClock(Path(asked["clock"]))
    if asked["off"]:
        from naive import GUARDS

        GUARDS[asked["off"]]()
    Keeper([(point, armed) for point, armed in asked["plan"]], asked["seed"]).run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
