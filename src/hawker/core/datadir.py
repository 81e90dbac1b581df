"""Where a panel keeps what: one folder, `--data-dir`, holds all of it.

hawker-data/
  hawker.toml      the operator's settings (optional)
  secrets.toml     pepper and keys, made at the first start, mode 0600
  hawker.lock      held by the `hawker up` that owns the folder
  hawker.users     held by the short commands that use the database meanwhile
  pg/              the embedded PostgreSQL cluster
  pg.log           what the postmaster said
  run/             its socket, mode 0700
  demo.json        the demo's API key and the sandbox's address, mode 0600
  sandbox/         what the simulated upstream remembers
  restoring/       a panel that `hawker restore` is at work on, with files of the same names
  replaced-*/      the database and secrets that a restore has put aside
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_LONGEST_SOCKET_PATH = 100
"""Linux allows 107 bytes for a socket's path; PostgreSQL adds `.s.PGSQL.5432.lock`-like names."""


@dataclass(frozen=True, slots=True)
class DataDir:
    """The paths of one panel. Holds no state and touches nothing on disk."""

    path: Path

    @property
    def settings_file(self) -> Path:
        return self.path / "hawker.toml"

    @property
    def secrets_file(self) -> Path:
        return self.path / "secrets.toml"

    @property
    def lock_file(self) -> Path:
        return self.path / "hawker.lock"

    @property
    def users_file(self) -> Path:
        return self.path / "hawker.users"

    @property
    def cluster(self) -> Path:
        return self.path / "pg"

    @property
    def cluster_log(self) -> Path:
        return self.path / "pg.log"

    @property
    def restoring(self) -> "DataDir":
        """Where a backup is brought back to before it gets its place; gone when that has ended well."""
        return DataDir(self.path / "restoring")

    @property
    def demo_file(self) -> Path:
        return self.path / "demo.json"

    @property
    def sandbox(self) -> Path:
        return self.path / "sandbox"

    @property
    def socket_dir(self) -> Path:
        """The folder of the database's socket: inside the data folder where the path is short enough.

        Every process computes the same answer from the data folder alone, so a command can
        reach the database without asking the one that started it.
        """
        inside = self.path / "run"
        if len(os.fsencode(inside / ".s.PGSQL.5432")) <= _LONGEST_SOCKET_PATH and _fits_a_url(inside):
            return inside
        # Neither TMPDIR nor the account may play a part: root and the owner must find the same socket.
        return Path("/tmp") / f"hawker-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}"  # noqa: S108

    def embedded_url(self, role: str) -> str:
        """The connection string of the embedded database for `role`, as psql and psycopg take it.

        The port is named because a PGPORT in somebody's environment would change the socket's name.
        """
        return f"postgresql://{role}@/hawker?host={quote(os.fsencode(self.socket_dir))}&port=5432"


def _fits_a_url(path: Path) -> bool:
    """Whether libpq and psycopg take this path for a host: a comma would divide it, and it must be UTF-8."""
    try:
        return "," not in path.as_posix() and bool(path.as_posix().encode())
    except UnicodeEncodeError:
        return False
