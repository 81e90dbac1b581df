"""Running one side, and several sides in turns."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg

from bench.errors import RunFailed
from bench.figures import Figure, Loaded, Run
from bench.load import run_wrk
from bench.processes import Server, cpu_seconds, machine_seconds
from bench.sql import run_pgbench
from bench.stack import Stack

_SETTLE_SECONDS = 0.3
"""After a run: backends of the generator end, answers in flight are written."""

_COUNTERS = """
    SELECT xact_commit, pg_current_wal_insert_lsn() - '0/0'::pg_lsn FROM pg_stat_database
     WHERE datname = current_database()
"""

DISTURBED = 0.15
"""Others' share of the machine's cores from which on a run is no measure. The harness itself takes a few hundredths."""

Side = Callable[[int], Run]
"""Loads one side for so many seconds."""


@dataclass(frozen=True, slots=True)
class _Counters:
    server: float
    database: float
    machine: float
    at: float
    commits: int
    wal: int


def over_http(
    stack: Stack,
    server: Server,
    path: str,
    bodies: Sequence[str],
    *,
    connections: int,
    database: str = "",
    writes: bool = False,
    rest_ms: float = 0.0,
) -> Side:
    """A side loaded by wrk. `database` is where its transactions are counted; none for the echo.

    With `writes` the orders in that database must be as many as were answered, or the run is void.
    """

    def run(seconds: int) -> Run:
        orders_before = _count_orders(stack, database) if writes else 0
        before = _count(stack, server.pids, database)
        loaded = run_wrk(
            stack.wrk,
            server.url + path,
            bodies,
            stack.folder,
            connections=connections,
            seconds=seconds,
            env=stack.env,
            rest_ms=rest_ms,
        )
        time.sleep(_SETTLE_SECONDS)
        run = _priced(loaded, before, _count(stack, server.pids, database))
        if not writes or run.trouble:
            return run
        placed = _count_orders(stack, database) - orders_before
        # Those in flight when wrk hung up may have been placed without an answer, one a connection.
        if not loaded.requests <= placed <= loaded.requests + connections:
            return replace(run, trouble=f"{loaded.requests} orders acknowledged, {placed} found")
        return run

    return run


def over_sql(stack: Stack, *, accounts: int, clients: int) -> Side:
    """pgbench placing one order per transaction on the first `accounts` customers."""
    filled = stack.filled
    ranges = {
        "first_account": filled.accounts[0],
        "last_account": filled.accounts[accounts - 1],
        "first_service": filled.services[0],
        "last_service": filled.services[-1],
        "provider": filled.provider_id,
    }

    def run(seconds: int) -> Run:
        before = _count(stack, [], "hawker")
        loaded = run_pgbench(
            stack.pgbench,
            stack.url,
            stack.folder,
            ranges=ranges,
            clients=clients,
            seconds=seconds,
            env=stack.env,
        )
        time.sleep(_SETTLE_SECONDS)
        return _priced(loaded, before, _count(stack, [], "hawker"))

    return run


def measure(stack: Stack, sides: Mapping[str, Side]) -> dict[str, Figure]:
    """Warm each side up, then run them in turns; a figure each. A side that fails is void, the others go on.

    A neighbour at work favours whoever needs less CPU: with half of the machine taken, ratios to the plain view
    doubled. So a disturbed turn is followed by another, within the plan's limit, and the quiet ones count
    where there are two; where there are not, all count and the report says who was disturbed.
    """
    plan = stack.plan
    figures = {name: Figure(name) for name in sides}
    _turn(sides, figures, plan.warm_seconds)
    turns: list[dict[str, Run]] = []
    quiet: list[dict[str, Run]] = []
    while len(turns) < plan.runs or (len(quiet) < plan.runs and _may_repeat(stack, len(turns))):
        turn = _turn(sides, figures, plan.seconds)
        for name, run in turn.items():
            _show(name, run)
        turns.append(turn)
        if all(run.others_share <= DISTURBED for run in turn.values()):
            quiet.append(turn)
    counted = quiet if len(quiet) >= min(2, plan.runs) else turns
    for turn in turns:
        for name, run in turn.items():
            (figures[name].runs if turn in counted else figures[name].left_out).append(run)
    return figures


def _may_repeat(stack: Stack, turns: int) -> bool:
    plan = stack.plan
    young = time.monotonic() - stack.begun < plan.repeat_until_seconds
    return young and turns < plan.runs + plan.extra_turns


def _turn(sides: Mapping[str, Side], figures: Mapping[str, Figure], seconds: int) -> dict[str, Run]:
    """Each side once, those left out that have failed before."""
    runs = {}
    for name, side in sides.items():
        if figures[name].failed:
            continue
        try:
            runs[name] = side(seconds)
        except RunFailed as error:
            figures[name].failed = str(error)
            print(f"  {name:<24} {error}", file=sys.stderr)
    return runs


def _show(name: str, run: Run) -> None:
    loaded = run.loaded
    print(
        f"  {name:<24} {loaded.per_second:>9,.0f}/s  p50 {loaded.p50_micros / 1e3:>7.2f} ms"
        f"  p99 {loaded.p99_micros / 1e3:>7.2f} ms  {run.requests_per_commit:>6.1f} a commit"
        f"  others {run.others_share:>4.0%}  {run.trouble}",
        file=sys.stderr,
    )


def _count(stack: Stack, server_pids: Sequence[int], database: str) -> _Counters:
    commits = wal = 0
    if database:
        with psycopg.connect(stack.database_url("hawker", database), autocommit=True) as connection:
            row = connection.execute(_COUNTERS).fetchone()
            assert row is not None, "the database one is connected to has a line"
            commits, wal = int(row[0]), int(row[1])
    server = cpu_seconds(server_pids) if server_pids else 0.0
    database_seconds = cpu_seconds(stack.database_pids)
    return _Counters(server, database_seconds, machine_seconds(), time.monotonic(), commits, wal)


def _count_orders(stack: Stack, database: str) -> int:
    with psycopg.connect(stack.database_url("hawker", database), autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
    assert row is not None, "count() answers a row"
    return int(row[0])


def _priced(loaded: Loaded, before: _Counters, after: _Counters) -> Run:
    requests = max(loaded.requests, 1)
    commits = after.commits - before.commits
    server, database = after.server - before.server, after.database - before.database
    others = after.machine - before.machine - server - database - loaded.generator_seconds
    trouble = ""
    if loaded.requests == 0:
        trouble = "nothing was answered"
    elif loaded.refused or loaded.broken:
        trouble = f"{loaded.refused} refused, {loaded.broken} broken of {loaded.requests}"
    return Run(
        loaded=loaded,
        generator_micros=loaded.generator_seconds * 1e6 / requests,
        server_micros=server * 1e6 / requests,
        database_micros=database * 1e6 / requests,
        requests_per_commit=requests / commits if commits > 0 else 0.0,
        wal_bytes=(after.wal - before.wal) / requests,
        others_share=max(0.0, others / (after.at - before.at) / (os.cpu_count() or 1)),
        trouble=trouble,
    )
