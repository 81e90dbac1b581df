"""The moves of an order: one table in Python, the same in the database, the same in what customers read."""

import re
from collections.abc import Mapping
from importlib import resources
from itertools import product
from typing import Any

import pytest

from hawker.orders.errors import IllegalTransition
from hawker.orders.models import FINISHED, AttemptState, State
from hawker.orders.transitions import rules
from hawker.orders.transitions.rules import WIRE_STATUS, check_transition, is_finished, state_of
from hawker.protocol.statuses import OrderStatus

MIGRATIONS = resources.files("hawker.orders").joinpath("migrations")

ATTEMPT_MOVES = {
    AttemptState.SENDING: {AttemptState.ACCEPTED, AttemptState.REJECTED, AttemptState.NOT_SENT, AttemptState.UNKNOWN},
    AttemptState.UNKNOWN: {AttemptState.ACCEPTED, AttemptState.NOT_CREATED, AttemptState.MANUAL},
}
"""sending → accepted | rejected | not_sent | unknown ;  unknown → accepted | not_created | manual"""

Table = Mapping[State, frozenset[State]]
Moves = set[tuple[str, str]]


def tables() -> dict[tuple[Any, ...], Table]:
    """The table of moves of each form of order, by the arguments that name the form: none while there is one."""
    transitions: dict[Any, Any] = dict(rules.TRANSITIONS)
    if set(transitions) <= set(State):
        return {(): transitions}
    return {(form,): table for form, table in transitions.items()}


TABLES = tables()
PLAIN = next(iter(TABLES.values()))
EVERY_FORM = pytest.mark.parametrize("form", TABLES, ids=str)


def whitelists(function: str) -> dict[str, Moves]:
    """The moves that the trigger function's last definition allows, by form; "" is every other form's."""
    files = sorted((file for file in MIGRATIONS.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    body = re.split(rf"CREATE (?:OR REPLACE )?FUNCTION {function}\(\)", text)[-1].partition("END $$")[0]
    found = re.findall(
        r"(?:WHEN '(\w+)' THEN )?OLD\.state \|\| '>' \|\| NEW\.state (?:NOT )?IN \((.*?)\)", body, re.DOTALL
    )
    assert found, f"{function} has no whitelist"
    return {form: set(re.findall(r"'(\w+)>(\w+)'", moves)) for form, moves in found}


def reachable(table: Table, start: State) -> set[State]:
    reached = {start}
    while new := {after for before in reached for after in table.get(before, ())} - reached:
        reached |= new
    return reached


@EVERY_FORM
def test_the_database_allows_the_moves_of_the_table_and_no_others(form: tuple[Any, ...]) -> None:
    table = TABLES[form]
    listed = whitelists("check_order_move")
    moves = {(before.value, after.value) for before, afters in table.items() for after in afters}
    assert listed.get(form[0].value if form else "", listed[""]) == moves


def test_the_database_allows_an_attempt_the_moves_of_the_design() -> None:
    moves = {(before.value, after.value) for before, afters in ATTEMPT_MOVES.items() for after in afters}
    assert whitelists("check_attempt_move") == {"": moves}


@EVERY_FORM
def test_every_state_leads_to_an_end_and_an_end_leads_nowhere(form: tuple[Any, ...]) -> None:
    table = TABLES[form]
    ends = {State(state) for state in FINISHED}
    assert {state for state in State if is_finished(state)} == ends
    for state in set(table).union(*table.values()):
        if state in ends:
            assert not table.get(state)
        else:
            assert reachable(table, state) & ends


@EVERY_FORM
def test_a_move_is_checked_against_the_table(form: tuple[Any, ...]) -> None:
    table = TABLES[form]
    for before, after in product(State, State):
        if after in table.get(before, ()):
            check_transition(*form, before, after)
        else:
            with pytest.raises(IllegalTransition):
                check_transition(*form, before, after)


PARENTS_ONLY = {State.ACTIVE, State.PAUSED, State.EXPIRED}


def test_every_state_of_an_order_can_be_reached_from_the_queue() -> None:
    # Those of parents too: a subscription that a provider runs is bought like any order first.
    assert reachable(PLAIN, State.QUEUED) | {State.QUEUED} == set(State)


def test_a_parent_of_orders_is_never_sent_itself() -> None:
    assert reachable(PLAIN, State.ACTIVE) == {State.ACTIVE, State.PAUSED, *FINISHED}


def test_an_unknown_order_is_never_sent_again_without_passing_the_queue() -> None:
    assert {before for before, afters in PLAIN.items() if State.SENDING in afters} == {State.QUEUED}


def test_customers_read_one_of_the_six_statuses_in_every_state_of_an_order() -> None:
    orders = set(State) - PARENTS_ONLY
    assert {WIRE_STATUS[state.value] for state in orders} <= {status.value for status in OrderStatus}
    hidden = ("queued", "sending", "unknown", "rejected", "submitted")
    assert {WIRE_STATUS[state] for state in hidden} == {"Pending"}


@pytest.mark.parametrize("status", OrderStatus)
def test_a_provider_status_becomes_the_state_that_reads_the_same(status: OrderStatus) -> None:
    assert WIRE_STATUS[state_of(status).value] == status.value
