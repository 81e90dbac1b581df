"""`python -m bench [--quick] [--only NAME …] [--orders N] [--serve N] [--out FILE]`."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from bench import documents, report
from bench.errors import CannotBench, RunFailed
from bench.figures import Row
from bench.plan import MANY_ORDERS, QUICK, Plan
from bench.stack import open_stack
from bench.tools import ensure_site, find_pgbench, find_wrk
from bench.works import adds, grown, reads, slope, starts, worker
from bench.works.bench import Bench
from hawker.host.errors import CannotHost

WORKS: dict[str, Callable[[Bench], list[Row]]] = {
    "add": adds.many_customers,
    "add-one-customer": adds.one_customer,
    "add-one-connection": adds.one_connection,
    "add-half-rate": adds.half_rate,
    "balance": reads.balance,
    "status": reads.status,
    "services": reads.services,
    "dispatch": worker.dispatch,
    "polling": worker.polling,
    "serve2": adds.two_servers,
    "memory": reads.memory,
    "memory-slope": slope.memory_slope,
    "start": starts.start,
}
"""In this order; memory after the loads, because it weighs what all of them left behind."""

ALONE: dict[str, Callable[[Bench], list[Row]]] = {"grown": grown.grown}
"""Only when asked for: they need a panel of their own size."""


class OutOfTime(Exception):
    """The run did not end within its limit."""


def main() -> int:
    """Exit code 0 when everything was measured, whatever the goals; 1 where something failed, 2 where it cannot run."""
    options = _options()
    plan = _plan(options)
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.signal(signal.SIGTERM, _stop)
    signal.setitimer(signal.ITIMER_REAL, plan.limit_seconds)
    started = time.monotonic()
    try:
        # Whatever is missing is said before anything is started.
        find_wrk()
        find_pgbench()
        ensure_site()
        with open_stack(plan) as stack:
            _say(f"filled with {plan.orders:,} orders after {time.monotonic() - started:.0f} s in {stack.folder}")
            bench = Bench(stack)
            rows = [row for name in options.only or WORKS for row in _work(bench, name)]
            signal.setitimer(signal.ITIMER_REAL, 0)
            found = report.results(bench, rows, seconds=time.monotonic() - started)
    except (CannotBench, CannotHost) as error:
        _say(str(error))
        return 2
    except (RunFailed, OutOfTime) as error:
        _say(f"the run is void: {error}")
        return 1
    except KeyboardInterrupt:
        _say("stopped, and everything with it")
        return 130
    print(report.table(rows))
    for sentence in report.disturbances(bench):
        print(sentence)
    _write(options, found, rows)
    return 1 if any(row.void for row in rows) else 0


def _work(bench: Bench, name: str) -> list[Row]:
    _say(name)
    return {**WORKS, **ALONE}[name](bench)


def _write(options: argparse.Namespace, found: dict[str, object], rows: Sequence[Row]) -> None:
    """Only a whole run replaces the committed results: a quick one is no measure to compare with."""
    before = options.out if options.out and options.out.exists() else report.RESULTS
    for sentence in report.fallen(rows, report.read_before(before)):
        print(f"fell by more than 30 % since the results in {before.name}: {sentence}")
    path = options.out or (None if options.quick or options.only else report.RESULTS)
    if path is not None:
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        _say(f"written to {path}")
        if path.resolve() in documents.FILES:
            documents.write_documents()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Hawker's speed beside others', in one run.")
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten; rough, and not written down")
    parser.add_argument("--only", action="append", choices=[*WORKS, *ALONE], help="this work alone; may be repeated")
    parser.add_argument("--customers", type=int, help="customers with keys and funds")
    parser.add_argument("--services", type=int, help="services on sale")
    parser.add_argument("--orders", type=int, help="orders present before the first load")
    parser.add_argument("--seconds", type=int, help="of load in each run")
    parser.add_argument("--runs", type=int, help="of each side; the median counts")
    parser.add_argument("--slope-seconds", type=int, help="of load while memory is watched")
    parser.add_argument("--serve", type=int, help="processes of `hawker serve`")
    parser.add_argument("--out", type=Path, help="write the results here; without it a whole run writes results.json")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else Plan()
    if options.only == ["grown"]:
        plan = replace(plan, orders=MANY_ORDERS, compared=False)
    chosen = {
        name: getattr(options, name) for name in ("customers", "services", "orders", "seconds", "runs", "slope_seconds")
    }
    chosen["serve_processes"] = options.serve
    return replace(plan, **{name: value for name, value in chosen.items() if value is not None})


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr)


def _out_of_time(*_: object) -> NoReturn:
    raise OutOfTime("it took longer than its limit")


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
