"""What keeps everybody from writing to an external database while a restore is at work on it, also after it was killed.

The database itself says so: connections to it begin with transactions that only read. Ours ask for the contrary.
"""

from typing import Any

import psycopg
from psycopg import conninfo, sql

OWN_OPTION = "-c default_transaction_read_only=off"

CUT_OFF = "a restore of this database was interrupted: run `hawker restore` again"


def writing(url: str) -> str:
    """The same address, for connections that may write although the database is marked."""
    options = conninfo.conninfo_to_dict(url).get("options") or ""
    return conninfo.make_conninfo(url, options=f"{options} {OWN_OPTION}".strip())


def is_marked(connection: "psycopg.Connection[Any]") -> bool:
    """Whether a restore is at work on the database, or was cut off."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "WHERE d.datname = current_database() AND s.setrole = 0 "
        "AND 'default_transaction_read_only=on' = ANY(s.setconfig))"
    ).fetchone()
    return row is not None and bool(row[0])


def mark(connection: "psycopg.Connection[Any]") -> None:
    """From now on new connections cannot write, those that are open can. Needs the database's owner."""
    _alter(connection, "SET default_transaction_read_only = on")


def unmark(connection: "psycopg.Connection[Any]") -> None:
    """New connections may write again."""
    _alter(connection, "RESET default_transaction_read_only")


def _alter(connection: "psycopg.Connection[Any]", what: str) -> None:
    row = connection.execute("SELECT current_database()").fetchone()
    assert row is not None, "every connection is to a database"
    connection.execute(sql.SQL("ALTER DATABASE {} ").format(sql.Identifier(row[0])) + sql.SQL(what))
