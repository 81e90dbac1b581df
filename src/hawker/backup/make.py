"""Making a backup of a panel that runs."""

import tomllib
from collections.abc import Iterator
from datetime import UTC
from importlib.metadata import version
from pathlib import Path

import psycopg
from pydantic import SecretStr

from hawker.backup.archive import (
    DUMP,
    FORMAT,
    SECRETS,
    SETTINGS,
    File,
    Manifest,
    Told,
    new_folder,
    secrets_lines,
    without_address,
    write_file,
    write_manifest,
)
from hawker.backup.errors import CannotBackUp
from hawker.backup.programs import ProgramFailed, dump, server_major
from hawker.core.database import DatabaseAccess, database_url
from hawker.core.failpoints import failpoint
from hawker.core.settings import Settings


def make_backup(chosen: Settings, path: Path, told: Told) -> Manifest:
    """Write a backup of the panel to the new folder `path`, from one snapshot, while the panel runs.

    The database must serve. Raises CannotBackUp; then nothing is left under that name.
    """
    url = database_url(chosen, DatabaseAccess.OWNER)
    chosen.require_secret()
    try:
        major = server_major(url)
        with psycopg.connect(url, connect_timeout=10) as connection:
            # Before the snapshot: what the panel did after it must all lie after this moment.
            row = connection.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            applied = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1").fetchall()
        before = _secrets_on_disk(chosen)
        with new_folder(path) as folder:
            files = {
                DUMP: write_file(folder, DUMP, _counted(dump(url, major=major, postgres_bin=chosen.postgres_bin), told))
            }
            failpoint("backup-dumped")
            files |= _write_settings(chosen, folder)
            if _secrets_on_disk(chosen) != before:
                raise CannotBackUp("the secrets changed during the backup: run it again")
            manifest = Manifest(
                format=FORMAT,
                version=version("hawker"),
                taken_at=row[0].astimezone(UTC),
                currency=chosen.currency,
                postgres_major=major,
                migrations=[name for (name,) in applied],
                files=files,
            )
            write_manifest(folder, manifest)
    except psycopg.Error as error:
        raise CannotBackUp(f"the database cannot be read: {(str(error).splitlines() or ['no answer'])[0]}") from error
    except ProgramFailed as error:
        raise CannotBackUp(f"the database could not be copied: {error}") from error
    return manifest


def secrets_text(chosen: Settings) -> str:
    """The secrets of a panel as a secrets.toml, wherever it has them from. The database's address is none of them.

    As they are now and not as this process read them at its start: they may have been rotated since.
    """
    chosen = Settings(data_dir=chosen.data_dir)  # type: ignore[call-arg]  # the sources fill the other fields
    values: dict[str, object] = {}
    if chosen.folder.secrets_file.exists():
        values = tomllib.loads(chosen.folder.secrets_file.read_text(encoding="utf-8"))
    for name in type(chosen).model_fields:
        value = getattr(chosen, name)
        if isinstance(value, SecretStr):
            values[name] = value.get_secret_value()
    return secrets_lines(without_address(values))


def _secrets_on_disk(chosen: Settings) -> bytes:
    file = chosen.folder.secrets_file
    return file.read_bytes() if file.exists() else b""


def _write_settings(chosen: Settings, folder: Path) -> dict[str, File]:
    written = {SECRETS: write_file(folder, SECRETS, iter([secrets_text(chosen).encode()]))}
    if chosen.folder.settings_file.exists():
        written[SETTINGS] = write_file(folder, SETTINGS, iter([chosen.folder.settings_file.read_bytes()]))
    return written


def _counted(chunks: Iterator[bytes], told: Told) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        done += len(chunk)
        told(done)
        yield chunk
