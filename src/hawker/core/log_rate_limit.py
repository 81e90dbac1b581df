"""Log lines that strangers can cause: told a few times, then counted. A log must not fill the disk at their word."""

import logging
import threading
import time

SECONDS = 10.0
MOST = 10
"""So many lines alike in so many seconds are told."""

_MOST_KINDS = 1_000


class LogRateLimit(logging.Filter):
    """Lets MOST lines of a kind pass in SECONDS; the first one after tells how many were left out.

    Lines are of one kind when they come from one logger with one text before anything is put into it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._told: dict[tuple[str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is told."""
        kind, now = (record.name, record.msg if isinstance(record.msg, str) else ""), time.monotonic()
        with self._lock:
            since, count = self._told.get(kind, (now, 0))
            left_out = 0
            if now - since >= SECONDS:
                left_out = max(count - MOST, 0)
                since, count = now, 0
            if len(self._told) >= _MOST_KINDS:
                self._told.clear()
            self._told[kind] = (since, count + 1)
        if left_out:
            record.msg = f"{record.msg} (and {left_out} more like it)"
        return count < MOST
