"""The table people read, and results.json that later runs are compared with."""

import datetime as dt
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.figures import Row
from bench.measuring import DISTURBED
from bench.stack import PLAIN_THREADS, PLAIN_WORKERS
from bench.tools import REPOSITORY
from bench.works.bench import Bench

RESULTS = REPOSITORY / "bench" / "results.json"
FALLEN = 0.7
"""A ratio below this share of the committed one is named: what is noise on a shared machine stays above it."""

_TREND = " MB/min"
"""A slope near nothing is no measure for another one."""

_HEADINGS = ("work", "Hawker", "CPU µs/request", "against", "CPU µs/request", "ratio", "goal", "met")


def table(rows: Sequence[Row]) -> str:
    """The rows as text, one line each; a void row says why."""
    lines = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    texts.insert(1, "  ".join("-" * width for width in widths))
    texts.append("ratio: the median of the turns, (lowest-highest); CPU: generator + server + database")
    notes = [f"{row.work}: {row.note}" for row in rows if row.note]
    voids = [f"{row.work}: void, {row.void}" for row in rows if row.void]
    return "\n".join([*texts, *notes, *voids])


def _cells(row: Row) -> tuple[str, ...]:
    goal = "" if row.goal is None else f"{'≥' if row.at_least else '≤'} {row.goal:g}{row.unit} (issue {row.issue})"
    met = {True: "yes", False: "NO", None: "void" if row.void else ""}[row.met]
    value = _short(row.value) + row.unit
    if row.spread is not None and row.spread[0] < row.spread[1]:
        value += f" ({_short(row.spread[0])}-{_short(row.spread[1])})"
    return (row.work, row.hawker, row.hawker_cpu, row.against, row.against_cpu, value, goal, met)


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def disturbances(bench: Bench) -> list[str]:
    """A sentence for each figure whose runs had to share the machine with somebody else."""
    return [
        f"{work}, {side}: others had {figure.others_share:.0%} of the machine's cores meanwhile"
        for work, sides in bench.figures.items()
        for side, figure in sides.items()
        if figure.others_share > DISTURBED
    ]


def results(bench: Bench, rows: Sequence[Row], *, seconds: float) -> dict[str, Any]:
    """Everything about this run as JSON values."""
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "took_seconds": round(seconds, 1),
        "machine": _machine(),
        "versions": _versions(bench),
        "plan": asdict(bench.stack.plan),
        "durability": bench.stack.durability,
        "plain_django_server": f"gunicorn gthread, {PLAIN_WORKERS} processes of {PLAIN_THREADS} threads",
        "verified": bench.verified,
        "rows": [{**asdict(row), "met": row.met} for row in rows],
        "runs": {
            work: {
                side: [run.as_json() for run in figure.runs]
                + [{**run.as_json(), "left_out": "others were at work"} for run in figure.left_out]
                for side, figure in sides.items()
            }
            for work, sides in bench.figures.items()
        },
    }


def fallen(rows: Sequence[Row], before: Mapping[str, Any]) -> list[str]:
    """A sentence for each row that is much worse than in the results before."""
    known = {(row["work"], row["against"].rpartition(" ")[0]): row["value"] for row in before.get("rows", ())}
    sentences = []
    for row in rows:
        value = known.get((row.work, row.against.rpartition(" ")[0]))
        if not value or not row.value or row.void or row.unit == _TREND:
            continue
        share = row.value / value if row.at_least else value / row.value
        if share < FALLEN:
            sentences.append(f"{row.work}: {row.value:.2f}{row.unit}, was {value:.2f}{row.unit}")
    return sentences


def read_before(path: Path = RESULTS) -> dict[str, Any]:
    """The committed results, or nothing."""
    try:
        before: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return before


def _machine() -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "",
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _versions(bench: Bench) -> dict[str, str]:
    words = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(words, capture_output=True, text=True)
    postgres = subprocess.run([bench.stack.pgbench, "--version"], capture_output=True, text=True)
    packages = ("hawker", "Django", "psycopg", "uvicorn", "uvloop", "httptools", "msgspec")
    return {
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "pgbench": postgres.stdout.strip(),
        **{name: version(name) for name in packages},
    }
