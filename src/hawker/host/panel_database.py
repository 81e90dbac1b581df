"""The database for the length of one short command."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from hawker.core.datadir import DataDir
from hawker.core.settings import Settings
from hawker.host.errors import NeverStarted
from hawker.host.folder import make_folder, open_private, said_of
from hawker.host.lock import COMMAND, try_lock
from hawker.host.postgres import EmbeddedPostgres
from hawker.host.secret_file import ensure_secrets
from hawker.host.speech import News, say_on_stderr

_TICK_SECONDS = 0.05


@contextlib.contextmanager
def database(folder: DataDir, settings: Settings, *, create: bool = False) -> Iterator[None]:
    """Have the panel's database serve inside the block.

    An external database is left to those who run it; `create` then makes the panel's secrets only. The
    embedded one is used where it serves already; otherwise the first command starts it and the last one
    to leave stops it, so commands may overlap.
    Raises NeverStarted for a folder without a database, unless `create`; CannotHost where it does not start.
    """
    if settings.database_url is not None:
        if create and settings.secret_key is None:
            make_folder(folder)
            ensure_secrets(folder)
        yield
        return
    postgres = EmbeddedPostgres(folder, postgres_bin=settings.postgres_bin)
    with said_of(folder.path):
        if not create and not postgres.exists:
            raise NeverStarted(f"{folder.path} has no panel: start one with `hawker up`, or name its --data-dir")
    make_folder(folder)
    if create:
        ensure_secrets(folder)
    users = open_private(folder, folder.users_file, os.O_RDWR)
    try:
        # Shared by all commands at work; the one that stops the database needs it alone.
        fcntl.flock(users, fcntl.LOCK_SH)
        _have_it_serve(folder, postgres, users)
        try:
            yield
        finally:
            _leave(folder, postgres, users)
    finally:
        os.close(users)


def _have_it_serve(folder: DataDir, postgres: EmbeddedPostgres, users: int) -> None:
    news = News(say_on_stderr, f"waiting until the database of the `hawker up` that owns {folder.path} is ready")
    while not postgres.is_serving():
        held = try_lock(folder, COMMAND)
        if held is None:
            news.tell()
            time.sleep(_TICK_SECONDS)
            continue
        try:
            postgres.start()
            # The last to leave stops what commands have started, and nothing else.
            os.ftruncate(users, 0)
            os.pwrite(users, str(postgres.pid).encode(), 0)
        finally:
            held.release()


def _leave(folder: DataDir, postgres: EmbeddedPostgres, users: int) -> None:
    fcntl.flock(users, fcntl.LOCK_UN)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        started = os.pread(users, 32, 0).decode()
        if started != str(postgres.pid):
            return
        # None where a `hawker up` has taken the database over.
        held = try_lock(folder, COMMAND)
        if held is not None:
            try:
                postgres.stop()
            finally:
                held.release()
