"""Money in integer micro-units (10⁻⁶ of the panel's currency). No floats, no multiplication."""

import re
from dataclasses import dataclass
from typing import Self

MICROS_PER_UNIT = 1_000_000
CUSTOMER_STEP_MICROS = 10
"""Amounts that customers see are multiples of this: five decimals."""

_AMOUNT = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,8}))?", re.ASCII)


class NotMoney(ValueError):
    """The text is not a plain decimal amount of at most five decimals."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount; add, subtract and compare only.

    Multiplying money is always a question of rounding, so it happens in the two
    functions of orders/placing/rules.py and orders/refunds.py that say how they round, never through an operator.
    """

    micros: int

    def __add__(self, other: Self) -> Self:
        return type(self)(self.micros + other.micros)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.micros - other.micros)

    def __neg__(self) -> Self:
        return type(self)(-self.micros)

    def __bool__(self) -> bool:
        return self.micros != 0

    def __str__(self) -> str:
        return format_micros(self.micros)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `12`, `12.5` or `12.34567`; zeros past the fifth decimal are harmless.

        Raises NotMoney for signs, exponents, blanks, other digits than ASCII and
        anything finer than a customer's step.
        """
        micros = read_micros(text)
        if micros is None or micros % CUSTOMER_STEP_MICROS:
            raise NotMoney(f"{text[:40]!r} is not an amount such as 12 or 12.34567")
        return cls(micros)


def read_micros(text: str) -> int | None:
    """The amount in micros, or None where the text is not one or is finer than a micro.

    The pattern is matched before int() sees the text: int() takes `1_000`, blanks and
    Arabic digits, and Decimal("1E+1000000") takes most of a minute.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        return None
    whole, decimals = match.group(1), (match.group(2) or "").ljust(8, "0")
    if decimals[6:] != "00":
        return None
    return int(whole) * MICROS_PER_UNIT + int(decimals[:6])


def format_micros(micros: int) -> str:
    """A plain decimal: at least two decimals, as many as needed, never an exponent.

    Examples: `0.27819`, `100.84292`, `8.00`.
    """
    if micros < 0:
        return f"-{format_micros(-micros)}"
    whole, rest = divmod(micros, MICROS_PER_UNIT)
    if rest % 10_000 == 0:  # the common case: whole cents
        return f"{whole}.{rest // 10_000:02d}"
    return f"{whole}.{rest:06d}".rstrip("0")
