"""The sandbox's own time, in whole milliseconds ("ticks") since it was first opened.

It runs `speed` times as fast as the clock, and a change of speed bends it without a jump, so
that no order ever goes back from Completed to In progress.
"""

from datetime import datetime
from typing import NamedTuple

from hawker.sandbox.entries import Clocked

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Moment(NamedTuple):
    """One instant: of the real clock, and of the sandbox's own time."""

    now: datetime
    tick: int


class Timeline:
    """Turns instants of the clock into ticks. Never goes back, even where the clock does."""

    def __init__(self, bend: Clocked) -> None:
        self._bend = bend
        self._latest = bend.tick

    @property
    def bend(self) -> Clocked:
        """Since when the present speed holds: enough to go on after a restart."""
        return self._bend

    def moment(self, now: datetime) -> Moment:
        """The tick at `now`."""
        past = (now - self._bend.at).total_seconds() * SECOND * self._bend.speed
        self._latest = max(self._latest, self._bend.tick + int(past))
        return Moment(now, self._latest)

    def set_speed(self, now: datetime, speed: float) -> Moment:
        """Run at `speed` from `now` on."""
        return self._bend_at(now, self.moment(now).tick, speed)

    def advance(self, now: datetime, ticks: int) -> Moment:
        """Skip `ticks` at once."""
        return self._bend_at(now, self.moment(now).tick + ticks, self._bend.speed)

    def _bend_at(self, now: datetime, tick: int, speed: float) -> Moment:
        self._bend = Clocked(at=now, tick=tick, speed=speed)
        self._latest = tick
        return Moment(now, tick)
