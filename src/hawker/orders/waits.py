"""Backoff and jitter. Pure."""

from datetime import datetime, timedelta


def backoff(
    tries: int, *, shortest: timedelta = timedelta(seconds=2), longest: timedelta = timedelta(minutes=10)
) -> timedelta:
    """How long an order waits after `tries` fruitless ones: doubling, within bounds."""
    doubled: timedelta = shortest * 2 ** min(tries, 20)
    return min(doubled, longest)


def due_after(now: datetime, wait: timedelta, *, jitter: float) -> datetime:
    """The moment `wait` from now, moved by up to a tenth: `jitter` is a random number in 0..1.

    Without it, orders placed together stay together for ever and come due in one lump.
    """
    return now + wait * (0.95 + jitter / 10)
