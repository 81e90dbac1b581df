"""What staff do with refills."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from hawker.operations.base import Run, operation
from hawker.operations.errors import Refused
from hawker.operations.inputs import MAX_NUMBER, Reason

RefillNumber: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_NUMBER, description="The refill's number.")]


@dataclass(frozen=True, slots=True)
class ResolveRefill:
    refill: RefillNumber
    state: Annotated[Literal["completed", "rejected"], Meta(description="Whether it was delivered, or will not be.")]
    reason: Reason


@dataclass(frozen=True, slots=True)
class RefillResolved:
    refill: int
    state: str


@operation("refill.resolve", subject="refill", ids=lambda given: (given.refill,), many="refill")
def resolve_refill(run: Run, given: ResolveRefill) -> RefillResolved:
    """End a refill by hand: one that staff deliver, or of which nobody knows whether the provider took it."""
    from hawker.orders import RefillDecision, describe_refill_state, resolve_refills
    from hawker.orders.models import RefillState

    run.watch(given.refill, lambda: describe_refill_state(given.refill))
    decision = RefillDecision(given.refill, RefillState(given.state), given.reason)
    (resolved,) = resolve_refills([decision], actor=run.actor, now=run.now)
    if isinstance(resolved, Exception):
        raise Refused(str(resolved))
    return RefillResolved(given.refill, resolved.value)
