"""Writing millions of rows: triggers off, indexes laid aside and built at the end.

All of it is one transaction of the owner, so that a panel is either filled and guarded or as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench.errors import RunFailed

_TABLES = ("orders", "transfer", "attempt", "order_event", "work")
_ROOM = ("work_mem = '512MB'", "maintenance_work_mem = '1GB'", "statement_timeout = 0")

_LAY_ASIDE = "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid = ANY(%s::regclass[])"
"""Rows that are written do not enter such an index. It is not dropped: made again of the text that PostgreSQL gives
of it, a partial one has another predicate than the migrations wrote, and the planner would not know it again.
"""
_LEFT_ASIDE = """
    SELECT count(*) FROM pg_index WHERE indrelid = ANY(%s::regclass[]) AND NOT (indisready AND indisvalid)
"""


@contextmanager
def in_bulk(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """Let the owner's transaction write within the block without any guard. Afterwards all of them stand again.

    Unique indexes look at every row when they are built; triggers and foreign keys do not. Raises RunFailed.
    """
    tables = list(_TABLES)
    for setting in _ROOM:
        connection.execute(f"SET LOCAL {setting}")
    connection.execute("SET LOCAL session_replication_role = replica")
    connection.execute(_LAY_ASIDE, (tables,))
    yield
    for table in tables:
        connection.execute(f"REINDEX TABLE {table}")
    connection.execute("SET LOCAL session_replication_role = origin")
    if connection.execute(_LEFT_ASIDE, (tables,)).fetchone() != (0,):
        raise RunFailed("an index was not built after the filling")
