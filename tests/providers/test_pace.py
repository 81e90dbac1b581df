"""Calls per minute: no minute holds more than the limit, and a steady row comes close to it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.providers.pace import calls_allowed, next_after

START = datetime(2026, 1, 1, tzinfo=UTC)


def made(limit: int, waits: list[int], want: int) -> list[datetime]:
    """When calls were made by somebody who wants so many at each of these moments (milliseconds apart)."""
    now, next_at, calls = START, None, []
    for wait in waits:
        now += timedelta(milliseconds=wait)
        allowed = calls_allowed(limit, next_at, want=want, now=now)
        if allowed:
            next_at = next_after(limit, next_at, calls=allowed, now=now)
        calls += [now] * allowed
    return calls


@given(
    st.integers(1, 300),
    st.lists(st.one_of(st.integers(0, 3), st.integers(0, 70_000)), min_size=1, max_size=200),
    st.integers(1, 50),
)
def test_no_minute_holds_more_calls_than_the_limit(limit: int, waits: list[int], want: int) -> None:
    calls = made(limit, waits, want)
    for first in calls:
        assert sum(first <= call < first + timedelta(minutes=1) for call in calls) <= limit


@pytest.mark.parametrize("limit", [1, 2, 7, 30, 60, 120, 1000])
def test_a_steady_row_reaches_nine_tenths_of_the_limit(limit: int) -> None:
    calls = made(limit, [20] * (5 * 60 * 50), want=100)
    assert len(calls) >= 5 * limit * 0.9
