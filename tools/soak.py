"""`make soak`: the long forms of the tests, each within its share of SOAK_MINUTES, and their figures written down.

Each form runs in a pytest of its own with HAWKER_SOAK=1 and HAWKER_SOAK_SECONDS, ends by itself, and notes what it
counted (tests/soaking.py). The figures go to build/soak.json and, as they came out, between the two marks of
docs/reliability.md. The exit code is 1 where a test failed or a figure breaks a promise.

    python tools/soak.py [--list] [--only FORM]...
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
BUILD = REPOSITORY / "build"
PAGE = REPOSITORY / "docs" / "reliability.md"
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"

MINUTES = 30
STARTING_SECONDS = 12
"""What a form takes beside its budget: a database, two servers, the checks at its end."""

PATIENCE_SECONDS = 600
"""How much longer than its budget a form may take: what is under way when the time is over is brought to its end."""

KEPT_AT_ZERO = (
    "overspent",
    "lost",
    "doubles",
    "doubled",
    "deviations",
    "breaches",
    "refunded_but_created",
    "wrongly_bound",
    "unaccounted_calls",
    "answers_of_500_and_more",
    "slower_than_two_seconds",
    "rows_written",
)
"""Figures that are promises."""


@dataclass(frozen=True)
class Form:
    """A long form: what pytest runs, its share of the time, and among how many of its tests that is divided."""

    name: str
    tests: tuple[str, ...]
    share: int
    promises: tuple[str, ...]
    among: int = 1


_RACES = "tests/wire/test_parallel_orders.py::test_"
FORMS = (
    Form(
        "parallel adds",
        (f"{_RACES}of_two_hundred_parallel_orders_as_many_are_accepted_as_there_are_funds_for",),
        4,
        ("overspent",),
        among=2,
    ),
    Form(
        "one request_id",
        (f"{_RACES}two_hundred_parallel_orders_under_one_request_id_are_one_order_charged_once",),
        4,
        ("doubles",),
        among=2,
    ),
    Form(
        "crash points",
        ("tests/faults/test_crash_points.py::test_no_order_is_sent_twice_lost_or_bound_wrongly_however_workers_die",),
        34,
        ("doubled", "lost", "refunded_but_created", "wrongly_bound"),
    ),
    Form(
        "bank",
        ("tests/bank/test_bank.py::test_no_snapshot_ever_deviates_while_eight_write",),
        18,
        ("deviations",),
    ),
    Form(
        "database kills",
        ("tests/kills/test_kills_under_load.py::test_a_killed_postmaster_loses_nothing_that_was_acknowledged",),
        16,
        ("lost", "doubles"),
    ),
    Form(
        "server kills",
        ("tests/kills/test_kills_under_load.py::test_a_killed_server_loses_nothing_and_the_other_answers_for_it",),
        5,
        ("lost", "doubles"),
    ),
    Form(
        "failover at COMMIT",
        ("tests/kills/test_commit_failover.py::test_a_database_that_dies_at_the_commit_is_asked_again",),
        5,
        ("lost", "doubles"),
        among=4,
    ),
    Form(
        "stateful model",
        ("tests/model/test_model.py::test_no_sequence_of_steps_breaks_an_invariant_or_a_cent",),
        9,
        ("breaches",),
    ),
    Form(
        "bad inputs",
        ("tests/wire/test_bad_input_at_random.py::test_no_mixture_of_bad_values_is_answered_with_a_fault",),
        5,
        ("answers_of_500_and_more", "slower_than_two_seconds", "rows_written"),
    ),
)


@dataclass
class Ran:
    """What became of a form."""

    form: str
    passed: bool
    seconds: float
    figures: dict[str, float] = field(default_factory=dict)
    why: str = ""


def judge(form: Form, code: int, figures: Mapping[str, float]) -> str:
    """Why the run of a form breaks a promise; empty where it keeps all."""
    if broken := [f"{name} {figures[name]}" for name in KEPT_AT_ZERO if figures.get(name)]:
        return f"broken: {', '.join(broken)}"
    if code:
        return f"pytest ended with {code}"
    missing = [name for name in form.promises if name not in figures]
    return f"nothing was counted of: {', '.join(missing)}" if missing else ""


def add_up(lines: Iterable[str], form: str) -> dict[str, float]:
    """The figures that the notes of a form come to."""
    total: Counter[str] = Counter()
    for note in map(json.loads, lines):
        if note["form"] == form:
            total.update(note["figures"])
    return dict(total)


def run(form: Form, seconds: float) -> Ran:
    """Run a form within so many seconds and a little more."""
    folder = BUILD / "soak"
    folder.mkdir(parents=True, exist_ok=True)
    stem = form.name.replace(" ", "-")
    notes, log = folder / f"{stem}.jsonl", folder / f"{stem}.log"
    notes.write_text("")
    budget = max(5.0, (seconds - STARTING_SECONDS) / form.among)
    environment = {
        **os.environ,
        "HAWKER_SOAK": "1",
        "HAWKER_SOAK_SECONDS": f"{budget:.0f}",
        "HAWKER_SOAK_FIGURES": str(notes),
    }
    began = time.monotonic()
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-s", *form.tests],
            cwd=REPOSITORY,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        code = wait(process, seconds + PATIENCE_SECONDS)
    figures = add_up(notes.read_text().splitlines(), form.name)
    why = judge(form, code, figures)
    if why:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-60:])
        print(f"{tail}\n--- the whole of it: {log}", flush=True)
    return Ran(form.name, not why, round(time.monotonic() - began, 1), figures, why)


def wait(process: "subprocess.Popen[bytes]", seconds: float) -> int:
    """The exit code; a process that takes too long, and only this one, is asked to end and then made to."""
    for patience, signal_number in ((seconds, signal.SIGINT), (120, signal.SIGKILL)):
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            print(f"{process.args!r} takes too long", flush=True)
            process.send_signal(signal_number)
        except KeyboardInterrupt:
            # The terminal has told the child as well; it stops its database before it ends.
            process.wait(120)
            raise
    return process.wait()


def about(minutes: float, began: datetime) -> dict[str, Any]:
    """Of what the figures are."""
    memory = int(next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line).split()[1])
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "date": f"{began:%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} cores, {memory / 1_048_576:.1f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}",
        "load_at_the_end": load,
        "command": f"make soak SOAK_MINUTES={minutes:g}",
        "commit": commit(),
        "minutes": round((datetime.now(UTC) - began).total_seconds() / 60, 1),
    }


def commit() -> str:
    """The commit that is checked out, with a word where files differ from it; `unknown` outside a repository."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = git("status", "--porcelain", "--", "src", "tests", "tools", "requirements")
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{' with changes' if changed else ''}"


def table(facts: Mapping[str, Any], ran: Sequence[Ran]) -> str:
    """The figures as a table of the page."""
    told = [
        f"{facts['date']}, `{facts['command']}`, commit {facts['commit']}, {facts['minutes']} minutes",
        f"on {facts['machine']} (load at the end {facts['load_at_the_end']}):",
        "",
        "| form | kept | seconds | figures |",
        "|---|---|---|---|",
    ]
    for each in ran:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:,.10g}" for name, value in each.figures.items())
        told.append(f"| {each.form} | {'yes' if each.passed else each.why} | {each.seconds:.0f} | {figures} |")
    return "\n".join(told)


def put_between_marks(page: str, text: str) -> str:
    """The page with this text between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{PAGE.name} has lost its marks"
    return f"{before}{begin}\n{text}\n{end}{after}"


def main() -> int:
    """Run what is asked for, write the figures down, answer the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true", help="print the forms as JSON and run nothing")
    parser.add_argument("--only", action="append", metavar="FORM", help="this form only; the page stays as it is")
    arguments = parser.parse_args()
    if arguments.list:
        print(json.dumps([asdict(form) for form in FORMS]))
        return 0
    unknown = set(arguments.only or ()) - {form.name for form in FORMS}
    if unknown:
        parser.error(f"there is no form {', '.join(sorted(unknown))}")
    minutes = float(os.environ.get("SOAK_MINUTES") or MINUTES)
    forms = [form for form in FORMS if not arguments.only or form.name in arguments.only]
    began, ran = datetime.now(UTC), []
    for form in forms:
        seconds = minutes * 60 * form.share / sum(each.share for each in forms)
        print(f"{form.name}: {seconds:.0f} s …", flush=True)
        ran.append(run(form, seconds))
        print(f"{form.name}: {ran[-1].why or 'kept'} after {ran[-1].seconds} s, {ran[-1].figures}", flush=True)
    facts = about(minutes, began)
    result = {**facts, "forms": [asdict(each) for each in ran]}
    (BUILD / "soak.json").write_text(json.dumps(result, indent=1) + "\n")
    if not arguments.only:
        PAGE.write_text(put_between_marks(PAGE.read_text(), table(facts, ran)))
    return 0 if all(each.passed for each in ran) else 1


if __name__ == "__main__":
    sys.exit(main())
