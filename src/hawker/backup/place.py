"""Where a backup is brought back to: a new embedded database beside the old one, or an external one.

Nothing half restored can be used. An embedded database is made in a folder of its own and gets its place when it is
whole. An external one takes no writes from anybody but us until it is.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from hawker.backup.errors import CannotRestore
from hawker.core.database import DatabaseAccess, database_url
from hawker.core.datadir import DataDir
from hawker.core.failpoints import failpoint
from hawker.core.restore_mark import is_marked, mark, unmark, writing
from hawker.core.settings import Settings
from hawker.host.folder import make_folder, open_private, said_of, sync_folder
from hawker.host.lock import COMMAND, try_lock
from hawker.host.postgres import EmbeddedPostgres

_GONE_SECONDS = 5.0
_PANEL_TABLES = ("orders", "transfer", "django_migrations")


@dataclass(frozen=True, slots=True)
class Place:
    """A database that is to be filled: the panel folder that its processes are to use, its address, the
    statements with which the filling begins, and whether an earlier restore was cut off in it."""

    folder: DataDir
    url: str
    before: tuple[str, ...] = ()
    was_cut_off: bool = False
    orders: int | None = None
    """The table of orders that was there before, by the number that no other table ever has."""


# --- embedded --------------------------------------------------------------------------------------


@contextlib.contextmanager
def owned(folder: DataDir) -> Iterator[None]:
    """Keep every other command and `hawker up` off the folder. Raises CannotRestore where one is at work."""
    make_folder(folder)
    busy = CannotRestore(f"{folder.path} is in use: stop its `hawker up` and its commands first; nothing was changed")
    users = open_private(folder, folder.users_file, os.O_RDWR)
    try:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        held = try_lock(folder, COMMAND)
        if held is None:
            raise busy
        try:
            yield
        finally:
            held.release()
    finally:
        os.close(users)


def check_empty(folder: DataDir, *, replace: bool) -> None:
    """Raises CannotRestore where the folder holds a panel that is not to be replaced, or whose database runs."""
    if not replace and folder.cluster.exists():
        raise CannotRestore(
            f"{folder.path} holds a panel: name a new folder with --data-dir, or use --replace, which moves the old "
            "panel aside; nothing was changed"
        )
    if EmbeddedPostgres(folder).pid is not None:
        raise CannotRestore(f"the database of {folder.path} is running: stop it first; nothing was changed")


@contextlib.contextmanager
def beside(folder: DataDir, secrets: str, postgres_bin: Path | None) -> Iterator[Place]:
    """A new embedded database in the folder `restoring`, with the secrets, while the block runs. The caller owns the
    folder. What a restore that was cut off left there is removed first."""
    stage = folder.restoring
    postgres = EmbeddedPostgres(stage, postgres_bin=postgres_bin)
    _clear(postgres)
    make_folder(stage)
    with said_of(stage.path):
        if os.geteuid() == 0:
            owner = folder.path.stat()
            os.chown(stage.path, owner.st_uid, owner.st_gid)
    write_secrets(stage, secrets)
    if folder.settings_file.exists():
        shutil.copyfile(folder.settings_file, stage.settings_file)
    try:
        postgres.start()
        yield Place(stage, stage.embedded_url("hawker"))
    finally:
        postgres.stop()


def _clear(postgres: EmbeddedPostgres) -> None:
    if postgres.folder.path.exists():
        postgres.stop()
        with said_of(postgres.folder.path):
            shutil.rmtree(postgres.folder.path)


def take_place(folder: DataDir, *, now: datetime) -> Path | None:
    """Give the restored database its place; answers where the old panel was put, if there was one.

    A kill on the way leaves the folder without a database and with `restoring`: no panel starts on it, and the next
    restore begins anew.
    """
    aside = None
    with said_of(folder.path):
        if folder.cluster.exists() or folder.secrets_file.exists():
            aside = folder.path / f"replaced-{now:%Y%m%d-%H%M%S}"
            aside.mkdir(mode=0o700)
            for path in (folder.cluster, folder.secrets_file):
                if path.exists():
                    path.rename(aside / path.name)
        failpoint("restore-placing")
        folder.restoring.secrets_file.rename(folder.secrets_file)
        folder.restoring.cluster.rename(folder.cluster)
        sync_folder(folder.path)
        shutil.rmtree(folder.restoring.path)
    return aside


def write_secrets(folder: DataDir, text: str) -> None:
    """Write secrets.toml with mode 0600, whole or not at all, over what was there."""
    fresh = folder.path / f".secrets-{os.getpid()}"
    descriptor = open_private(folder, fresh, os.O_WRONLY | os.O_EXCL)
    with said_of(folder.secrets_file):
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        fresh.rename(folder.secrets_file)
        sync_folder(folder.path)


# --- external --------------------------------------------------------------------------------------


def external(chosen: Settings, *, replace: bool) -> Place:
    """The database of HAWKER_DATABASE_URL, marked: it takes no writes from others from here on.

    Raises CannotRestore, with nothing changed, where it is in use, or holds anything and is not to be replaced.
    """
    url = database_url(chosen, DatabaseAccess.OWNER)
    with psycopg.connect(writing(url), autocommit=True, connect_timeout=10) as connection:
        was_cut_off = is_marked(connection)
        before = _clearing(connection, replace=replace, was_cut_off=was_cut_off)
        orders = _orders(connection)
        # Marked first: who connects from now on cannot write, and who did before is seen by the look that follows.
        mark(connection)
        if others := _others(connection):
            if not was_cut_off:
                unmark(connection)
            raise CannotRestore(
                f"{others} other connections are open to the database: stop every `hawker serve`, `hawker worker` and "
                "every other client; nothing was changed"
            )
    return Place(chosen.folder, url, before, was_cut_off, orders)


def let_go(place: Place) -> None:
    """Have an external database that was not loaded take writes again, where it surely was not.

    Whoever was interrupted, or lost the connection, at the COMMIT does not know. Then it stays marked: a copy that is
    loaded and not held would send again what the panel has sent since.
    """
    with psycopg.connect(writing(place.url), autocommit=True, connect_timeout=10) as connection:
        # The server sees a moment late that the one that loaded has gone.
        until = time.monotonic() + _GONE_SECONDS
        while (others := _others(connection)) and time.monotonic() < until:
            time.sleep(0.1)
        if not (place.was_cut_off or others) and _orders(connection) == place.orders:
            unmark(connection)


def _orders(connection: "psycopg.Connection[tuple[object, ...]]") -> int | None:
    row = connection.execute("SELECT to_regclass('public.orders')::oid::bigint").fetchone()
    assert row is not None
    return None if row[0] is None else int(str(row[0]))


def _clearing(
    connection: "psycopg.Connection[tuple[object, ...]]", *, replace: bool, was_cut_off: bool
) -> tuple[str, ...]:
    """The statements that empty the schema, none where it is empty."""
    found = {
        str(row[0])
        for row in connection.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND relkind IN ('r', 'p', 'v', 'm', 'f')"
        )
    }
    if not found:
        return ()
    if not (replace or was_cut_off):
        raise CannotRestore(
            "the database already has tables: name an empty one, or use --replace, which removes them; "
            "nothing was changed"
        )
    if not found.issuperset(_PANEL_TABLES):
        raise CannotRestore("the database has tables that are not a panel's: name another; nothing was changed")
    return ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "GRANT USAGE ON SCHEMA public TO PUBLIC")


def _others(connection: "psycopg.Connection[tuple[object, ...]]") -> int:
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND (backend_type = 'client backend' OR backend_type IS NULL)"
    ).fetchone()
    assert row is not None
    return int(str(row[0]))
