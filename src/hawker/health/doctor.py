"""What the doctor looks at once the database answers: each check a name, a state, what was found, and advice."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.health import queries
from hawker.health.state import Health, missing_migrations, read_health, unknown_migrations
from hawker.ledger.actions import check_currency
from hawker.ledger.errors import WrongCurrency
from hawker.providers.rotation import examine_sealing

State = Literal["ok", "warn", "fail"]

_LATE_SECONDS, _VERY_LATE_SECONDS = 60, 900
_LINGERS_SECONDS = 900
_STUCK_AFTER = timedelta(hours=1)
_CHECK_IS_OLD_SECONDS = 35 * 86_400
_BACKUP_IS_OLD_SECONDS = 48 * 3600
_MUCH_LOG = 5 << 30
_MANY_DEAD = 100_000
_LONG_SNAPSHOT_SECONDS = 900
_WRAPS_AT = 1_000_000_000
_MOST_DRIFT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome. `figure` is what was measured; `advice` is empty where nothing is to be done."""

    name: str
    state: State
    what: str
    figure: int | float | None = None
    advice: str = ""


def examine(*, now: datetime) -> list[Finding]:
    """Every check that needs the database, in the order of docs/operations.md. Raises Unavailable."""
    found = [_migrations(), *in_transaction(lambda cursor: list(_server(cursor, now)))]
    # The tables are read last: where migrations are missing there may be none.
    if found[0].state == "fail":
        return found
    health = read_health(now=now)
    return [
        *found,
        *in_transaction(lambda cursor: list(_upkeep(cursor))),
        *in_transaction(lambda cursor: list(_stuck(cursor, now))),
        *_panel(health),
        _currency(),
        *_sealing(),
    ]


def _currency() -> Finding:
    try:
        check_currency()
    except WrongCurrency as error:
        return Finding("currency", "fail", str(error), None, "set the currency of this process to that of the balances")
    return Finding("currency", "ok", "the settings and the balances agree")


def _sealing() -> Iterator[Finding]:
    """Whether the secrets of this process are those that the database was written under."""
    secret_key = settings().secret_key
    if secret_key is None:
        return
    told = examine_sealing(secret_key.get_secret_value())
    back = "restore the secrets.toml that belongs to this database"
    if told.secret_key_fits is False:
        yield Finding(
            "secret_key", "fail", "is not the one that API keys were made with: every API key is refused", None, back
        )
    elif told.secret_key_fits is None:
        yield Finding(
            "secret_key",
            "warn",
            "the secret that API keys were made with is not recorded",
            None,
            "run `hawker migrate`",
        )
    else:
        yield Finding("secret_key", "ok", "is the one that API keys were made with")
    if told.lost:
        what = f"does not decrypt the keys of {', '.join(told.lost)}"
        yield Finding("encryption_key", "fail", what, len(told.lost), f"{back}, or enter them again")
    elif told.stale or told.encryption_key_fits is False:
        what = "is new, and some providers' keys are not yet encrypted with it"
        yield Finding(
            "encryption_key",
            "warn",
            what,
            len(told.stale),
            "run `hawker secrets rotate` again to complete the rotation",
        )
    else:
        yield Finding("encryption_key", "ok", "decrypts every provider's key")


def _migrations() -> Finding:
    if missing := missing_migrations():
        what = f"not applied: {', '.join(missing)}"
        return Finding("migrations", "fail", what, len(missing), "run `hawker migrate`")
    if unknown := unknown_migrations():
        what = f"of a newer version than this one: {', '.join(unknown)}"
        return Finding("migrations", "warn", what, len(unknown), "bring this machine to the newer version too")
    return Finding("migrations", "ok", "all applied, none unknown", 0)


def _server(cursor: Cursor, now: datetime) -> Iterator[Finding]:
    version, their_now, most, used, age = _one(cursor, queries.SERVER)
    yield _judge("version", int(version) // 10_000, "PostgreSQL of this major version", fail=version < 150_000)
    off = sorted(name for name, value in ask(cursor, queries.DURABILITY) if value in ("off", "local"))
    what = f"off: {', '.join(off)}: a crash can lose committed transactions" if off else "commits are on disk"
    yield _judge("durability", len(off), what, fail=bool(off), advice="turn them on in postgresql.conf")
    yield _judge(
        "connections",
        most - used,
        f"{used} of {most} connections are in use",
        warn=used > most * 0.8,
        fail=used >= most - 3,
        advice="raise max_connections, or run fewer processes",
    )
    drift = abs((their_now - now).total_seconds())
    yield _judge(
        "clock",
        round(drift, 3),
        "seconds between the database's clock and ours",
        warn=drift > _MOST_DRIFT_SECONDS,
        advice="synchronise both machines with a time server",
    )
    yield _judge(
        "wraparound",
        age,
        "age of the oldest transaction id",
        warn=age > _WRAPS_AT // 2,
        fail=age > _WRAPS_AT,
        advice="check that autovacuum is on and finishes",
    )
    (owned,) = _one(cursor, queries.OWNED)
    yield _judge(
        "rights",
        owned,
        "tables that the application's role owns; it could disable their triggers",
        warn=owned > 0,
        advice="set HAWKER_DATABASE_ROLE to a role that owns nothing",
    )


def _upkeep(cursor: Cursor) -> Iterator[Finding]:
    size, kept = _one(cursor, queries.SIZES)
    yield _judge("size", size >> 20, "MB on the database's disk")
    yield _judge(
        "log_kept",
        kept >> 20,
        "MB of WAL kept for a replica",
        warn=kept > _MUCH_LOG,
        advice="an unused replication slot fills the disk: drop it, or start its replica",
    )
    dead = ask(cursor, queries.DEAD_ROWS, (_MANY_DEAD,)).fetchone()
    yield _judge(
        "vacuum",
        dead[1] if dead else 0,
        f"dead rows in {dead[0]}, which has {dead[2]} live rows" if dead else "vacuum removes dead rows",
        warn=dead is not None,
        advice="check that autovacuum is on, and that no transaction stays open",
    )
    seconds, holder = _one(cursor, queries.OLDEST_SNAPSHOT)
    yield _judge(
        "transactions",
        round(seconds),
        f"seconds that {holder} has held the oldest snapshot" if holder else "no snapshot is held",
        warn=seconds > _LONG_SNAPSHOT_SECONDS,
        advice="while it is held, hot accounts become slow to read: let a backup end, end a session that hangs",
    )


def _stuck(cursor: Cursor, now: datetime) -> Iterator[Finding]:
    (stuck,) = _one(cursor, queries.STUCK, (queries.LATELY, now - _STUCK_AFTER))
    yield _judge(
        "stuck_orders",
        stuck,
        f"of the newest {queries.LATELY:,} orders are at a provider and have no due work",
        fail=stuck > 0,
        advice="run `hawker order show` for each; this is a bug in Hawker: report it",
    )
    (expired,) = _one(cursor, queries.EXPIRED, (now - timedelta(minutes=1),))
    yield _judge(
        "expired_leases",
        expired,
        "attempts whose worker never came back",
        warn=expired > 0,
        advice="a running worker settles them within a second: start one",
    )


def _panel(health: Health) -> Iterator[Finding]:
    yield _judge(
        "workers",
        health.workers,
        "workers with a heartbeat in the last minute",
        fail=health.workers == 0,
        advice="start `hawker worker`: no order is sent or followed without one",
    )
    # What a provider that takes none keeps waiting is told of by `providers`.
    late = max(health.work, key=lambda item: item.oldest_seconds or 0.0, default=None)
    seconds = round(late.oldest_seconds or 0.0) if late else 0
    yield _judge(
        "queue_age",
        seconds,
        f"seconds that the oldest due work waits ({late.kind} at {late.provider or 'no provider'})"
        if late
        else "no work",
        warn=seconds > _LATE_SECONDS,
        fail=seconds > _VERY_LATE_SECONDS,
        advice="check that workers run and that this provider answers",
    )
    held = sum(item.rows for item in health.held)
    why = "; ".join(f"{item.rows} {item.kind}: {item.reason}" for item in health.held[:3])
    yield _judge(
        "held",
        held,
        f"orders that are held ({why})" if held else "no order is held",
        warn=held > 0,
        advice="`hawker order list --held` lists them, `hawker order show` shows one",
    )
    yield _judge(
        "unknowns",
        health.unknown,
        f"orders that a provider may or may not have; the oldest for {round(health.unknown_seconds)} seconds",
        warn=health.unknown > 0,
        fail=health.unknown_seconds > _LINGERS_SECONDS,
        advice="`hawker alert list`, then `hawker order resolve`",
    )
    closed = [item.name for item in health.providers if item.enabled and (item.paused or item.breaker_open)]
    yield _judge(
        "providers",
        len(closed),
        f"providers that get no orders now: {', '.join(closed)}" if closed else "all providers take orders",
        warn=bool(closed),
        advice="`hawker provider show` says why",
    )
    drifting = [item.name for item in health.providers if item.unexplained_micros > 0]
    yield _judge(
        "balances",
        len(drifting),
        f"balances that fell by more than our orders explain: {', '.join(drifting)}"
        if drifting
        else "balances agree (I15)",
        warn=bool(drifting),
        advice="compare the provider's orders with `hawker provider show`",
    )
    yield _backup(health.backup_seconds)
    alerts = sum(health.alerts.values())
    yield _judge("alerts", alerts, "open alerts", warn=alerts > 0, advice="`hawker alert list`")
    if health.breaches is None or health.check_seconds is None:
        yield Finding("invariants", "warn", "never checked yet", None, "a worker checks within the hour")
    else:
        yield _judge(
            "invariants",
            health.breaches,
            f"breaches in the last check, {round(health.check_seconds / 3600)} hours ago",
            warn=health.check_seconds > _CHECK_IS_OLD_SECONDS,
            fail=health.breaches > 0,
            advice="run `hawker verify`, which lists each",
        )


def _backup(seconds: float | None) -> Finding:
    advice = "`hawker backup` every night, and keep what it writes on another machine"
    if seconds is None:
        return Finding("backup", "warn", "no backup was ever made", None, advice)
    what = "hours since the last backup"
    return _judge("backup", round(seconds / 3600), what, warn=seconds > _BACKUP_IS_OLD_SECONDS, advice=advice)


def _judge(name: str, figure: float, what: str, *, warn: bool = False, fail: bool = False, advice: str = "") -> Finding:
    state: State = "fail" if fail else "warn" if warn else "ok"
    return Finding(name, state, what, figure, "" if state == "ok" else advice)


def _one(cursor: Cursor, statement: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    row = ask(cursor, statement, parameters).fetchone()
    assert row is not None
    return row
