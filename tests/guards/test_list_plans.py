"""Every statement that a list can send finds its rows by an index, and no page costs more than four statements."""

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest
from test_plans import LARGE, numbered, scans
from test_statements import cost_of

from hawker.core.settings import settings
from hawker.lists.filters import Filters
from hawker.lists.reading import count, read_page
from hawker.lists.registry import LISTS
from list_questions import questions, statements_of, values_of
from panel import Panel, forget_figures

_PARTIAL = "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL"


@pytest.fixture
def planner(panel: Panel) -> Iterator["psycopg.Connection[Any]"]:
    forget_figures()
    with psycopg.connect(settings().folder.embedded_url("hawker_app"), autocommit=True) as database:
        for method in ("seqscan", "hashjoin", "mergejoin"):
            database.execute(f"SET enable_{method} = off")
        yield database


def plan_of(database: "psycopg.Connection[Any]", text: str) -> Mapping[str, Any]:
    row = database.execute("EXPLAIN (GENERIC_PLAN, FORMAT JSON) " + numbered(text), prepare=False).fetchone()
    assert row is not None
    plan: Mapping[str, Any] = row[0][0]["Plan"]
    return plan


def test_every_list_finds_its_rows_by_an_index(planner: "psycopg.Connection[Any]") -> None:
    partial = {row[0] for row in planner.execute(_PARTIAL)}
    found: dict[str, object] = {}
    for name, question in questions():
        for kind, text in statements_of(question):
            read = {(table, index) for table, index in scans(dict(plan_of(planner, text))) if table in LARGE}
            # A count has no position to begin at: it reads along an index up to its limit.
            wrong = {table for table, index in read if not index or (kind != "count" and index not in partial)}
            if wrong:
                found[f"{name}: {kind}"] = wrong
    assert found == {}


def test_no_page_and_no_count_takes_more_than_four_statements(panel: Panel) -> None:
    for name, declaration in LISTS.items():
        asked = [Filters(name)]
        asked += [Filters(name, {each.name: value}) for each in declaration.filters for value in values_of(each)]
        for filters in asked:
            page = cost_of(lambda name=name, filters=filters: read_page(name, filters))  # type: ignore[misc]
            counted = cost_of(lambda name=name, filters=filters: count(name, filters))  # type: ignore[misc]
            assert max(page.statements, counted.statements) <= 4, filters
