"""Who owns a data folder: one `hawker up`, or a short command while it starts or stops the database.

The kernel's flock decides, never the text: it vanishes with its process, however that ended. The text
tells people who holds it. Descriptors are closed in every program we start, so no child keeps a lock.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from hawker.core.datadir import DataDir
from hawker.host.errors import FolderBusy
from hawker.host.folder import open_private, said_of

UP, COMMAND = "up", "command"

_LOOK_AGAIN_SECONDS = 0.2


class HeldLock:
    """The lock on a data folder, ours until released."""

    def __init__(self, folder: DataDir, descriptor: int, what: str) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._what = what
        self.describe()

    def describe(self, url: str = "") -> None:
        """Write who we are into the file, for people and for the sentence of a refusal."""
        self._write(f"{self._what} {os.getpid()} {url}".rstrip() + "\n")

    def release(self) -> None:
        """Give the folder back. The file stays: to remove it would let two starters lock two files."""
        self._write("")
        os.close(self._descriptor)

    def _write(self, text: str) -> None:
        # What a full disk cannot take is left out: the lock itself holds without it.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)


def try_lock(folder: DataDir, what: str) -> HeldLock | None:
    """The folder's lock, or None while another process holds it. `what` is UP or COMMAND."""
    descriptor = open_private(folder, folder.lock_file, os.O_RDWR)
    try:
        with said_of(folder.lock_file), contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held, descriptor = descriptor, -1
            return HeldLock(folder, held, what)
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return None


@contextlib.contextmanager
def lock_for_up(folder: DataDir) -> Iterator[HeldLock]:
    """Own the folder for the life of a `hawker up`.

    Waits for a short command to end its start or stop of the database; raises FolderBusy, naming the process,
    where another `hawker up` holds it.
    """
    refusals = 0
    while (held := try_lock(folder, UP)) is None:
        text = _read(folder)
        # Looked at twice: the text may still be that of a killed holder before.
        refusals += not text.startswith(COMMAND)
        if refusals > 1:
            raise FolderBusy(_refusal(folder, text))
        time.sleep(_LOOK_AGAIN_SECONDS)
    try:
        yield held
    finally:
        held.release()


def _read(folder: DataDir) -> str:
    with said_of(folder.lock_file):
        return folder.lock_file.read_text(errors="replace").strip()


def _refusal(folder: DataDir, text: str) -> str:
    words = text.split()
    who = f"process {words[1]}" if len(words) > 1 else "another process"
    where = f" at {words[2]}" if len(words) > 2 else ""
    return f"{folder.path} is in use by the `hawker up` of {who}{where}: stop it first, or name another --data-dir"
