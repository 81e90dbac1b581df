"""What the doctor looks at on this machine: who may read the secrets, free disk space, whether the database runs."""

import shutil
import stat
import tomllib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hawker.core.errors import Unavailable
from hawker.core.settings import Settings
from hawker.host.roles import answers

if TYPE_CHECKING:
    from hawker.health.doctor import Finding, State

_LITTLE_SPACE, _NO_SPACE = 0.10, 0.02


def examine_panel(chosen: Settings, *, now: datetime) -> "list[Finding]":
    """Every check of the doctor. Starts no database: one that does not run is a finding. Django must be set up."""
    return [_secrets(chosen), _disk(chosen), *_database(chosen, now)]


def _database(chosen: Settings, now: datetime) -> "list[Finding]":
    from hawker.health.doctor import Finding, examine

    if chosen.database_url is None and not answers(chosen.folder):
        what = f"the database of {chosen.folder.path} does not run"
        return [Finding("database", "fail", what, None, "start it with `hawker up`; pg.log there says why it ended")]
    try:
        found = examine(now=now)
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
    from hawker.health.doctor import Finding

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
