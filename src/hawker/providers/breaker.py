"""The circuit breaker of a provider: when it gets no orders, and how it is tried again. Pure.

It is kept in the database (models.ProviderHealth), so that all workers see the same one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

OPENS_AFTER = 5
"""So many failures in a row open it: one or two are weather, five are a provider that is down."""

FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=15)
PROBE_LEASE = timedelta(seconds=60)
"""How long the one order of a half-open breaker is waited for, before another is let through."""


class Sign(StrEnum):
    """What one call told of the provider itself, whatever became of the order."""

    ACCEPTED = "accepted"  # it took the order
    ANSWERED = "answered"  # it refused the order in its own words: it is there
    FAILED = "failed"  # it could not be reached, or what came back was no answer of a panel


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed while `opened_at` is None. Open until `retry_at`, from then on half-open: one order at a time goes
    through, and what becomes of it closes it or opens it again for longer."""

    failures: int = 0
    opens: int = 0
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    probe_until: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether it lets nothing through at this moment, not even a probe."""
        return self.retry_at is not None and now < self.retry_at

    def lets_through(self, want: int, now: datetime) -> int:
        """How many of `want` orders may be sent now."""
        if self.opened_at is None:
            return want
        probing = self.probe_until is not None and now < self.probe_until
        return 0 if self.is_open(now) or probing else min(want, 1)

    def probing(self, now: datetime) -> "Breaker":
        """With one order on its way, where it is half-open."""
        return self if self.opened_at is None else replace(self, probe_until=now + PROBE_LEASE)


def after_signs(breaker: Breaker, signs: Sequence[Sign], *, now: datetime, jitter: float) -> Breaker:
    """The breaker after these signs, in the order in which they were observed. `jitter` is random in 0..1.

    An answer closes it, whatever it says. A failure opens it when it is the OPENS_AFTERth in a row or the probe's;
    those of orders that were on their way when it opened change nothing any more.
    """
    for sign in signs:
        if sign is not Sign.FAILED:
            breaker = Breaker()
            continue
        failures = breaker.failures + 1
        breaker = replace(breaker, failures=failures)
        if breaker.is_open(now):
            continue
        if breaker.opened_at is not None or failures >= OPENS_AFTER:
            opens = breaker.opens + 1
            breaker = Breaker(failures, opens, breaker.opened_at or now, now + rest(opens, jitter=jitter))
    return breaker


def rest(opens: int, *, jitter: float) -> timedelta:
    """How long nothing is sent after the `opens`th opening: doubling, and spread by a quarter either way.

    Spread, so that the workers of many panels do not all come back to a provider in the same second.
    """
    doubled: timedelta = FIRST_REST * 2 ** min(opens - 1, 20)
    return min(doubled, LONGEST_REST) * (0.75 + jitter / 2)
