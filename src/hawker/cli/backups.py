"""`hawker backup` and `hawker restore`."""

import os
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from hawker.cli.output import answer, fail, progress, progress_done, say, sentences
from hawker.cli.panel import panel, read_settings, set_up
from hawker.cli.running import actor
from hawker.core.clock import SystemClock
from hawker.core.database import DatabaseAccess
from hawker.operations.backups import BackupMade, show_progress

if TYPE_CHECKING:
    from hawker.backup.archive import Manifest
    from hawker.backup.place import Place


def show_copying() -> None:
    """Show how far the copy of a backup is, where a person is watching."""
    show_progress(lambda done: progress(f"copying: {done >> 20} MB"))


def advise_on_backup(made: BackupMade) -> BackupMade:
    """Say how to treat a backup; answers it again."""
    say(
        f"hawker: {made.backup} holds everybody's data and, in secrets.toml, the panel's secrets: keep it where only "
        "you can read it. Without secrets.toml no API key is recognised and no provider can be called"
    )
    return made


def run_restore(path: Path, *, replace: bool) -> None:
    """Bring a backup back; exit code 1 where an invariant does not hold in it."""
    from hawker.backup.errors import CannotRestore
    from hawker.backup.restore import Progress, restore_backup
    from hawker.host.errors import CannotHost

    chosen = read_settings()
    # Django is made ready for what this version's migrations are; nothing of it is asked here.
    set_up(DatabaseAccess.OWNER)
    from hawker.health.state import known_migrations

    told = Progress(
        checked=lambda done: progress(f"checking the backup: {done >> 20} MB"),
        loaded=lambda done: progress(f"loading: {done >> 20} MB"),
    )
    with sentences(CannotRestore, CannotHost):
        brought = restore_backup(
            chosen,
            path.expanduser().absolute(),
            replace=replace,
            known_migrations=known_migrations(),
            finish=_finish,
            progress=told,
            now=SystemClock().now(),
        )
    progress_done()
    aside = {"replaced": str(brought.aside)} if brought.aside else {}
    answer({"taken_at": brought.manifest.taken_at, **brought.finished, **aside})
    _advise(brought.manifest, brought.finished)
    if brought.aside:
        say(f"hawker: the panel that was there lies in {brought.aside}: remove it when you are content")
    if not brought.finished["ok"]:
        for breach in brought.finished["breaches"]:
            say(f"hawker: {breach['invariant']}: {breach['what']}")
        raise typer.Exit(1)


def _finish(place: "Place", manifest: "Manifest") -> Any:
    """Finish the loaded database in a process of its own: this one knows the panel by another address."""
    from hawker.backup.errors import CannotRestore

    progress("bringing it to this version and checking it")
    words = [sys.executable, "-m", "hawker", "restore-finish", "--taken-at", manifest.taken_at.isoformat()]
    environment = os.environ | {"HAWKER_DATA_DIR": str(place.folder.path)}
    done = subprocess.run(words, stdout=subprocess.PIPE, env=environment, check=False)  # noqa: S603 - ourselves
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(done.stdout)
    raise CannotRestore("the loaded database could not be brought to this version; it has not taken its place")


def run_finish(taken_at: datetime) -> None:
    """The second half of a restore, inside the loaded database."""
    with panel(access=DatabaseAccess.OWNER):
        from hawker.backup.finish import hold_back
        from hawker.host.migration import CannotMigrate, migrate
        from hawker.orders.invariants import check_invariants

        with sentences(CannotMigrate):
            migrate(restoring=True)
        held = hold_back(taken_at=taken_at, actor=actor(), now=SystemClock().now())
        report = check_invariants(progress=lambda item: progress(f"checking {item.name}: {item.meaning}"))
        progress_done()
        answer(
            {
                "ok": report.ok,
                "paused_providers": held.paused_providers,
                "unknown_orders": held.unknown_orders,
                "unknown_refills": held.unknown_refills,
                "held_drip_feeds": held.held_drips,
                "held_subscriptions": held.held_subscriptions,
                "breaches": [{"invariant": breach.invariant, "what": breach.what} for breach in report.breaches],
            }
        )


def _advise(manifest: "Manifest", finished: Any) -> None:
    waiting = finished["unknown_orders"] + finished["unknown_refills"]
    held = len(finished["held_drip_feeds"]) + len(finished["held_subscriptions"])
    say(
        f"hawker: the panel is as it was at {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC. Nothing is sent by itself: all "
        f"providers are paused, {waiting} orders and refills that may have been sent since are unknown, and {held} "
        "drip-feeds and subscriptions are held"
    )
    say(
        "hawker: the old panel must never run again beside this one. Compare with each provider's own list "
        "(`hawker order list --state unknown`, then `hawker order resolve`; `hawker order list --held`, then `hawker "
        "order release` or `cancel`), then `hawker provider resume`. docs/operations.md tells it step by step"
    )


def read_moment(text: str) -> datetime:
    """A moment of a manifest, or the end of the command."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no moment")
