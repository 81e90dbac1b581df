"""The worker: sending what is due, and following what is under way."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any
from urllib.parse import urlencode

import psycopg

from bench.errors import RunFailed
from bench.figures import Row
from bench.placing import place_many
from bench.processes import cpu_seconds, die_with_parent, run_timed
from bench.stack import Stack
from bench.upstream import KEY, Upstream, running_upstream
from bench.works.bench import Bench

ACTIVE = 100_000
POLL_GOAL_SECONDS = 60
_LINES = 32
"""As many as the worker has to one provider."""

_PATIENCE_SECONDS = 180.0

_UNSENT = """
    SELECT %s - count(*) FROM attempt WHERE kind = 'add' AND state = 'accepted' AND id > %s
"""
"""Not until nothing is due: what is claimed is due later, and a worker that is stopped then gives it back."""

_HOLD_BACK = "UPDATE work SET due_at = now() + interval '1 day' WHERE due_at <= now() + interval '2 hours'"
_DUE = """
    UPDATE work w SET due_at = now()
      FROM (SELECT order_id FROM work WHERE kind = 'dispatch' AND provider_id = %s ORDER BY order_id DESC LIMIT %s) f
     WHERE w.order_id = f.order_id AND w.kind = 'dispatch'
"""
_SENT = """
    SELECT count(*), extract(epoch FROM max(done_at) - min(started_at)) FROM attempt
     WHERE kind = 'add' AND state = 'accepted' AND id > %s
"""
_LAST_ATTEMPT = "SELECT COALESCE(max(id), 0) FROM attempt"

# Orders under way at the sandbox under the ids it gave, as if they had been sent by this panel.
_UNDER_WAY = """
    WITH free AS (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM orders
                   WHERE state = 'queued' ORDER BY id LIMIT %(count)s),
    sent AS (
        UPDATE orders o SET state = 'sending' FROM free WHERE o.id = free.id RETURNING o.id)
    SELECT count(*) FROM sent
"""
_SUBMIT = """
    WITH free AS (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM orders WHERE state = 'sending'),
    tried AS (
        INSERT INTO attempt (order_id, kind, n, provider_id, state, lease_until, worker, started_at, done_at,
                             http_status, body_head, upstream_id, evidence)
        SELECT id, 'add', (SELECT count(*) + 1 FROM attempt a WHERE a.order_id = free.id), %(provider)s, 'accepted',
               now(), 'bench', now(), now(), 200, '', %(first)s + n, 'made by the benchmark' FROM free),
    moved AS (
        UPDATE orders o SET state = 'submitted', provider_id = %(provider)s, upstream_id = %(first)s + free.n
          FROM free WHERE o.id = free.id RETURNING o.id),
    ended AS (DELETE FROM work USING free WHERE order_id = free.id AND kind = 'dispatch')
    INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold)
    SELECT id, 'poll', %(provider)s, now() + interval '1 day', 0, '' FROM free
"""
_POLL_NOW = "UPDATE work SET due_at = now() WHERE kind = 'poll' AND provider_id = %s"
_POLLS_LEFT = """
    SELECT count(*) FROM work WHERE kind = 'poll' AND provider_id = %s AND due_at < now() + interval '2 minutes'
"""
"""Due, or leased to a sweep: what was answered is due again after POLL_AGAIN_SECONDS."""


def dispatch(bench: Bench) -> list[Row]:
    """Orders sent by one worker to a sandbox on this machine, against a client that only sends."""
    stack = bench.stack
    count = max(stack.plan.seconds * 400, 200)
    ratios, rates, bare_rates = [], [], []
    with running_upstream(stack) as upstream:
        for _ in range(stack.plan.runs):
            _fill_queue(stack, count)
            sent, seconds = _send_all(stack, count)
            form = urlencode({"key": KEY, **upstream.fields})
            bare = _bare(stack, upstream, form, count)
            rates.append(sent / seconds)
            bare_rates.append(bare)
            ratios.append(rates[-1] / bare)
            print(f"  dispatch {rates[-1]:>9,.0f}/s  bare client {bare:>9,.0f}/s", file=sys.stderr)
    bench.verify("dispatch")
    bench.figures.setdefault("dispatch", {})
    return [
        Row(
            work="dispatch, one worker, sandbox on this machine",
            hawker=f"{median(rates):,.0f}/s",
            against=f"bare HTTP client {median(bare_rates):,.0f}/s",
            value=median(ratios),
            unit="×",
            spread=(min(ratios), max(ratios)),
            goal=0.5,
            issue=5,
            note=f"{_LINES} connections each, {count:,} orders a turn",
        )
    ]


def polling(bench: Bench, *, active: int = 0) -> list[Row]:
    """Orders under way asked about once each by one worker."""
    stack = bench.stack
    active = active or min(ACTIVE, stack.plan.orders)
    with running_upstream(stack) as upstream:
        _put_under_way(stack, upstream, active)
        with _connect(stack) as connection:
            connection.execute(_HOLD_BACK)
            due = connection.execute(
                "SELECT count(*) FROM work WHERE kind = 'poll' AND provider_id = %s", (stack.filled.provider_id,)
            ).fetchone()
            assert due is not None, "count() answers a row"
            before = upstream.calls("status")
            with running_worker(stack, HAWKER_POLL_MIN_SECONDS="1000") as pid:
                connection.execute(_POLL_NOW, (stack.filled.provider_id,))
                cpu, begun = cpu_seconds([pid]), time.monotonic()
                _until_none(connection, _POLLS_LEFT, (stack.filled.provider_id,))
                took, cpu = time.monotonic() - begun, cpu_seconds([pid]) - cpu
            calls = upstream.calls("status") - before
    bench.verify("polling")
    return [
        Row(
            work=f"polling, {due[0]:,} active orders refreshed by one worker",
            hawker=f"{took:.1f} s",
            against=f"{calls:,} calls",
            value=took * ACTIVE / due[0],
            unit=" s",
            goal=POLL_GOAL_SECONDS,
            at_least=False,
            issue=5,
            hawker_cpu=f"{cpu / due[0] * 1e6:,.0f} an order (worker)",
            note=f"per {ACTIVE:,} orders",
        )
    ]


def _connect(stack: Stack) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(stack.url, autocommit=True)


def _fill_queue(stack: Stack, count: int) -> None:
    """Have `count` orders for the first provider waiting and nothing due."""
    with _connect(stack) as connection:
        connection.execute(_HOLD_BACK)
        row = connection.execute(
            "SELECT count(*) FROM work WHERE kind = 'dispatch' AND provider_id = %s", (stack.filled.provider_id,)
        ).fetchone()
        assert row is not None, "count() answers a row"
        if row[0] < count:
            place_many(connection, stack.filled, count - row[0])


def _send_all(stack: Stack, count: int) -> tuple[int, float]:
    """Let a worker send them all: how many were accepted, and seconds from the first claim to the last answer."""
    with _connect(stack) as connection:
        last = connection.execute(_LAST_ATTEMPT).fetchone()
        assert last is not None, "max() answers a row"
        with running_worker(stack):
            connection.execute(_DUE, (stack.filled.provider_id, count))
            _until_none(connection, _UNSENT, (count, *last))
        sent = connection.execute(_SENT, last).fetchone()
    if sent is None or sent[0] != count:
        raise RunFailed(f"{sent} of {count} orders were accepted upstream")
    return int(sent[0]), float(sent[1])


def _put_under_way(stack: Stack, upstream: Upstream, count: int) -> None:
    _fill_queue(stack, count)
    first = upstream.place(count)
    values = {"count": count, "provider": stack.filled.provider_id, "first": first}
    with psycopg.connect(stack.url) as connection:
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute(_UNDER_WAY, values)
        connection.execute(_SUBMIT, values)
    with psycopg.connect(stack.database_url("hawker", "hawker"), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE work, orders, attempt")


def _until_none(connection: "psycopg.Connection[tuple[Any, ...]]", question: str, values: tuple[Any, ...]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (row := connection.execute(question, values).fetchone()) is None or row[0]:
        if time.monotonic() > deadline:
            raise RunFailed(f"the worker left {row[0] if row else '?'} after {_PATIENCE_SECONDS:.0f} s")
        time.sleep(0.1)


def _bare(stack: Stack, upstream: Upstream, form: str, count: int) -> float:
    words = [sys.executable, "-m", "bench.bare_client", upstream.url, str(count), str(_LINES), form]
    said, _ = run_timed(words, env=stack.env, timeout_seconds=120)
    result = json.loads(said)
    return float(result["requests"] / result["seconds"])


@contextmanager
def running_worker(stack: Stack, **environment: str) -> Iterator[int]:
    """A `hawker worker`, warm: it has looked for work before the block begins."""
    with (stack.folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hawker", "worker"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**stack.env, **environment},
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - the harness runs no threads
        )
    try:
        time.sleep(4.0)
        if process.poll() is not None:
            raise RunFailed("the worker did not stay: " + (stack.folder / "worker.log").read_text()[-2_000:])
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
