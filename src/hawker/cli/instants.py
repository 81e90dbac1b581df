"""Spans and instants as people write them on the command line."""

import re
from datetime import UTC, datetime, timedelta

from hawker.cli.output import fail

_SPAN = re.compile(r"([0-9]{1,5})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def read_span(text: str) -> timedelta | None:
    """30m, 24h or 90d; None for anything else."""
    match = _SPAN.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def read_future(text: str, now: datetime) -> datetime:
    """The value of --expires: a date, an instant, or a time from now. Ends the command where it is none."""
    span = read_span(text)
    if span is not None:
        return now + span
    return _read(text, f"--expires is a date, an instant or a time from now such as 90d, not {text!r}")


def read_past(text: str, now: datetime) -> datetime:
    """The value of --since: a date, an instant, or a time before now. Ends the command where it is none."""
    span = read_span(text)
    if span is not None:
        return now - span
    return _read(text, f"--since is a date, an instant or a time back such as 7d, not {text!r}")


def _read(text: str, wrong: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        fail(wrong)
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
