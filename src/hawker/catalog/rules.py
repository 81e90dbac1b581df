"""Rates: exact decimals in integers. Pure."""

import re

RATE_UNITS = 10**8
"""A rate is held as a whole number of these per currency unit: eight decimals, as catalogues write them."""

_RATE = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,8}))?", re.ASCII)


def read_rate(text: str) -> int:
    """A rate in units of 10⁻⁸. Raises ValueError where the text is no rate; the database holds none such."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a rate such as 0.90")
    return int(match.group(1)) * RATE_UNITS + int((match.group(2) or "").ljust(8, "0"))


def write_rate(units: int) -> str:
    """A rate as text: at least two decimals, as many as needed."""
    whole, rest = divmod(units, RATE_UNITS)
    decimals = f"{rest:08d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{decimals}"


def marked_up(rate: str, *, percent: int, exchange_rate: str = "1") -> str:
    """The selling rate: cost × exchange rate × (100 + percent) / 100, rounded up to five decimals.

    Up, because a rate rounded down would sell under the operator's markup.
    """
    product = read_rate(rate) * read_rate(exchange_rate) * (100 + percent)
    scale = RATE_UNITS * 100
    step = RATE_UNITS // 10**5
    return write_rate(-(-product // (scale * step)) * step)
