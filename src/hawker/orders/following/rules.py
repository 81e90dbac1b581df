"""When to ask a provider again. Pure."""

from datetime import timedelta


def next_poll(
    *, age: timedelta, quantity: int, remains: int | None, shortest: timedelta, longest: timedelta
) -> timedelta:
    """How long to wait before asking again: a tenth of the order's age, less when it will be done sooner.

    Young orders move fast and are asked often; an order that has run for a day is asked every
    half hour. The pace so far tells when the rest should be done, and that moment is not slept over.
    """
    wait = age / 10
    # Only where the pace ends the order sooner than a tenth of its age; a slower one would not change the
    # wait, and of a huge order it is more than a timedelta holds.
    if remains is not None and 0 < remains * 10 < quantity - remains:
        wait = min(wait, age * (remains / (quantity - remains)))
    return min(max(wait, shortest), longest)
