"""Claiming refills to send, at most once: the same attempts as those of orders."""

from datetime import datetime

from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.models import AttemptKind, WorkKind
from hawker.orders.refills import queries
from hawker.orders.sending.attempts import LEASE, Begun, Claim, begin_attempts
from hawker.orders.transitions.actions import DueWork, replace_work
from hawker.providers.availability import ask_gate, pass_gate


def claim_refills(provider_id: int, *, limit: int, token: str, now: datetime) -> list[Claim]:
    """Claim up to `limit` due refills for asking this provider, committed as attempts that are `sending`.

    `token` names this claim, so that a claim whose COMMIT got no answer can be disowned. Raises
    Unavailable; then nothing may be sent.
    """
    return in_transaction(lambda cursor: _claim(cursor, provider_id, limit, token, now))


def _claim(cursor: Cursor, provider_id: int, limit: int, token: str, now: datetime) -> list[Claim]:
    gate = ask_gate(cursor, provider_id, want=limit, now=now)
    if not gate.most:
        return []
    rows = ask(cursor, queries.CLAIM_REFILLS, (provider_id, now, gate.most)).fetchall()
    if not rows:
        return []
    pass_gate(cursor, gate, len(rows), now=now)
    begun = [Begun(order_id, tried + 1, refill_id=refill_id) for order_id, refill_id, _, _, tried in rows]
    attempt_of = begin_attempts(cursor, AttemptKind.REFILL, begun, provider_id=provider_id, token=token, now=now)
    # The work stays, due when the lease ends, only as the mark of a refill that is under way.
    leased = [DueWork(row[0], WorkKind.REFILL, provider_id, now + LEASE, row[3] + 1) for row in rows]
    replace_work(cursor, [], leased)
    failpoint("claim-before-commit")
    return [
        Claim(attempt_of[order_id], order_id, provider_id, {"action": "refill", "order": str(upstream_id)})
        for order_id, _, upstream_id, _, _ in rows
    ]
