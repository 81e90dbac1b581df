"""Our balance at a provider: when to ask for it, and what its answer means."""

from datetime import datetime, timedelta
from functools import partial

from hawker.alerts.actions import Raised, write_closed
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import about_provider
from hawker.core.money import format_micros
from hawker.core.sql import Cursor, ask, in_transaction, read_rows
from hawker.providers import queries
from hawker.providers.availability import Pace, resume_within, take_call

FUNDS_SECONDS = 60
"""How often a provider that says we have too little is asked whether that has changed."""

KEEP_READINGS = timedelta(days=31)
"""Evidence for unknown orders rests on the readings just before and just after them. A trigger refuses to delete any
of the last 30 days; a day more here, so that the clocks need not agree."""

_THINNED_AT_ONCE = 2_000


def claim_checks(*, now: datetime) -> list[int]:
    """The providers whose balance is to be asked for now, each put off to its next time. Raises Unavailable."""

    def work(cursor: Cursor) -> list[int]:
        due = ask(cursor, queries.CLAIM_CHECKS, (now, FUNDS_SECONDS, now, now, now)).fetchall()
        return [row[0] for row in due if take_call(cursor, row[0], Pace.BALANCES, now=now)]

    return in_transaction(work)


def may_ask_balance(provider_id: int, *, now: datetime) -> bool:
    """Take one balance call of the provider's minute; False where none is left. Raises Unavailable."""
    return in_transaction(lambda cursor: take_call(cursor, provider_id, Pace.BALANCES, now=now))


def write_balance(
    cursor: Cursor, provider_id: int, balance_micros: int, *, unexplained_micros: int, now: datetime
) -> list[Raised]:
    """Keep what a provider said of our balance there, in the caller's transaction; answers the alerts to be raised.

    A provider that is paused because we had too little is resumed when its balance has risen since the pause.
    """
    row = ask(cursor, queries.LOCK_FUNDS, (now, provider_id)).fetchone()
    if row is None:
        return []
    name, currency, low, waits_for_funds, at_pause = row
    ask(cursor, queries.WRITE_BALANCE, (balance_micros, now, provider_id))
    ask(cursor, queries.INSERT_READING, (provider_id, now, balance_micros, unexplained_micros))
    amount = f"{format_micros(balance_micros)} {currency}"
    if waits_for_funds and at_pause is not None and balance_micros > at_pause:
        resume_within(cursor, provider_id, by=f"the balance rose to {amount}", now=now)
    elif waits_for_funds:
        ask(cursor, queries.WRITE_FUNDS, (balance_micros, provider_id))
    if low is not None and balance_micros < low:
        return [
            Raised(AlertKind.LOW_BALANCE, about_provider(name), f"our balance is {amount}, below {format_micros(low)}")
        ]
    write_closed(cursor, AlertKind.LOW_BALANCE, [about_provider(name)], by=f"the balance is {amount}", now=now)
    return []


def find_purse(cursor: Cursor, provider_id: int) -> tuple[str, str] | None:
    """The provider's name, and the currency of our balance there."""
    row = ask(cursor, queries.READ_PURSE, (provider_id,)).fetchone()
    return None if row is None else (row[0], row[1])


def thin_readings(*, now: datetime) -> int:
    """Delete the readings that are older than KEEP_READINGS, all but the last of each day (UTC). Returns how many.

    In small transactions. Nothing reads what is deleted but the evidence for an order that is unknown for longer than
    that, and its own evidence was written down when it was looked at. Raises Unavailable.
    """
    before, deleted = now - KEEP_READINGS, 0
    for (provider_id,) in read_rows(queries.PROVIDERS, ()):
        while fell := in_transaction(partial(_thin, provider_id, before)):
            deleted += fell
    return deleted


def _thin(provider_id: int, before: datetime, cursor: Cursor) -> int:
    return ask(cursor, queries.THIN_READINGS, (provider_id, before, _THINNED_AT_ONCE)).rowcount
