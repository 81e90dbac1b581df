"""Where a panel keeps what: one folder, `--data-dir`, holds all of it.

hawker-data/
  hawker.toml      the operator's settings (optional)
  secrets.toml     pepper and keys, made at the first start, mode 0600
  hawker.lock      held by the `hawker up` that owns the folder
  pg/              the embedded PostgreSQL cluster
  pg.log           what the postmaster said
  run/             its socket, mode 0700
  demo.json        the demo's API key and the sandbox's address, mode 0600
  sandbox/         what the simulated upstream remembers
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

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
    def cluster(self) -> Path:
        return self.path / "pg"

    @property
    def cluster_log(self) -> Path:
        return self.path / "pg.log"

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
        if len(os.fsencode(inside / ".s.PGSQL.5432")) <= _LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"hawker-{os.getuid()}-{name}"

    def embedded_url(self, role: str) -> str:
        """The connection string of the embedded database for `role`, as psql and psycopg take it."""
        return f"postgresql://{role}@/hawker?host={self.socket_dir}"
