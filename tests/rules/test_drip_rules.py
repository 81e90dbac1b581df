"""Drip-feeds: how a charge is split over runs, when the next run is due, and how the whole ends."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.core.money import CUSTOMER_STEP_MICROS
from hawker.orders.drip_feeds.rules import (
    LOOK_AGAIN,
    PUNCTUAL,
    drip_status,
    end_of_drip,
    next_run,
    run_must_wait_until,
    share_of_run,
)
from hawker.orders.models import State
from hawker.orders.refunds import refund_target
from hawker.protocol.service_types import MAX_INTERVAL_MINUTES, MAX_RUNS
from hawker.protocol.statuses import OrderStatus

CHARGES = st.integers(0, 10**14).map(lambda steps: steps * CUSTOMER_STEP_MICROS)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INTERVALS = st.integers(1, MAX_INTERVAL_MINUTES).map(lambda minutes: timedelta(minutes=minutes))
LATENESS = st.timedeltas(timedelta(0), timedelta(days=30))


@given(CHARGES, st.integers(1, 300))
def test_the_shares_of_the_runs_are_exactly_the_charge(charge: int, runs: int) -> None:
    shares = [share_of_run(charge, run, runs) for run in range(1, runs + 1)]
    assert sum(shares) == charge
    assert all(share % CUSTOMER_STEP_MICROS == 0 for share in shares)


@given(CHARGES, st.integers(1, MAX_RUNS), st.data())
def test_a_share_is_within_a_step_of_its_exact_part(charge: int, runs: int, data: st.DataObject) -> None:
    run = data.draw(st.integers(1, runs))
    assert abs(share_of_run(charge, run, runs) * runs - charge) < CUSTOMER_STEP_MICROS * runs


@given(CHARGES.filter(bool), st.integers(1, MAX_RUNS))
def test_the_first_run_of_a_paid_drip_feed_is_never_free(charge: int, runs: int) -> None:
    assert share_of_run(charge, 1, runs) >= CUSTOMER_STEP_MICROS


@given(CHARGES, st.integers(1, 200), st.data())
def test_what_unstarted_runs_leave_is_the_refund_of_a_partial_order(
    charge: int, runs: int, data: st.DataObject
) -> None:
    """Canceled after some runs, a drip-feed gives back what one order of the whole would, rounded down alike."""
    started = data.draw(st.integers(0, runs))
    left = charge - sum(share_of_run(charge, run, runs) for run in range(1, started + 1))
    assert left == refund_target(charge, runs * 50, OrderStatus.PARTIAL, (runs - started) * 50)


@pytest.mark.parametrize(
    ("charge", "runs", "shares"),
    [(270_000, 3, [90_000] * 3), (100, 3, [40, 30, 30]), (10, 3, [10, 0, 0]), (0, 2, [0, 0]), (30, 1, [30])],
)
def test_shares_that_can_be_checked_by_hand(charge: int, runs: int, shares: list[int]) -> None:
    assert [share_of_run(charge, run, runs) for run in range(1, runs + 1)] == shares


def test_a_punctual_run_leaves_the_plan_as_it_is() -> None:
    assert next_run(NOON, NOON, MINUTE) == NOON + MINUTE
    assert next_run(NOON, NOON + PUNCTUAL, MINUTE) == NOON + MINUTE


def test_a_late_run_moves_the_plan() -> None:
    late = NOON + timedelta(hours=7, seconds=13)
    assert next_run(NOON, late, MINUTE) == late + MINUTE


@given(INTERVALS, st.lists(LATENESS, max_size=20))
def test_runs_never_come_closer_than_an_interval_less_what_is_punctual(
    interval: timedelta, lateness: list[timedelta]
) -> None:
    """However late each of them starts, the next is an interval away; no two make up for a third."""
    due, previous = NOON, None
    for late in lateness:
        started = due + late
        if previous is not None:
            assert started - previous >= interval - PUNCTUAL
        previous, due = started, next_run(due, started, interval)


@given(st.lists(st.timedeltas(timedelta(0), PUNCTUAL), min_size=1, max_size=50))
def test_small_delays_do_not_add_up(lateness: list[timedelta]) -> None:
    due = NOON
    for late in lateness:
        due = next_run(due, due + late, MINUTE)
    assert due == NOON + MINUTE * len(lateness)


def test_a_run_waits_with_the_one_before_it() -> None:
    waits = run_must_wait_until(NOON, MINUTE * 30, last_is_queued=True, last_sent_at=None)
    assert waits == NOON + LOOK_AGAIN


@pytest.mark.parametrize(
    ("sent_ago", "waits"),
    [
        (timedelta(seconds=0), timedelta(minutes=10)),
        (timedelta(minutes=4), timedelta(minutes=6)),
        (timedelta(minutes=10) - PUNCTUAL, None),
        (timedelta(hours=1), None),
    ],
)
def test_a_run_keeps_its_distance_from_one_that_was_sent_late(sent_ago: timedelta, waits: timedelta | None) -> None:
    found = run_must_wait_until(NOON, MINUTE * 10, last_is_queued=False, last_sent_at=NOON - sent_ago)
    assert found == (None if waits is None else NOON + waits)


def test_a_run_after_one_that_staff_deliver_does_not_wait() -> None:
    assert run_must_wait_until(NOON, MINUTE, last_is_queued=False, last_sent_at=None) is None


@pytest.mark.parametrize(
    ("runs", "started", "completed", "canceled", "end"),
    [
        (3, 3, 3, 0, State.COMPLETED),
        (3, 3, 0, 3, State.CANCELED),
        (3, 0, 0, 0, State.CANCELED),
        (3, 1, 0, 1, State.CANCELED),
        (3, 2, 2, 0, State.PARTIAL),
        (3, 3, 2, 1, State.PARTIAL),
        (3, 3, 2, 0, State.PARTIAL),
        (1, 1, 0, 0, State.PARTIAL),
    ],
)
def test_a_drip_feed_ends_as_its_runs_did(runs: int, started: int, completed: int, canceled: int, end: State) -> None:
    assert end_of_drip(runs=runs, started=started, completed=completed, canceled=canceled) is end


@pytest.mark.parametrize(
    ("state", "moved", "status"),
    [
        (State.ACTIVE, False, "Pending"),
        (State.ACTIVE, True, "In progress"),
        (State.COMPLETED, True, "Completed"),
        (State.PARTIAL, True, "Partial"),
        (State.CANCELED, False, "Canceled"),
    ],
)
def test_a_drip_feed_reads_as_an_order_does(state: State, moved: bool, status: str) -> None:
    assert drip_status(state, moved=moved) == status
