"""How long to wait: polls follow the pace of an order, tries back off, both within their bounds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.orders.following.rules import next_poll
from hawker.orders.waits import backoff, due_after

SHORTEST, LONGEST = timedelta(seconds=5), timedelta(minutes=30)
AGES = st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=20_000))
QUANTITIES = st.integers(min_value=1, max_value=10**12)
REMAINS = st.none() | st.integers(min_value=-(10**12), max_value=2 * 10**12)


def wait(age: timedelta, quantity: int, remains: int | None) -> timedelta:
    return next_poll(age=age, quantity=quantity, remains=remains, shortest=SHORTEST, longest=LONGEST)


@given(AGES, QUANTITIES, REMAINS)
def test_a_poll_is_never_sooner_nor_later_than_its_bounds(age: timedelta, quantity: int, remains: int | None) -> None:
    assert SHORTEST <= wait(age, quantity, remains) <= LONGEST


@given(AGES, QUANTITIES, REMAINS)
def test_knowing_the_pace_never_makes_the_wait_longer(age: timedelta, quantity: int, remains: int | None) -> None:
    assert wait(age, quantity, remains) <= wait(age, quantity, None)


@given(AGES, AGES, QUANTITIES)
def test_an_older_order_is_never_asked_more_often(a: timedelta, b: timedelta, quantity: int) -> None:
    young, old = sorted((a, b))
    assert wait(young, quantity, None) <= wait(old, quantity, None)


@pytest.mark.parametrize(
    ("age", "remains", "seconds"),
    [
        (timedelta(seconds=10), None, 5),
        (timedelta(seconds=100), None, 10),
        (timedelta(hours=1), None, 360),
        (timedelta(days=1), None, 1800),
        (timedelta(hours=1), 1000, 360),
        (timedelta(hours=1), 100, 360),
        (timedelta(hours=1), 10, 36),
        (timedelta(hours=1), 1, 5),
        (timedelta(hours=1), 0, 360),
        (timedelta(seconds=-30), 10, 5),
    ],
)
def test_waits_that_can_be_checked_by_hand(age: timedelta, remains: int | None, seconds: int) -> None:
    assert wait(age, 1000, remains).total_seconds() == pytest.approx(seconds, rel=0.02)


def test_a_huge_order_of_any_age_can_be_followed() -> None:
    """The pace of an order of 10¹² of which one was delivered is more than a timedelta holds."""
    assert wait(timedelta(days=30), 10**12, 10**12 - 1) == LONGEST


@given(st.integers(min_value=0, max_value=10**6))
def test_a_back_off_doubles_within_its_bounds(tries: int) -> None:
    assert backoff(tries) == min(timedelta(seconds=2) * 2 ** min(tries, 30), timedelta(minutes=10))
    assert backoff(tries, shortest=SHORTEST, longest=LONGEST) >= SHORTEST


@given(st.integers(min_value=0, max_value=10**6))
def test_another_try_never_waits_less(tries: int) -> None:
    assert backoff(tries) <= backoff(tries + 1)


@given(st.timedeltas(min_value=timedelta(0), max_value=LONGEST), st.floats(min_value=0, max_value=1))
def test_jitter_moves_a_moment_by_a_twentieth_either_way(length: timedelta, jitter: float) -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    due = due_after(now, length, jitter=jitter) - now
    assert length * 0.949 <= due + timedelta(microseconds=1)
    assert due - timedelta(microseconds=1) <= length * 1.051
