"""The harness stands: a filled panel is clean, and a tiny run of each generator counts what was placed."""

import shutil

import pytest
from bench.figures import Figure, Loaded, Row, Run, turn_ratios
from bench.fill import add_bodies
from bench.measuring import over_http, over_sql
from bench.plan import Plan
from bench.report import fallen, table
from bench.stack import open_stack

TINY = Plan(customers=20, services=10, orders=400, seconds=1, warm_seconds=1, runs=1, connections=4)


@pytest.mark.xdist_group("bench")
def test_a_filled_panel_is_clean_and_stays_so_under_load():
    with open_stack(TINY) as stack:
        assert stack.durability["hawker"]["fsync"] == "on"
        assert stack.verify()["checked"]["I6"] == TINY.orders

        run = over_sql(stack, accounts=TINY.customers, clients=2)(1)
        assert not run.trouble
        assert run.loaded.requests > 0
        placed = run.loaded.requests

        if shutil.which("wrk"):
            bodies = add_bodies(stack.filled, customers=TINY.customers)
            run = over_http(stack, stack.hawker(), "/api/v2", bodies, connections=4, database="hawker", writes=True)(1)
            assert not run.trouble
            assert run.server_micros > 0
            placed += run.loaded.requests

            wrong = [body.replace("quantity=100", "quantity=1") for body in bodies]
            refused = over_http(stack, stack.hawker(), "/api/v2", wrong, connections=1, database="hawker")(1)
            assert refused.trouble.startswith(f"{refused.loaded.requests} refused")

        # Those cut off at the end of a run may have been placed without an answer.
        assert 0 <= stack.verify()["checked"]["I6"] - TINY.orders - placed <= 8
        folder = stack.folder
    assert not folder.exists()


def _run(per_second: float, trouble: str = "") -> Run:
    loaded = Loaded(100, per_second, 1_000.0, 2_000.0, refused=0, broken=0, bytes=0, generator_seconds=0.1)
    return Run(loaded, 1.0, 2.0, 3.0, requests_per_commit=4.0, wal_bytes=5.0, trouble=trouble)


def test_ratios_are_taken_turn_by_turn():
    ours = Figure("hawker", [_run(100), _run(300), _run(50)])
    theirs = Figure("other", [_run(50), _run(100), _run(50)])
    assert turn_ratios(ours, theirs, lambda loaded: loaded.per_second) == [2.0, 3.0, 1.0]


def test_one_run_with_errors_makes_a_figure_void():
    assert not Figure("hawker", [_run(1), _run(1)]).trouble
    assert Figure("hawker", [_run(1), _run(1, "3 refused")]).trouble == "3 refused"
    assert Figure("hawker").trouble == "never run"


def test_a_goal_is_met_missed_or_void():
    row = Row("add", "9/s", "plain 1/s", 9.0, "×", goal=10)
    assert row.met is False
    assert Row("wait", "9 ms", "", 9.0, " ms", goal=10, at_least=False).met is True
    assert Row("add", "9/s", "plain 1/s", 9.0, "×", goal=10, void="3 refused").met is None
    assert "≥ 10×" in table([row])


def test_what_fell_by_a_third_is_named():
    before = {"rows": [{"work": "add", "against": "plain 1/s", "value": 15.0}]}
    assert fallen([Row("add", "9/s", "plain 2/s", 14.0, "×")], before) == []
    assert fallen([Row("add", "9/s", "plain 2/s", 9.0, "×")], before) == ["add: 9.00×, was 15.00×"]
