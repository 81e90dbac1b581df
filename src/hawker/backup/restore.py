"""Bringing a backup back, into a new data folder or an empty database: checked, loaded, finished, put in place."""

import os
import tomllib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from hawker.backup.archive import ADDRESS, DUMP, SECRETS, Manifest, Told, open_backup, secrets_lines, without_address
from hawker.backup.errors import CannotRestore
from hawker.backup.place import Place, beside, check_empty, external, let_go, owned, take_place, write_secrets
from hawker.backup.programs import ProgramFailed, load, server_major
from hawker.core.datadir import DataDir
from hawker.core.failpoints import failpoint
from hawker.core.restore_mark import unmark, writing
from hawker.core.settings import Settings
from hawker.host.folder import make_folder


@dataclass(frozen=True, slots=True)
class Progress:
    """Told how far it is: the backup's bytes that were checked, the bytes of SQL that were sent."""

    checked: Told = lambda _: None
    loaded: Told = lambda _: None


Finish = Callable[[Place, Manifest], Any]
"""Migrates the loaded database, holds what may have been sent since, checks the invariants; answers what it found.
Raises CannotRestore."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A panel that was brought back: of when, what finishing found, and where the one before was put."""

    manifest: Manifest
    finished: Any
    aside: Path | None = None


def restore_backup(
    chosen: Settings,
    path: Path,
    *,
    replace: bool,
    known_migrations: Collection[str],
    finish: Finish,
    progress: Progress,
    now: datetime,
) -> Brought:
    """Bring the backup in the folder `path` back.

    Raises CannotRestore or CannotHost. Whatever is wrong with the backup is found before anything is written; after
    that an embedded panel is as it was until the restored one takes its place.
    """
    manifest = open_backup(path, progress.checked)
    _check_known(manifest, known_migrations)
    # Copies of earlier versions may hold the address.
    secrets = secrets_lines(without_address(_secrets_of(path / SECRETS)))
    _check_settings(chosen, manifest, secrets, replace=replace)
    if chosen.database_url is not None:
        return _into_database(chosen, path, manifest, secrets, replace=replace, finish=finish, progress=progress)
    with owned(chosen.folder):
        check_empty(chosen.folder, replace=replace)
        with beside(chosen.folder, secrets, chosen.postgres_bin) as place:
            _load(chosen, place, path, progress)
            finished = finish(place, manifest)
        failpoint("restore-finished")
        aside = take_place(chosen.folder, now=now)
    return Brought(manifest, finished, aside)


def _into_database(
    chosen: Settings, path: Path, manifest: Manifest, secrets: str, *, replace: bool, finish: Finish, progress: Progress
) -> Brought:
    make_folder(chosen.folder)
    try:
        place = external(chosen, replace=replace)
        try:
            _load(chosen, place, path, progress)
        except BaseException:
            # Loading is all or nothing: what was there before is there, and of use again if it was.
            let_go(place)
            raise
        _bring_secrets(chosen.folder, secrets)
        finished = finish(place, manifest)
        failpoint("restore-finished")
        _unmark(place)
    except psycopg.Error as error:
        raise CannotRestore(f"the database: {(str(error).splitlines() or ['no answer'])[0]}") from error
    return Brought(manifest, finished)


def _bring_secrets(folder: DataDir, secrets: str) -> None:
    """Put the backup's secrets into the folder. The database's address stays where it is there: without it, finishing
    would find an embedded database in its stead, and the loaded one would be let go with nothing held."""
    held = _secrets_of(folder.secrets_file)
    brought = tomllib.loads(secrets) | {name: value for name, value in held.items() if name == ADDRESS}
    if held != brought:
        write_secrets(folder, secrets_lines(brought))


def _unmark(place: Place) -> None:
    with psycopg.connect(writing(place.url), autocommit=True, connect_timeout=10) as connection:
        unmark(connection)


def _load(chosen: Settings, place: Place, path: Path, progress: Progress) -> None:
    try:
        major = server_major(place.url)
        for sent in load(place.url, path / DUMP, major=major, postgres_bin=chosen.postgres_bin, before=place.before):
            progress.loaded(sent)
    except (ProgramFailed, psycopg.Error) as error:
        raise CannotRestore(f"the database could not be loaded, and nothing was changed: {error}") from error


def _check_known(manifest: Manifest, known: Collection[str]) -> None:
    newer = sorted(set(manifest.migrations) - set(known))
    if newer:
        raise CannotRestore(
            f"the backup was made by a newer version of Hawker ({manifest.version}: {newer[0]}): use that version; "
            "nothing was changed"
        )


def _check_settings(chosen: Settings, manifest: Manifest, secrets: str, *, replace: bool) -> None:
    """What the panel is set to must be what the backup is of."""
    if chosen.currency != manifest.currency:
        raise CannotRestore(
            f"the backup is of a panel in {manifest.currency}, this one is set to {chosen.currency}: set "
            f"HAWKER_CURRENCY={manifest.currency}, or currency in hawker.toml; nothing was changed"
        )
    of_file, of_backup = _secrets_of(chosen.folder.secrets_file), tomllib.loads(secrets)
    of_settings = _secrets_of(chosen.folder.settings_file)
    for name in ("secret_key", "encryption_key"):
        setting = getattr(chosen, name)
        ours = setting.get_secret_value() if setting else None
        # From anywhere but secrets.toml, which is replaced, the panel would go on with a key that opens nothing.
        variable = f"HAWKER_{name.upper()}"
        elsewhere = name in of_settings or not os.environ.keys().isdisjoint({variable, f"{variable}_FILE"})
        if elsewhere and ours != of_backup.get(name):
            raise CannotRestore(
                f"{variable} (or hawker.toml) differs from the backup's secret: unset it, and the restore "
                "writes the backup's into secrets.toml; nothing was changed"
            )
    # Other encryption keys may have come by a rotation since, and belong to nothing of the copy.
    foreign = of_file.get("secret_key") not in (None, of_backup.get("secret_key"))
    if chosen.database_url is not None and not replace and foreign:
        raise CannotRestore(
            f"{chosen.folder.secrets_file} has another secret key than the backup: move it away, or use --replace; "
            "nothing was changed"
        )


def _secrets_of(file: Path) -> dict[str, object]:
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
