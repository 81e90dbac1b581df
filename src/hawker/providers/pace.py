"""How many calls a provider gets in a minute. Pure: one moment is all that has to be kept (GCRA).

The moment is that of the next call in a steady row; a row that has been quiet may run ahead of it by a small burst.
Burst and step are chosen so that no minute, wherever it begins, holds more calls than the limit.
"""

from datetime import datetime, timedelta

_MINUTE_MICROSECONDS = 60_000_000
_MICROSECOND = timedelta(microseconds=1)


def burst(limit: int) -> int:
    """How many calls may be made at once after a while without any."""
    return max(1, limit // 10)


def _step(limit: int) -> int:
    """Microseconds between two calls in a steady row, rounded up: never more than the limit."""
    return -(-_MINUTE_MICROSECONDS // (limit - burst(limit) + 1))


def calls_allowed(limit: int, next_at: datetime | None, *, want: int, now: datetime) -> int:
    """How many of `want` calls may be made at once at this moment, of at most `limit` (1 or more) in a minute."""
    ahead = max(next_at - now, timedelta()) // _MICROSECOND if next_at is not None else 0
    return max(0, min(want, (burst(limit) * _step(limit) - ahead) // _step(limit)))


def next_after(limit: int, next_at: datetime | None, *, calls: int, now: datetime) -> datetime:
    """The moment to keep after so many calls were made."""
    return max(next_at or now, now) + calls * _step(limit) * _MICROSECOND
