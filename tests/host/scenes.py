"""Processes for the tests of the host to start, watch and kill: `python scenes.py SCENE JSON`.

Each scene says on stdout, one JSON line at a time, how far it has come.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import psycopg

import hawker
from hawker.core.datadir import DataDir
from hawker.core.settings import Settings
from hawker.host.access import refused
from hawker.host.account import SystemAccount
from hawker.host.children import ChildSpec
from hawker.host.errors import CannotHost
from hawker.host.listener import Listener
from hawker.host.panel_database import database
from hawker.host.postgres import EmbeddedPostgres
from hawker.host.supervisor import Plan, supervise

PYTHONPATH = os.pathsep.join(str(Path(module.__file__ or "").parents[1]) for module in (hawker, psycopg))


def tell(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def start(path: str) -> None:
    """Start the database and stay."""
    postgres = EmbeddedPostgres(DataDir(Path(path)))
    postgres.start()
    tell(pid=postgres.pid)
    time.sleep(600)


def start_and_stop(path: str) -> None:
    """Start, ask who we are to the system, stop."""
    folder = DataDir(Path(path))
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    owner = Path(f"/proc/{postgres.pid}").stat().st_uid
    with psycopg.connect(folder.embedded_url("hawker_app")) as connection:
        answer = connection.execute("SELECT 6 * 7").fetchone()
    postgres.stop()
    tell(owner=owner, answer=answer)


def command(path: str, create: bool = False, until: str = "") -> None:
    """A short command that asks the database at its start and at its end, which comes when `until` exists."""
    folder = DataDir(Path(path))
    settings = Settings(data_dir=folder.path)
    with database(folder, settings, create=create):
        _ask(folder)
        tell(inside=True, pid=EmbeddedPostgres(folder).pid)
        while until and not Path(until).exists():
            time.sleep(0.02)
        _ask(folder)
    tell(done=True)


def up(path: str, children: dict[str, str], fail: str = "", **plan: Any) -> None:
    """A panel whose children run `python -c TEXT`; `{fd}` in a text is the listening socket, `{path}` the folder."""

    def specs(listener: Listener) -> list[ChildSpec]:
        return [
            ChildSpec(
                name,
                [sys.executable, "-c", text.replace("{fd}", str(listener.descriptor)).replace("{path}", path)],
                pass_fds=(listener.descriptor,),
                env={"HAWKER_TEST_CHILD": name},
            )
            for name, text in children.items()
        ]

    def before() -> None:
        if fail:
            raise CannotHost(fail)

    def is_ready(_: Listener) -> bool:
        return all(Path(path, f"{name}.ready").exists() for name in children)

    def on_ready(listener: Listener) -> None:
        tell(ready=True, url=listener.url, django="django" in sys.modules)

    supervise(DataDir(Path(path)), Plan(specs, is_ready, on_ready, before, **plan))


def _ask(folder: DataDir) -> None:
    with psycopg.connect(folder.embedded_url("hawker")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def python_for(account: int | None) -> str | None:
    """An interpreter of our version that the account can run: our own may lie below a closed home."""
    if account is None:
        return sys.executable
    system = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")
    user = SystemAccount("", account, account)
    return next((path for path in (sys.executable, system) if path and not refused(user, "-x", [Path(path)])), None)


class Scene:
    """One of the above in a process of its own. Leaving the block kills it, if it still runs."""

    def __init__(
        self, name: str, *, account: int | None = None, before: tuple[str, ...] = (), **arguments: Any
    ) -> None:
        other = {} if account is None else {"user": account, "group": account, "extra_groups": []}
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [*before, python_for(account) or sys.executable, __file__, name, json.dumps(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | {"PYTHONPATH": PYTHONPATH},
            **other,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def pid(self) -> int:
        return self.process.pid

    def hear(self) -> dict[str, Any]:
        """Wait for the next line."""
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the scene ended: {self.process.communicate(timeout=60)[1]}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def end(self, timeout_seconds: float = 60) -> tuple[int, list[dict[str, Any]], str]:
        """Wait for the end; returns the exit code, the lines not yet heard, and what was said on stderr."""
        out, err = self.process.communicate(timeout=timeout_seconds)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], err


if __name__ == "__main__":
    # Ignored signals are inherited, and a suite that runs under nohup ignores this one.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    except CannotHost as refusal:
        with contextlib.suppress(OSError):
            print(f"{type(refusal).__name__}: {refusal}", file=sys.stderr)
        sys.exit(2)
