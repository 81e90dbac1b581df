"""Token buckets: never more than the limit, told exactly, whatever is spent when."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.api.limits import weigh
from hawker.limits.rules import MICROSECOND, lease_beside, living, spend, standing, token_time
from hawker.protocol.request import Request

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = st.integers(1, 1_000_000)
STEPS = st.lists(st.tuples(st.integers(0, 90_000_000), st.integers(1, 12)), max_size=40)
"""Microseconds since the step before, and what is asked for then."""


def ids(count: int) -> str:
    return ",".join(map(str, range(1, count + 1)))


@given(limit=st.integers(1, 100) | LIMITS, steps=STEPS)
def test_no_minute_lets_more_pass_than_the_bucket_and_what_comes_back(limit: int, steps: list[tuple[int, int]]) -> None:
    full_at = now = EPOCH
    passed: list[tuple[datetime, int]] = []
    for micros, cost in steps:
        now += timedelta(microseconds=micros)
        after = spend(full_at, now, limit=limit, cost=cost)
        if after is not None:
            full_at = after
            passed.append((now, min(cost, limit)))
    for place, (begin, _) in enumerate(passed):
        spent = 0
        for end, cost in passed[place:]:
            spent += cost
            assert spent <= limit + (end - begin) / timedelta(minutes=1) * limit


@given(limit=LIMITS, count=st.integers(1, 300))
def test_a_full_bucket_holds_the_limit_to_the_token(limit: int, count: int) -> None:
    """As many as the limit at one instant, one by one or all but the last few at once, and then none."""
    first = max(limit - count, 0)
    full_at = EPOCH
    if first:
        spent = spend(full_at, EPOCH, limit=limit, cost=first)
        assert spent is not None
        full_at = spent
    for left in range(limit - first, 0, -1):
        assert standing(full_at, EPOCH, limit=limit).remaining == left
        spent = spend(full_at, EPOCH, limit=limit, cost=1)
        assert spent is not None
        full_at = spent
    assert standing(full_at, EPOCH, limit=limit).remaining == 0
    assert spend(full_at, EPOCH, limit=limit, cost=1) is None


@given(limit=LIMITS, ahead=st.integers(0, 70_000_000), cost=st.integers(1, 2_000_000))
def test_who_comes_back_when_told_to_passes_and_not_before(limit: int, ahead: int, cost: int) -> None:
    full_at = EPOCH + timedelta(microseconds=ahead)
    told = standing(full_at, EPOCH, limit=limit, cost=cost)
    wait = timedelta(seconds=told.retry_seconds)
    assert (spend(full_at, EPOCH, limit=limit, cost=cost) is None) == (wait > timedelta(0))
    assert spend(full_at, EPOCH + wait, limit=limit, cost=cost) is not None
    if wait:
        assert spend(full_at, EPOCH + wait - MICROSECOND, limit=limit, cost=cost) is None
    assert told.reset_at == full_at
    assert 0 <= told.remaining <= limit


@given(limit=LIMITS, back=st.integers(240, 10**8))
def test_when_the_clock_is_set_back_nobody_waits_for_it(limit: int, back: int) -> None:
    """Whatever was spent, and whoever was in flight, before that."""
    emptied = spend(EPOCH, EPOCH, limit=limit, cost=limit)
    assert emptied is not None
    now = EPOCH - timedelta(seconds=back)
    assert standing(emptied, now, limit=limit).remaining == limit
    assert spend(emptied, now, limit=limit, cost=limit) is not None
    assert living([lease_beside([], EPOCH)], now) == []


@given(limit=LIMITS)
def test_a_minute_brings_back_no_more_than_the_limit(limit: int) -> None:
    assert token_time(limit) * limit >= timedelta(minutes=1)
    assert token_time(limit) * limit < timedelta(minutes=1) + MICROSECOND * limit


@given(held=st.lists(st.integers(-5, 5), max_size=10), count=st.integers(1, 5))
def test_no_two_leases_end_at_the_same_instant(held: list[int], count: int) -> None:
    leases = [EPOCH + timedelta(seconds=seconds) for seconds in set(held)]
    alive = living(leases, EPOCH)
    assert all(lease > EPOCH for lease in alive)
    for _ in range(count):
        lease = lease_beside(alive, EPOCH)
        assert lease not in alive
        assert lease > EPOCH
        alive.append(lease)


@pytest.mark.parametrize(
    ("action", "fields", "tokens"),
    [
        ("balance", {}, 1),
        ("add", {"comments": "nice\n" * 5000}, 1),
        ("status", {"order": "1"}, 1),
        ("status", {"orders": ids(10)}, 1),
        ("status", {"orders": ids(11)}, 2),
        ("status", {"orders": ids(100)}, 10),
        ("status", {"orders": ids(5000)}, 10),
        ("cancel", {"orders": ids(100)}, 10),
        ("refill_status", {"refills": ids(55)}, 6),
        ("orders", {}, 10),
        ("orders", {"limit": "3"}, 1),
        ("orders", {"limit": "1000"}, 100),
        ("orders", {"limit": "999999999999"}, 100),
        ("orders", {"limit": "-1"}, 10),
        ("orders", {"limit": "0"}, 10),
    ],
)
def test_what_asks_for_more_costs_more(action: str, fields: dict[str, str], tokens: int) -> None:
    assert weigh(Request(action, "key", fields, reads_only=False)) == tokens
