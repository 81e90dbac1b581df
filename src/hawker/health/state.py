"""What is read of the database for metrics and the doctor: a handful of statements over what is open."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db.migrations.loader import MigrationLoader

from hawker.core.sql import Cursor, ask, in_transaction
from hawker.health import queries
from hawker.orders.models import FINISHED, State, WorkKind

HEARD_WITHIN = timedelta(seconds=60)
"""A worker that was not heard of for so long is not counted: it beats every ten seconds."""


_FOR_TAKERS = (WorkKind.DISPATCH, WorkKind.REFILL)
"""Work that a provider which takes no orders now is not sent."""


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Work of one kind at one provider, counted up to MOST_COUNTED; no provider's name where it needs none.

    `oldest_seconds` is how late the oldest is, None of what waits for a provider that takes none now: that is not late.
    """

    kind: str
    provider: str
    rows: int
    due: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class Held:
    """Work that is held for one reason."""

    kind: str
    provider: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class ProviderState:
    """What keeps a provider from being sent orders, and what is not explained of our balance there."""

    name: str
    enabled: bool
    paused: bool
    reason: str
    breaker_open: bool
    balance_micros: int | None
    unexplained_micros: int

    @property
    def takes_orders(self) -> bool:
        return self.enabled and not self.paused and not self.breaker_open


@dataclass(frozen=True, slots=True)
class Health:
    """The figures of one moment. Ages are in seconds, None where there is nothing to have one."""

    work: Sequence[OpenWork]
    held: Sequence[Held]
    orders: Mapping[str, int]
    unknown: int
    unknown_seconds: float
    alerts: Mapping[str, int]
    workers: int
    heartbeat_seconds: float | None
    check_seconds: float | None
    breaches: int | None
    backup_seconds: float | None
    providers: Sequence[ProviderState]
    snapshot_seconds: float


def read_health(*, now: datetime) -> Health:
    """The figures of now, over one transaction. Raises Unavailable."""

    def work(cursor: Cursor) -> Health:
        cursor.execute("SET LOCAL statement_timeout = '10s'")
        providers = [
            ProviderState(name, enabled, bool(paused), reason, bool(is_open), balance, unexplained)
            for name, enabled, paused, reason, is_open, balance, unexplained in ask(
                cursor, queries.PROVIDERS, (now, now)
            )
        ]
        closed = {item.name for item in providers if not item.takes_orders}
        unknown, unknown_since = _one(ask(cursor, queries.UNKNOWN))
        workers, beat_at = _one(ask(cursor, queries.WORKERS, (now - HEARD_WITHIN,)))
        checked = ask(cursor, queries.LAST_CHECK).fetchone()
        copied = ask(cursor, queries.LAST_BACKUP).fetchone()
        open_work, held = _work(cursor, closed, now)
        return Health(
            work=open_work,
            held=held,
            orders=_orders(cursor, open_work),
            unknown=unknown,
            unknown_seconds=_age(now, unknown_since) or 0.0,
            alerts=dict(ask(cursor, queries.ALERTS).fetchall()),
            workers=workers,
            heartbeat_seconds=_age(now, beat_at),
            check_seconds=_age(now, checked[0]) if checked else None,
            breaches=checked[1] if checked else None,
            backup_seconds=_age(now, copied[0]) if copied else None,
            providers=providers,
            snapshot_seconds=_one(ask(cursor, queries.OLDEST_SNAPSHOT))[0],
        )

    return in_transaction(work)


def missing_migrations() -> list[str]:
    """The migrations of this version that the database does not have, as `app.name`. Raises Unavailable."""
    return sorted(f"{app}.{name}" for app, name in _our_migrations() - _applied_migrations())


def unknown_migrations() -> list[str]:
    """The migrations of the database that this version does not know, as `app.name`. Raises Unavailable."""
    return newer_migrations(_applied_migrations())


def newer_migrations(applied: Iterable[tuple[str, str]]) -> list[str]:
    """Those of the applied migrations (app, name) that this version neither has nor has squashed, as `app.name`."""
    return sorted(f"{app}.{name}" for app, name in set(applied) - _our_migrations() - _squashed_migrations())


def _applied_migrations() -> set[tuple[str, str]]:
    return {(app, name) for app, name in in_transaction(lambda cursor: ask(cursor, queries.MIGRATIONS).fetchall())}


def _work(cursor: Cursor, closed: Collection[str], now: datetime) -> tuple[list[OpenWork], list[Held]]:
    kinds, most = [kind.value for kind in WorkKind], queries.MOST_COUNTED
    rows = ask(cursor, queries.WORK, (most, now, most, kinds)).fetchall()
    names = {provider_id: name for _, provider_id, name, *_ in rows}
    open_work = []
    for kind, _, name, count, due, oldest in rows:
        waits = name in closed and kind in _FOR_TAKERS
        late = None if waits else max(0.0, _age(now, oldest) or 0.0)
        if count:
            open_work.append(OpenWork(kind, name, count, due, late))
    held = [
        Held(kind, names.get(provider_id, ""), reason, count)
        for kind, provider_id, reason, count in ask(cursor, queries.HELD)
    ]
    return open_work, held


def _orders(cursor: Cursor, open_work: Sequence[OpenWork]) -> dict[str, int]:
    """How many orders are in each state: those that are open counted, unless they are many, all others as the database
    guesses them."""
    guessed: dict[str, int] = dict(ask(cursor, queries.GUESSED_ORDERS).fetchall())
    if sum(item.rows for item in open_work) >= queries.MOST_OPEN:
        return guessed
    counted: dict[str, int] = dict(ask(cursor, queries.OPEN_ORDERS, (queries.MOST_OPEN,)).fetchall())
    return {state: (guessed if state in FINISHED else counted).get(state, 0) for state in State.values}


def own_migrations() -> frozenset[str]:
    """Every migration of this version, as `app.name`. Asks no database."""
    return frozenset(f"{app}.{name}" for app, name in _our_migrations())


def known_migrations() -> frozenset[str]:
    """Every migration of this version and of earlier ones, as `app.name`. Asks no database."""
    return frozenset(f"{app}.{name}" for app, name in _our_migrations() | _squashed_migrations())


@cache
def _our_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations or ())


@cache
def _squashed_migrations() -> frozenset[tuple[str, str]]:
    """Migrations of earlier versions that one of this version stands for: their rows stay in the database."""
    found = MigrationLoader(None).disk_migrations or {}
    return frozenset((app, name) for migration in found.values() for app, name in migration.replaces)


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return row


def _age(now: datetime, moment: datetime | None) -> float | None:
    return None if moment is None else (now - moment).total_seconds()
