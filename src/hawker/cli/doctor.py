"""`hawker doctor`: everything that can be found out about a panel's state without changing it."""

from dataclasses import asdict

import typer

from hawker.cli.output import answer, say
from hawker.cli.panel import read_settings, set_up
from hawker.core.clock import SystemClock


def run_doctor() -> None:
    """Print what was found; exit code 1 where a check failed. Starts no database: it looks at what runs."""
    from hawker.host.machine_checks import examine_panel

    chosen = read_settings()
    set_up()
    found = examine_panel(chosen, now=SystemClock().now())
    failed = [finding for finding in found if finding.state == "fail"]
    answer({"ok": not failed, "checks": [asdict(finding) for finding in found]})
    for finding in found:
        if finding.state != "ok":
            figure = "" if finding.figure is None else f" {finding.figure}"
            advice = f" ({finding.advice})" if finding.advice else ""
            say(f"{finding.state}: {finding.name}:{figure} {finding.what}{advice}")
    say(f"hawker: {len(found)} checks, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)
