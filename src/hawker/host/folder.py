"""The data folder itself: made at the first start, private, and refused early where it cannot serve."""

import contextlib
import errno
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from hawker.core.datadir import DataDir
from hawker.host.errors import FolderUnusable

_NEEDED_BYTES = 150_000_000
"""A new cluster takes 40 MB, its first log segments as much again; the rest is room to work."""


def make_folder(folder: DataDir) -> None:
    """Make the data folder, closed to others, unless it is there already.

    Raises FolderUnusable where it cannot be made or written, or belongs to somebody else.
    """
    with said_of(folder.path):
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.path.stat().st_uid
    if os.access(folder.path, os.R_OK | os.W_OK | os.X_OK):
        return
    if owner != os.geteuid():
        raise FolderUnusable(f"{folder.path} belongs to {account_name(owner)}: run Hawker as that account")
    raise FolderUnusable(f"{folder.path} cannot be written: make it writable, or name another folder with --data-dir")


def require_room(path: Path) -> None:
    """Raise FolderUnusable where the disk cannot take a new database."""
    with said_of(path):
        free = shutil.disk_usage(path).free
    if free < _NEEDED_BYTES:
        megabytes = free // 1_000_000
        raise FolderUnusable(
            f"the disk of {path} has {megabytes} MB left, a new database needs {_NEEDED_BYTES // 1_000_000} MB"
        )


def open_private(folder: DataDir, path: Path, flags: int) -> int:
    """Open a file of the data folder with mode 0600, owned by whoever owns the folder; returns the descriptor.

    Where root runs one command on another account's panel, that account must be able to
    open the file the next time.
    """
    with said_of(path):
        descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0:
            owner = folder.path.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def account_name(uid: int) -> str:
    """The name of an account for people, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user number {uid}"


@contextlib.contextmanager
def said_of(path: Path) -> Iterator[None]:
    """Turn an OSError in the block into one sentence about `path`."""
    try:
        yield
    except OSError as error:
        what = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EROFS: "the file system is read-only",
        }.get(error.errno or 0, error.strerror or str(error))
        raise FolderUnusable(f"{path} cannot be used: {what}") from error
