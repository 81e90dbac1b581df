"""Making a backup of the panel, and recording that there is one."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from hawker.operations.base import Run, operation, refusing
from hawker.operations.errors import BadInput

if TYPE_CHECKING:
    from hawker.backup.archive import Manifest

_progress: ContextVar[Callable[[int], None]] = ContextVar("backup_progress", default=lambda _: None)


def show_progress(told: Callable[[int], None]) -> None:
    """Have `told` called with the number of bytes copied so far by the backups that this thread makes from now on."""
    _progress.set(told)


@dataclass(frozen=True, slots=True)
class MakeBackup:
    path: Annotated[str, Meta(min_length=1, max_length=4_000, description="A folder that does not exist yet.")]


@dataclass(frozen=True, slots=True)
class BackupMade:
    backup: str
    taken_at: datetime
    bytes: int


def _copy(given: MakeBackup) -> "Manifest":
    """Write the copy. Before the transaction of its record: it may take an hour."""
    from hawker.backup.errors import CannotBackUp
    from hawker.backup.make import make_backup
    from hawker.core.settings import settings
    from hawker.host.errors import CannotHost

    path = Path(given.path)
    if not path.is_absolute():
        raise BadInput("path", "must be an absolute path")
    with refusing(CannotBackUp, CannotHost):
        return make_backup(settings(), path, _progress.get())


@operation("backup.make", subject="backup", ids=lambda given: (given.path,), prepare=_copy, step_up=True)
def record_backup(run: Run, given: MakeBackup) -> BackupMade:
    """Write a backup of everything, secrets too, while the panel runs: one snapshot, with checksums."""
    from hawker.health import backups

    manifest: Manifest = run.prepared
    backups.record_backup(manifest.taken_at, manifest.size_bytes, now=run.now)
    # Whoever has a backup has the secrets and everybody's data: the audit log says who made it, and where it lies.
    run.note(given.path, after={"bytes": manifest.size_bytes})
    return BackupMade(given.path, manifest.taken_at, manifest.size_bytes)
