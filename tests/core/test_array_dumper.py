"""Lists reach the database as they are, whatever is in them."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hawker.core.sql import in_transaction
from panel import Panel

BIGINTS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
AWKWARD = ["", "NULL", "null", '"', "\\", '\\"', "{", "}", ",", " ", "a,b", "{}", "\t\n\r", "\U0001f600", "é", "'"]


def through(values: list[Any], kind: str) -> Any:
    """The list as PostgreSQL has it."""

    def work(cursor: Any) -> Any:
        return cursor.execute(f"SELECT %s::{kind}[]", (values,)).fetchone()[0]

    return in_transaction(work)


@pytest.mark.quick
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BIGINTS | st.none()), st.lists(TEXTS | st.sampled_from(AWKWARD) | st.none()))
def test_a_list_of_one_kind_arrives_as_it_left(panel: Panel, numbers: list[Any], texts: list[Any]) -> None:
    assert through(numbers, "bigint") == numbers
    assert through(texts, "text") == texts


def test_the_awkward_texts_arrive_together(panel: Panel) -> None:
    assert through([*AWKWARD, None], "text") == [*AWKWARD, None]


def test_other_lists_are_left_to_the_driver(panel: Panel) -> None:
    assert through([True, None], "boolean") == [True, None]
    assert through([panel.clock.now()], "timestamptz") == [panel.clock.now()]
    assert through([[1, 2], [3, 4]], "bigint") == [[1, 2], [3, 4]]
    with pytest.raises(psycopg.DataError):
        through([1, "a"], "text")


@pytest.mark.parametrize("text", ["\0", "a\0b", '","\0'])
def test_a_nul_is_refused_and_not_an_end(panel: Panel, text: str) -> None:
    with pytest.raises(psycopg.DataError):
        through([text, "x"], "text")
