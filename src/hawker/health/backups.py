"""Which backups were made, so that somebody notices when there are none."""

from datetime import datetime

from hawker.core.sql import ask, in_transaction
from hawker.health import queries


def record_backup(taken_at: datetime, size_bytes: int, *, now: datetime) -> None:
    """Write down that a backup was finished. Raises Unavailable."""
    in_transaction(lambda cursor: ask(cursor, queries.INSERT_BACKUP, (taken_at, now, size_bytes)))
