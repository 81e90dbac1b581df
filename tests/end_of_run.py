"""Ends what a test run has started and removes its folders, however the run ended: with SIGKILL, too.

`watch` starts this file as a process of its own, which waits for the end of the pytest process that started it.
Processes of the run are known by a variable in their environment; databases, which get an environment of their own,
by a folder of the run among their words.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

RUN = "HAWKERS_TEST_RUN"
"""All processes of a run have this variable: what the names of the run's folders begin with.

It does not begin with HAWKER_, so that it reaches panels that get no other setting of ours.
"""

_PATIENCE_SECONDS = 10


def new_run() -> Path:
    """Begin a run of this process; returns its first folder."""
    folder = tempfile.mkdtemp(prefix="ht-", dir="/tmp")
    os.environ[RUN] = folder
    return Path(folder)


def new_folder() -> Path:
    """Another folder of this run, directly below /tmp, where every account finds it."""
    return Path(tempfile.mkdtemp(prefix=f"{Path(os.environ[RUN]).name}-", dir="/tmp"))


def watch(base: str) -> None:
    """When this process has ended, end what else there is of its run or at work in `base`; then remove the folders."""
    waiting = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE,
        # Neither a Ctrl-C nor the end of another run is for it.
        start_new_session=True,
        env={},
        cwd="/",
    )
    assert waiting.stdin is not None
    waiting.stdin.write(json.dumps({"parent": os.getpid(), "run": os.environ[RUN], "base": base}).encode())
    waiting.stdin.close()
    # It outlives us by design: nobody waits for it.
    waiting.returncode = 0


def _wait_for(parent: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(parent)
        if os.getppid() == parent:
            select.select([descriptor], [], [])


def _left(run: str, base: str) -> Iterator[tuple[int, bool]]:
    """The living processes of the run, and whether each is a postmaster."""
    mark, inside = f"{RUN}={run}".encode(), (run.encode(), f"{base}/".encode())
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name == str(os.getpid()):
            continue
        # Others may read neither; what has just ended has neither.
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            marked = mark in (entry / "environ").read_bytes().split(b"\0")
            if marked or any(word.startswith(inside) for word in words[1:]):
                yield int(entry.name), words[0].endswith(b"/postgres")


def _end(run: str, base: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while left := list(_left(run, base)):
        for pid, is_postmaster in left:
            # A postmaster takes its processes and its shared memory along, if it may.
            kind = signal.SIGQUIT if is_postmaster and time.monotonic() < deadline else signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, kind)
        if time.monotonic() > deadline + _PATIENCE_SECONDS:
            return
        time.sleep(0.1)


def _remove(run: str) -> None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if (mounted := line.split(" ")[1]).startswith(run):
            subprocess.run(["umount", mounted], check=False)
    for folder in Path("/tmp").glob(f"{Path(run).name}*"):
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    told = json.load(sys.stdin)
    _wait_for(told["parent"])
    _end(told["run"], told["base"])
    _remove(told["run"])


if __name__ == "__main__":
    main()
