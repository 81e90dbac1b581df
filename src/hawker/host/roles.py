"""The roles and the database inside the cluster: made when missing, at every start."""

import psycopg
from psycopg import sql

from hawker.core.database import APP_ROLE, OWNER_ROLE
from hawker.core.datadir import DataDir

DATABASE = "hawker"

_APP_RIGHTS = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
_PATIENCE_SECONDS = 5


def connect(folder: DataDir, database: str = DATABASE) -> psycopg.Connection[tuple[object, ...]]:
    """A superuser's connection that commits each statement. psycopg.OperationalError while nobody answers."""
    return psycopg.connect(
        folder.embedded_url(OWNER_ROLE), dbname=database, autocommit=True, connect_timeout=_PATIENCE_SECONDS
    )


def answers(folder: DataDir, database: str = DATABASE) -> bool:
    """Whether a real query is answered now. A server that starts up or recovers refuses, a full one too."""
    try:
        with connect(folder, database) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False


def make_roles(folder: DataDir) -> None:
    """Make the application's role and the database unless they are there; put the role's rights right.

    Each step stands alone, so a kill between two of them is healed by the next start.
    """
    with connect(folder, "postgres") as connection:
        role = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone()
        verb = sql.SQL("ALTER ROLE" if role else "CREATE ROLE")
        connection.execute(sql.SQL(" ").join([verb, sql.Identifier(APP_ROLE), _APP_RIGHTS]))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            words = [sql.SQL("CREATE DATABASE"), sql.Identifier(DATABASE), sql.SQL("OWNER"), sql.Identifier(OWNER_ROLE)]
            connection.execute(sql.SQL(" ").join(words))
