"""`hawker doctor`: everything that can be found out about a panel's state without changing it."""

import shutil
import stat
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hawker.cli.output import answer, say
from hawker.cli.panel import read_settings, set_up
from hawker.core.clock import SystemClock
from hawker.core.errors import Unavailable
from hawker.core.settings import Settings

if TYPE_CHECKING:
    from hawker.health.doctor import Finding

_LITTLE_SPACE, _NO_SPACE = 0.10, 0.02


def run_doctor() -> None:
    """Print what was found; exit code 1 where a check failed. Starts no database: it looks at what runs."""
    chosen = read_settings()
    set_up()
    found = [_secrets(chosen), _disk(chosen), *_database(chosen)]
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


def _database(chosen: Settings) -> "list[Finding]":
    from hawker.health.doctor import Finding, examine
    from hawker.host.roles import answers

    if chosen.database_url is None and not answers(chosen.folder):
        what = f"the database of {chosen.folder.path} does not run"
        return [Finding("database", "fail", what, None, "start it with `hawker up`; pg.log there says why it ended")]
    try:
        found = examine(now=SystemClock().now())
    except Unavailable as error:
        first = (str(error).splitlines() or [""])[0]
        return [Finding("database", "fail", f"does not answer: {first}", None, "see that PostgreSQL runs")]
    return [Finding("database", "ok", "answers"), *found]


def _secrets(chosen: Settings) -> "Finding":
    from hawker.health.doctor import Finding

    if chosen.secret_key is None:
        return Finding("secrets", "fail", "there is no secret key", None, "bring secrets.toml along: keys need it")
    folder = chosen.folder
    for file in (folder.secrets_file, folder.settings_file):
        if file.exists() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and _holds_secrets(file):
            return Finding("secrets", "fail", f"others may read {file}", None, f"chmod 600 {file}")
    # Whoever may write there can put another file in its place.
    if folder.path.exists() and folder.path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        what = f"others may write in {folder.path}, where the secrets are"
        return Finding("secrets", "fail", what, None, f"chmod go-w {folder.path}")
    return Finding("secrets", "ok", "there is a secret key, and nobody else may read it")


def _holds_secrets(file: Path) -> bool:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    return not secret.isdisjoint(tomllib.loads(file.read_text(encoding="utf-8")))


def _disk(chosen: Settings) -> "Finding":
    from hawker.health.doctor import Finding, State

    folder = chosen.folder.path
    if not folder.exists():
        return Finding("disk", "ok", "no data folder on this machine")
    usage = shutil.disk_usage(folder)
    free = usage.free / usage.total
    state: State = "fail" if free < _NO_SPACE else "warn" if free < _LITTLE_SPACE else "ok"
    what = f"of the disk of {folder} is free"
    return Finding(
        "disk", state, what, round(free, 3), "" if state == "ok" else "make room: a full disk takes no orders"
    )
