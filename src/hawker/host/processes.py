"""Which processes of the embedded PostgreSQL are alive, read from /proc.

Only what every account may read is used (status, cmdline): inside a container root may not
look at /proc/PID/cwd of another account.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One living process; a zombie is not one."""

    pid: int
    parent: int
    uid: int
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A postmaster that is proven to run on the cluster in question."""

    pid: int
    socket_dir: Path | None
    """None in the first moments, before it listens."""
    status: str
    """`starting`, `ready`, `stopping`, or empty in the first moments."""


def find_process(pid: int) -> Process | None:
    """The living process of that number, or None."""
    try:
        status = (_PROC / str(pid) / "status").read_text(errors="replace")
        argv = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    if not argv or fields["State"][0] in "ZX":
        return None
    # A process that retitles itself pads the title with NUL bytes.
    words = tuple(os.fsdecode(word) for word in argv.rstrip(b"\0").split(b"\0"))
    return Process(pid, int(fields["PPid"]), int(fields["Uid"].split()[0]), words)


def list_processes() -> Iterator[Process]:
    """Every living process that this account may see."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            process = find_process(int(entry.name))
            if process is not None:
                yield process


def is_postmaster_of(cluster: Path, process: Process | None) -> bool:
    """Whether this process was started as `postgres -D <cluster>`, also where the folder was renamed since."""
    if process is None or Path(process.argv[0]).name != "postgres" or "-D" not in process.argv[:-1]:
        return False
    named = Path(process.argv[process.argv.index("-D") + 1])
    for path in (named, _PROC / str(process.pid) / "cwd"):
        with contextlib.suppress(OSError):
            return path.samefile(cluster)
    return False


def find_postmaster(cluster: Path) -> Postmaster | None:
    """The postmaster that owns the cluster, or None.

    The number in postmaster.pid alone proves nothing: after a crash, or in a restarted
    container, it may be that of any other process.
    """
    lines = read_pid_file(cluster / "postmaster.pid")
    if not lines or not is_postmaster_of(cluster, find_process(int(lines[0]))):
        return None
    lines += [""] * (8 - len(lines))
    return Postmaster(int(lines[0]), Path(lines[4]) if lines[4] else None, lines[7].strip())


def read_pid_file(path: Path) -> list[str]:
    """The lines of postmaster.pid: process, cluster, start, port, socket folder, address, memory, status.

    The file beside a socket begins alike. Empty where none can be read, or without a number in front.
    """
    try:
        lines = os.fsdecode(path.read_bytes()).splitlines()
    except OSError:
        return []
    return lines if lines and lines[0].isdigit() else []


def list_orphans(uid: int, cluster_name: str) -> list[Process]:
    """What a killed postmaster left: its processes carry the cluster's name in their titles.

    They hold the shared memory, so no new postmaster can start before they are gone.
    Those whose parent still is a postmaster are its own and not listed.
    """
    title = f"postgres: {cluster_name}: "
    mine = [process for process in list_processes() if process.uid == uid]
    postmasters = {process.pid for process in mine if Path(process.argv[0]).name == "postgres"}
    return [process for process in mine if process.argv[0].startswith(title) and process.parent not in postmasters]
