"""Rates: exact decimals in integers. Pure."""

import re

RATE_UNITS = 10**8
"""A rate is held as a whole number of these per currency unit: eight decimals, as catalogues write them."""

HIGHEST_RATE_UNITS = 10**9 * RATE_UNITS - RATE_UNITS // 10**5
"""The highest rate that is calculated: nine digits before the point are all that a rate may have."""

LOWEST_PERCENT, HIGHEST_PERCENT = -9_999, 100_000
"""A change of price in hundredths of a percent: from -99.99 to 1000. A hundred off would leave nothing to charge."""

_RATE = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,8}))?", re.ASCII)
_PERCENT = re.compile(r"([+-]?)([0-9]{1,4})(?:\.([0-9]{1,2}))?", re.ASCII)


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
    return write_rate(_rounded_up(product, RATE_UNITS * 100))


def adjusted(rate: str, percent_hundredths: int) -> str:
    """A rate with a customer's percentage on it or off it, rounded up to five decimals.

    Without a percentage it stays as the operator wrote it, and so does a rate so small that rounding up would
    turn its discount into a surcharge. It never comes to 0 unless the rate is 0 itself, and is held at the
    highest rate there is.
    """
    units = read_rate(rate)
    changed = min(_rounded_up(units * (10_000 + percent_hundredths), 10_000), HIGHEST_RATE_UNITS)
    if not percent_hundredths or (percent_hundredths < 0 and changed >= units):
        return rate
    return write_rate(changed)


def read_percent(text: str) -> int:
    """A percentage such as -12.5 in hundredths of a percent. Raises ValueError, with a sentence."""
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a percentage such as -12.5")
    sign, whole, decimals = match.group(1), match.group(2), (match.group(3) or "").ljust(2, "0")
    hundredths = int(f"{sign}{whole}{decimals}")
    if not LOWEST_PERCENT <= hundredths <= HIGHEST_PERCENT:
        lowest, highest = write_percent(LOWEST_PERCENT), write_percent(HIGHEST_PERCENT)
        raise ValueError(f"a percentage is between {lowest} and {highest}, not {text}")
    return hundredths


def write_percent(hundredths: int) -> str:
    """A percentage as text, with as many decimals as needed."""
    whole, rest = divmod(abs(hundredths), 100)
    return f"{'-' if hundredths < 0 else ''}{whole}.{rest:02d}".rstrip("0").rstrip(".")


def _rounded_up(product: int, scale: int) -> int:
    """product / scale, both in units of a rate, rounded up to five decimals."""
    step = RATE_UNITS // 10**5
    return -(-product // (scale * step)) * step
