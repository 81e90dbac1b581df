"""What is done to a panel in a storm: where workers are killed, and what its upstream and the wire to it do wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

from proxy import Fault

CRASH_POINTS = {
    "connecting": "while connecting",
    "claim-before-commit": "inside the claim",
    "claimed": "after the claim's COMMIT, before the first write",
    "send-before-write": "right before a write",
    "add-half-written": "between the head of the request and its body",
    "add-written": "after the write, before an answer",
    "answered": "after the answer, before the settling COMMIT",
    "settle-before-commit": "inside the settling",
    "settled": "after the settling COMMIT",
    "reconcile-before-commit": "inside the clearing up of an unknown",
    "anywhere": "at a random moment",
}
"""The crash points of a send, by the failpoint that kills there."""

FAULTS = {
    "hang-after-accept": 1.5,
    "reset-before-accept": 2,
    "reset-after-accept": 2,
    "502-before-accept": 1,
    "502-after-accept": 2,
    "html": 1,
    "html-after-accept": 1,
    "empty": 1,
    "truncated": 2,
    "both-order-and-error": 0.5,
    "error-key": 2,
    "wrong-types": 1,
}
"""What the upstream does wrong on an `add`, by how often in proportion. No lie about whose number it answers
(duplicate-id): where the number's own order is under way or unknown, nobody can see through it."""

WIRE = [
    Fault("reset", "accept"),
    Fault("reset", "accept", seconds=0.01),
    Fault("reset", "request", after=40),
    Fault("truncate", "request", after=280),
    Fault("delay", "request", after=100, seconds=0.4),
    Fault("trickle", "request", seconds=0.001),
    Fault("reset", "response"),
    Fault("reset", "response", after=40),
    Fault("truncate", "response", after=12),
    Fault("delay", "response", after=20, seconds=0.4),
    Fault("trickle", "response", seconds=0.001),
]
"""What the proxy before it does to connections."""

HANG_SECONDS = 1


@dataclass(frozen=True)
class Plan:
    """What is done to a panel.

    `kills` at each of `points`, spread over two workers; `rate` of all `add` calls meet a fault of the upstream, and
    `wire` of all connections to it one of their own; `orders` at least, and `seconds` at most, until the storm ends;
    `off` is the guard that the workers do without (naive.py).
    """

    points: Sequence[str] = tuple(CRASH_POINTS)
    kills: int = 5
    rate: float = 0.25
    wire: float = 0.1
    seed: int = 1
    seconds: float = 150
    orders: int = 0
    off: str = ""


def faults_at(rate: float) -> list[str]:
    """Faults that meet this share of the `add` calls together, and a few of the `status` calls."""
    whole = sum(FAULTS.values())
    chosen = {name: rate * share / whole for name, share in FAULTS.items()}
    texts = [f"{name}={share:.6f}" for name, share in chosen.items() if name != "hang-after-accept"]
    hang = f"hang-after-accept={chosen['hang-after-accept']:.6f}:{HANG_SECONDS}"
    return [*texts, hang, "status:502-before-accept=0.04", "status:truncated=0.04"] if rate else []
