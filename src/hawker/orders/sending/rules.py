"""What an observed answer makes of an attempt, whatever was sent. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hawker.orders.models import AttemptKind, AttemptState, State
from hawker.orders.transitions.actions import SettlementTerms
from hawker.orders.waits import backoff
from hawker.protocol.upstream import Accepted, Reason, Rejected, Unknown, Verdict


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request provably never left: no connection, or the claim was too old to be used.

    `pause` asks for the provider to be paused, as Unknown's does.
    """

    why: str
    pause: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An unknown's order is there under this number: a look at the provider's numbers, or a person, says so and why."""

    upstream_id: int
    why: str


@dataclass(frozen=True, slots=True)
class NotThere:
    """An unknown made nothing: two looks, or a person, say so and why."""

    why: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A person ends what is unknown and gives the customer everything back, whatever the provider has, and why."""

    why: str


Decision = Found | NotThere | GivenUp
Observed = Verdict | NotSent | Decision


class Fate(StrEnum):
    """What has become of the thing that was to be made upstream."""

    MADE = "made"  # the provider has it
    DOUBTFUL = "doubtful"  # nothing is proven: it is never sent again by itself
    LATER = "later"  # it is not there, and may be sent again after a wait
    REFUSED = "refused"  # it is not there, and this provider will not make it
    ENDED = "ended"  # it ends here, with everything given back


@dataclass(frozen=True, slots=True)
class LockedAttempt:
    """An attempt and its order, both locked."""

    id: int
    kind: AttemptKind
    state: AttemptState
    n: int
    provider_id: int
    worker: str
    lease_until: datetime
    refill_id: int | None
    order_id: int
    order_state: State
    service_id: int
    cancel_requested: bool
    terms: SettlementTerms


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an attempt becomes, on what evidence, and what that means for the order or refill it was to create.

    `reason` is why the provider rejected it; None of every other state.
    """

    attempt: LockedAttempt
    state: AttemptState
    fate: Fate
    evidence: str
    upstream_id: int | None = None
    wait: timedelta = timedelta()
    reason: Reason | None = None


def rule(attempt: LockedAttempt, observed: Observed, *, bound: bool) -> Ruling:
    """The ruling on an attempt that is `sending` or `unknown`. A timeout becomes `unknown` here.

    `bound`: whether the id that was answered belongs to something else already. A late answer that
    proves that nothing was made turns unknown into not_created, never into an attempt that was not sent.
    """
    match observed:
        case Accepted(upstream_id) if bound:
            why = f"the provider returned the id {upstream_id}, which belongs to another order"
            return Ruling(attempt, AttemptState.UNKNOWN, Fate.DOUBTFUL, why)
        case Accepted(upstream_id):
            why = f"the provider returned {upstream_id}"
            return Ruling(attempt, AttemptState.ACCEPTED, Fate.MADE, why, upstream_id)
        case Found(upstream_id) if bound:
            why = f"it was found as {upstream_id}, which belongs to another order"
            return Ruling(attempt, AttemptState.UNKNOWN, Fate.DOUBTFUL, why)
        case Found(upstream_id, why):
            return Ruling(attempt, AttemptState.ACCEPTED, Fate.MADE, why, upstream_id)
        case NotThere(why):
            return Ruling(attempt, AttemptState.NOT_CREATED, Fate.LATER, why)
        case GivenUp(why):
            return Ruling(attempt, AttemptState.MANUAL, Fate.ENDED, why)
        case Unknown(why):
            return Ruling(attempt, AttemptState.UNKNOWN, Fate.DOUBTFUL, why)
        case Rejected(reason, text):
            return _rejected(attempt, reason, text)
        case NotSent(why=why):
            state = _proven(AttemptState.NOT_SENT, attempt.state)
            return Ruling(attempt, state, Fate.LATER, why, wait=backoff(attempt.n))


def _rejected(attempt: LockedAttempt, reason: Reason, text: str) -> Ruling:
    state = _proven(AttemptState.REJECTED, attempt.state)
    # Any other reason than OTHER is about the provider at this moment, not about the order: it is sent again later.
    fate, wait = (Fate.REFUSED, timedelta()) if reason is Reason.OTHER else (Fate.LATER, backoff(attempt.n))
    kept = reason if state is AttemptState.REJECTED else None
    return Ruling(attempt, state, fate, f"rejected: {text}", wait=wait, reason=kept)


def _proven(state: AttemptState, before: AttemptState) -> AttemptState:
    return AttemptState.NOT_CREATED if before is AttemptState.UNKNOWN else state
