"""What is read of the database for metrics and the doctor: a handful of statements over what is open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db.migrations.loader import MigrationLoader

from hawker.core.sql import Cursor, ask, in_transaction
from hawker.health import queries

HEARD_WITHIN = timedelta(seconds=60)
"""A worker that was not heard of for so long is not counted: it beats every ten seconds."""


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Work of one kind at one provider; no provider's name where it needs none."""

    kind: str
    provider: str
    rows: int
    due: int
    oldest_seconds: float
    held: int


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


@dataclass(frozen=True, slots=True)
class Health:
    """The figures of one moment. Ages are in seconds, None where there is nothing to have one."""

    work: Sequence[OpenWork]
    unknown: int
    unknown_seconds: float
    alerts: Mapping[str, int]
    workers: int
    heartbeat_seconds: float | None
    check_seconds: float | None
    breaches: int | None
    providers: Sequence[ProviderState]


def read_health(*, now: datetime) -> Health:
    """The figures of now, over one transaction. Raises Unavailable."""

    def work(cursor: Cursor) -> Health:
        cursor.execute("SET LOCAL statement_timeout = '10s'")
        rows = ask(cursor, queries.WORK, (now,)).fetchall()
        unknown, unknown_since = _one(ask(cursor, queries.UNKNOWN))
        workers, beat_at = _one(ask(cursor, queries.WORKERS, (now - HEARD_WITHIN,)))
        checked = ask(cursor, queries.LAST_CHECK).fetchone()
        return Health(
            work=[
                OpenWork(kind, name, count, due, max(0.0, _age(now, oldest) or 0.0), held)
                for kind, name, count, due, oldest, held in rows
            ],
            unknown=unknown,
            unknown_seconds=_age(now, unknown_since) or 0.0,
            alerts=dict(ask(cursor, queries.ALERTS).fetchall()),
            workers=workers,
            heartbeat_seconds=_age(now, beat_at),
            check_seconds=_age(now, checked[0]) if checked else None,
            breaches=checked[1] if checked else None,
            providers=[
                ProviderState(name, enabled, bool(paused), reason, bool(is_open), balance, unexplained)
                for name, enabled, paused, reason, is_open, balance, unexplained in ask(
                    cursor, queries.PROVIDERS, (now, now)
                )
            ],
        )

    return in_transaction(work)


def migrations_amiss() -> list[str]:
    """What of the database's migrations is not that of this version, in sentences. Raises Unavailable."""
    ours = _our_migrations()
    applied = {(app, name) for app, name in in_transaction(lambda cursor: ask(cursor, queries.MIGRATIONS).fetchall())}
    missing = [f"{app}.{name} is not applied: run `hawker migrate`" for app, name in sorted(ours - applied)]
    return missing + [f"{app}.{name} is of a newer version than this one" for app, name in sorted(applied - ours)]


def known_migrations() -> frozenset[str]:
    """Every migration of this version, as `app.name`. Asks no database."""
    return frozenset(f"{app}.{name}" for app, name in _our_migrations())


@cache
def _our_migrations() -> frozenset[tuple[str, str]]:
    loader = MigrationLoader(None)
    return frozenset(loader.disk_migrations or ())


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return row


def _age(now: datetime, moment: datetime | None) -> float | None:
    return None if moment is None else (now - moment).total_seconds()
