"""The harness stands: a filled panel is clean, and a tiny run of each generator counts what was placed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from bench.figures import Figure, Loaded, Row, Run, turn_ratios
from bench.fill import add_bodies
from bench.measuring import over_http, over_sql
from bench.placing import place_many
from bench.plan import Plan
from bench.report import fallen, read_before, table
from bench.stack import open_stack
from bench.works.slope import slope_a_minute

TINY = Plan(customers=20, services=10, orders=400, seconds=1, warm_seconds=1, runs=1, connections=4)

_COPY_ONE_DELIVERY = """
    INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, created_at,
                          operation)
    SELECT kind, debit_id, credit_id, amount_micros, currency, reference, part, created_at, operation
      FROM transfer WHERE kind = 'delivery' LIMIT 1
"""


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


@pytest.mark.xdist_group("bench")
def test_what_is_written_in_bulk_is_clean_and_guarded():
    with open_stack(replace(TINY, bulk_from=1, compared=False)) as stack:
        assert stack.verify()["checked"]["I6"] == TINY.orders
        with psycopg.connect(stack.database_url("hawker", "hawker")) as owner:
            assert "orders_account" in _plan(owner, "SELECT id FROM orders WHERE account_id = 1 AND id < 9")
            with pytest.raises(psycopg.errors.UniqueViolation), owner.transaction():
                owner.execute(_COPY_ONE_DELIVERY)
            with pytest.raises(psycopg.errors.RestrictViolation):
                owner.execute("DELETE FROM transfer")
        run = over_sql(stack, accounts=TINY.customers, clients=2)(1)
        assert not run.trouble
        with psycopg.connect(stack.url) as connection:
            place_many(connection, stack.filled, 50)
        assert stack.verify()["checked"]["I6"] == TINY.orders + run.loaded.requests + 50


def _plan(connection: "psycopg.Connection[tuple[str]]", statement: str) -> str:
    connection.execute("SET enable_seqscan = off")
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN {statement}"))


def _run(per_second: float, trouble: str = "") -> Run:
    loaded = Loaded(100, per_second, 1_000.0, 2_000.0, refused=0, broken=0, bytes=0, generator_seconds=0.1)
    return Run(loaded, 1.0, 2.0, 3.0, requests_per_commit=4.0, wal_bytes=5.0, trouble=trouble)


@pytest.mark.quick
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
    slower = Row("start", "9 s", "", 9.0, " s", at_least=False)
    assert fallen([slower], {"rows": [{"work": "start", "against": "", "value": 5.0}]}) == ["start: 9.00 s, was 5.00 s"]
    assert fallen([Row("add", "9/s", "plain 2/s", 9.0, "×", void="3 refused")], before) == []


@pytest.mark.quick
def test_a_run_is_compared_with_the_file_that_was_committed(tmp_path: Path):
    path = tmp_path / "results.json"
    assert read_before(path) == {}
    path.write_text(json.dumps({"rows": [{"work": "add", "against": "plain 1/s", "value": 15.0}]}))
    assert len(fallen([Row("add", "9/s", "plain 2/s", 9.0, "×")], read_before(path))) == 1
    # A slope is no rate that falls: it may be anything about zero.
    committed = [row for row in read_before()["rows"] if row["unit"] != " MB/min"]
    halved = [Row(row["work"], "", row["against"], row["value"] / 2, row["unit"]) for row in committed]
    assert len(fallen(halved, {"rows": committed})) == len(
        {(r["work"], r["against"].rpartition(" ")[0]) for r in committed}
    )


def test_a_slope_leaves_out_the_warming_up():
    rising = [(second, 100 + second / 60) for second in range(0, 600, 5)]
    assert slope_a_minute(rising) == pytest.approx(1.0)
    warming = [(second, 50.0 if second < 100 else 100.0) for second in range(0, 600, 5)]
    assert slope_a_minute(warming) == pytest.approx(0, abs=1e-9)
    assert slope_a_minute([(2.0, 100.0)]) == 0
