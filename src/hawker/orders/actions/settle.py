"""Settling attempts: from what was observed to what the order becomes, in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg

from hawker.alerts.actions import Raised, log_alerts, write_alerts
from hawker.alerts.models import AlertKind
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.book import lock_accounts, open_book
from hawker.orders.actions.dispatch import Route, read_routes
from hawker.orders.actions.move import Change, Due, Terms, replace_work, write_changes
from hawker.orders.models import AttemptState, State, WorkKind
from hawker.orders.queries import dispatch as queries
from hawker.orders.rules import backoff
from hawker.protocol.statuses import OrderStatus
from hawker.protocol.upstream import Accepted, Reason, Rejected, Unknown, Verdict
from hawker.providers.health import Stop, pause_for

FIRST_POLL = timedelta(seconds=2)
_BODY_HEAD = 1_000


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request provably never left: no connection, or the claim was too old to be used.

    `pause` asks for the provider to be paused, as Unknown's does.
    """

    why: str
    pause: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was observed of one attempt. `body_head` is the start of the answer with the key redacted."""

    attempt_id: int
    verdict: Verdict | NotSent
    http_status: int | None = None
    body_head: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """What an attempt became, and whether its answer has paused the provider."""

    attempt_id: int
    order_id: int
    state: AttemptState
    paused: bool = False


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt and its order, both locked."""

    id: int
    state: AttemptState
    n: int
    provider_id: int
    worker: str
    order_id: int
    order_state: State
    service_id: int
    cancel_requested: bool
    terms: Terms


@dataclass(slots=True)
class _Decision:
    """What to write for one attempt."""

    attempt: _Attempt
    outcome: Outcome
    state: AttemptState
    change: Change
    evidence: str
    due: list[Due] = field(default_factory=list)
    upstream_id: int | None = None
    alert: Raised | None = None


def settle_attempts(outcomes: Sequence[Outcome], *, now: datetime) -> list[Settled]:
    """Settle each attempt that is still `sending` or `unknown`; the others are done and left out.

    Idempotent, so a caller whose COMMIT got no answer calls again with the same outcomes. The
    refund of a rejected order, its events and its next work are in the same transaction, and so are the
    alerts and the pause of the provider that an answer asks for. Raises Unavailable.
    """
    while True:
        try:
            return _settle_in_transaction(lambda _: outcomes, now)
        except psycopg.errors.UniqueViolation as error:
            # Another process bound the same upstream id between our look and our write. Looking
            # again now finds it bound, so this ends.
            if error.diag.constraint_name not in ("attempt_upstream_unique", "orders_upstream_unique"):
                raise


def expire_leases(*, now: datetime) -> list[Settled]:
    """Attempts whose lease ended in `sending` become `unknown`, never `queued`: their worker may have sent them."""

    def find(cursor: Cursor) -> list[Outcome]:
        expired = ask(cursor, queries.FIND_EXPIRED, (now,)).fetchall()
        why = "the lease ended and {} never said what came of it"
        return [Outcome(row[0], Unknown(why.format(row[2]))) for row in expired]

    return _settle_in_transaction(find, now)


def disown_claim(token: str, *, now: datetime) -> list[Settled]:
    """Settle as not sent whatever a claim wrote whose COMMIT got no answer: its worker sent nothing of it."""

    def find(cursor: Cursor) -> list[Outcome]:
        claimed = ask(cursor, queries.FIND_OF_CLAIM, (token,)).fetchall()
        return [Outcome(row[0], NotSent("the claim's COMMIT got no answer")) for row in claimed]

    return _settle_in_transaction(find, now)


def _settle_in_transaction(find: Callable[[Cursor], Sequence[Outcome]], now: datetime) -> list[Settled]:
    def work(cursor: Cursor) -> tuple[list[Settled], list[Raised]]:
        return settle_within(cursor, find(cursor), now)

    settled, opened = in_transaction(work)
    log_alerts(opened)
    return settled


def settle_within(cursor: Cursor, outcomes: Sequence[Outcome], now: datetime) -> tuple[list[Settled], list[Raised]]:
    """Settle in the caller's transaction; answers also the alerts to log when it is committed.

    Raises UniqueViolation where another process binds the same upstream id at this moment.
    """
    by_attempt = {outcome.attempt_id: outcome for outcome in outcomes}
    rows = ask(cursor, queries.LOCK_ATTEMPTS, (list(by_attempt),)).fetchall()
    attempts = [_read_attempt(row) for row in rows]
    raised = _note_late(cursor, [by_attempt[id_] for id_ in by_attempt.keys() - {a.id for a in attempts}], now)
    if not attempts:
        return [], write_alerts(cursor, raised, now=now)
    bound = _find_bound(cursor, attempts, by_attempt)
    rejected = {a.service_id for a in attempts if isinstance(by_attempt[a.id].verdict, Rejected)}
    routes = read_routes(cursor, rejected) if rejected else {}
    decisions = [_decide(attempt, by_attempt[attempt.id], bound, routes, now) for attempt in attempts]
    book = open_book(lock_accounts(cursor, (d.attempt.terms.account_id for d in decisions if d.change.settlement)))
    _write_attempts(cursor, decisions, now)
    write_changes(cursor, [decision.change for decision in decisions], book, actor=attempts[0].worker, now=now)
    replace_work(
        cursor,
        [(decision.attempt.order_id, WorkKind.DISPATCH) for decision in decisions],
        [due for decision in decisions for due in decision.due],
    )
    stops = {d.attempt.id: stop for d in decisions if (stop := _stop(d)) is not None}
    raised += pause_for(cursor, list(stops.values()), now=now)
    raised += [decision.alert for decision in decisions if decision.alert is not None]
    opened = write_alerts(cursor, raised, now=now)
    failpoint("settle-before-commit")
    return [Settled(d.attempt.id, d.attempt.order_id, d.state, d.attempt.id in stops) for d in decisions], opened


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
        raised.append(Raised(AlertKind.LATE_ANSWER, f"order {order_id}", text))
    return raised


def _stop(decision: _Decision) -> Stop | None:
    """Whether the answer says that the provider takes nothing from us now."""
    provider_id = decision.attempt.provider_id
    match decision.outcome.verdict:
        case Rejected(Reason.FUNDS, text):
            return Stop(provider_id, AlertKind.OUT_OF_FUNDS, text)
        case Rejected(Reason.KEY, text):
            return Stop(provider_id, AlertKind.KEY_REFUSED, text)
        case Unknown(why, pause=True) | NotSent(why, pause=True):
            return Stop(provider_id, AlertKind.GATE, why)
        case _:
            return None


def _read_attempt(row: tuple[Any, ...]) -> _Attempt:
    id_, state, n, provider_id, worker, order_id, order_state, service_id, cancel_requested, *terms = row
    return _Attempt(
        id_,
        AttemptState(state),
        n,
        provider_id,
        worker,
        order_id,
        State(order_state),
        service_id,
        cancel_requested,
        Terms(*terms),
    )


def _find_bound(cursor: Cursor, attempts: Sequence[_Attempt], outcomes: Mapping[int, Outcome]) -> set[tuple[int, int]]:
    """The (provider, upstream id) pairs among these answers that an order has already, or two of them share."""
    claimed = [
        (attempt.provider_id, verdict.upstream_id)
        for attempt in attempts
        if isinstance(verdict := outcomes[attempt.id].verdict, Accepted)
    ]
    if not claimed:
        return set()
    pairs = tuple(map(list, zip(*claimed, strict=True)))
    bound = set(ask(cursor, queries.FIND_BOUND, pairs + pairs).fetchall())
    return bound | {pair for pair in claimed if claimed.count(pair) > 1}


def _decide(
    attempt: _Attempt,
    outcome: Outcome,
    bound: set[tuple[int, int]],
    routes: Mapping[int, Sequence[Route]],
    now: datetime,
) -> _Decision:
    match outcome.verdict:
        case Accepted(upstream_id) if (attempt.provider_id, upstream_id) in bound:
            why = f"the provider answered the id {upstream_id}, which another order has"
            unknown = _unknown(attempt, outcome, why)
            unknown.alert = Raised(AlertKind.UPSTREAM_ID_TWICE, f"order {attempt.order_id}", why)
            return unknown
        case Accepted(upstream_id):
            return _accepted(attempt, outcome, upstream_id, now)
        case Rejected(reason, text):
            return _rejected(attempt, outcome, reason, text, routes.get(attempt.service_id, ()), now)
        case NotSent(why=why):
            return _queued_again(attempt, outcome, AttemptState.NOT_SENT, why, backoff(attempt.n), now)
        case Unknown(why):
            return _unknown(attempt, outcome, why)


def _accepted(attempt: _Attempt, outcome: Outcome, upstream_id: int, now: datetime) -> _Decision:
    due = [Due(attempt.order_id, WorkKind.POLL, attempt.provider_id, now + FIRST_POLL)]
    if attempt.cancel_requested:
        # Wished while it was under way; now it is known where it is.
        due.append(Due(attempt.order_id, WorkKind.CANCEL, attempt.provider_id, now))
    return _Decision(
        attempt,
        outcome,
        AttemptState.ACCEPTED,
        Change(
            attempt.order_id,
            attempt.order_state,
            (State.SUBMITTED,),
            f"accepted as {upstream_id}",
            provider_id=attempt.provider_id,
            upstream_id=upstream_id,
        ),
        evidence=f"the provider answered order {upstream_id}",
        due=due,
        upstream_id=upstream_id,
    )


def _unknown(attempt: _Attempt, outcome: Outcome, why: str) -> _Decision:
    path = () if attempt.order_state is State.UNKNOWN else (State.UNKNOWN,)
    return _Decision(
        attempt,
        outcome,
        AttemptState.UNKNOWN,
        Change(attempt.order_id, attempt.order_state, path, why),
        evidence=why,
    )


def _queued_again(
    attempt: _Attempt, outcome: Outcome, state: AttemptState, why: str, wait: timedelta, now: datetime
) -> _Decision:
    """Back in the queue of the same provider: certain that it holds no order of ours from this attempt.

    Where a cancel was asked for meanwhile, canceled and refunded instead: nothing was delivered and nothing will be.
    """
    if attempt.order_state is State.UNKNOWN:
        state = AttemptState.NOT_CREATED
    decision = _Decision(attempt, outcome, state, Change(attempt.order_id, attempt.order_state, (), why), evidence=why)
    through = (State.REJECTED,) if state is AttemptState.REJECTED else ()
    decision.change.path = (*through, State.QUEUED)
    decision.due = [Due(attempt.order_id, WorkKind.DISPATCH, attempt.provider_id, now + wait, attempt.n)]
    if attempt.cancel_requested:
        _cancel(decision)
    return decision


def _cancel(decision: _Decision) -> None:
    """The order ends here, refunded in full, instead of being queued again."""
    change = decision.change
    # There is no move from sending to canceled: what is canceled has been seen not to be under way.
    passes_queue = change.before is State.SENDING and State.REJECTED not in change.path
    change.path = (*(change.path if passes_queue else change.path[:-1]), State.CANCELED)
    change.end(decision.attempt.terms, OrderStatus.CANCELED)
    decision.due = []


def _rejected(
    attempt: _Attempt, outcome: Outcome, reason: Reason, text: str, routes: Sequence[Route], now: datetime
) -> _Decision:
    why = f"rejected: {text}"
    if reason is not Reason.OTHER:
        # Nothing is wrong with the order: the provider cannot take it just now.
        return _queued_again(attempt, outcome, AttemptState.REJECTED, why, backoff(attempt.n), now)
    again = _queued_again(attempt, outcome, AttemptState.REJECTED, why, timedelta(), now)
    if again.change.settlement is not None:
        return again
    following = _route_after(routes, attempt.provider_id)
    if following is None:
        _cancel(again)
    else:
        again.due = [Due(attempt.order_id, WorkKind.DISPATCH, following.provider_id, now)]
    return again


def _route_after(routes: Sequence[Route], provider_id: int) -> Route | None:
    """The next best provider, in the operator's order; none twice, so a rejected order ends."""
    providers = [route.provider_id for route in routes]
    if provider_id not in providers:
        return None
    return next(iter(routes[providers.index(provider_id) + 1 :]), None)


def _write_attempts(cursor: Cursor, decisions: Sequence[_Decision], now: datetime) -> None:
    rows = [
        (
            decision.attempt.id,
            decision.state.value,
            decision.outcome.http_status,
            decision.outcome.body_head[:_BODY_HEAD],
            decision.upstream_id,
            decision.evidence,
        )
        for decision in decisions
    ]
    ask(cursor, queries.SETTLE_ATTEMPTS, (now, *map(list, zip(*rows, strict=True))))
