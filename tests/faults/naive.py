"""Workers as they are usually written: each does without one guard. Applied in a keeper's own process only.

The harness has to find what each of them does wrong (test_guards_off.py).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any


def lease_means_queued() -> None:
    """A job whose worker died is run again, as every queue does it."""
    from hawker.core.sql import ask
    from hawker.orders import NotSent
    from hawker.orders.sending import settling as settle
    from hawker.orders.sending.settling_queries import FIND_EXPIRED
    from hawker.worker import sweeps

    def expire(*, now: datetime) -> Sequence[Any]:
        def find(cursor: Any) -> list[settle.Outcome]:
            expired = ask(cursor, FIND_EXPIRED, (now,)).fetchall()
            return [settle.Outcome(row[0], NotSent("its worker is gone: next please")) for row in expired]

        return settle._settle_in_transaction(find, now)

    sweeps.expire_leases = expire


def _ruling_unknown(as_: Callable[[str], Any]) -> None:
    from dataclasses import replace

    from hawker.protocol.upstream import Unknown
    from hawker.worker.sending import DispatchSweep

    observe = DispatchSweep._observe

    async def naive(self: DispatchSweep, *arguments: Any) -> Any:
        outcome = await observe(self, *arguments)
        return replace(outcome, verdict=as_(outcome.verdict.why)) if isinstance(outcome.verdict, Unknown) else outcome

    DispatchSweep._observe = naive


def retry_on_timeout() -> None:
    """A call without an answer is made again."""
    from hawker.orders import NotSent

    _ruling_unknown(NotSent)


def timeout_is_rejection() -> None:
    """A call without an answer has failed, and the customer gets the money back."""
    from hawker.protocol.upstream import Reason, Rejected

    _ruling_unknown(lambda why: Rejected(Reason.OTHER, why))


def any_orphan_will_do() -> None:
    """Whatever order nobody claims is taken for the unknown one, whatever was charged for it."""
    from hawker.orders.reconciling import actions as reconcile
    from hawker.orders.reconciling.rules import Bind

    judge = reconcile.judge
    taken: set[int] = set()

    def naive(doubt: Any, look: Any, others: Any, **known: Any) -> Any:
        if free := set(look.orphans) - taken:
            taken.add(max(free))
            return Bind(max(free), "nobody else wants it")
        return judge(doubt, look, others, **known)

    reconcile.judge = naive


GUARDS: dict[str, Callable[[], None]] = {
    guard.__name__: guard for guard in (lease_means_queued, retry_on_timeout, timeout_is_rejection, any_orphan_will_do)
}
