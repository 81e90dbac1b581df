"""Limits of time that a busy or slow machine does not break: they are stretched by what a known piece of work takes."""

from collections.abc import Callable
from time import perf_counter, process_time

_ROUNDS = 3_000_000
_SECONDS_WHEN_IDLE = 0.3
"""How long the known piece of work takes on the idle machine that the limits were set for."""


_SHARED = 1.5
"""How much longer work in much memory takes on a core that shares its caches with a busy one; the known piece of work,
which needs none, does not see that."""


def in_time(took_seconds: float, limit_seconds: float) -> bool:
    """Whether `took_seconds`, by the clock on the wall, is below the limit: as it is, or as long as it is now."""
    return took_seconds < limit_seconds or took_seconds < limit_seconds * _slowness(perf_counter)


def in_cpu_time(spent_seconds: float, limit_seconds: float) -> bool:
    """The same of CPU seconds, which a core gives less for where it is shared."""
    return spent_seconds < limit_seconds or spent_seconds < limit_seconds * max(_SHARED, _slowness(process_time))


def _slowness(clock: Callable[[], float]) -> float:
    began = clock()
    number = 1
    for _ in range(_ROUNDS):
        number = number * 31 % 1_000_003
    return max(1.0, (clock() - began) / _SECONDS_WHEN_IDLE)
