"""A backup on disk: a folder of its own, closed to others, that is whole or is not there.

NAME/
  manifest.json    what this is: format, moment, currency, versions, size and SHA-256 of every other file, and of itself
  database.dump    all tables, as `pg_dump -Fc` writes them
  secrets.toml     the secrets, mode 0600: without them no API key is recognised and no provider's key can be read
  hawker.toml      the settings file of the panel, if it had one; for people, never brought back by itself
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hawker.backup.errors import CannotBackUp, CannotRestore
from hawker.host.folder import sync_folder

FORMAT = 1
MANIFEST, DUMP, SECRETS, SETTINGS = "manifest.json", "database.dump", "secrets.toml", "hawker.toml"
ADDRESS = "database_url"
_PARTIAL = ".partial"
_CHUNK = 1 << 20
_LONGEST_MANIFEST = 1 << 20

Told = Callable[[int], None]
"""Takes the bytes that are done."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a backup."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. Whatever the panel did before `taken_at` is in it."""

    format: int
    version: str
    taken_at: datetime
    currency: str
    postgres_major: int
    migrations: Sequence[str]
    files: Mapping[str, File]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files.values())


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to write a backup in, which gets its name `path` when the block ends well; else it is removed.

    Raises CannotBackUp where there is something of that name, or nothing can be written there.
    """
    partial = path.with_name(f"{path.name}{_PARTIAL}")
    try:
        # A name that is too long, or lies in a folder that is closed to us, cannot even be looked at.
        if path.exists() or path.is_symlink():
            raise CannotBackUp(f"{path} exists already: a backup overwrites nothing; name a new folder")
        # Never one that is there: two backups of one name would write into each other, and the first to end would give
        # its name to a mixture of both. Whether its maker still is at work cannot be told, on another machine least.
        partial.mkdir(mode=0o700, parents=True)
    except FileExistsError as error:
        raise CannotBackUp(
            f"{partial} exists: another backup to this path is running, or one was killed; "
            "in that case remove the folder"
        ) from error
    except OSError as error:
        raise CannotBackUp(f"{partial} cannot be made: {error.strerror}") from error
    try:
        yield partial
        sync_folder(partial)
        partial.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise CannotBackUp(f"{path} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_file(folder: Path, name: str, chunks: Iterator[bytes]) -> File:
    """Write one file with mode 0600, whole on disk when this returns. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(descriptor)
    return File(size, digest.hexdigest())


def without_address(secrets: Mapping[str, object]) -> dict[str, object]:
    """What a secrets.toml holds, but for the address of a database.

    An operator may keep that there, as every setting. In a copy it would be that of the panel which was copied: a
    restore would hold and migrate the database that serves customers, and leave its own unheld.
    """
    return {name: value for name, value in secrets.items() if name != ADDRESS}


def secrets_lines(secrets: Mapping[str, object]) -> str:
    """The text of a secrets.toml that holds these."""
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in secrets.items())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write down what the files are; last, when all of them are there."""
    told = {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}
    told |= {"taken_at": manifest.taken_at.isoformat()}
    told |= {"files": {name: asdict(file) for name, file in manifest.files.items()}}
    told["sha256"] = _own_digest(told)
    write_file(folder, MANIFEST, iter([json.dumps(told, indent=2).encode() + b"\n"]))


def open_backup(path: Path, told: Told = lambda _: None) -> Manifest:
    """The manifest of a backup whose every byte is as it was written.

    Raises CannotRestore for a folder that is no backup, was cut off, or was changed since.
    """
    try:
        with (path / MANIFEST).open("rb") as file:
            text = file.read(_LONGEST_MANIFEST)
    except OSError as error:
        raise CannotRestore(f"{path} is not a backup: its {MANIFEST} cannot be read ({error.strerror})") from error
    manifest = _read(path, text)
    done = 0
    for name, written in manifest.files.items():
        try:
            digest, size = hashlib.sha256(), 0
            with (path / name).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    told(done + size)
        except OSError as error:
            raise CannotRestore(f"{path / name} cannot be read ({error.strerror}): nothing was changed") from error
        done += size
        if size != written.size_bytes:
            raise CannotRestore(f"{path / name} has {size} bytes instead of {written.size_bytes}: nothing was changed")
        if digest.hexdigest() != written.sha256:
            raise CannotRestore(f"{path / name} does not match its checksum: nothing was changed")
    return manifest


def _read(path: Path, text: bytes) -> Manifest:
    broken = CannotRestore(f"{path / MANIFEST} does not match its checksum: nothing was changed")
    try:
        told: dict[str, Any] = json.loads(text)
        if told["format"] != FORMAT:
            raise CannotRestore(
                f"{path} is of format {told['format']}, and this version of Hawker reads format {FORMAT}: "
                "use the version that made it"
            )
        if told.pop("sha256") != _own_digest(told):
            raise broken
        files = {str(name): File(**file) for name, file in told.pop("files").items()}
        manifest = Manifest(**told | {"taken_at": datetime.fromisoformat(told["taken_at"])}, files=files)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise broken from error
    if not {DUMP, SECRETS} <= files.keys() or not files.keys() <= {DUMP, SECRETS, SETTINGS}:
        raise broken
    return manifest


def _own_digest(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
