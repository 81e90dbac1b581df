"""The runs of a drip-feed: their charges, their times, how they end. Pure."""

from datetime import datetime, timedelta

from hawker.core.money import CUSTOMER_STEP_MICROS
from hawker.orders.models import FINISHED, State
from hawker.orders.transitions.rules import WIRE_STATUS
from hawker.protocol.statuses import OrderStatus

PUNCTUAL = timedelta(seconds=5)
"""A run that starts this late or less is on time: sweeps take a second or two, and the plan must not drift."""


LOOK_AGAIN = timedelta(minutes=1)
"""How long a run waits for the one before it before it looks again: the shortest interval there is."""


def share_of_run(charge_micros: int, run: int, runs: int) -> int:
    """What the `run`th of `runs` takes of the drip-feed's charge, in micros; together exactly the charge.

    Cumulative and rounded up, in customers' steps: a run differs from its exact price by less than a step, and
    what runs that are never started leave is rounded down, as every refund is.
    """
    return _taken(charge_micros, run, runs) - _taken(charge_micros, run - 1, runs)


def _taken(charge_micros: int, run: int, runs: int) -> int:
    """What runs 1 to `run` take of the charge together."""
    steps = -(-charge_micros * run // (runs * CUSTOMER_STEP_MICROS))
    return min(steps * CUSTOMER_STEP_MICROS, charge_micros)


def next_run(due: datetime, started: datetime, interval: timedelta) -> datetime:
    """When the run after one that was `due` then and `started` at this moment is due.

    One interval after the plan while the panel is punctual. A run that was late moves the plan: the ones
    after it follow one interval apart from its start, however many were missed, never in a burst.
    """
    return (due if started - due <= PUNCTUAL else started) + interval


def run_must_wait_until(
    now: datetime, interval: timedelta, *, last_is_queued: bool, last_sent_at: datetime | None
) -> datetime | None:
    """When to look again at a run that is due, because the one before it was late; None when it may start.

    A run whose predecessor still waits to be sent (its provider is down or paused, its cost is above its
    charge) waits with it, and one whose predecessor has only just been sent keeps its distance: what piled up
    would reach the provider in a burst.
    """
    if last_is_queued:
        return now + LOOK_AGAIN
    if last_sent_at is not None and last_sent_at + interval - PUNCTUAL > now:
        return last_sent_at + interval
    return None


def end_of_drip(*, runs: int, started: int, completed: int, canceled: int) -> State:
    """The final state of a drip-feed whose `started` runs have all ended, so many of them completed or canceled."""
    if completed == runs:
        return State.COMPLETED
    return State.CANCELED if canceled == started else State.PARTIAL


def drip_status(state: State, *, moved: bool) -> str:
    """The status clients read of a drip-feed: `moved` when a run of it has been begun to be delivered, or ended."""
    if state in FINISHED:
        return WIRE_STATUS[state]
    return (OrderStatus.IN_PROGRESS if moved else OrderStatus.PENDING).value
