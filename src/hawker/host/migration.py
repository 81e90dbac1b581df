"""Bringing the database to this version: roles, tables, guards, rights, the house's accounts."""

from collections.abc import Sequence

from hawker.core.clock import SystemClock
from hawker.core.database import APP_ROLE
from hawker.core.settings import settings

APPEND_ONLY = (
    "transfer",
    "deposit",
    "correction",
    "order_event",
    "attempt_evidence",
    "balance_reading",
    "audit_event",
    "restore",
)
"""Tables in which the application may only add rows; their triggers bind the owner too (I5)."""

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


def migrate(*, restoring: bool = False) -> None:
    """Run by `hawker migrate`, as the owner, with Django set up. Idempotent. Raises CannotMigrate.

    `restoring` says that a restore is at work on the database, and this is a part of it.
    """
    from django.core.management import call_command

    from hawker.ledger.actions import open_house_accounts
    from hawker.ledger.errors import WrongCurrency
    from hawker.providers.rotation import keep_secrets

    role = settings().database_role if settings().database_url is not None else APP_ROLE
    _check_server()
    if not restoring:
        _check_whole()
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


def rights_for(role: str) -> Sequence[str]:
    """The statements that give the application its rights, and no more."""
    append_only, never_deleted = ", ".join(APPEND_ONLY), ", ".join(NEVER_DELETED)
    return (
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"REVOKE UPDATE, DELETE ON {append_only} FROM {role}",
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


def _check_whole() -> None:
    from django.db import connection

    from hawker.core.restore_mark import CUT_OFF, is_marked

    connection.ensure_connection()
    if is_marked(connection.connection):
        raise CannotMigrate(CUT_OFF)


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
