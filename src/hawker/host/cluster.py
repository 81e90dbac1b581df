"""The files of the embedded cluster: made whole or not at all, configured anew at each start."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hawker.core.database import OWNER_ROLE
from hawker.core.datadir import DataDir
from hawker.host.account import SystemAccount
from hawker.host.binaries import Binaries
from hawker.host.errors import DatabaseUnusable, FolderUnusable
from hawker.host.folder import account_name, require_room, said_of, sync_folder

_UNFINISHED = "pg.new-"

_ACCESS = f"""\
# Written by Hawker at each start. The socket lies in a folder that only the panel's account may enter.
local all all trust
local replication {OWNER_ROLE} trust
"""

_TUNING = """\
# Written by Hawker at each start. To change a value: ALTER SYSTEM SET ... and restart.
max_connections = 200
max_logical_replication_workers = 0
shared_buffers = 128MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 64MB
# Room for statistics inside the main shared memory: /dev/shm is 64 MB in a container, and systemd
# empties it of an ordinary account's segments when that account logs out (RemoveIPC).
min_dynamic_shared_memory = 16MB
# One report must not take the cores from the orders.
max_parallel_workers_per_gather = 0
jit = off
random_page_cost = 1.1
# Few checkpoints, and yet no more log than is replayed within seconds after a crash.
max_wal_size = 1GB
min_wal_size = 128MB
checkpoint_timeout = 5min
checkpoint_completion_target = 0.9
# The work tables are small and turn over all the time: clean up early and often.
autovacuum_naptime = 15s
autovacuum_vacuum_scale_factor = 0.05
autovacuum_analyze_scale_factor = 0.05
autovacuum_vacuum_insert_scale_factor = 0.1
log_min_messages = warning
# No details: they quote rows, and with them what customers sent. The panel's own log has them, without keys.
log_error_verbosity = terse
log_checkpoints = off
log_line_prefix = '%m [%p] %q%u@%d '
log_timezone = UTC
timezone = UTC
lc_messages = C
"""

_TUNING_SINCE = {
    # The default keeps three more processes for reading ahead; orders are found in memory.
    18: "io_method = sync\n",
}


def find_major(folder: DataDir) -> int | None:
    """The major version that made the cluster; None where there is none yet.

    Raises FolderUnusable for a folder that is neither a cluster nor empty.
    """
    cluster = folder.cluster
    with said_of(cluster):
        try:
            return int((cluster / "PG_VERSION").read_text())
        except FileNotFoundError:
            if not cluster.exists() or not any(cluster.iterdir()):
                return None
        except (ValueError, NotADirectoryError):
            pass
    raise FolderUnusable(f"{cluster} is not a PostgreSQL database: move it away, and Hawker creates a new one")


def make_cluster(folder: DataDir, binaries: Binaries, account: SystemAccount) -> None:
    """Make the cluster beside its place and move it there when it is complete.

    A kill at any moment leaves either no cluster or a whole one. The caller holds the folder's lock.
    """
    require_room(folder.path)
    with said_of(folder.path):
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder.path))
    try:
        with said_of(unfinished):
            if not account.is_ours:
                os.chown(unfinished, account.uid, account.gid)
        _initialise(folder, unfinished, binaries, account)
        with said_of(folder.cluster):
            unfinished.rename(folder.cluster)
            sync_folder(folder.path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def remove_unfinished(folder: DataDir) -> None:
    """Remove what a killed first start left. Where its initdb still is at work, the next start clears up."""
    for left in folder.path.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)


def _initialise(folder: DataDir, unfinished: Path, binaries: Binaries, account: SystemAccount) -> None:
    # The built-in C.UTF-8 of 17 sorts alike on every machine, whatever its C library.
    locale = (
        ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if binaries.major >= 17
        else ["--locale=C.UTF-8"]
    )
    words = ["--username", OWNER_ROLE, "--auth=trust", "--encoding=UTF8", "--data-checksums", "--no-instructions"]
    try:
        done = subprocess.run(  # noqa: S603 - a program of an installation that the operator trusts
            [binaries.program("initdb"), *words, *locale, "-D", str(unfinished)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            # A Ctrl-C at the terminal is for the supervisor, who lets this short step finish.
            start_new_session=True,
            **account.spawn_options(),
        )
    except OSError as error:
        raise DatabaseUnusable(f"initdb could not be run as {account.name}: {error.strerror}") from error
    if done.returncode == 0:
        return
    said = done.stdout + done.stderr
    if "No space left on device" in said:
        raise FolderUnusable(f"{folder.path} cannot be used: the disk is full")
    errors = [line for line in said.splitlines() if "error:" in line or "FATAL" in line] or said.splitlines()[-1:]
    reason = errors[0] if errors else f"exit code {done.returncode}"
    raise DatabaseUnusable(f"no database could be made in {folder.path}: {reason}")


def configure(folder: DataDir, account: SystemAccount, major: int) -> bool:
    """Write the cluster's two configuration files; returns whether they changed."""
    tuning = _TUNING + "".join(text for since, text in _TUNING_SINCE.items() if major >= since)
    with said_of(folder.cluster):
        changed = [
            _replace(folder.cluster / "postgresql.conf", tuning, account),
            _replace(folder.cluster / "pg_hba.conf", _ACCESS, account),
        ]
    return any(changed)


def _replace(path: Path, text: str, account: SystemAccount) -> bool:
    if path.exists() and path.read_text(errors="replace") == text:
        return False
    fresh = path.with_name(f"{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if not account.is_ours:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    fresh.rename(path)
    return True


def make_socket_folder(folder: DataDir, account: SystemAccount) -> None:
    """Make the socket's folder, for the database's account alone. FolderUnusable if somebody else's lies there."""
    path = folder.socket_dir
    with said_of(path):
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            if not account.is_ours:
                os.chown(path, account.uid, account.gid)
        found = path.lstat()
        # Below /tmp anybody may have put a folder, or a link, of that name.
        if not path.is_dir() or path.is_symlink():
            raise FolderUnusable(f"{path} is not a folder: move it away")
        if os.geteuid() == 0 and found.st_uid == 0:
            os.chown(path, account.uid, account.gid)
        elif found.st_uid != account.uid:
            raise FolderUnusable(
                f"{path} belongs to {account_name(found.st_uid)}, the database runs as {account.name}: move it away"
            )
        path.chmod(0o700)


def cluster_name(folder: DataDir) -> str:
    """What the titles of the cluster's processes begin with, so that those of a killed postmaster are found."""
    return "hawker-" + hashlib.sha256(os.fsencode(folder.cluster.resolve())).hexdigest()[:16]


def server_words(folder: DataDir) -> list[str]:
    """The arguments of `postgres`: what no ALTER SYSTEM may change, because promises rest on it."""
    sockets = str(folder.socket_dir).replace('"', '""')
    fixed = {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": f'"{sockets}"',
        "unix_socket_permissions": "0700",
        "cluster_name": cluster_name(folder),
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
    }
    words = ["-D", str(folder.cluster)]
    for name, value in fixed.items():
        words += ["-c", f"{name}={value}"]
    return words
