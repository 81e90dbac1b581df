"""Two keepers (keeper.py) as a test drives them: kills handed out, and who lived and died."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from plans import Plan

from processes import ended, eventually


class Keepers:
    """Two keepers (keeper.py) and what they have told so far."""

    def __init__(self, plan: Plan, clock: Path, folder: Path) -> None:
        chance = random.Random(plan.seed)
        kills = [(point, _armed(point, chance)) for point in plan.points for _ in range(plan.kills)]
        chance.shuffle(kills)
        self._lists = [kills[0::2], kills[1::2]]
        self._plan, self._clock, self._folder = plan, clock, folder
        self._told: list[dict[str, Any]] = []
        self._processes: list[subprocess.Popen[str]] = []

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Both run while the block does, and end in order after it."""
        first, second = self._lists
        with self._one(first, 1), self._one(second, 2):
            yield self

    @contextmanager
    def _one(self, kills: list[tuple[str, str]], number: int) -> Iterator[None]:
        asked = {"clock": str(self._clock), "plan": kills, "off": self._plan.off, "seed": self._plan.seed}
        with (self._folder / f"worker-{number}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("keeper.py")), json.dumps(asked)],
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(),
                text=True,
            )
            self._processes.append(process)
            listener = threading.Thread(target=self._listen, args=(process,))
            listener.start()
            try:
                with ended(process):
                    yield
                    process.terminate()
                    process.wait(45)
                    listener.join()
            finally:
                listener.join()

    def begin(self) -> None:
        """From now on workers are killed."""
        # A keeper that is still being loaded does not listen yet: the signal would end it.
        eventually("each keeper has a worker", lambda: {event["keeper"] for event in list(self._told)} == self._pids)
        for process in self._processes:
            process.send_signal(signal.SIGUSR1)

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._told.append(json.loads(line) | {"at": time.monotonic(), "keeper": process.pid})

    @property
    def _pids(self) -> set[int]:
        return {process.pid for process in self._processes}

    @property
    def kills(self) -> Counter[str]:
        """Workers that were killed, by the point at which."""
        return Counter(event["point"] for event in self._ended if event["killed"] and event["point"])

    @property
    def _ended(self) -> list[dict[str, Any]]:
        return [event for event in list(self._told) if event["event"] == "ended"]

    @property
    def alive(self) -> set[int]:
        """The process ids of the workers that run."""
        started = {event["pid"] for event in list(self._told) if event["event"] == "started"}
        return started - {event["pid"] for event in self._ended}

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Workers that ended by something else than the plan."""
        return [event for event in self._ended if not event["killed"] and not event["asked"]]

    @property
    def running_both(self) -> bool:
        """Whether no keeper has ended by itself."""
        return all(process.poll() is None for process in self._processes)

    @property
    def done(self) -> bool:
        """Whether every kill of the plan has happened."""
        return sum(self.kills.values()) >= sum(map(len, self._lists))


def _armed(point: str, chance: random.Random) -> str:
    return f"{chance.uniform(0.2, 2):.2f}" if point == "anywhere" else f"kill@{chance.randint(1, 2)}"


def _environment() -> dict[str, str]:
    return {**os.environ, "HAWKER_TESTING": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
