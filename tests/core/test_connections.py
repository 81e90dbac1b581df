"""Connections to the database are set up alike, whoever opens them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection

from hawker.accounts.models import User
from hawker.core.sql import connect_apart, in_transaction
from panel import Panel

DUMPED = "SELECT pg_typeof(%s), pg_typeof(%s), %s::bigint[], %s::text[]"
VALUES = [7, 7_000_000_000, [1, None, 3], ['a"b,', None, ""]]


def dumped(raw: "psycopg.Connection[Any]") -> Any:
    """What the server makes of ints and lists that this connection sends it, and as which types they came."""
    dumpers = psycopg.adapt.Transformer.from_context(raw)
    kinds = [type(dumpers.get_dumper(value, psycopg.adapt.PyFormat.AUTO)) for value in VALUES]
    return psycopg.Cursor(raw).execute(DUMPED, VALUES).fetchone(), kinds


def opened_by_sql() -> Any:
    in_transaction(lambda cursor: cursor.execute("SELECT 1"))
    return dumped(connection.connection)


def opened_by_orm() -> Any:
    assert not User.objects.filter(id=0).exists()
    return dumped(connection.connection)


def opened_apart() -> Any:
    with connect_apart() as raw:
        return dumped(raw)


@pytest.fixture
def fresh() -> Callable[[Callable[[], Any]], Any]:
    """Runs a function in a thread that has no connection yet, and closes the one it opened."""

    def run(opens: Callable[[], Any]) -> Any:
        def opened() -> Any:
            assert connection.connection is None
            try:
                return opens()
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as executor:
            return executor.submit(opened).result()

    return run


def test_a_connection_that_the_orm_opens_sends_ints_and_lists_as_that_of_the_hot_sql(
    panel: Panel, fresh: Callable[[Callable[[], Any]], Any]
) -> None:
    expected = fresh(opened_by_sql)
    assert expected[0] == ("bigint", "bigint", [1, None, 3], ['a"b,', None, ""])
    assert fresh(opened_by_orm) == expected
    assert fresh(opened_apart) == expected
