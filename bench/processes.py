"""Processes of a run: started in their own session, ended by their own id, their CPU time summed."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.errors import RunFailed

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None]:
    """For preexec_fn, between fork and exec: a benchmark killed with SIGKILL must not leave servers on the machine."""
    parent = os.getpid()

    def arrange() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arrange


class Server:
    """One server under load: its address, its processes, its log."""

    def __init__(
        self, name: str, url: str, commands: Sequence[Sequence[str]], *, env: Mapping[str, str], log: Path, fd: int
    ) -> None:
        """Each command is started with the listening socket `fd` open in it."""
        self.name, self.url, self.log = name, url, log
        with log.open("ab") as file:
            self._processes = [
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    env=dict(env),
                    pass_fds=[fd],
                    start_new_session=True,
                    preexec_fn=die_with_parent(),  # noqa: PLW1509 - the harness runs no threads
                )
                for command in commands
            ]

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def wait_until_up(self, path: str) -> None:
        """Wait for any HTTP answer below 500 at `path`. Raises RunFailed with the log's end."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self._processes):
                break
            with contextlib.suppress(OSError, urllib.error.URLError):
                with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(self.url + path, timeout=2):
                    pass
                return
            time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-2_000:]
        raise RunFailed(f"{self.name} did not start: {tail}")

    def stop(self) -> None:
        """End it: asked first, killed after."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in self._processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def cpu_seconds(roots: Sequence[int]) -> float:
    """CPU time so far of these processes and all below them, those included that have ended and were waited for."""
    children, own = _parents_and_cpu()
    return sum(own.get(pid, 0.0) for pid in _with_descendants(roots, children))


def _parents_and_cpu() -> tuple[Mapping[int, list[int]], Mapping[int, float]]:
    """The children of every process, and its CPU seconds with those of its ended children."""
    own: dict[int, float] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # The command's name in front may hold blanks and brackets; the fields come after the last one.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            own[int(entry.name)] = sum(map(int, fields[11:15])) / _TICKS_PER_SECOND
            children[int(fields[1])].append(int(entry.name))
    return children, own


def _with_descendants(roots: Sequence[int], children: Mapping[int, list[int]]) -> list[int]:
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def machine_seconds() -> float:
    """CPU time so far of everything on this machine, and what its host took away (steal)."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_SECOND


def peak_memory_mb(pid: int) -> float:
    """Resident memory of a process at its highest, in MB."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM") / 1024


def memory_now_mb(pid: int) -> float:
    """Resident memory of a process now, in MB."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS") / 1024


def memory_together_mb(roots: Sequence[int]) -> float:
    """Memory of these processes and all below them in MB, what several of them share counted once."""
    total = 0
    for pid in _with_descendants(roots, _parents_and_cpu()[0]):
        with contextlib.suppress(OSError):
            total += _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss")
    return total / 1024


def _kilobytes(path: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(f"{name}:"))


def run_timed(command: Sequence[str], *, env: Mapping[str, str], timeout_seconds: float) -> tuple[str, float]:
    """Run a load generator to its end: what it printed, and its CPU seconds. Raises RunFailed."""
    before = os.times()
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=dict(env),
            timeout=timeout_seconds,
            preexec_fn=die_with_parent(),
        )
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"{command[0]} did not end within {timeout_seconds:.0f} s") from error
    after = os.times()
    if done.returncode != 0:
        raise RunFailed(f"{command[0]} ended with {done.returncode}: {(done.stderr + done.stdout)[-2_000:]}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout, spent
