"""A rate limit for log lines that clients can cause: without one they could fill the disk."""

import logging
import threading
import time

SECONDS = 10.0
MOST = 10
"""Most lines of one kind that are logged in SECONDS."""

_MOST_KINDS = 1_000


class LogRateLimit(logging.Filter):
    """Lets MOST lines of a kind pass in SECONDS; the next one after that says how many were left out.

    Lines are of one kind when they come from one logger with the same message before its arguments are filled in.
    """

    def __init__(self, *loggers: str) -> None:
        """Limits the lines of these loggers and of those below them (`django` is also `django.request`)."""
        super().__init__()
        self._prefixes = tuple(f"{name}." for name in loggers)
        self._lock = threading.Lock()
        self._counted: dict[tuple[str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged."""
        if not f"{record.name}.".startswith(self._prefixes):
            return True
        kind, now = (record.name, record.msg if isinstance(record.msg, str) else ""), time.monotonic()
        with self._lock:
            since, count = self._counted.get(kind, (now, 0))
            left_out = 0
            if now - since >= SECONDS:
                left_out = max(count - MOST, 0)
                since, count = now, 0
            if len(self._counted) >= _MOST_KINDS:
                self._counted.clear()
            self._counted[kind] = (since, count + 1)
        if left_out:
            record.msg = f"{record.msg} (and {left_out} more like it)"
        return count < MOST
