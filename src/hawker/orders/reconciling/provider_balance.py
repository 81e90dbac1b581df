"""Our own reckoning of the balance at a provider, beside what the provider says (I15)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hawker.alerts.actions import Raised, log_alerts, write_alerts
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import about_provider
from hawker.core.money import CUSTOMER_STEP_MICROS, format_micros
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.reconciling import provider_balance_queries as queries
from hawker.providers.balances import find_purse, write_balance

ANSWER_SECONDS = 30
"""A balance was true at some moment between the question and its answer: so far apart the two may be."""

LEAST_DRIFT_MICROS = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Moved:
    """What orders cost at a provider between two readings, in micros of its currency.

    `certain` was charged between them; `possible` beside it may have been charged before, between or after, or never.
    """

    certain_micros: int
    possible_micros: int
    orders: int

    @property
    def rounding_micros(self) -> int:
        """How far sums of prices may be apart that are rounded in another way than ours."""
        return CUSTOMER_STEP_MICROS * (self.orders + 1)


def moved_between(
    cursor: Cursor, provider_id: int, after: datetime, until: datetime, *, without_attempt: int = 0
) -> Moved:
    """What all orders but that of one attempt cost between two readings."""
    parameters = (ANSWER_SECONDS, after, until, ANSWER_SECONDS, provider_id, without_attempt)
    return Moved(*(ask(cursor, queries.SUM_CHARGES, parameters).fetchone() or (0, 0, 0)))


def record_balance(provider_id: int, *, balance_micros: int, currency: str, asked_at: datetime, now: datetime) -> None:
    """Keep a provider's answer, and hold it against what we know of our spending there. Raises Unavailable.

    An alert is raised where the balance fell by more than all that we may have been charged since the reading before,
    every doubt counted in the provider's favour: somebody else spends it, or orders cost more than we think. A rise is
    a deposit or a refund that we have not heard of yet, and nobody's trouble.
    """

    def work(cursor: Cursor) -> list[Raised]:
        name, expected = find_purse(cursor, provider_id) or ("", "")
        if currency != expected:
            # Another currency is another amount altogether: nothing may be reckoned from it.
            log.warning("balance in another currency", provider=name, currency=currency)
            return []
        unexplained, fell = _hold_against(cursor, provider_id, balance_micros, asked_at)
        raised = [Raised(AlertKind.BALANCE_DRIFT, about_provider(name), fell)] if fell else []
        raised += write_balance(cursor, provider_id, balance_micros, unexplained_micros=unexplained, now=asked_at)
        return write_alerts(cursor, raised, now=now)

    log_alerts(in_transaction(work))


def _hold_against(cursor: Cursor, provider_id: int, balance_micros: int, asked_at: datetime) -> tuple[int, str]:
    """By how much the balance fell without a reason that we know, and that in words where it is too much.

    Nothing where the provider runs a subscription of ours: it takes money for orders before it tells of them.
    """
    before = ask(cursor, queries.LAST_READING, (provider_id, asked_at)).fetchone()
    if before is None:
        return 0, ""
    at, balance_before = before
    if ask(cursor, queries.HAS_RELAYS, (provider_id, at)).fetchone() is not None:
        return 0, ""
    moved = moved_between(cursor, provider_id, at, asked_at)
    known = moved.certain_micros + moved.possible_micros
    unexplained = max(0, balance_before - balance_micros - known)
    if unexplained <= max(LEAST_DRIFT_MICROS, known // 100) + moved.rounding_micros:
        return unexplained, ""
    amounts = f"from {format_micros(balance_before)} to {format_micros(balance_micros)}"
    times = f"between {at:%Y-%m-%d %H:%M:%S} and {asked_at:%H:%M:%S} UTC"
    return unexplained, f"the balance fell {amounts} {times}; our orders explain at most {format_micros(known)} of it"


# --- evidence for one attempt ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BalanceEvidence:
    """What the balance tells of one unknown order. `speaks_for` is None where it tells nothing."""

    text: str
    speaks_for: bool | None = None


def weigh_balance(
    cursor: Cursor, provider_id: int, *, attempt_id: int, started_at: datetime, ended_at: datetime, charge_micros: int
) -> BalanceEvidence:
    """What the readings before and after an attempt tell of whether it was charged.

    It speaks only where every other order between the two readings is known to have been charged or not. It is
    never enough to bind an order: it is evidence for people, and a veto where it contradicts.
    """
    before = ask(cursor, queries.LAST_READING, (provider_id, started_at - timedelta(seconds=ANSWER_SECONDS))).fetchone()
    after = ask(cursor, queries.FIRST_READING, (provider_id, ended_at)).fetchone()
    if before is None or after is None:
        return BalanceEvidence("no balance reading before and after it")
    if ask(cursor, queries.HAS_RELAYS, (provider_id, before[0])).fetchone() is not None:
        return BalanceEvidence("the balance is not conclusive: the provider runs a subscription")
    moved = moved_between(cursor, provider_id, before[0], after[0], without_attempt=attempt_id)
    fell = before[1] - after[1]
    text = (
        f"balance {format_micros(before[1])} at {before[0]:%Y-%m-%d %H:%M:%S}, {format_micros(after[1])} at "
        f"{after[0]:%Y-%m-%d %H:%M:%S} UTC; {moved.orders} other orders cost {format_micros(moved.certain_micros)} "
        f"between them, others perhaps {format_micros(moved.possible_micros)}; this one {format_micros(charge_micros)}"
    )
    if moved.possible_micros or charge_micros <= 2 * moved.rounding_micros:
        return BalanceEvidence(text)
    rest = fell - moved.certain_micros
    if abs(rest - charge_micros) <= moved.rounding_micros:
        return BalanceEvidence(f"{text}: it was charged", speaks_for=True)
    if abs(rest) <= moved.rounding_micros:
        return BalanceEvidence(f"{text}: it was not charged", speaks_for=False)
    return BalanceEvidence(text)
