"""The set-up of database connections: the same for those that Django opens and those that are opened apart."""

from typing import Any, TypeAlias

import psycopg
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from hawker.core.array_dumper import FlatListDumper

RawConnection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"


def set_up_connection(raw: RawConnection) -> None:
    """Have the connection send ints as bigint and lists as array literals.

    The driver chooses the type of an int by its size: another prepared statement of every mix of sizes.
    Ints need both dumpers, because arrays are sent as text or in binary.
    """
    raw.adapters.register_dumper(int, Int8Dumper)
    raw.adapters.register_dumper(int, Int8BinaryDumper)
    raw.adapters.register_dumper(list, FlatListDumper)


def on_connection_created(*, connection: Any, **_: object) -> None:
    """The receiver of Django's `connection_created`: called once for each connection, before its first statement."""
    set_up_connection(connection.connection)
