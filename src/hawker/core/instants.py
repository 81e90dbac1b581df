"""Spans and instants as people write them: 24h, 90d, 2027-01-31, 2027-01-31T12:00Z. Pure."""

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"([0-9]{1,5})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def read_span(text: str) -> timedelta | None:
    """30m, 24h or 90d; None for anything else."""
    match = _SPAN.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def read_future(text: str, now: datetime) -> datetime | None:
    """A date, an instant, or a time from now such as 90d; None for anything else."""
    span = read_span(text)
    return _read_instant(text) if span is None else now + span


def read_past(text: str, now: datetime) -> datetime | None:
    """A date, an instant, or a time before now such as 7d; None for anything else."""
    span = read_span(text)
    return _read_instant(text) if span is None else now - span


def _read_instant(text: str) -> datetime | None:
    """An ISO 8601 date or instant, in UTC where it names no offset."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
