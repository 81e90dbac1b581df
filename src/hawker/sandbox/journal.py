"""The sandbox's memory on disk: one append-only file of JSON lines.

A line reaches the kernel before the answer that it stands behind reaches the client, so a killed
sandbox never hands out an id twice. It is not synced to the platter: a power cut may cost the last
seconds, which a simulated panel may lose.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hawker.sandbox.entries import Entry

FILE_NAME = "sandbox.jsonl"


class UnreadableJournal(ValueError):
    """The journal holds a whole line that is none of ours."""


class StateInUse(ValueError):
    """Another sandbox has the state folder open."""


class Journal:
    """The journal of one sandbox; without a folder it forgets everything.

    Lines are gathered by `write` and reach the file in one piece by `flush`.
    """

    def __init__(self, folder: Path | None) -> None:
        """Open and lock the file. Raises StateInUse, or OSError where the folder cannot be written."""
        self._encode = msgspec.json.Encoder().encode
        self._pending = bytearray()
        self._file: int | None = None
        if folder is None:
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / FILE_NAME
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise StateInUse(f"another sandbox is using {folder}") from error

    def load(self) -> Iterator[Entry]:
        """Every entry in order. A last line without its end was torn by a crash and is cut off.

        Raises UnreadableJournal, naming the line, for any other line that cannot be read.
        """
        if self._file is None:
            return
        decode = msgspec.json.Decoder(Entry).decode
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    os.ftruncate(self._file, lines.tell() - len(line))
                    return
                try:
                    yield decode(line)
                except msgspec.DecodeError as error:
                    raise UnreadableJournal(f"{self._path}, line {number}: {error}") from error

    def write(self, entry: Entry) -> None:
        """Add an entry to what the next flush writes."""
        if self._file is not None:
            self._pending += self._encode(entry)
            self._pending += b"\n"

    def flush(self) -> None:
        """Hand all that was written to the kernel. On OSError (a full disk) it stays pending for the next flush."""
        while self._pending and self._file is not None:
            written = os.write(self._file, self._pending)
            del self._pending[:written]

    def close(self) -> None:
        """Flush and close; the lock goes with the file."""
        if self._file is None:
            return
        try:
            self.flush()
        finally:
            os.close(self._file)
            self._file = None
