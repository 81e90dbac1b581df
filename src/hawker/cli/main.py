"""The commands of `hawker`. Each one parses, calls one verb, and prints one JSON document."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hawker.cli import (
    alerts,
    audit,
    customers,
    jobs,
    keys,
    links,
    lists,
    orders,
    prices,
    provider_settings,
    refills,
    routes,
    secrets,
    services,
)
from hawker.cli.backups import advise_on_backup, show_copying
from hawker.cli.output import answer, progress, progress_done, say, sentences
from hawker.cli.panel import DataDirOption, panel, read_settings, set_up_service
from hawker.cli.running import Values, runs
from hawker.core.database import DatabaseAccess

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="An open panel for the marketing-services trade. JSON on stdout, people's text on stderr.",
)
app.add_typer(customers.app, name="customer", help="Customers and their balances.")
app.add_typer(keys.app, name="key", help="The API keys of customers.")
app.add_typer(provider_settings.app, name="provider", help="Upstream panels.")
app.add_typer(services.app, name="service", help="What is sold, and how it may be ordered.")
app.add_typer(prices.app, name="price", help="What customers pay: groups, percentages, agreed rates.")
app.add_typer(links.app, name="link", help="Links that nobody may order for.")
app.add_typer(orders.app, name="order", help="Orders, their attempts and events.")
app.add_typer(refills.app, name="refill", help="Refills, and those that a person must end.")
app.add_typer(routes.app, name="route", help="Where each service is bought, and from whom next.")
app.add_typer(alerts.app, name="alert", help="What needs a person.")
app.add_typer(jobs.app, name="job", help="Operations on many subjects at once.")
app.add_typer(audit.app, name="audit", help="Who changed what.")
app.add_typer(secrets.app, name="secrets", help="The secrets that the panel's data is kept under.")

app.command(name="list")(lists.list_)

WRONG_WORDS = 2
"""The exit code of a command that cannot be read, as the parser has it."""

HostOption = Annotated[str, typer.Option(help="Address to listen on.")]


@app.command()
def up(
    *,
    demo: Annotated[bool, typer.Option("--demo", help="Add demo data and a sandbox upstream.")] = False,
    host: HostOption = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Default: 8000, or any free one.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Serve only.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Everything in one: database, web, API, workers. Prints one JSON line when ready."""
    del data_dir
    from hawker.cli.up import run_panel

    run_panel(read_settings(), demo=demo, host=host, port=port, workers=0 if no_worker else workers)


@app.command()
def serve(
    *,
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any free one.")] = 8000,
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    data_dir: DataDirOption = None,
) -> None:
    """The web process alone: API and pages over a database that runs already."""
    del data_dir
    from hawker.cli.serve import serve as run_server

    set_up_service()
    run_server(host=host, port=port, fd=fd)


@app.command()
def worker(*, data_dir: DataDirOption = None) -> None:
    """The worker process alone: sends orders, follows them, settles them. Run as many as you like."""
    del data_dir
    set_up_service()
    from hawker.worker.run import run_worker

    run_worker()


@app.command()
def migrate(
    *,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for tables that others hold.")] = 600,
    data_dir: DataDirOption = None,
) -> None:
    """Bring the database to this version, while the panel runs."""
    del data_dir
    from hawker.host.migration import CannotMigrate
    from hawker.host.migration import migrate as run_migrations

    with panel(access=DatabaseAccess.OWNER, create=True), sentences(CannotMigrate):
        run_migrations(wait_seconds=wait, tell=lambda text: say(f"hawker: {text}"))
        answer({"ok": True})


@app.command()
def sandbox(
    *,
    port: Annotated[int, typer.Option(help="0 for any free one.")] = 0,
    speed: Annotated[float, typer.Option(help="How many times faster than life orders are delivered.")] = 1.0,
    fault: Annotated[list[str], typer.Option(help="NAME=RATE, for example hang-after-accept=0.1.")] = [],  # noqa: B006
    key: Annotated[list[str], typer.Option(help="KEY=BALANCE; a demo key without.")] = [],  # noqa: B006
    state: Annotated[str, typer.Option(help="Folder to remember orders in.")] = "",
    seed: Annotated[int, typer.Option(help="Of everything that is decided by chance.")] = 1,
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """A simulated upstream panel that speaks all of API v2, with faults on demand. Makes nothing real."""
    from hawker.cli.sandbox import run_sandbox

    run_sandbox(port=port, speed=speed, faults=fault, keys=key, state=state, seed=seed, fd=fd)


@app.command()
def verify(*, data_dir: DataDirOption = None) -> None:
    """Check every invariant of money and orders; exit code 1 with the breaches named."""
    del data_dir
    with panel():
        from hawker.orders.invariants import check_invariants

        report = check_invariants(progress=lambda item: progress(f"checking {item.name}: {item.meaning}"))
        progress_done()
        result: dict[str, object] = {"ok": report.ok, "checked": report.checked}
        if not report.ok:
            result["breaches"] = [{"invariant": breach.invariant, "what": breach.what} for breach in report.breaches]
        answer(result)
    if not report.ok:
        for breach in report.breaches:
            say(f"hawker: {breach.invariant}: {breach.what}")
        raise typer.Exit(1)


@app.command()
def doctor(*, data_dir: DataDirOption = None) -> None:
    """Look at everything that a panel's health rests on; exit code 1 where a check fails. Changes nothing."""
    del data_dir
    from hawker.cli.doctor import run_doctor

    run_doctor()


@runs(app, "backup.make", show=advise_on_backup)
def backup(path: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")]) -> Values:
    """Write a backup of everything, secrets too, while the panel runs: one snapshot, with checksums."""
    show_copying()
    return {"path": str(path.expanduser().absolute())}


@app.command()
def restore(
    path: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Also where there is a panel: it is put aside.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Bring a backup back into a new folder or an empty database. Nothing that may have been sent since goes out."""
    del data_dir
    from hawker.cli.backups import run_restore

    run_restore(path, replace=replace)


@app.command(hidden=True)
def restore_finish(*, taken_at: Annotated[str, typer.Option()], data_dir: DataDirOption = None) -> None:
    """The second half of a restore, inside the loaded database. Called by `restore`."""
    del data_dir
    from hawker.cli.backups import read_moment, run_finish

    run_finish(read_moment(taken_at))


@app.command(hidden=True)
def demo(*, sandbox_url: Annotated[str, typer.Option()], data_dir: DataDirOption = None) -> None:
    """Fill the panel with the demo's customer, provider and catalogue. Called by `up --demo`."""
    del data_dir
    with panel():
        from hawker.demo.demo_data import make_demo

        answer(make_demo(sandbox_url))


def main() -> None:
    """The entry point of the `hawker` command."""
    # Child processes and libraries must not write byte-code next to a read-only installation's sources.
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    for stream in (sys.stdout, sys.stderr):
        # JSON is UTF-8 whatever the terminal's locale: a name that it cannot write must not fail what was done already.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    _refuse_what_is_no_text(sys.argv[1:])
    app()


def _refuse_what_is_no_text(words: Sequence[str]) -> None:
    """End with exit code 2 where a word of the command is not UTF-8: neither database nor answer could hold it."""
    for place, word in enumerate(words, 1):
        try:
            word.encode()
        except UnicodeEncodeError:
            say(f"hawker: word {place} of the command is no text in UTF-8")
            raise SystemExit(WRONG_WORDS) from None
