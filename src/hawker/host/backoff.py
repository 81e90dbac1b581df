"""How long to wait before starting again what has just failed."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Waits double from `first_seconds` to `longest_seconds`; a quiet run starts over."""

    first_seconds: float
    longest_seconds: float
    quiet_seconds: float = float("inf")
    failures: int = 0
    """How often it failed since the last quiet run."""

    def failed(self, ran_seconds: float) -> float:
        """Count one failure after a run of that length; returns the seconds to wait."""
        if ran_seconds >= self.quiet_seconds:
            self.failures = 0
        wait = min(self.longest_seconds, self.first_seconds * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return wait

    def succeeded(self) -> None:
        """Forget the failures: what was started does its work."""
        self.failures = 0
