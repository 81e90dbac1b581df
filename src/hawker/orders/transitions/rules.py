"""The states of an order, the transitions between them, and the status that customers read. Pure."""

from hawker.orders.errors import IllegalTransition
from hawker.orders.models import FINISHED, State
from hawker.protocol.statuses import OrderStatus, SubscriptionStatus

TRANSITIONS: dict[State, frozenset[State]] = {
    # In progress at once is what staff deliver: no provider is asked.
    State.QUEUED: frozenset({State.SENDING, State.IN_PROGRESS, State.CANCELED}),
    State.SENDING: frozenset({State.SUBMITTED, State.REJECTED, State.UNKNOWN, State.QUEUED}),
    State.REJECTED: frozenset({State.QUEUED, State.CANCELED}),
    State.UNKNOWN: frozenset({State.SUBMITTED, State.QUEUED, State.CANCELED}),
    State.SUBMITTED: frozenset(
        {State.IN_PROGRESS, State.PROCESSING, State.COMPLETED, State.PARTIAL, State.CANCELED}
        # Of subscriptions that a provider runs: what it says of them first.
        | {State.ACTIVE, State.PAUSED, State.EXPIRED}
    ),
    State.IN_PROGRESS: frozenset({State.PROCESSING, State.COMPLETED, State.PARTIAL, State.CANCELED}),
    State.PROCESSING: frozenset({State.IN_PROGRESS, State.COMPLETED, State.PARTIAL, State.CANCELED}),
    State.ACTIVE: frozenset({State.PAUSED, State.COMPLETED, State.PARTIAL, State.CANCELED, State.EXPIRED}),
    State.PAUSED: frozenset({State.ACTIVE, State.COMPLETED, State.PARTIAL, State.CANCELED, State.EXPIRED}),
    State.COMPLETED: frozenset(),
    State.PARTIAL: frozenset(),
    State.CANCELED: frozenset(),
    State.EXPIRED: frozenset(),
}
"""Every transition there is. The database refuses all others too (migrations/guards.sql)."""


_WIRE: dict[State, OrderStatus | SubscriptionStatus] = {
    # Customers do not see how their order is bought: all of this reads Pending.
    State.QUEUED: OrderStatus.PENDING,
    State.SENDING: OrderStatus.PENDING,
    State.UNKNOWN: OrderStatus.PENDING,
    State.REJECTED: OrderStatus.PENDING,
    State.SUBMITTED: OrderStatus.PENDING,
    State.IN_PROGRESS: OrderStatus.IN_PROGRESS,
    State.PROCESSING: OrderStatus.PROCESSING,
    State.COMPLETED: OrderStatus.COMPLETED,
    State.PARTIAL: OrderStatus.PARTIAL,
    State.CANCELED: OrderStatus.CANCELED,
    State.ACTIVE: SubscriptionStatus.ACTIVE,
    State.PAUSED: SubscriptionStatus.PAUSED,
    State.EXPIRED: SubscriptionStatus.EXPIRED,
}


WIRE_STATUS: dict[str, str] = {state.value: status.value for state, status in _WIRE.items()}
"""The status clients read, by the state's stored text."""


_STATE_OF: dict[OrderStatus, State] = {
    OrderStatus.PENDING: State.SUBMITTED,
    OrderStatus.IN_PROGRESS: State.IN_PROGRESS,
    OrderStatus.PROCESSING: State.PROCESSING,
    OrderStatus.COMPLETED: State.COMPLETED,
    OrderStatus.PARTIAL: State.PARTIAL,
    OrderStatus.CANCELED: State.CANCELED,
}


def check_transition(before: State, after: State) -> None:
    """Raise IllegalTransition unless the table has this move."""
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(f"no move from {before} to {after}")


def state_of(status: OrderStatus) -> State:
    """The state in which an order is when its provider tells this status."""
    return _STATE_OF[status]


def is_finished(state: State) -> bool:
    """Whether nothing more will happen to an order in this state."""
    return state in FINISHED
