"""How a provider fares, and what it may be sent: breaker, pace and pauses, in the callers' transactions.

The rows are shared by all workers (models.ProviderHealth). Whoever claims orders asks the gate in the transaction of
the claim, so no two workers can use the same place in a minute, or both send the one order of a half-open breaker.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from hawker.alerts.actions import Raised, log_alerts, write_alerts, write_closed
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import about_provider
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.providers import queries
from hawker.providers.breaker import Breaker, Sign, after_signs
from hawker.providers.models import PauseKind
from hawker.providers.pace import calls_allowed, next_after

FIRST_PAUSE = timedelta(minutes=2)
LONGEST_PAUSE = timedelta(hours=1)

_ALERTS = {
    PauseKind.FUNDS: AlertKind.OUT_OF_FUNDS,
    PauseKind.KEY: AlertKind.KEY_REFUSED,
    PauseKind.GATE: AlertKind.GATE,
}


# --- the gate --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendingAllowance:
    """What a provider may be sent at this moment: at most `most` orders or refills."""

    provider_id: int
    most: int
    adds_per_minute: int | None = None
    adds_at: datetime | None = None
    breaker: Breaker = field(default_factory=Breaker)


def ask_gate(cursor: Cursor, provider_id: int, *, want: int, now: datetime) -> SendingAllowance:
    """How many of `want` calls that make something may be sent to this provider now, none while it is paused.

    Where that is limited the row stays locked to the end of the transaction: pass_gate then says how
    many were taken. A provider without limits whose breaker is closed costs one look and no lock.
    """
    row = ask(cursor, queries.READ_GATE, (now, provider_id)).fetchone()
    if row is not None and row[0] and (row[1] is not None or row[5] is not None):
        row = ask(cursor, queries.LOCK_GATE, (now, provider_id)).fetchone()
    if row is None or not row[0]:
        return SendingAllowance(provider_id, 0)
    _, limit, adds_at, *state = row
    breaker = Breaker(*state)
    most = breaker.lets_through(want, now)
    if limit is not None:
        most = calls_allowed(limit, adds_at, want=most, now=now)
    return SendingAllowance(provider_id, most, limit, adds_at, breaker)


def pass_gate(cursor: Cursor, gate: SendingAllowance, sent: int, *, now: datetime) -> None:
    """Say how many calls are on their way, in the transaction in which the gate was asked."""
    limit = gate.adds_per_minute
    if not sent or (limit is None and gate.breaker.opened_at is None):
        return
    adds_at = gate.adds_at if limit is None else next_after(limit, gate.adds_at, calls=sent, now=now)
    ask(cursor, queries.WRITE_GATE, (adds_at, gate.breaker.probing(now).probe_until, gate.provider_id))


class Pace(StrEnum):
    """The calls that have a limit of their own beside those that make something."""

    STATUSES = "statuses"
    BALANCES = "balances"


@dataclass(frozen=True, slots=True)
class Slots:
    """The calls that a provider's minute has left: at most `most` of what was wanted."""

    provider_id: int
    pace: Pace
    most: int
    limit: int | None = None
    next_at: datetime | None = None


def ask_slots(cursor: Cursor, provider_id: int, pace: Pace, *, want: int = 1, now: datetime) -> Slots:
    """How many calls of this kind may be made now. Where there is a limit its row stays locked, and use_slots says
    how many were taken."""
    row = ask(cursor, queries.READ_PACE[pace], (provider_id,)).fetchone()
    if row is None:
        return Slots(provider_id, pace, want)
    limit, next_at = row
    return Slots(provider_id, pace, calls_allowed(limit, next_at, want=want, now=now), limit, next_at)


def use_slots(cursor: Cursor, slots: Slots, calls: int, *, now: datetime) -> None:
    """Say how many calls will be made, in the transaction in which the slots were asked for."""
    if calls and slots.limit is not None:
        moment = next_after(slots.limit, slots.next_at, calls=calls, now=now)
        ask(cursor, queries.WRITE_PACE[slots.pace], (moment, slots.provider_id))


def take_call(cursor: Cursor, provider_id: int, pace: Pace, *, now: datetime) -> bool:
    """Take one call of the provider's minute; False where none is left."""
    slots = ask_slots(cursor, provider_id, pace, now=now)
    use_slots(cursor, slots, slots.most, now=now)
    return slots.most > 0


# --- signs and pauses ------------------------------------------------------------------------------


def note_signs(cursor: Cursor, signs: Mapping[int, Sequence[Sign]], *, now: datetime) -> list[Raised]:
    """Move each provider's breaker by what calls told of it; answers the alerts that must be raised.

    Costs one look where all is well and was before.
    """
    raised = []
    for provider_id in sorted(signs):
        told = signs[provider_id]
        row = ask(cursor, queries.READ_BREAKER, (provider_id,)).fetchone()
        if row is None or (Sign.FAILED not in told and Breaker(*row[2:]) == Breaker() and not row[1]):
            continue
        row = ask(cursor, queries.LOCK_BREAKER, (provider_id,)).fetchone()
        assert row is not None, "a provider is never deleted"
        name, pauses, *state = row
        before = Breaker(*state)
        after = after_signs(before, told, now=now, jitter=random.random())  # noqa: S311 - spreads load only
        takes_orders = Sign.ACCEPTED in told
        ask(cursor, queries.WRITE_BREAKER, (0 if takes_orders else pauses, *astuple(after), provider_id))
        over = list(_ALERTS.values()) if takes_orders and pauses else []
        if after.opened_at is None and before.opened_at is not None:
            over.append(AlertKind.BREAKER_OPEN)
        for kind in over:
            write_closed(cursor, kind, [about_provider(name)], by="the provider answers again", now=now)
        if after.retry_at is not None and after.retry_at != before.retry_at:
            text = (
                f"{after.failures} consecutive calls failed: no orders before {after.retry_at:%H:%M:%S} UTC, then one"
            )
            raised.append(Raised(AlertKind.BREAKER_OPEN, about_provider(name), text))
    return raised


def note_unreachable(provider_id: int, *, now: datetime) -> None:
    """No connection could be made to send this provider its orders. Raises Unavailable."""

    def work(cursor: Cursor) -> list[Raised]:
        return write_alerts(cursor, note_signs(cursor, {provider_id: [Sign.FAILED]}, now=now), now=now)

    log_alerts(in_transaction(work))


@dataclass(frozen=True, slots=True)
class Stop:
    """An answer that says that a provider takes nothing from us now, and why."""

    provider_id: int
    kind: PauseKind
    reason: str


def pause_for(cursor: Cursor, stops: Sequence[Stop], *, now: datetime) -> list[Raised]:
    """Pause these providers, longer each time until one takes an order again; answers the alerts to be raised.

    In the caller's transaction. A provider that is paused already stays as it is.
    """
    raised = []
    for stop in sorted({stop.provider_id: stop for stop in stops}.values(), key=lambda stop: stop.provider_id):
        counted = ask(cursor, queries.COUNT_PAUSE, (now, stop.provider_id, now)).fetchone()
        if counted is None:
            continue
        until = now + min(FIRST_PAUSE * 2 ** min(counted[0] - 1, 20), LONGEST_PAUSE)
        parameters = (until, stop.kind.value, stop.reason[:500], stop.provider_id, now)
        paused = ask(cursor, queries.PAUSE_BY_ITSELF, parameters).fetchone()
        if paused is None:
            continue
        text = f"no orders are sent before {until:%Y-%m-%d %H:%M} UTC: {stop.reason}"
        raised.append(Raised(_ALERTS[stop.kind], about_provider(paused[0]), text))
    return raised


def pause_provider(provider_id: int, *, reason: str) -> None:
    """Send this provider no orders until it is resumed; what is queued waits, what was sent is followed."""

    def work(cursor: Cursor) -> None:
        ask(cursor, queries.PAUSE, (PauseKind.MANUAL.value, reason[:500], provider_id))

    in_transaction(work)


def resume_provider(provider_id: int, *, by: str, now: datetime) -> None:
    """Send this provider orders again; its breaker starts anew."""

    def work(cursor: Cursor) -> None:
        ask(cursor, queries.LOCK_BREAKER, (provider_id,))
        resume_within(cursor, provider_id, by=by, now=now)
        name, *_ = ask(cursor, queries.READ_BREAKER, (provider_id,)).fetchone() or ("",)
        ask(cursor, queries.WRITE_BREAKER, (0, *astuple(Breaker()), provider_id))
        write_closed(cursor, AlertKind.BREAKER_OPEN, [about_provider(name)], by=by, now=now)

    in_transaction(work)


def resume_within(cursor: Cursor, provider_id: int, *, by: str, now: datetime) -> None:
    """End a provider's pause in the caller's transaction, and the alerts about it."""
    row = ask(cursor, queries.RESUME, (provider_id,)).fetchone()
    if row is not None:
        for kind in _ALERTS.values():
            write_closed(cursor, kind, [about_provider(row[0])], by=by, now=now)
