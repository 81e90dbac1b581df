"""What is measured, running: one cluster, the panel, the comparators; counted by process group, stopped together."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psycopg

from bench.errors import RunFailed
from bench.fill import Filled, balance_bodies, fill
from bench.load import run_wrk
from bench.plain_django.fill import BALANCES_AGREE, fill_plain
from bench.plan import Plan
from bench.processes import Server
from bench.tools import REPOSITORY, ensure_site, find_pgbench, find_wrk
from hawker.core.datadir import DataDir
from hawker.host.postgres import EmbeddedPostgres

PLAIN_WORKERS, PLAIN_THREADS = 2, 1

_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")

# The postmaster is nobody's child and would outlive a benchmark that was killed: this shell waits for the end of our
# side of its stdin, then stops the postmaster if that number still is this cluster's, and removes the folder.
_GUARD = """
cat >/dev/null
if tr '\\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF "$2"; then kill -INT "$1"; sleep 3; rm -rf "$2"; fi
"""


@dataclass
class Stack:
    """The running whole. Servers start when first asked for and stay until the end."""

    plan: Plan
    folder: Path
    cluster: EmbeddedPostgres
    secret: str
    env: Mapping[str, str]
    durability: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)
    _filled: Filled | None = None
    _servers: dict[str, Server] = field(default_factory=dict)

    @property
    def filled(self) -> Filled:
        assert self._filled is not None, "open_stack fills"
        return self._filled

    @property
    def url(self) -> str:
        """The panel's database, as the application's role."""
        return self.cluster.folder.embedded_url("hawker_app")

    def database_url(self, role: str, database: str) -> str:
        """Any database of the cluster."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.cluster.folder.socket_dir))}&port=5432"

    @property
    def database_pids(self) -> list[int]:
        pid = self.cluster.pid
        if pid is None:
            raise RunFailed("PostgreSQL is gone")
        return [pid]

    @cached_property
    def wrk(self) -> str:
        return find_wrk()

    @cached_property
    def pgbench(self) -> str:
        return find_pgbench()

    # --- servers ------------------------------------------------------------------------------------

    def hawker(self, *, batch_size: int | None = None, processes: int | None = None) -> Server:
        """`hawker serve` over the filled panel, all keys known to it.

        `batch_size` instead of the settings', `processes` instead of the plan's.
        """
        extra = {} if batch_size is None else {"HAWKER_API_BATCH_SIZE": str(batch_size)}
        name = "hawker" if batch_size is None else f"hawker-batch-{batch_size}"
        name += "" if processes is None else f"-times-{processes}"

        def commands(fd: int) -> list[list[str]]:
            words = [sys.executable, "-m", "hawker", "serve", "--fd", str(fd)]
            return [words] * (processes or self.plan.serve_processes)

        fresh = name not in self._servers
        server = self._server(name, commands, env=extra, path="/healthz")
        if fresh:
            # A key's first use is a question to the database: at one connection a run would be half made of those.
            bodies = balance_bodies(self.filled)
            run_wrk(self.wrk, f"{server.url}/api/v2", bodies, self.folder, connections=32, seconds=1, env=self.env)
        return server

    def plain(self) -> Server:
        """The plain Django view behind gunicorn."""
        env = {"BENCH_PLAIN_HOST": str(self.cluster.folder.socket_dir), "PYTHONPATH": f"{REPOSITORY}:{ensure_site()}"}
        # The fastest of those tried on two cores, see plain_django/__init__.py.
        words = [sys.executable, "-m", "gunicorn", "-k", "gthread", "-w", str(PLAIN_WORKERS), "--threads"]
        words += [str(PLAIN_THREADS), "--keep-alive", "75", "--log-level", "warning", "--bind"]

        def commands(fd: int) -> list[list[str]]:
            return [[*words, f"fd://{fd}", "bench.plain_django.wsgi:application"]]

        return self._server("plain", commands, env=env, path="/")

    def echo(self, bodies: Mapping[str, bytes]) -> Server:
        """The bare ASGI echo answering these bytes by name; `NAME.gz` is sent as gzip. One process per `serve`."""
        folder = self.folder / ("echo-" + "-".join(sorted(bodies)))
        folder.mkdir(exist_ok=True)
        for name, body in bodies.items():
            (folder / name).write_bytes(body)
        env = {"BENCH_ECHO_BODIES": str(folder), "PYTHONPATH": str(REPOSITORY)}

        def commands(fd: int) -> list[list[str]]:
            return [[sys.executable, "-m", "bench.echo", str(fd)]] * self.plan.serve_processes

        return self._server(folder.name, commands, env=env, path="/" + next(iter(bodies)).removesuffix(".gz"))

    def _server(
        self, name: str, commands: Callable[[int], list[list[str]]], *, env: Mapping[str, str], path: str
    ) -> Server:
        if name in self._servers:
            return self._servers[name]
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            server = Server(
                name,
                url,
                commands(listener.fileno()),
                env={**self.env, **env},
                log=self.folder / f"{name}.log",
                fd=listener.fileno(),
            )
        self._servers[name] = server
        server.wait_until_up(path)
        return server

    def stop(self) -> None:
        """End everything that was started: servers first, then the database."""
        for server in self._servers.values():
            server.stop()
        self.cluster.stop()

    # --- the books ----------------------------------------------------------------------------------

    def verify(self) -> dict[str, object]:
        """What `hawker verify` says of the panel. Raises RunFailed where it is not clean."""
        done = subprocess.run(
            [sys.executable, "-m", "hawker", "verify"], env=dict(self.env), capture_output=True, text=True, timeout=600
        )
        if done.returncode != 0:
            raise RunFailed(f"hawker verify is not clean: {done.stdout[-1_000:]} {done.stderr[-1_000:]}")
        said: dict[str, object] = json.loads(done.stdout)
        return said

    def verify_plain(self) -> None:
        """Check the comparator's own books. Raises RunFailed where a balance is not what its transfers say."""
        with psycopg.connect(self.database_url("plain", "plain")) as connection:
            row = connection.execute(BALANCES_AGREE).fetchone()
        if row != (0,):
            raise RunFailed(f"the plain view's balances do not agree with its transfers: {row}")


@contextmanager
def open_stack(plan: Plan) -> Iterator[Stack]:
    """The database up and filled; all that runs is stopped and removed when the block is left."""
    folder = Path(tempfile.mkdtemp(prefix="hawker-bench-"))
    secret = secrets.token_hex(16)
    # Settings of whoever runs this must steer neither the panel nor the programs of PostgreSQL.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HAWKER_", "PG", "DJANGO_"))}
    env |= {"HAWKER_DATA_DIR": str(folder / "panel"), "HAWKER_SECRET_KEY": secret, "HAWKER_LOG_LEVEL": "warning"}
    stack = Stack(plan, folder, EmbeddedPostgres(DataDir(folder / "panel")), secret, env)
    guard = None
    try:
        stack.cluster.start()
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(stack.cluster.pid), str(folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        _prepare(stack)
        yield stack
    finally:
        try:
            stack.stop()
        finally:
            if guard is not None:
                guard.kill()
                guard.wait()
                if guard.stdin is not None:
                    guard.stdin.close()
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(stack: Stack) -> None:
    _run(["hawker", "migrate"], stack.env)
    owner_url = stack.database_url("hawker", "hawker")
    stack._filled = fill(stack.url, stack.plan, secret=stack.secret, owner_url=owner_url)  # noqa: SLF001 - the other half of open_stack
    if stack.plan.compared:
        _prepare_plain(stack)
    databases = {"hawker": "hawker_app", "plain": "plain"} if stack.plan.compared else {"hawker": "hawker_app"}
    for database in databases:
        with psycopg.connect(stack.database_url("hawker", database), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
    stack.durability = {name: _durability(stack.database_url(role, name)) for name, role in databases.items()}


def _prepare_plain(stack: Stack) -> None:
    """The comparator's database, with the same rows."""
    with psycopg.connect(stack.database_url("hawker", "postgres"), autocommit=True) as connection:
        connection.execute("CREATE ROLE plain LOGIN")
        connection.execute("CREATE DATABASE plain OWNER plain")
    plain = {
        "BENCH_PLAIN_HOST": str(stack.cluster.folder.socket_dir),
        "PYTHONPATH": str(REPOSITORY),
        "DJANGO_SETTINGS_MODULE": "bench.plain_django.settings",
    }
    _run(["django", "migrate", "--run-syncdb", "-v", "0"], {**stack.env, **plain})
    filled = stack.filled
    fill_plain(stack.url, stack.database_url("plain", "plain"), accounts=filled.accounts, keys=filled.keys)


def _durability(url: str) -> dict[str, str]:
    """The settings that durability rests on, as a session of this side sees them. Raises RunFailed if one is off."""
    with psycopg.connect(url) as connection:
        found = {name: str(connection.execute(f"SHOW {name}").fetchone()[0]) for name in _DURABLE}  # type: ignore[index]
    if set(found.values()) != {"on"}:
        raise RunFailed(f"durability is not on: {found}")
    return found


def _run(words: list[str], env: Mapping[str, str]) -> None:
    done = subprocess.run([sys.executable, "-m", *words], env=dict(env), capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise RunFailed(f"{' '.join(words)} failed: {(done.stdout + done.stderr)[-2_000:]}")
