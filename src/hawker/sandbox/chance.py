"""Chance that repeats: every draw is a pure function of the seed and of what is drawn for.

A `random.Random` would make an order's fate depend on how many requests came before it, so two
runs of one test would differ as soon as two requests swapped places.
"""

from hashlib import blake2b

ROLL_BITS = 64
LANES = 4
_LANE_BITS = ROLL_BITS // LANES


def roll(*parts: object) -> int:
    """64 even bits that depend on the parts alone."""
    text = ":".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=ROLL_BITS // 8).digest())


def lane(rolled: int, number: int, size: int) -> int:
    """The `number`-th (0..3) of a roll's four independent draws, as a whole number in 0..size-1."""
    bits = (rolled >> (number * _LANE_BITS)) & ((1 << _LANE_BITS) - 1)
    return bits * size >> _LANE_BITS


def hits(rolled: int, rate: float) -> bool:
    """Whether the roll falls within `rate` (0..1)."""
    return rolled < rate * (1 << ROLL_BITS)
