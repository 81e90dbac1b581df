"""What staff decide of refills, by the same transitions as everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hawker.core.actors import Actor
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.errors import NoSuchRefill, NotForStaff
from hawker.orders.models import AttemptState, EvidenceKind, RefillState, State, WorkKind
from hawker.orders.refills import queries as refill_queries
from hawker.orders.refills.changes import RefillChange, is_over, write_refill_changes
from hawker.orders.sending import settling_queries as settle_queries
from hawker.orders.transitions.actions import replace_work


@dataclass(frozen=True, slots=True)
class RefillDecision:
    """What staff decide of a refill: COMPLETED or REJECTED, and why."""

    refill_id: int
    state: RefillState
    reason: str


def resolve_refills(
    decisions: Sequence[RefillDecision], *, actor: Actor, now: datetime
) -> list[RefillState | NoSuchRefill | NotForStaff]:
    """End refills by hand; answers each refill's new state, or why it cannot be decided.

    Any that runs may be: those that staff deliver, those of which it is unknown whether the provider took them
    (their attempt becomes `manual`, with the decision as evidence), and those that a provider forgot. One that is
    being sent at this moment is not. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _resolve(cursor, decisions, actor, now))


def _resolve(
    cursor: Cursor, decisions: Sequence[RefillDecision], actor: Actor, now: datetime
) -> list[RefillState | NoSuchRefill | NotForStaff]:
    ids = sorted({decision.refill_id for decision in decisions})
    orders = {row[2]: (row[0], State(row[1])) for row in ask(cursor, refill_queries.LOCK_TO_RESOLVE, (ids,))}
    states = {row[0]: RefillState(row[1]) for row in ask(cursor, refill_queries.LOCK_REFILLS, (list(orders),))}
    live = {row[0]: (row[1], AttemptState(row[2])) for row in ask(cursor, refill_queries.READ_LIVE, (list(orders),))}
    answers: list[RefillState | NoSuchRefill | NotForStaff] = []
    changes: list[RefillChange] = []
    decided: list[tuple[int, str]] = []
    for decision in decisions:
        number = decision.refill_id
        state = states.get(number)
        attempt_id, attempt_state = live.get(number, (0, None))
        if state is None:
            answers.append(NoSuchRefill(f"there is no refill {number}"))
        elif is_over(state):
            answers.append(NotForStaff(f"refill {number} has ended already: {state.value}"))
        elif attempt_state is AttemptState.SENDING:
            answers.append(NotForStaff(f"refill {number} is being sent at this moment: look again in two minutes"))
        else:
            why = f"{decision.state.value} by {actor}: {decision.reason}"
            changes.append(RefillChange(number, *orders[number], decision.state, why, decision.reason[:500]))
            answers.append(decision.state)
            states[number] = decision.state
            if attempt_state is AttemptState.UNKNOWN:
                decided.append((attempt_id, why))
    write_refill_changes(cursor, changes, actor=actor, now=now)
    _decide_unknown(cursor, decided, now)
    ended = [(change.order_id, kind) for change in changes for kind in (WorkKind.REFILL, WorkKind.FOLLOW)]
    replace_work(cursor, ended, [])
    failpoint("resolve-before-commit")
    return answers


def _decide_unknown(cursor: Cursor, decided: Sequence[tuple[int, str]], now: datetime) -> None:
    if not decided:
        return
    ids, reasons = map(list, zip(*decided, strict=True))
    ask(cursor, refill_queries.DECIDE_UNKNOWN, (now, ids, reasons))
    kinds = [EvidenceKind.DECISION.value] * len(ids)
    ask(cursor, settle_queries.INSERT_EVIDENCE, (now, ids, kinds, reasons, [None] * len(ids)))
