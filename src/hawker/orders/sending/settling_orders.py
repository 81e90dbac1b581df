"""What the ruling on an `add` makes of its order: bound, unknown, queued again, or ended and refunded."""

import random
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from hawker.core.actors import Actor
from hawker.core.sql import Cursor
from hawker.ledger.book import lock_accounts, open_book
from hawker.orders.models import AttemptState, State, WorkKind
from hawker.orders.sending.buying import PurchaseRoute, read_refusals, read_routes
from hawker.orders.sending.rules import Fate, Ruling
from hawker.orders.transitions.actions import DueWork, OrderChange, replace_work, write_changes
from hawker.orders.waits import due_after
from hawker.protocol.statuses import OrderStatus

FIRST_POLL = timedelta(seconds=2)

_Next = tuple[OrderChange, list[DueWork]]
"""What becomes of one order, and what is due for it."""


def settle_orders(cursor: Cursor, rulings: Sequence[Ruling], *, actor: Actor, operation: str, now: datetime) -> None:
    """Write what each order becomes, with its refund, events and next work. The caller holds its row lock."""
    if not rulings:
        return
    refused = {ruling.attempt.service_id for ruling in rulings if ruling.fate is Fate.REFUSED}
    routes = read_routes(cursor, refused) if refused else {}
    refusals = read_refusals(cursor, [ruling.attempt.order_id for ruling in rulings]) if refused else {}
    decisions = [_decide(ruling, routes, refusals, now) for ruling in rulings]
    changes = [change for change, _ in decisions]
    book = open_book(lock_accounts(cursor, (change.account_id for change in changes if change.settlement)))
    write_changes(cursor, changes, book, actor=actor, operation=operation, now=now)
    replace_work(
        cursor,
        [(change.order_id, kind) for change in changes for kind in _ended(change)],
        [due for _, due_works in decisions for due in due_works],
    )


def _decide(
    ruling: Ruling,
    routes: Mapping[int, Sequence[PurchaseRoute]],
    refusals: Mapping[int, Collection[int]],
    now: datetime,
) -> _Next:
    attempt = ruling.attempt
    match ruling.fate:
        case Fate.MADE:
            return _bound(ruling, now)
        case Fate.DOUBTFUL:
            path = () if attempt.order_state is State.UNKNOWN else (State.UNKNOWN,)
            # From here on it is for reconciling, which comes again by itself until it is known.
            change = OrderChange(attempt.order_id, attempt.order_state, path, ruling.evidence)
            work = DueWork(attempt.order_id, WorkKind.RECONCILE, attempt.provider_id, attempt.lease_until)
            return change, [work] if path else []
        case Fate.LATER:
            due_at = due_after(now, ruling.wait, jitter=random.random())  # noqa: S311 - spreads load only
            return _queued_again(
                ruling, DueWork(attempt.order_id, WorkKind.DISPATCH, attempt.provider_id, due_at, tries=attempt.n)
            )
        case Fate.ENDED:
            return _queued_again(ruling, None)
        case Fate.REFUSED:
            following = _next_route(
                routes.get(attempt.service_id, ()), attempt.provider_id, refusals.get(attempt.order_id, ())
            )
            if following is None:
                return _queued_again(ruling, None)
            return _queued_again(ruling, DueWork(attempt.order_id, WorkKind.DISPATCH, following.provider_id, now))


def _ended(change: OrderChange) -> Sequence[WorkKind]:
    """What is not due any more: an unknown that has become known needs no clearing up."""
    cleared_up = change.before is State.UNKNOWN and change.path
    return (WorkKind.DISPATCH, WorkKind.RECONCILE) if cleared_up else (WorkKind.DISPATCH,)


def _bound(ruling: Ruling, now: datetime) -> _Next:
    attempt, upstream_id = ruling.attempt, ruling.upstream_id
    due = [DueWork(attempt.order_id, WorkKind.POLL, attempt.provider_id, now + FIRST_POLL)]
    if attempt.cancel_requested:
        # Wished while it was under way; now it is known where it is.
        due.append(DueWork(attempt.order_id, WorkKind.CANCEL, attempt.provider_id, now))
    change = OrderChange(
        attempt.order_id,
        attempt.order_state,
        (State.SUBMITTED,),
        f"accepted as {upstream_id}",
        provider_id=attempt.provider_id,
        upstream_id=upstream_id,
    )
    return change, due


def _queued_again(ruling: Ruling, due: DueWork | None) -> _Next:
    """Back in the queue: certain that the provider holds no order of ours from this attempt.

    Where no provider is left (`due` is None), or a cancel was asked for meanwhile, it ends here instead and is
    refunded in full: nothing was delivered, and nothing will be.
    """
    attempt = ruling.attempt
    change = OrderChange(attempt.order_id, attempt.order_state, (), ruling.evidence)
    rejected = (State.REJECTED,) if ruling.state is AttemptState.REJECTED else ()
    if due is not None and not attempt.cancel_requested:
        change.path = (*rejected, State.QUEUED)
        return change, [due]
    # From sending no move leads to canceled: an order ends only after it is seen not to be under way.
    through_queue = (State.QUEUED,) if attempt.order_state is State.SENDING and not rejected else ()
    change.path = (*rejected, *through_queue, State.CANCELED)
    change.end(attempt.terms, OrderStatus.CANCELED)
    return change, []


def _next_route(routes: Sequence[PurchaseRoute], provider_id: int, refused: Collection[int]) -> PurchaseRoute | None:
    """The next provider in the operator's order, after the last one back to the first; none that has refused this
    order, so a rejected order ends. One that was passed over while its breaker was open is still asked.
    """
    providers = [route.provider_id for route in routes]
    after = providers.index(provider_id) + 1 if provider_id in providers else 0
    others = [*routes[after:], *routes[:after]]
    return next((r for r in others if r.provider_id != provider_id and r.provider_id not in refused), None)
