"""How this process reaches PostgreSQL: which address, which role, which session settings."""

from enum import StrEnum
from typing import Any

from hawker.core.settings import Settings

APP_ROLE = "hawker_app"
OWNER_ROLE = "hawker"

_SESSION = {
    # A statement that runs this long is a fault; without a limit it would hold row locks that customers wait for.
    "statement_timeout": "60s",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "60s",
    "TimeZone": "UTC",
}

OWNER_LOCK_TIMEOUT = "1s"
"""For as long at most an ALTER TABLE that waits behind a backup holds up the traffic behind it. Commands of the owner
try again (core/lock_waits.py)."""

CONNECTION_TIMEOUTS: dict[str, int] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""Timeouts of the TCP connection, in seconds, one in milliseconds. A machine that lost its power or its network closes
no connection: with the system's defaults a query to it hangs for a quarter of an hour, and the wait for its result for
two hours. A slow statement is not affected, because its machine answers keepalives. The database URL may set others."""


class DatabaseAccess(StrEnum):
    """Who a process is to the database."""

    APP = "app"  # reads and writes rows, owns nothing: the ledger's triggers bind it (I5)
    OWNER = "owner"  # makes and changes tables: `hawker migrate` only


def database_url(settings: Settings, access: DatabaseAccess) -> str:
    """The connection string as psql takes it."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return settings.folder.embedded_url(OWNER_ROLE if access is DatabaseAccess.OWNER else APP_ROLE)


def session_options(settings: Settings, access: DatabaseAccess) -> str:
    """The `options` of a connection: session settings and, on a database of one's own, the role to fall to.

    An external DATABASE_URL usually logs in as the owner of the tables; the role set here takes its
    privileges away for everything but migrations. The embedded database has a login for each.
    """
    # The owner may write where others must wait for a restore to end; `migrate` looks for that itself.
    owners = {"TimeZone": "UTC", "default_transaction_read_only": "off", "lock_timeout": OWNER_LOCK_TIMEOUT}
    values: dict[str, Any] = dict(_SESSION if access is DatabaseAccess.APP else owners)
    if access is DatabaseAccess.APP and settings.database_url is not None and settings.database_role:
        values["role"] = settings.database_role
    return " ".join(f"-c {name}={value}" for name, value in values.items())
