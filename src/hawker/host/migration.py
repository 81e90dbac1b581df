"""Bringing the database to this version: roles, tables, guards, rights, the house's accounts."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from hawker.core.clock import SystemClock
from hawker.core.database import APP_ROLE
from hawker.core.settings import settings

APPEND_ONLY = (
    "transfer",
    "deposit",
    "correction",
    "order_event",
    "attempt_evidence",
    "audit_event",
    "restore",
)
"""Tables in which the application may only add rows; their triggers bind the owner too (I5)."""

NEVER_CHANGED = ("balance_reading",)
"""Tables in which the application may add and delete rows; their triggers say which may be deleted."""

NEVER_DELETED = (
    "account",
    "orders",
    "attempt",
    "refill",
    "drip",
    "subscription",
    "service",
    "app_user",
    "api_key",
    "provider",
    "alert",
)


class CannotMigrate(Exception):
    """The database cannot be brought to this version; the sentence says what must change first."""


WAIT_SECONDS = 600.0
"""How long locks are waited for: longer than any request, shorter than most backups."""

_TURN = "SELECT pg_advisory_lock(1937008998)"
_END_TURN = "SELECT pg_advisory_unlock(1937008998)"


def migrate(
    *, restoring: bool = False, wait_seconds: float = WAIT_SECONDS, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Run by `hawker migrate`, as the owner, with Django set up. Idempotent. Raises CannotMigrate.

    Each step waits for a lock for a second at most and is then tried again, for `wait_seconds`: what waits behind it is
    the traffic. `tell` gets a sentence that names who holds the lock. `restoring` says that a restore is at work on
    the database, and this is a part of it.
    """
    from hawker.core.lock_waits import LocksHeld, with_short_lock_waits

    _check_server()
    if not restoring:
        _check_whole()
    try:
        with_short_lock_waits(partial(_migrate, tell), give_up_seconds=wait_seconds, tell=tell)
    except LocksHeld as error:
        raise CannotMigrate(
            f"{error}. Changes of the tables wait for it and were given up after {wait_seconds:g} seconds, so that "
            "traffic goes on. Those that are done stay. If it is a backup or a report, let it end; else end it with "
            "SELECT pg_terminate_backend(PROCESS). Then run `hawker migrate` again"
        ) from error


def _migrate(tell: Callable[[str], None]) -> None:
    from django.core.management import call_command
    from django.db import DatabaseError, connection

    from hawker.ledger.actions import open_house_accounts
    from hawker.ledger.errors import WrongCurrency
    from hawker.providers.rotation import keep_secrets

    role = settings().database_role if settings().database_url is not None else APP_ROLE
    with connection.cursor() as cursor:
        # Two machines that are upgraded at once: the second one waits here, and then finds nothing left to do.
        cursor.execute(_TURN)
    try:
        if _is_newer(tell):
            return
        _check_start()
        if role:
            _ensure_role(role)
        call_command("migrate", verbosity=0, interactive=False)
        if role:
            _run(rights_for(role))
        try:
            open_house_accounts()
        except WrongCurrency as error:
            raise CannotMigrate(str(error)) from error
        if settings().secret_key is not None:
            keep_secrets(settings().require_secret(), now=SystemClock().now())
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(_END_TURN)


def rights_for(role: str) -> Sequence[str]:
    """The statements that give the application its rights, and no more."""
    append_only, never_changed, never_deleted = map(", ".join, (APPEND_ONLY, NEVER_CHANGED, NEVER_DELETED))
    return (
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"REVOKE UPDATE, DELETE ON {append_only} FROM {role}",
        f"REVOKE UPDATE ON {never_changed} FROM {role}",
        f"REVOKE DELETE ON {never_deleted} FROM {role}",
        f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
    )


def _check_server() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        (version,) = cursor.fetchone()
    if int(version) < 150_000:
        raise CannotMigrate(f"PostgreSQL 15 or later is needed; the server is version {int(version) // 10_000}")


def _is_newer(tell: Callable[[str], None]) -> bool:
    """Whether the database is of a newer version than this one, which then must leave it as it is: it would take back
    rights that the newer one has set. Raises CannotMigrate where migrations of this version are missing as well.
    """
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    from hawker.health.state import newer_migrations, own_migrations

    applied = MigrationRecorder(connection).applied_migrations()
    newer = newer_migrations(applied)
    if not newer:
        return False
    if missing := sorted(own_migrations() - {f"{app}.{name}" for app, name in applied}):
        raise CannotMigrate(
            f"the database is of another version of Hawker: it has {newer[0]}, and it has not {missing[0]}. Use the "
            "version that it was last migrated with; nothing was changed"
        )
    tell(
        f"the database is of a newer version of Hawker ({newer[0]}): nothing was changed. docs/upgrading.md says how "
        "long both versions may run side by side"
    )
    return True


def _check_whole() -> None:
    from django.db import connection

    from hawker.core.restore_mark import CUT_OFF, is_marked

    connection.ensure_connection()
    if is_marked(connection.connection):
        raise CannotMigrate(CUT_OFF)


def _check_start() -> None:
    """Refuse a database that stopped on the way through migrations that are one now (`replaces`)."""
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.recorder import MigrationRecorder

    applied = set(MigrationRecorder(connection).applied_migrations())
    for start, migration in (MigrationLoader(None).disk_migrations or {}).items():
        done = [old in applied for old in migration.replaces]
        if done and not all(done) and (any(done) or start in applied):
            raise CannotMigrate(
                f"the database was made by an early version, and the migrations of {start[0]} have begun anew since: "
                "bring it to the last version before that first (commit 25117f2)"
            )


def _ensure_role(role: str) -> None:
    """The role the application works as. On the embedded database it is there already."""
    from django.db import Error, connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = %s", [role])
        row = cursor.fetchone()
    if row is not None and row[0]:
        return
    try:
        if row is None:
            _run((f"CREATE ROLE {role} NOLOGIN",))
        _run((f"GRANT {role} TO CURRENT_USER",))
    except Error as error:
        raise CannotMigrate(
            f"the database login may not make the role {role}, under which the application works. As an administrator "
            f"run: CREATE ROLE {role} NOLOGIN; GRANT {role} TO the login. Or set HAWKER_DATABASE_ROLE to nothing, "
            "and the application works as the owner of its tables"
        ) from error


def _run(statements: Sequence[str]) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
