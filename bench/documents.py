"""The figures as the documents show them: tables between two marks, written from the committed results.

`python -m bench.documents` writes them anew; a whole run does so by itself, and a test compares.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.report import RESULTS, read_before
from bench.tools import REPOSITORY

FILES = (RESULTS, RESULTS.with_name("results-grown.json"), RESULTS.with_name("results-memory.json"))
"""The last two are of runs that take too long for the whole one."""

BEGIN, END = "<!-- written by python -m bench.documents -->", "<!-- end -->"

DAY_SECONDS = 86_400
BUSIEST = 4
"""How many times the mean the busiest second of a day is taken to be."""

Results = Mapping[str, Any]


def write_documents() -> None:
    """Put the tables of today's committed results between the marks."""
    for path, lines in tables().items():
        text = path.read_text(encoding="utf-8")
        path.write_text(replaced(text, lines), encoding="utf-8")


def tables() -> dict[Path, list[str]]:
    """The lines that each document has to show."""
    results = {path.name: found for path in FILES if (found := read_before(path))}
    pages = REPOSITORY / "docs"
    return {pages / "performance.md": figures(results), pages / "scaling.md": arithmetic(results[RESULTS.name])}


def replaced(text: str, lines: Sequence[str]) -> str:
    """The text with these lines between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, "", *lines, "", END]) + after


def figures(results: Mapping[str, Results]) -> list[str]:
    """Every row of every file with its goal, and what kind of machine it was."""
    lines = [
        "| work | Hawker | against | ratio | goal | met |",
        "|---|---|---|---|---|---|",
        *(line for found in results.values() for line in map(_figure, found["rows"])),
    ]
    machines = [
        f"`{name}`: {found['date'][:10]}, commit {found['versions']['commit']}, {found['machine']['cores']} cores, "
        f"{found['plan']['orders']:,} orders present."
        for name, found in results.items()
    ]
    return [*lines, "", *machines]


def _figure(row: Mapping[str, Any]) -> str:
    goal = "" if row["goal"] is None else f"{'≥' if row['at_least'] else '≤'} {row['goal']:g}{row['unit']}"
    met = {True: "yes", False: "**no**", None: ""}[row["met"]]
    value = f"{row['value']:.2f}{row['unit']}" if abs(row["value"]) < 10 else f"{row['value']:.1f}{row['unit']}"
    cells = [row["work"], row["hawker"], row["against"], value, goal, "void" if row["void"] else met]
    return f"| {' | '.join(cells)} |"


def arithmetic(results: Results) -> list[str]:
    """What placing alone needs at 1, 10 and 100 million orders a day, out of the CPU and the log of one `add`."""
    row = next(row for row in results["rows"] if row["work"].startswith("add, 64 connections, 1"))
    _, server, database = (float(part.replace(",", "")) for part in row["hawker_cpu"].split(" + "))
    runs = [run for run in results["runs"]["add"]["hawker"] if "left_out" not in run]
    wal, batch = (
        sorted(run[name] for run in runs)[len(runs) // 2] for name in ("wal_bytes_per_request", "requests_per_commit")
    )
    lines = [
        f"One `add` in full batches: {server:.0f} µs of CPU in the server, {database:.0f} µs in the database,",
        f"{wal:,.0f} bytes of WAL, {batch:.0f} orders a COMMIT. Then, for placing alone:",
        "",
        "| orders a day | mean | busiest second | CPU of servers | CPU of database | COMMITs | WAL | WAL a day |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for millions in (1, 10, 100):
        mean = millions * 1e6 / DAY_SECONDS
        busiest = mean * BUSIEST
        lines.append(
            f"| {millions} million | {mean:,.0f}/s | {busiest:,.0f}/s | {busiest * server / 1e6:.2f} cores |"
            f" {busiest * database / 1e6:.2f} cores | {busiest / batch:,.0f}/s | {busiest * wal / 1e6:.1f} MB/s |"
            f" {millions * wal / 1e3:.1f} GB |"
        )
    return lines


def shown(text: str) -> list[str]:
    """The lines between the marks of a document."""
    found = re.search(f"{re.escape(BEGIN)}\n\n(.*)\n\n{re.escape(END)}", text, re.DOTALL)
    return found[1].split("\n") if found else []


if __name__ == "__main__":
    write_documents()
