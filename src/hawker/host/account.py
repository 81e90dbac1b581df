"""Which system account runs the database: PostgreSQL refuses to run as root."""

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from hawker.core.datadir import DataDir
from hawker.host.errors import FolderUnusable
from hawker.host.folder import account_name, said_of

SYSTEM_ACCOUNT = "hawker"


@dataclass(frozen=True, slots=True)
class SystemAccount:
    """The account that owns the cluster and runs its processes."""

    name: str
    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def spawn_options(self) -> dict[str, Any]:
        """The arguments that make subprocess start a program as this account, holding nothing of ours."""
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "cwd": "/", "umask": 0o077, "env": _environment()}
        if not self.is_ours:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options


def account_for(folder: DataDir) -> SystemAccount:
    """Ourselves; for root the owner of the cluster or folder, or the system account `hawker`, made if missing.

    Root may so run a command on a panel that another account keeps, and leaves it in working order.
    Raises FolderUnusable where the cluster belongs to an account that cannot run it.
    """
    me = os.geteuid()
    with said_of(folder.path):
        owner = folder.path.stat()
    with said_of(folder.cluster):
        cluster = folder.cluster.stat() if folder.cluster.exists() else None
    if me != 0:
        if cluster is not None and cluster.st_uid != me:
            raise FolderUnusable(
                f"{folder.cluster} belongs to {account_name(cluster.st_uid)}: run Hawker as that account"
            )
        return SystemAccount(account_name(me), me, os.getegid())
    if cluster is not None and cluster.st_uid == 0:
        raise FolderUnusable(
            f"{folder.cluster} belongs to root, but PostgreSQL does not run as root: "
            f"change its owner, for example with `chown -R {SYSTEM_ACCOUNT}: {folder.cluster}`"
        )
    for found in (cluster, owner):
        if found is not None and found.st_uid != 0:
            return _account_of(found)
    return _system_account()


def _account_of(owned: os.stat_result) -> SystemAccount:
    # A volume may belong to a number that has no name in this container.
    try:
        group = pwd.getpwuid(owned.st_uid).pw_gid
    except KeyError:
        group = owned.st_gid
    return SystemAccount(account_name(owned.st_uid), owned.st_uid, group)


def _system_account() -> SystemAccount:
    try:
        entry = pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        entry = _make_system_account()
    return SystemAccount(SYSTEM_ACCOUNT, entry.pw_uid, entry.pw_gid)


def _make_system_account() -> pwd.struct_passwd:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    wish = f"make a system account named {SYSTEM_ACCOUNT}, or run Hawker as an ordinary account"
    if program is None:
        raise FolderUnusable(f"PostgreSQL does not run as root and there is no useradd to make an account: {wish}")
    arguments = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    shell = ["--shell", shutil.which("nologin", path="/usr/sbin:/sbin") or "/bin/false"]
    for tries_left in reversed(range(10)):
        done = subprocess.run(  # noqa: S603 - fixed words only
            [program, *arguments, *shell, SYSTEM_ACCOUNT], capture_output=True, text=True, check=False
        )
        try:
            return pwd.getpwnam(SYSTEM_ACCOUNT)
        except KeyError:
            # Another starter may hold the password file's lock at this moment.
            time.sleep(0.2 if tries_left else 0)
    reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    raise FolderUnusable(f"the system account for PostgreSQL could not be made ({reason[0]}): {wish}")


def _environment() -> dict[str, str]:
    # PG* variables of the person who starts us must not steer the server, and HAWKER_* hold secrets.
    own = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
    libraries = os.environ.get("LD_LIBRARY_PATH")
    return own | ({"LD_LIBRARY_PATH": libraries} if libraries else {})
