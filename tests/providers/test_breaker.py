"""The circuit breaker's rules."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.providers.breaker import LONGEST_REST, OPENS_AFTER, Breaker, Sign, after_signs, rest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = [Sign.FAILED]


def after(breaker: Breaker, *signs: Sign, seconds: float = 0) -> Breaker:
    return after_signs(breaker, signs, now=NOW + timedelta(seconds=seconds), jitter=0.5)


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not_let_it_come_to_that() -> None:
    almost = after(Breaker(), *FAILED * (OPENS_AFTER - 1))
    assert almost.lets_through(32, NOW) == 32
    assert after(almost, Sign.ANSWERED, *FAILED * (OPENS_AFTER - 1)).lets_through(32, NOW) == 32
    assert after(almost, Sign.FAILED).lets_through(32, NOW) == 0


@pytest.mark.quick
def test_half_open_lets_one_order_through_and_the_next_only_when_that_one_is_lost() -> None:
    opened = after(Breaker(), *FAILED * OPENS_AFTER)
    assert opened.lets_through(32, NOW + timedelta(seconds=29)) == 0
    later = NOW + timedelta(seconds=31)
    assert opened.lets_through(32, later) == 1
    probing = opened.probing(later)
    assert probing.lets_through(32, later + timedelta(seconds=59)) == 0
    assert probing.lets_through(32, later + timedelta(seconds=61)) == 1


def test_the_probe_decides() -> None:
    probing = after(Breaker(), *FAILED * OPENS_AFTER).probing(NOW + timedelta(seconds=31))
    assert after(probing, Sign.ANSWERED, seconds=32) == Breaker()
    again = after(probing, Sign.FAILED, seconds=32)
    assert (again.opens, again.probe_until) == (2, None)
    assert again.lets_through(1, NOW + timedelta(seconds=91)) == 0
    assert again.lets_through(1, NOW + timedelta(seconds=93)) == 1


def test_failures_of_what_was_on_its_way_when_it_opened_do_not_lengthen_its_rest() -> None:
    opened = after(Breaker(), *FAILED * OPENS_AFTER)
    assert after(opened, *FAILED * 20, seconds=5).retry_at == opened.retry_at


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_rest_grows_within_bounds(opens: int, jitter: float) -> None:
    assert timedelta(seconds=22) < rest(opens, jitter=jitter) <= LONGEST_REST * 1.25
