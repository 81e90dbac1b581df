"""A clock that workers share and a test moves: leases, back-offs and second looks pass in seconds."""

import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FORMAT = struct.Struct("d")


class ShiftedClock:
    """The system's clock, ahead by as many seconds as a file says; every process that reads it agrees at once."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_FORMAT.pack(0.0))
        self._file = os.open(path, os.O_RDWR)

    def ahead(self) -> timedelta:
        """By how much it is ahead."""
        return timedelta(seconds=_FORMAT.unpack(os.pread(self._file, _FORMAT.size, 0))[0])

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead()

    def advance(self, seconds: float) -> None:
        """Let so much time pass in every process."""
        os.pwrite(self._file, _FORMAT.pack(self.ahead().total_seconds() + seconds), 0)
