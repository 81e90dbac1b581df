"""Settling attempts: from what was observed to what becomes of what was sent, in one transaction.

The machine is the same for all that must not be sent twice: an attempt gets its ruling here, once. What that
means for an order stands in settling_orders.py, for a refill in refills/settling_refills.py.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from hawker.alerts.actions import Raised, log_alerts, write_alerts
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import about_order
from hawker.core.actors import Actor, system
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.models import AttemptKind, AttemptState, State
from hawker.orders.refills.settling_refills import settle_refills
from hawker.orders.sending import settling_queries as queries
from hawker.orders.sending.rules import Found, LockedAttempt, NotSent, Observed, Ruling, rule
from hawker.orders.sending.settling_orders import settle_orders
from hawker.orders.transitions.actions import SettlementTerms
from hawker.protocol.upstream import Accepted, Reason, Rejected, Unknown
from hawker.providers.availability import Stop, note_signs, pause_for
from hawker.providers.breaker import Sign
from hawker.providers.models import PauseKind

_BODY_HEAD = 1_000
BINDINGS = ("attempt_upstream_unique", "orders_upstream_unique", "refill_upstream_unique")
_LOOKS = 5
"""At a batch whose upstream ids others are binding at the same moment."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was observed of one attempt. `body_head` is the start of the answer with the key redacted.

    `seen` is False where nobody saw what the provider did: that says nothing of the provider.
    """

    attempt_id: int
    verdict: Observed
    http_status: int | None = None
    body_head: str = ""
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Settled:
    """What an attempt became, and whether its answer has paused the provider."""

    attempt_id: int
    order_id: int
    state: AttemptState
    paused: bool = False


def settle_attempts(outcomes: Sequence[Outcome], *, now: datetime) -> list[Settled]:
    """Settle each attempt that is still `sending` or `unknown`; the others are done and left out.

    Idempotent, so a caller whose COMMIT got no answer calls again with the same outcomes. The
    refund of a rejected order, its events and its next work are in the same transaction, and so are the
    alerts and the pause of the provider that an answer asks for. Raises Unavailable.
    """
    for tries_left in reversed(range(_LOOKS)):
        try:
            return _settle_in_transaction(lambda _: outcomes, now)
        except psycopg.errors.UniqueViolation as error:
            # Another process bound the same upstream id between our look and our write: looking again now finds it
            # bound. One that is never found is a bug, and the caller's to tell a person.
            if error.diag.constraint_name not in BINDINGS or not tries_left:
                raise
    raise AssertionError("unreachable")


def expire_leases(*, now: datetime) -> list[Settled]:
    """Attempts whose lease ended in `sending` become `unknown`, never `queued`: their worker may have sent them."""

    def find(cursor: Cursor) -> list[Outcome]:
        expired = ask(cursor, queries.FIND_EXPIRED, (now,)).fetchall()
        why = "the lease expired and {} reported no outcome"
        return [Outcome(row[0], Unknown(why.format(row[2])), seen=False) for row in expired]

    return _settle_in_transaction(find, now)


def disown_claim(token: str, *, now: datetime) -> list[Settled]:
    """Settle as not sent whatever a claim wrote whose COMMIT got no answer: its worker sent nothing of it."""

    def find(cursor: Cursor) -> list[Outcome]:
        claimed = ask(cursor, queries.FIND_OF_CLAIM, (token,)).fetchall()
        return [Outcome(row[0], NotSent("the COMMIT of the claim got no confirmation")) for row in claimed]

    return _settle_in_transaction(find, now)


def _settle_in_transaction(find: Callable[[Cursor], Sequence[Outcome]], now: datetime) -> list[Settled]:
    def work(cursor: Cursor) -> tuple[list[Settled], list[Raised]]:
        return settle_within(cursor, find(cursor), now)

    settled, opened = in_transaction(work)
    log_alerts(opened)
    return settled


def settle_within(
    cursor: Cursor,
    outcomes: Sequence[Outcome],
    now: datetime,
    *,
    actor: Actor | None = None,
    operation: str = "order.settle",
) -> tuple[list[Settled], list[Raised]]:
    """Settle in the caller's transaction; answers also the alerts to log when it is committed.

    The events name `actor`, or the worker that sent where there is none; the transfers name `operation`.

    Raises UniqueViolation where another process binds the same upstream id at this moment.
    """
    by_attempt = {outcome.attempt_id: outcome for outcome in outcomes}
    rows = ask(cursor, queries.LOCK_ATTEMPTS, (list(by_attempt),)).fetchall()
    attempts = [_read_attempt(row) for row in rows]
    raised = _note_late(cursor, [by_attempt[id_] for id_ in by_attempt.keys() - {a.id for a in attempts}], now)
    if not attempts:
        return [], write_alerts(cursor, raised, now=now)
    bound = _find_bound(cursor, attempts, by_attempt)
    rulings = [_rule(attempt, by_attempt[attempt.id], bound) for attempt in attempts]
    _write_attempts(cursor, rulings, by_attempt, now)
    actor = actor or system(attempts[0].worker)
    settle_orders(
        cursor, [r for r in rulings if r.attempt.kind is AttemptKind.ADD], actor=actor, operation=operation, now=now
    )
    settle_refills(cursor, [r for r in rulings if r.attempt.kind is AttemptKind.REFILL], actor=actor, now=now)
    stops = {a.id: stop for a in attempts if (stop := _stop(a, by_attempt[a.id])) is not None}
    raised += pause_for(cursor, list(stops.values()), now=now)
    raised += note_signs(cursor, _signs(attempts, by_attempt), now=now)
    raised += [
        Raised(AlertKind.UPSTREAM_ID_TWICE, about_order(ruling.attempt.order_id), ruling.evidence)
        for ruling in rulings
        if _is_bound(ruling.attempt, by_attempt[ruling.attempt.id], bound)
    ]
    opened = write_alerts(cursor, raised, now=now)
    failpoint("settle-before-commit")
    settled = [Settled(a.id, a.order_id, ruling.state, a.id in stops) for ruling in rulings for a in (ruling.attempt,)]
    return settled, opened


def _note_late(cursor: Cursor, late: Sequence[Outcome], now: datetime) -> list[Raised]:
    """An answer for an attempt that was decided meanwhile changes nothing, but if the provider took the order, and
    the decision was another one, then it may have been bought twice: that is evidence and an alert."""
    accepted = {o.attempt_id: o.verdict.upstream_id for o in late if isinstance(o.verdict, Accepted)}
    if not accepted:
        return []
    raised = []
    for attempt_id, order_id, n, state, upstream_id in ask(cursor, queries.READ_DECIDED, (list(accepted),)).fetchall():
        if upstream_id == accepted[attempt_id]:
            continue
        text = (
            f"attempt {n} of order {order_id} was decided as {state}, "
            f"and now the provider answers that it took it as {accepted[attempt_id]}"
        )
        ask(cursor, queries.INSERT_EVIDENCE, (now, [attempt_id], ["late"], [text], [None]))
        raised.append(Raised(AlertKind.LATE_ANSWER, about_order(order_id), text))
    return raised


def _stop(attempt: LockedAttempt, outcome: Outcome) -> Stop | None:
    """Whether the answer says that the provider takes nothing from us now."""
    match outcome.verdict:
        case Rejected(Reason.FUNDS, text):
            return Stop(attempt.provider_id, PauseKind.FUNDS, text)
        case Rejected(Reason.KEY, text):
            return Stop(attempt.provider_id, PauseKind.KEY, text)
        case Unknown(why, pause=True) | NotSent(why, pause=True):
            return Stop(attempt.provider_id, PauseKind.GATE, why)
        case _:
            return None


def _signs(attempts: Sequence[LockedAttempt], outcomes: Mapping[int, Outcome]) -> Mapping[int, Sequence[Sign]]:
    """What the answers tell of each provider itself."""
    signs: defaultdict[int, list[Sign]] = defaultdict(list)
    for attempt in attempts:
        outcome = outcomes[attempt.id]
        match outcome.verdict:
            case Accepted():
                sign = Sign.ACCEPTED
            case Rejected():
                sign = Sign.ANSWERED
            case Unknown() if outcome.seen:
                sign = Sign.FAILED
            case _:
                continue
        signs[attempt.provider_id].append(sign)
    return signs


def _read_attempt(row: tuple[Any, ...]) -> LockedAttempt:
    id_, kind, state, n, provider_id, worker, lease_until, refill_id, order_id, order_state, *rest = row
    service_id, cancel_requested, *terms = rest
    return LockedAttempt(
        id=id_,
        kind=AttemptKind(kind),
        state=AttemptState(state),
        n=n,
        provider_id=provider_id,
        worker=worker,
        lease_until=lease_until,
        refill_id=refill_id,
        order_id=order_id,
        order_state=State(order_state),
        service_id=service_id,
        cancel_requested=cancel_requested,
        terms=SettlementTerms(*terms),
    )


def _find_bound(
    cursor: Cursor, attempts: Sequence[LockedAttempt], outcomes: Mapping[int, Outcome]
) -> set[tuple[int, str, int]]:
    """The (provider, kind, upstream id) among these answers that are taken already, or that two of them share."""
    claimed = [
        (attempt.provider_id, attempt.kind.value, verdict.upstream_id)
        for attempt in attempts
        if isinstance(verdict := outcomes[attempt.id].verdict, Accepted | Found)
    ]
    if not claimed:
        return set()
    bound = set(ask(cursor, queries.FIND_BOUND, tuple(map(list, zip(*claimed, strict=True)))).fetchall())
    return bound | {answered for answered in claimed if claimed.count(answered) > 1}


def _is_bound(attempt: LockedAttempt, outcome: Outcome, bound: set[tuple[int, str, int]]) -> bool:
    verdict = outcome.verdict
    return (
        isinstance(verdict, Accepted | Found)
        and (attempt.provider_id, attempt.kind.value, verdict.upstream_id) in bound
    )


def _rule(attempt: LockedAttempt, outcome: Outcome, bound: set[tuple[int, str, int]]) -> Ruling:
    is_bound = _is_bound(attempt, outcome, bound)
    return rule(attempt, outcome.verdict, bound=is_bound)


def _write_attempts(cursor: Cursor, rulings: Sequence[Ruling], outcomes: Mapping[int, Outcome], now: datetime) -> None:
    rows = [
        (
            ruling.attempt.id,
            ruling.state.value,
            outcomes[ruling.attempt.id].http_status,
            outcomes[ruling.attempt.id].body_head[:_BODY_HEAD],
            ruling.upstream_id,
            ruling.evidence,
            ruling.reason.value if ruling.reason else None,
        )
        for ruling in rulings
    ]
    ask(cursor, queries.SETTLE_ATTEMPTS, (now, *map(list, zip(*rows, strict=True))))
