"""Let the database's account reach what lies below folders of root, and nobody else.

Asked by really trying as that account: mode bits alone do not tell (lists, capabilities, mounts).
"""

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from hawker.host import acl
from hawker.host.account import SystemAccount
from hawker.host.errors import FolderUnusable
from hawker.host.speech import Say

_TRY = 'i=0; mode=$1; shift; for path do test "$mode" "$path" || echo $i; i=$((i+1)); done'


def refused(account: SystemAccount, mode: str, paths: Sequence[Path]) -> list[Path]:
    """Those of `paths` that the account may not read (`-r`), or enter or run (`-x`).

    Raises FolderUnusable where we may not act as that account at all.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a fixed script; the paths are its arguments
            ["/bin/sh", "-c", _TRY, "sh", mode, *map(str, paths)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            **account.spawn_options(),
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise FolderUnusable(f"no program can be run as {account.name}, the account for PostgreSQL: {error}") from error
    return [paths[int(line)] for line in done.stdout.splitlines()]


def open_way(account: SystemAccount, targets: Iterable[Path], private: Path, say: Say) -> None:
    """Give the account search permission on each parent of `targets` that stops it, and on no other.

    `private` is the data folder: where lists of rights are not kept it is opened to the
    account's group, never to everybody. Raises FolderUnusable where that does not help.
    """
    if account.is_ours:
        return
    found = {parent for target in targets for path in (target, target.resolve()) for parent in path.parents}
    # From the top: what lies below a closed folder cannot be asked before that one is open.
    parents = sorted(found, key=lambda path: (len(path.parts), path))
    while closed := refused(account, "-x", parents):
        _allow(account, closed[0], acl.EXECUTE, private, say)
        if refused(account, "-x", closed[:1]):
            raise FolderUnusable(f"{closed[0]} cannot be entered by {account.name}, the account for PostgreSQL")


def open_trees(account: SystemAccount, trees: Sequence[Path], private: Path, say: Say) -> None:
    """Let the account read all below `trees` and run the programs there: umask 077 at installation closes both."""
    if account.is_ours:
        return
    folders, files = [], []
    for tree in trees:
        for folder, _, names in os.walk(tree):
            folders.append(Path(folder))
            files += [path for name in names if (path := Path(folder, name)).exists()]
    # Folders first: what lies in a closed one cannot be asked before it is open.
    for mode, paths in (("-x", folders), ("-r", files)):
        closed = refused(account, mode, paths)
        for path in closed:
            runs = path.stat().st_mode & 0o100
            _allow(account, path, acl.READ | (acl.EXECUTE if runs else 0), private, say)
        if closed and refused(account, mode, closed):
            raise FolderUnusable(f"{closed[0]} cannot be read by {account.name}, the account for PostgreSQL")


def _allow(account: SystemAccount, path: Path, permissions: int, private: Path, say: Say) -> None:
    try:
        acl.allow(path, account.uid, permissions)
    except (OSError, ValueError):
        try:
            _loosen(account, path, permissions, private, say)
        except OSError as error:
            raise FolderUnusable(
                f"{path} denies access to {account.name}, the account for PostgreSQL, "
                f"and could not be opened: {error.strerror}"
            ) from error


def _loosen(account: SystemAccount, path: Path, permissions: int, private: Path, say: Say) -> None:
    mode = path.stat().st_mode & 0o7777
    if path == private:
        # The data folder holds secrets: it is opened to the one group, whose only member is the account.
        os.chown(path, -1, account.gid)
        path.chmod(mode | permissions << 3)
        return
    path.chmod(mode | permissions)
    say(
        f"{path} had to be opened to all users (chmod o+{_letters(permissions)}): "
        "its file system has no access control lists"
    )


def _letters(permissions: int) -> str:
    return ("r" if permissions & acl.READ else "") + ("x" if permissions & acl.EXECUTE else "")
