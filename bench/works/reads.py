"""Reading: balance, a hundred statuses, the services; and what the API process weighs after all of it."""

import gzip
import urllib.request
from collections.abc import Sequence
from dataclasses import replace

from bench.figures import Row
from bench.fill import IDS_ASKED, balance_bodies, services_bodies, status_bodies
from bench.measuring import over_http
from bench.processes import Server, peak_memory_mb
from bench.works.bench import Bench, rate_row

_API = "/api/v2"


def balance(bench: Bench) -> list[Row]:
    """The cheapest question, against the server software alone and against the plain view."""
    stack, many = bench.stack, bench.stack.plan.connections
    bodies = balance_bodies(stack.filled)
    answer, _ = _ask(stack.hawker(), bodies)
    echo = stack.echo({"balance": answer})
    figures = bench.measure(
        "balance",
        {
            "hawker": over_http(stack, stack.hawker(), _API, bodies, connections=many, database="hawker"),
            "echo": over_http(stack, echo, "/balance", bodies, connections=many),
            "plain": over_http(stack, stack.plain(), _API, bodies, connections=many, database="plain"),
        },
    )
    ours = figures["hawker"]
    return [
        rate_row("balance", ours, figures["echo"], against="bare ASGI echo", goal=0.6, issue=5),
        rate_row("balance", ours, figures["plain"], against="plain Django view"),
    ]


def status(bench: Bench) -> list[Row]:
    """A hundred orders a request."""
    stack, many = bench.stack, bench.stack.plan.connections
    bodies = status_bodies(stack.filled, stack.url)
    figures = bench.measure(
        "status",
        {
            "hawker": over_http(stack, stack.hawker(), _API, bodies, connections=many, database="hawker"),
            "plain": over_http(stack, stack.plain(), _API, bodies, connections=many, database="plain"),
        },
    )
    ours = figures["hawker"]
    per_id = ours.server_micros / IDS_ASKED
    return [
        rate_row(f"status of {IDS_ASKED}", ours, figures["plain"], against="plain Django view", goal=25, issue=5),
        Row(
            work=f"status of {IDS_ASKED}: server CPU an id",
            hawker=f"{per_id:.1f} µs",
            against="",
            value=per_id,
            unit=" µs",
            goal=4,
            at_least=False,
            issue=5,
            void=ours.trouble,
        ),
    ]


def services(bench: Bench) -> list[Row]:
    """The whole catalogue, gzip accepted, against the echo of the same answer in gzip."""
    stack, many = bench.stack, bench.stack.plan.connections
    bodies = services_bodies(stack.filled)
    answer, encoding = _ask(stack.hawker(), bodies)
    packed = answer if encoding == "gzip" else gzip.compress(answer, 6)
    echo = stack.echo({"services.gz": packed})
    figures = bench.measure(
        "services",
        {
            "hawker": over_http(stack, stack.hawker(), _API, bodies, connections=many, database="hawker"),
            "echo": over_http(stack, echo, "/services", bodies, connections=many),
        },
    )
    # Without this the answer of an error would be as quick as one likes.
    plain = gzip.decompress(packed)
    count = plain.count(b'"service":')
    void = "" if count == stack.plan.services else f"{count} services answered of {stack.plan.services}"
    row = rate_row(
        f"services, {stack.plan.services:,}, gzip",
        figures["hawker"],
        figures["echo"],
        against="bare ASGI echo",
        goal=0.5,
        issue=5,
    )
    note = f"{len(answer):,} bytes" + (
        "" if encoding == "gzip" else f" sent uncompressed; gzip would be {len(packed):,}"
    )
    return [replace(row, note=note, void=row.void or void)]


def memory(bench: Bench) -> list[Row]:
    """Resident memory of the heaviest API process, at its highest in this run."""
    peaks = [peak_memory_mb(pid) for pid in bench.stack.hawker().pids]
    return [
        Row(
            work="memory of the API process, highest",
            hawker=f"{max(peaks):.0f} MB",
            against="",
            value=max(peaks),
            unit=" MB",
            goal=200,
            at_least=False,
            issue=5,
        )
    ]


def _ask(server: Server, bodies: Sequence[str]) -> tuple[bytes, str]:
    """One answer as it comes over the wire, and its content encoding."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": "gzip"}
    request = urllib.request.Request(server.url + _API, data=bodies[0].encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read(), answer.headers.get("content-encoding", "")
