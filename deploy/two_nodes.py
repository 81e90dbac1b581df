"""Several nodes on one machine: one database, and on each node one `serve` and one worker of their own.

    .venv/bin/python deploy/two_nodes.py --data-dir nodes --demo

It is what runs on several machines, with the machines left out: each node is a `hawker up` that is given the address of
a database which is not its own, and the same secrets. Commands are given the database's folder:
`hawker customer add … --data-dir nodes/database`. Prints one JSON line when ready; Ctrl-C or SIGTERM stops
everything in order: the nodes finish what they have in hand, then the database ends. Started again, it goes on.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from hawker.core.datadir import DataDir
from hawker.host.errors import CannotHost
from hawker.host.folder import make_folder
from hawker.host.lock import lock_for_up
from hawker.host.postgres import EmbeddedPostgres
from hawker.host.secret_file import ensure_secrets, read_secrets

_STOP_SECONDS = 60.0
_TICK_SECONDS = 0.2
_FRONT = Path(__file__).with_name("front.py")


class _Stop(Exception):
    """Somebody wants an end."""


class _Failed(Exception):
    """The set-up cannot run; the sentence says why."""


def main() -> int:
    """Exit code 0 after a stop that was asked for, 1 where the set-up does not start or every node has ended."""
    options = _options()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        with _database(options.data_dir / "database") as database:
            _run(options, database)
    except _Stop:
        return 0
    except (_Failed, CannotHost) as error:
        print(f"two_nodes: {error}", file=sys.stderr)
    return 1


def _run(options: argparse.Namespace, database: EmbeddedPostgres) -> None:
    env = _environment(database)
    migrate = _hawker("migrate", "--data-dir", options.data_dir / "node-1")
    if subprocess.run(migrate, env=env, stdout=sys.stderr, check=False).returncode:
        raise _Failed("the database could not be brought to this version")
    running: list[subprocess.Popen[str]] = []
    try:
        nodes = [_start_node(options, n, env, running) for n in range(1, options.nodes + 1)]
        addresses = [urlsplit(node["url"]).netloc for node in nodes]
        words = [sys.executable, str(_FRONT), "--port", str(options.port), *addresses]
        # First in the list, so told first: no new client is led to a node that is about to stop.
        url = _ready(_start(words, env, running, place=0))["url"]
        said = {"ready": True, "url": url, "api": f"{url}/api/v2", "nodes": nodes, "database_url": _url(database)}
        print(json.dumps(said), flush=True)
        _watch(database, {"the front": running[0].pid} | {node["data_dir"]: node["pid"] for node in nodes})
    finally:
        _end(running)


def _start_node(
    options: argparse.Namespace, n: int, env: Mapping[str, str], running: "list[subprocess.Popen[str]]"
) -> dict[str, Any]:
    """A `hawker up` over the common database: what its line says, its process and its folder."""
    folder = options.data_dir / f"node-{n}"
    words = _hawker("up", "--port", "0", "--data-dir", folder, *(["--demo"] if options.demo and n == 1 else []))
    process = _start(words, env, running, place=len(running))
    return {**_ready(process), "pid": process.pid, "data_dir": str(folder)}


def _watch(database: EmbeddedPostgres, pids: Mapping[str, int]) -> None:
    """Until told to stop: the database is started again when it dies, the others are missed and said."""
    left = dict(pids)
    while len(left) > 1 and "the front" in left:
        database.ensure_running()
        for name, pid in list(left.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                print(f"two_nodes: {name} has ended", file=sys.stderr)
                del left[name]
        time.sleep(_TICK_SECONDS)
    raise _Failed("nothing is left to serve with")


@contextlib.contextmanager
def _database(path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this folder, kept for us alone, stopped at the end."""
    folder = DataDir(path)
    make_folder(folder)
    lock, database = lock_for_up(folder), EmbeddedPostgres(folder)
    with lock:
        try:
            database.start()
            yield database
        finally:
            database.stop()


def _start(
    words: Sequence[str], env: Mapping[str, str], running: "list[subprocess.Popen[str]]", *, place: int
) -> "subprocess.Popen[str]":
    """A process in a session of its own: a Ctrl-C reaches it through us, in order."""
    process = subprocess.Popen(words, env=dict(env), stdout=subprocess.PIPE, text=True, start_new_session=True)
    running.insert(place, process)
    return process


def _end(running: "Sequence[subprocess.Popen[str]]") -> None:
    """Ask all to stop, in their order, and wait for them together."""
    for process in running:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _ready(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None, "asked for as a pipe"
    line = process.stdout.readline()
    if not line:
        raise _Failed(f"{process.args!r} ended before it was ready")
    ready: dict[str, Any] = json.loads(line)
    return ready


def _environment(database: EmbeddedPostgres) -> dict[str, str]:
    """What makes a `hawker` a part of this set-up, the same on every node: the address of the database and the secrets,
    which lie in its folder.
    """
    ensure_secrets(database.folder)
    shared = read_secrets(database.folder)
    others = {name: value for name, value in os.environ.items() if name != "HAWKER_DATA_DIR"}
    return {**others, "HAWKER_DATABASE_URL": _url(database)} | {
        f"HAWKER_{name.upper()}": str(value) for name, value in shared.items()
    }


def _url(database: EmbeddedPostgres) -> str:
    return database.folder.embedded_url("hawker")


def _hawker(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "hawker", *map(str, words)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="One database, several nodes, a front, on this machine.")
    parser.add_argument("--data-dir", type=Path, default=Path("hawker-nodes"), help="folder of all of it")
    parser.add_argument("--port", type=int, default=8000, help="of the front; 0 for any free one")
    parser.add_argument("--nodes", type=int, default=2, help="how many")
    parser.add_argument("--demo", action="store_true", help="demo data and a sandbox upstream, beside the first node")
    options = parser.parse_args()
    # Before anything is started: the front, which would refuse them, comes last.
    if not 0 <= options.port <= 65_535:
        parser.error(f"there is no port {options.port}: ports go from 0 (any free one) to 65535")
    if options.nodes < 1:
        parser.error("at least one node is needed")
    options.data_dir = options.data_dir.absolute()
    return options


def _stop(*_: object) -> NoReturn:
    # Once: what follows is the stop itself, and a second Ctrl-C must not cut it short.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise _Stop


if __name__ == "__main__":
    raise SystemExit(main())
