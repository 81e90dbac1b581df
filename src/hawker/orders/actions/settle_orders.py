"""What the ruling on an `add` makes of its order: bound, unknown, queued again, or ended and refunded."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hawker.core.sql import Cursor
from hawker.ledger.book import lock_accounts, open_book
from hawker.orders.actions.attempts import Ruled
from hawker.orders.actions.move import Change, Due, replace_work, write_changes
from hawker.orders.actions.routes import Route, read_refusals, read_routes
from hawker.orders.models import AttemptState, State, WorkKind
from hawker.orders.rules import due_after
from hawker.orders.rulings import Fate
from hawker.protocol.statuses import OrderStatus

FIRST_POLL = timedelta(seconds=2)


@dataclass(slots=True)
class _Decision:
    """What becomes of one order, and what is due for it."""

    change: Change
    due: list[Due] = field(default_factory=list)


def settle_orders(cursor: Cursor, ruled: Sequence[Ruled], *, actor: str, now: datetime) -> None:
    """Write what each order becomes, with its refund, events and next work. The caller holds its row lock."""
    if not ruled:
        return
    refused = {item.attempt.service_id for item in ruled if item.ruling.fate is Fate.REFUSED}
    routes = read_routes(cursor, refused) if refused else {}
    refusals = read_refusals(cursor, [item.attempt.order_id for item in ruled]) if refused else {}
    decisions = [_decide(item, routes, refusals, now) for item in ruled]
    changes = [decision.change for decision in decisions]
    book = open_book(lock_accounts(cursor, (change.account_id for change in changes if change.settlement)))
    write_changes(cursor, changes, book, actor=actor, now=now)
    replace_work(
        cursor,
        [(change.order_id, kind) for change in changes for kind in _ended(change)],
        [due for decision in decisions for due in decision.due],
    )


def _decide(
    item: Ruled, routes: Mapping[int, Sequence[Route]], refusals: Mapping[int, Collection[int]], now: datetime
) -> _Decision:
    attempt, ruling = item.attempt, item.ruling
    match ruling.fate:
        case Fate.MADE:
            return _bound(item, now)
        case Fate.DOUBTFUL:
            path = () if attempt.order_state is State.UNKNOWN else (State.UNKNOWN,)
            # From here on it is for reconciling, which comes again by itself until it is known.
            due = [Due(attempt.order_id, WorkKind.RECONCILE, attempt.provider_id, attempt.lease_until)] if path else []
            return _Decision(Change(attempt.order_id, attempt.order_state, path, ruling.evidence), due)
        case Fate.LATER:
            due_at = due_after(now, ruling.wait, jitter=random.random())  # noqa: S311 - spreads load only
            return _queued_again(
                item, Due(attempt.order_id, WorkKind.DISPATCH, attempt.provider_id, due_at, tries=attempt.n)
            )
        case Fate.ENDED:
            return _queued_again(item, None)
        case Fate.REFUSED:
            following = _next_route(
                routes.get(attempt.service_id, ()), attempt.provider_id, refusals.get(attempt.order_id, ())
            )
            if following is None:
                return _queued_again(item, None)
            return _queued_again(item, Due(attempt.order_id, WorkKind.DISPATCH, following.provider_id, now))


def _ended(change: Change) -> Sequence[WorkKind]:
    """What is not due any more: an unknown that has become known needs no clearing up."""
    cleared_up = change.before is State.UNKNOWN and change.path
    return (WorkKind.DISPATCH, WorkKind.RECONCILE) if cleared_up else (WorkKind.DISPATCH,)


def _bound(item: Ruled, now: datetime) -> _Decision:
    attempt, upstream_id = item.attempt, item.ruling.upstream_id
    due = [Due(attempt.order_id, WorkKind.POLL, attempt.provider_id, now + FIRST_POLL)]
    if attempt.cancel_requested:
        # Wished while it was under way; now it is known where it is.
        due.append(Due(attempt.order_id, WorkKind.CANCEL, attempt.provider_id, now))
    change = Change(
        attempt.order_id,
        attempt.order_state,
        (State.SUBMITTED,),
        f"accepted as {upstream_id}",
        provider_id=attempt.provider_id,
        upstream_id=upstream_id,
    )
    return _Decision(change, due)


def _queued_again(item: Ruled, due: Due | None) -> _Decision:
    """Back in the queue: certain that the provider holds no order of ours from this attempt.

    Where no provider is left (`due` is None), or a cancel was asked for meanwhile, it ends here instead and is
    refunded in full: nothing was delivered, and nothing will be.
    """
    attempt = item.attempt
    change = Change(attempt.order_id, attempt.order_state, (), item.ruling.evidence)
    rejected = (State.REJECTED,) if item.ruling.state is AttemptState.REJECTED else ()
    if due is not None and not attempt.cancel_requested:
        change.path = (*rejected, State.QUEUED)
        return _Decision(change, [due])
    # From sending no move leads to canceled: an order ends only after it is seen not to be under way.
    through_queue = (State.QUEUED,) if attempt.order_state is State.SENDING and not rejected else ()
    change.path = (*rejected, *through_queue, State.CANCELED)
    change.end(attempt.terms, OrderStatus.CANCELED)
    return _Decision(change)


def _next_route(routes: Sequence[Route], provider_id: int, refused: Collection[int]) -> Route | None:
    """The next provider in the operator's order, after the last one back to the first; none that has refused this
    order, so a rejected order ends. One that was passed over while its breaker was open is still asked.
    """
    providers = [route.provider_id for route in routes]
    after = providers.index(provider_id) + 1 if provider_id in providers else 0
    others = [*routes[after:], *routes[:after]]
    return next((r for r in others if r.provider_id != provider_id and r.provider_id not in refused), None)
