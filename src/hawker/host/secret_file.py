"""The secrets a panel makes for itself at its first start."""

import contextlib
import os
import secrets

from hawker.core.datadir import DataDir
from hawker.host.folder import open_private, said_of, sync_folder


def ensure_secrets(folder: DataDir) -> None:
    """Write `secret_key` into secrets.toml (mode 0600) unless that file is there.

    The file appears whole, under its name, once: of several starters the first one's stays. A linked
    file and not a renamed one, because renaming would replace a key that somebody has already used.
    Raises FolderUnusable.
    """
    if folder.secrets_file.exists():
        return
    fresh = folder.path / f".secrets-{os.getpid()}-{secrets.token_hex(4)}"
    descriptor = open_private(folder, fresh, os.O_WRONLY | os.O_EXCL)
    try:
        with said_of(folder.secrets_file):
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f'secret_key = "{secrets.token_hex(32)}"\n')
                file.flush()
                os.fsync(descriptor)
            with contextlib.suppress(FileExistsError):
                folder.secrets_file.hardlink_to(fresh)
            sync_folder(folder.path)
    finally:
        fresh.unlink(missing_ok=True)
