"""Everything there is about refills, for the operator."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hawker.orders.models import Attempt, AttemptKind, AttemptState, Refill, RefillState

UNKNOWN = "unknown"
"""Beside the states of a refill: those of which it is unknown whether their provider took them."""


def list_refill_ids(*, state: str, limit: int) -> list[int]:
    """The numbers of the newest refills; only those in `state` where given, or UNKNOWN."""
    refills = Refill.objects.order_by("-id")
    if state == UNKNOWN:
        refills = refills.filter(attempts__state=AttemptState.UNKNOWN)
    elif state:
        refills = refills.filter(state=RefillState(state))
    return list(refills.values_list("id", flat=True)[:limit])


def describe_refills(refill_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The refills that exist of those asked for, in the order asked, each with its attempts."""
    refills = {refill.id: refill for refill in Refill.objects.filter(id__in=refill_ids)}
    attempts = defaultdict(list)
    for attempt in Attempt.objects.filter(refill_id__in=refills, kind=AttemptKind.REFILL).order_by("id"):
        attempts[attempt.refill_id].append(
            {
                "attempt": attempt.n,
                "state": attempt.state,
                "started_at": attempt.started_at,
                "done_at": attempt.done_at,
                "evidence": attempt.evidence,
            }
        )
    return [
        describe_refill(refills[refill_id]) | {"attempts": attempts[refill_id]}
        for refill_id in refill_ids
        if refill_id in refills
    ]


def describe_refill(refill: Refill) -> dict[str, Any]:
    """One refill; `provider` is null where staff see to it."""
    return {
        "refill": refill.id,
        "order": refill.order_id,
        "account": refill.account_id,
        "state": refill.state,
        "provider": refill.provider_id,
        "upstream_refill": refill.upstream_id,
        "reason": refill.reason,
        "requested_at": refill.requested_at,
        "ended_at": refill.ended_at,
    }


def describe_refill_state(refill_id: int) -> dict[str, Any]:
    """What staff can change of a refill; nothing where it is not there."""
    refill = Refill.objects.filter(id=refill_id).first()
    shown = {} if refill is None else describe_refill(refill)
    return {name: shown[name] for name in ("state", "reason", "ended_at") if name in shown}
