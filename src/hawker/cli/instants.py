"""Instants as people write them on the command line."""

from datetime import datetime

from hawker.cli.output import fail
from hawker.core import instants


def read_past(text: str, now: datetime) -> datetime:
    """The value of --since: a date, an instant, or a time before now. Ends the command where it is none."""
    instant = instants.read_past(text, now)
    if instant is None:
        fail(f"--since is a date, an instant or a time back such as 7d, not {text!r}")
    return instant
