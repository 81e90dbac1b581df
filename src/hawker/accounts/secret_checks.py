"""Which secrets this database was written under: kept, changed by a rotation, compared by the doctor."""

from datetime import datetime

from hawker.accounts import queries
from hawker.accounts.models import SecretName
from hawker.accounts.rules import check_of
from hawker.core.sql import Cursor, ask


def keep_check(cursor: Cursor, name: SecretName, secret: str, *, now: datetime) -> None:
    """Remember this secret, where none is remembered under the name."""
    ask(cursor, queries.KEEP_CHECK, (name.value, check_of(secret), now))


def change_check(cursor: Cursor, name: SecretName, secret: str, *, now: datetime) -> None:
    """Remember this secret from now on."""
    ask(cursor, queries.CHANGE_CHECK, (name.value, check_of(secret), now))


def read_checks(cursor: Cursor) -> dict[SecretName, bytes]:
    """What is remembered; nothing of a name before `hawker migrate` has run."""
    return {SecretName(name): bytes(value) for name, value in ask(cursor, queries.READ_CHECKS)}
