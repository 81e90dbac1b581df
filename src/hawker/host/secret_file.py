"""The secrets a panel makes for itself at its first start."""

import contextlib
import os
import re
import secrets
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hawker.core.datadir import DataDir
from hawker.core.failpoints import failpoint
from hawker.host.folder import open_private, said_of, sync_folder

_ENCRYPTION = re.compile(r"\s*(former_)?encryption_key\s*=")


def ensure_secrets(folder: DataDir) -> None:
    """Write `secret_key` and `encryption_key` into secrets.toml (mode 0600) unless that file is there.

    The file appears whole, under its name, once: of several starters the first one's stays. A linked
    file and not a renamed one, because renaming would replace a key that somebody has already used.
    Raises FolderUnusable.
    """
    if folder.secrets_file.exists():
        return
    text = f'secret_key = "{new_secret()}"\nencryption_key = "{new_secret()}"\n'
    with _written(folder, text) as fresh, said_of(folder.secrets_file):
        with contextlib.suppress(FileExistsError):
            folder.secrets_file.hardlink_to(fresh)
        sync_folder(folder.path)


def new_secret() -> str:
    """32 random bytes in hexadecimal."""
    return secrets.token_hex(32)


def read_secrets(folder: DataDir) -> dict[str, Any]:
    """What secrets.toml holds; nothing where there is none. Raises FolderUnusable."""
    with said_of(folder.secrets_file), contextlib.suppress(FileNotFoundError):
        return tomllib.loads(folder.secrets_file.read_text(encoding="utf-8"))
    return {}


def replace_encryption_key(folder: DataDir, current: str, former: str | None) -> None:
    """Put another encryption key into secrets.toml, and the one before beside it; what else it holds stays.

    The file is the old one or the new one at every moment, also after a power cut. Raises FolderUnusable.
    """
    with said_of(folder.secrets_file):
        text = folder.secrets_file.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not _ENCRYPTION.match(line)]
    added = {"encryption_key": current} | ({} if former is None else {"former_encryption_key": former})
    lines = [*kept, *(f'{name} = "{value}"' for name, value in added.items())]
    changed = "\n".join(lines) + "\n"
    others = {name: value for name, value in tomllib.loads(text).items() if not _ENCRYPTION.match(f"{name} =")}
    assert tomllib.loads(changed) == others | added, "only the encryption keys may change"
    with said_of(folder.path):
        for left in folder.path.glob(".secrets-*"):
            # Of one that was killed here: a secret that nobody uses should not lie about.
            left.unlink(missing_ok=True)
    with _written(folder, changed) as fresh, said_of(folder.secrets_file):
        failpoint("secrets-before-rename")
        fresh.rename(folder.secrets_file)
        sync_folder(folder.path)


@contextlib.contextmanager
def _written(folder: DataDir, text: str) -> Iterator[Path]:
    """A file with this text under a name of its own, for its owner's eyes only and safe on the disk; then gone."""
    fresh = folder.path / f".secrets-{os.getpid()}-{secrets.token_hex(4)}"
    descriptor = open_private(folder, fresh, os.O_WRONLY | os.O_EXCL)
    try:
        with said_of(folder.secrets_file), os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)
