"""What a sandbox can be told at its start."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hawker.core.clock import Clock, SystemClock
from hawker.core.money import Money
from hawker.sandbox.fates import FateMix
from hawker.sandbox.faults import Faults

DEMO_KEY = "sandbox-demo-key"
DEMO_BALANCE = Money.parse("10000")
MAX_SPEED = 1_000_000.0


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """One sandbox. Raises ValueError, in a sentence, for values that make no sense.

    `fd` is a listening TCP socket of a supervisor, used instead of `host` and `port`.
    `keys` maps API keys to their opening balances; a state folder that knows a key already keeps its balance.
    `speed` is panel seconds per real second; 0 stands still and moves only by POST /sandbox/advance.
    `cancel_refused` of the asked cancels answer an error, `cancel_ignored` answer 1 and change nothing.
    """

    host: str = "127.0.0.1"
    port: int = 0
    fd: int | None = None
    keys: Mapping[str, Money] = field(default_factory=lambda: {DEMO_KEY: DEMO_BALANCE})
    currency: str = "USD"
    speed: float = 1.0
    mix: FateMix = field(default_factory=FateMix)
    faults: Faults = field(default_factory=Faults)
    seed: int = 1
    first_order_id: int = 23_501
    cancel_refused: float = 0.0
    cancel_ignored: float = 0.0
    refill_rejected: float = 0.1
    refill_wait_hours: int = 24
    refill_days: int | None = None
    state_dir: Path | None = None
    calls_kept: int = 100_000
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        check_speed(self.speed)
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"there is no port {self.port}: ports go from 0 (any free one) to 65535")
        if not self.keys or "" in self.keys:
            raise ValueError("the sandbox needs at least one API key, and none may be empty")
        if not 1 <= self.first_order_id < 10**12:
            raise ValueError("the first order id must be between 1 and 999999999999")
        if self.calls_kept < 1:
            raise ValueError("the sandbox must keep at least one call on record")
        for rate in (self.cancel_refused, self.cancel_ignored, self.refill_rejected):
            if not 0 <= rate <= 1:
                raise ValueError("the rates of cancels and refills must be between 0 and 1")
        if self.cancel_refused + self.cancel_ignored > 1:
            raise ValueError("cancel_refused and cancel_ignored must not add up to more than 1")


def check_speed(speed: float) -> float:
    """`speed` itself. Raises ValueError, in a sentence, where it is no usable speed."""
    if not math.isfinite(speed) or not 0 <= speed <= MAX_SPEED:
        raise ValueError(f"the speed must be between 0 and {MAX_SPEED:.0f}")
    return speed
