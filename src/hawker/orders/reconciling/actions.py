"""Clearing up unknown orders at a provider: which numbers to ask about, and what the answers prove.

Two transactions with the calls between them. Whatever the judgement rests on is read again in the second: what
another worker, a late answer or a person has changed meanwhile is seen.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg

from hawker.alerts.actions import Raised, log_alerts
from hawker.core.actors import system
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.models import EvidenceKind, HoldKind
from hawker.orders.reconciling import provider_balance_queries as mirror_queries
from hawker.orders.reconciling import queries
from hawker.orders.reconciling.number_windows import (
    BEFORE_ALL,
    CLOCK_SKEW,
    MAX_CALLS,
    OPEN_AFTER,
    ORDER_OR_RESOLVE,
    PER_CALL,
    Doubt,
    Later,
    Neighbour,
    Side,
    Window,
    windows_of,
)
from hawker.orders.reconciling.provider_balance import BalanceEvidence, weigh_balance
from hawker.orders.reconciling.rules import SECOND_LOOK, Bind, NotMade, NumberScan, holds_none, judge
from hawker.orders.sending import settling_queries as settle_queries
from hawker.orders.sending.rules import Found, NotThere
from hawker.orders.sending.settling import BINDINGS, Outcome, settle_within
from hawker.orders.waits import backoff
from hawker.protocol.presence import Presence
from hawker.providers.availability import Pace, ask_slots, use_slots
from hawker.providers.pace import burst

ACTOR = system("reconcile")
BATCH = 20
LEASE = timedelta(minutes=2)
_SAMPLE = 30
_DOUBT_LASTS = timedelta(minutes=10)
"""Far longer than any attempt's lease."""


@dataclass(frozen=True, slots=True)
class Case:
    """An unknown whose window will be looked at. `controls` are numbers beside it that no order of ours can have,
    `known` orders of ours in it of which we know when they were made."""

    attempt_id: int
    window: Window
    candidates: Sequence[int]
    controls: Sequence[int]
    known: Sequence[Neighbour]


@dataclass(frozen=True, slots=True)
class StatusCall:
    """One `status` call: numbers to ask about between two that are known to be ours."""

    known: tuple[int, int]
    asked: Sequence[int]


@dataclass(slots=True)
class ReconcilePlan:
    """What to ask a provider. `needs_balance`: no balance is known from after the attempts."""

    provider_id: int
    tries: dict[int, int] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    calls: dict[tuple[int, int], list[StatusCall]] = field(default_factory=dict)
    needs_balance: bool = False


@dataclass(slots=True)
class _Survey:
    """What the database knows of a provider's unknowns at this moment. `most_calls` is how many calls the provider's
    rate limit allows at once, `scans_of` when each attempt's scans were answered and what they found."""

    siblings: list[int]
    currency: str
    scans: bool
    most_calls: int
    doubts: list[Doubt] = field(default_factory=list)
    first_sending: datetime | None = None
    relays: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    restored_at: datetime | None = None
    before: dict[int, list[Neighbour]] = field(default_factory=lambda: defaultdict(list))
    after: dict[int, list[Neighbour]] = field(default_factory=lambda: defaultdict(list))
    scans_of: dict[int, list[tuple[datetime, dict[str, Any]]]] = field(default_factory=lambda: defaultdict(list))


@dataclass(slots=True)
class _Notes:
    """What is written of attempts that stay unknown: evidence where it is new, and when to look again."""

    provider_id: int
    now: datetime
    tries: Mapping[int, int]
    evidence: list[tuple[int, EvidenceKind, str, str | None]] = field(default_factory=list)
    put_off: list[tuple[int, datetime, int, str, str]] = field(default_factory=list)

    def later(self, doubt: Doubt, later: Later, *, wait: timedelta | None = None) -> None:
        tries = self.tries.get(doubt.order_id, 0) + 1
        if wait is None:
            shortest, longest = (10, 6 * 60) if later.person else (0.5, 10)
            wait = backoff(tries - 1, shortest=timedelta(minutes=shortest), longest=timedelta(minutes=longest))
        if later.look_by is not None:
            wait = min(wait, max(later.look_by - self.now, timedelta(seconds=1)))
        kind, text = (HoldKind.PERSON, f"for a person: {later.why}") if later.person else (HoldKind.LATER, later.why)
        self.put_off.append((doubt.order_id, self.now + wait, tries, text[:80], kind.value))


def plan_looks(provider_id: int, *, now: datetime) -> ReconcilePlan:
    """Claim the provider's due unknowns and say what to ask about them. Raises Unavailable.

    Of those that cannot be looked at, the reason is written down, and when it is worth another try.
    """
    return in_transaction(lambda cursor: _plan(cursor, provider_id, now))


def _plan(cursor: Cursor, provider_id: int, now: datetime) -> ReconcilePlan:
    plan = ReconcilePlan(provider_id)
    claimed: dict[int, int] = dict(
        ask(cursor, queries.CLAIM_RECONCILES, (provider_id, now, BATCH, now + LEASE)).fetchall()
    )
    if not claimed:
        return plan
    plan.tries = claimed
    notes = _Notes(provider_id, now, claimed)
    survey = _survey(cursor, provider_id, list(claimed), now)
    for doubt in survey.doubts:
        if not doubt.open or doubt.order_id not in claimed:
            continue
        case = _case(cursor, survey, doubt, now)
        if isinstance(case, Later):
            notes.evidence.append((doubt.attempt_id, EvidenceKind.WAIT, case.text, None))
            notes.later(doubt, case)
        else:
            plan.cases.append(case)
    _cut_to_pace(cursor, plan, survey, notes)
    plan.needs_balance = any(_lacks_balance(cursor, provider_id, doubt) for doubt in _doubts_of(survey, plan))
    _write_notes(cursor, notes)
    return plan


def _survey(cursor: Cursor, provider_id: int, order_ids: Sequence[int], now: datetime) -> _Survey:
    rows = ask(cursor, queries.READ_SIBLINGS, (provider_id,)).fetchall()
    siblings = [row[0] for row in rows]
    _, currency, scans, limit = rows[0]
    most_calls = MAX_CALLS if limit is None else min(burst(limit), MAX_CALLS)
    survey = _Survey(siblings, currency, scans, most_calls)
    attempts = [row[0] for row in ask(cursor, queries.READ_UNKNOWN, (list(order_ids),))]
    _read_neighbours(cursor, survey, attempts)
    for attempt_id, at, facts in ask(cursor, queries.READ_LOOKS, (attempts,)):
        survey.scans_of[attempt_id].append((at, json.loads(facts) if isinstance(facts, str) else facts))
    known = [n.started_at for found in (*survey.before.values(), *survey.after.values()) for n in found]
    # Whatever may have got a number beside the oldest known one here was sent at most a lease before it. Where nothing
    # is known before an unknown, its window is open below, and every doubt may be in it.
    oldest = min(known, default=now) if all(survey.before[attempt] for attempt in attempts) else BEFORE_ALL
    since = oldest - _DOUBT_LASTS
    survey.doubts = [Doubt(*row) for row in ask(cursor, queries.READ_DOUBTS, (CLOCK_SKEW, siblings, since))]
    restores = ask(cursor, queries.READ_RESTORES).fetchall()
    survey.restored_at = max((restored_at for _, restored_at in restores), default=None)
    survey.relays = [*ask(cursor, queries.READ_RELAYS, (siblings, since)), *restores]
    (survey.first_sending,) = ask(cursor, queries.FIRST_SENDING, (siblings,)).fetchone() or (None,)
    return survey


def _read_neighbours(cursor: Cursor, survey: _Survey, attempt_ids: Sequence[int]) -> None:
    parameters = (CLOCK_SKEW, list(attempt_ids), survey.siblings, CLOCK_SKEW, _SAMPLE, _SAMPLE, CLOCK_SKEW)
    rows = ask(cursor, queries.READ_NEIGHBOURS, parameters)
    for attempt_id, is_before, *neighbour in rows:
        found = survey.before if is_before else survey.after
        if (known := Neighbour(*neighbour)) not in found[attempt_id]:
            found[attempt_id].append(known)


def _case(cursor: Cursor, survey: _Survey, doubt: Doubt, now: datetime) -> Case | Later:
    """The first of an unknown's windows that can be looked at."""
    if survey.restored_at is not None and doubt.started_at <= survey.restored_at:
        # The panel may have cleared it up and sent it again, even to another provider: no window here tells.
        return Later("the panel was restored from a backup after the send", person=True)
    if not survey.scans:
        return Later("scans are disabled for this provider (reconcile_scan)", person=True)
    if now < doubt.ended_at:
        return Later("the request may still be in progress")
    before, after = survey.before[doubt.attempt_id], survey.after[doubt.attempt_id]
    windows = windows_of(doubt, before, after, now=now, most_calls=survey.most_calls)
    if isinstance(windows, Later):
        return windows
    if windows[0].open is Side.HIGH and (result := _open_result(survey, doubt)):
        # What appears there after a scan was made by somebody else: a second scan could only bind it wrongly.
        return Later(result, person=True, advice=ORDER_OR_RESOLVE, look_by=now + OPEN_AFTER)
    sizes = []
    for window in windows:
        if survey.first_sending is not None and survey.first_sending <= window.high.done_at:
            return Later("another order of ours in its window is still in progress")
        candidates, known = _contents(cursor, survey, window, survey.most_calls * PER_CALL)
        if candidates is not None:
            controls = _controls(cursor, survey, doubt, window, [*before, *after], _room(candidates))
            return Case(doubt.attempt_id, window, candidates, controls, known)
        sizes.append(window.numbers)
    return Later(f"its window has {' or '.join(map(str, sizes))} numbers, more than one scan may ask for", person=True)


def _open_result(survey: _Survey, doubt: Doubt) -> str | None:
    """What the scan of its window without an order after it came to; None where none was answered clearly."""
    results: list[str] = [
        facts["result"]
        for _, facts in survey.scans_of[doubt.attempt_id]
        if facts.get("open") == Side.HIGH and not facts["unclear"]
    ]
    return results[-1] if results else None


def _room(candidates: Sequence[int]) -> int:
    """How many numbers the last call can still hold; a whole call where the window itself needs none."""
    return -len(candidates) % PER_CALL if candidates else PER_CALL


def _contents(cursor: Cursor, survey: _Survey, window: Window, most: int) -> tuple[list[int] | None, list[Neighbour]]:
    """The numbers in a window that belong to nothing of ours, or None where there are more than `most`, and the orders
    of ours in it of which we know when they were made."""
    low, high = window.low.upstream_id, window.high.upstream_id
    bounds = (survey.siblings, low, high)
    rows = ask(cursor, queries.READ_BOUND, bounds + bounds).fetchall()
    known = [Neighbour(*row) for row in rows if row[1] is not None]
    bound = {row[0] for row in rows}
    if survey.relays:
        bound |= {row[0] for row in ask(cursor, queries.READ_LISTED, bounds)}
    if high - low - 1 - len(bound) > most:
        return None, known
    return [number for number in range(low + 1, high) if number not in bound], known


def _controls(
    cursor: Cursor, survey: _Survey, doubt: Doubt, window: Window, known: Sequence[Neighbour], most: int
) -> list[int]:
    """Numbers beside the window, up to the next known one on either side, that no order of ours can have.

    They fill the last call. One that answers shows that something else orders under our key, or that the provider
    gives numbers in another way than we think. A side is left out where a doubt or a running attempt may have one.
    """
    lower = max((n for n in known if n.upstream_id < window.low.upstream_id), key=lambda n: n.upstream_id, default=None)
    upper = min(
        (n for n in known if n.upstream_id > window.high.upstream_id), key=lambda n: n.upstream_id, default=None
    )
    sides = [Window(lower, window.low)] if lower and window.open is not Side.LOW else []
    sides += [Window(window.high, upper)] if upper and window.open is not Side.HIGH else []
    controls: list[int] = []
    for side in sides:
        doubted = any(side.overlaps(d.started_at, d.ended_at) for d in survey.doubts if d is not doubt)
        sending = survey.first_sending is not None and survey.first_sending <= side.high.done_at
        if doubted or sending or _is_relayed(survey, side) or side.numbers > 10 * PER_CALL:
            continue
        free, _ = _contents(cursor, survey, side, 10 * PER_CALL)
        free = free or []
        controls += free[: (most - len(controls)) // 2 if side is not sides[-1] else most - len(controls)]
    return controls


def _is_relayed(survey: _Survey, window: Window) -> bool:
    """Whether the provider may have made orders of its own for a subscription in this window."""
    return any(window.overlaps(since, until) for since, until in survey.relays)


def _cut_to_pace(cursor: Cursor, plan: ReconcilePlan, survey: _Survey, notes: _Notes) -> None:
    """Keep the cases whose calls the provider's minute still holds; several of one window share its calls."""
    wanted: dict[tuple[int, int], list[StatusCall]] = {}
    for case in plan.cases:
        numbers = [*case.candidates, *case.controls]
        calls = [StatusCall(case.window.ours, numbers[i : i + PER_CALL]) for i in range(0, len(numbers), PER_CALL)]
        wanted[_key(case.window)] = calls
    slots = ask_slots(cursor, plan.provider_id, Pace.STATUSES, want=sum(map(len, wanted.values())), now=notes.now)
    left = slots.most
    for key, calls in wanted.items():
        if len(calls) <= left:
            left -= len(calls)
            plan.calls[key] = calls
    use_slots(cursor, slots, slots.most - left, now=notes.now)
    kept = [case for case in plan.cases if _key(case.window) in plan.calls]
    for doubt in survey.doubts:
        if any(case.attempt_id == doubt.attempt_id for case in plan.cases if case not in kept):
            notes.later(
                doubt, Later("the provider's rate limit is used up for this minute"), wait=timedelta(seconds=15)
            )
    plan.cases = kept


def _key(window: Window) -> tuple[int, int]:
    return window.low.upstream_id, window.high.upstream_id


def _doubts_of(survey: _Survey, plan: ReconcilePlan) -> list[Doubt]:
    attempts = {case.attempt_id for case in plan.cases}
    return [doubt for doubt in survey.doubts if doubt.attempt_id in attempts]


def _lacks_balance(cursor: Cursor, provider_id: int, doubt: Doubt) -> bool:
    return ask(cursor, mirror_queries.FIRST_READING, (provider_id, doubt.ended_at)).fetchone() is None


# --- what the answers prove ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answers:
    """What the calls of each window brought; a sentence where one failed, and then nothing of that window counts."""

    told: Mapping[tuple[int, int], Presence | str]


def conclude_looks(plan: ReconcilePlan, answers: Answers, *, now: datetime) -> int:
    """Bind, queue again, or leave for later or for a person; answers how many unknowns were settled.

    Every look and what it came to is evidence of its attempt. Raises Unavailable; then nothing of it is written, and
    the unknowns are due again when their lease ends.
    """
    while True:
        try:
            settled, opened = in_transaction(lambda cursor: _conclude(cursor, plan, answers, now))
        except psycopg.errors.UniqueViolation as error:
            # Another process bound an id between our look and our write; looking again now finds it bound.
            if error.diag.constraint_name not in BINDINGS:
                raise
        else:
            log_alerts(opened)
            return settled


def _conclude(cursor: Cursor, plan: ReconcilePlan, answers: Answers, now: datetime) -> tuple[int, list[Raised]]:
    survey = _survey(cursor, plan.provider_id, list(plan.tries), now)
    doubts = {doubt.attempt_id: doubt for doubt in survey.doubts if doubt.open}
    cases = [case for case in plan.cases if case.attempt_id in doubts]
    notes = _Notes(plan.provider_id, now, plan.tries)
    since = _empty_since(survey, cases)
    outcomes: list[Outcome] = []
    for case in cases:
        doubt, told = doubts[case.attempt_id], answers.told[_key(case.window)]
        if isinstance(told, str):
            notes.evidence.append((doubt.attempt_id, EvidenceKind.WAIT, f"the provider was asked: {told}", None))
            notes.later(doubt, Later(told), wait=SECOND_LOOK)
            continue
        fresh = _case(cursor, survey, doubt, now)
        if isinstance(fresh, Later) or fresh.window != case.window or not set(fresh.candidates) <= set(case.candidates):
            # What was asked about is not what would be asked about now.
            notes.later(doubt, Later("its window has changed"), wait=timedelta(seconds=5))
            continue
        look = _look(fresh, told)
        balance = _weigh(cursor, plan.provider_id, doubt)
        judged = judge(
            doubt,
            look,
            [other for other in survey.doubts if other is not doubt],
            currency=survey.currency,
            relayed=_is_relayed(survey, fresh.window),
            sample=len(survey.before[doubt.attempt_id]) + len(survey.after[doubt.attempt_id]),
            empty_since=since.get(doubt.attempt_id),
            charged=balance.speaks_for,
            now=now,
        )
        none = holds_none(doubt, look, survey.currency)
        facts = _facts(look, none=none, result=judged.why)
        notes.evidence.append((doubt.attempt_id, EvidenceKind.SCAN, f"{_told(judged)}; {balance.text}", facts))
        match judged:
            case Bind(upstream_id, why):
                outcomes.append(Outcome(doubt.attempt_id, Found(upstream_id, why)))
            case NotMade(why):
                outcomes.append(Outcome(doubt.attempt_id, NotThere(why)))
            case Later() as later:
                first = none and not later.person
                notes.later(doubt, later, wait=SECOND_LOOK + timedelta(seconds=1) if first else None)
    _write_notes(cursor, notes)
    settled, opened = (
        settle_within(cursor, outcomes, now, actor=ACTOR, operation="order.reconcile") if outcomes else ([], [])
    )
    if settled:
        ask(cursor, queries.LOOK_NOW, (now, plan.provider_id))
    failpoint("reconcile-before-commit")
    return len(settled), opened


def _told(judged: Bind | NotMade | Later) -> str:
    return judged.text if isinstance(judged, Later) else judged.why


def _look(case: Case, told: Presence) -> NumberScan:
    asked = {*case.candidates, *case.controls}
    return NumberScan(
        window=case.window,
        orphans={number: told.found[number] for number in case.candidates if number in told.found},
        strays=[number for number in case.controls if number in told.found],
        unclear=len(told.unclear & asked) + len(set(case.candidates) - told.absent - told.unclear - told.found.keys()),
        known=case.known,
    )


def _weigh(cursor: Cursor, provider_id: int, doubt: Doubt) -> BalanceEvidence:
    if doubt.charge_micros is None:
        return BalanceEvidence("its charge was not known when it was sent")
    return weigh_balance(
        cursor,
        provider_id,
        attempt_id=doubt.attempt_id,
        started_at=doubt.started_at,
        ended_at=doubt.ended_at,
        charge_micros=doubt.charge_micros,
    )


def _facts(look: NumberScan, *, none: bool, result: str) -> str:
    return json.dumps(
        {
            "low": look.window.low.upstream_id,
            "high": look.window.high.upstream_id,
            "whole": look.window.whole,
            "open": look.window.open,
            "empty": none,
            "result": result,
            "unclear": look.unclear,
            "strays": list(look.strays),
            "orphans": {
                str(number): None
                if status is None
                else {"status": status.status, "charge_micros": status.charge_micros, "remains": status.remains}
                for number, status in look.orphans.items()
            },
        }
    )


def _empty_since(survey: _Survey, cases: Sequence[Case]) -> dict[int, datetime]:
    """When each case's present window was first seen without an order of its own; only where no look since then found
    one that could be."""
    since: dict[int, datetime] = {}
    for case in cases:
        for at, seen in survey.scans_of[case.attempt_id]:
            if seen["empty"] and seen["whole"] and (seen["low"], seen["high"]) == _key(case.window):
                since.setdefault(case.attempt_id, at)
            else:
                since.pop(case.attempt_id, None)
    return since


def _write_notes(cursor: Cursor, notes: _Notes) -> None:
    """Evidence that only repeats what was said last is left out, but for looks: when they were made matters."""
    if notes.evidence:
        last: dict[int, str] = dict(ask(cursor, queries.LAST_TEXTS, ([row[0] for row in notes.evidence],)).fetchall())
        fresh = [row for row in notes.evidence if row[1] is EvidenceKind.SCAN or last.get(row[0]) != row[2]]
        if fresh:
            attempts, kinds, texts, facts = zip(*fresh, strict=True)
            parameters = (notes.now, list(attempts), [kind.value for kind in kinds], list(texts), list(facts))
            ask(cursor, settle_queries.INSERT_EVIDENCE, parameters)
    if notes.put_off:
        ask(cursor, queries.PUT_OFF, tuple(map(list, zip(*notes.put_off, strict=True))))


def look_again_at_unknowns(provider_id: int, *, now: datetime) -> None:
    """Have all of a provider's unknowns looked at now. Raises Unavailable."""
    in_transaction(lambda cursor: ask(cursor, queries.LOOK_NOW, (now, provider_id)))
