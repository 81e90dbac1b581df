"""deploy/two_nodes.py: several nodes over one database, behind one address."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import psutil
import pytest

from processes import ServeProcess, ended, eventually, hawker, panel_environment

UNDER_WAY = {"In progress", "Processing", "Completed"}
SCRIPT = Path(__file__).parent.parent.parent / "deploy" / "two_nodes.py"


@contextmanager
def two_nodes(folder: Path) -> "Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]":
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "--data-dir", str(folder), "--port", "0", "--demo"],
        stdout=subprocess.PIPE,
        text=True,
        env=panel_environment(),
    )
    with ended(process):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"ended with {process.wait(10)} before it was ready"
        yield process, msgspec.json.decode(line)


def ask(connection: socket.socket, key: str, **fields: object) -> bytes:
    """A request over a connection that stays open, and its answer whole."""
    body = urlencode({"key": key, **fields})
    head = "POST /api/v2 HTTP/1.1\r\nhost: nodes\r\ncontent-type: application/x-www-form-urlencoded\r\n"
    connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
    return connection.recv(65_536)


def test_orders_are_taken_through_both_nodes_and_by_the_one_that_is_left(tmp_path: Path) -> None:
    with two_nodes(tmp_path / "nodes") as (process, ready):
        first, second = ready["nodes"]
        key = first["demo"]["api_key"]
        services = ServeProcess(ready["url"], 0).call(key, "services").json
        wanted = {"service": next(row["service"] for row in services if row["type"] == "Default"), "quantity": 200}
        wanted["link"] = "https://example.com/?fate=completed"
        placed = [ServeProcess(node["url"], 0).call(key, "add", **wanted).json["order"] for node in (first, second)]
        front, ids = ServeProcess(ready["url"], 0), ",".join(map(str, placed))
        eventually("what both took is sent", lambda: statuses(front, key, ids) & UNDER_WAY == statuses(front, key, ids))

        # The front leads the first connection to one node and the next one to the other.
        place = urlsplit(ready["url"])
        with socket.create_connection((place.hostname, place.port), 60) as one:
            assert b'{"order":' in ask(one, key, action="add", **wanted)
            with socket.create_connection((place.hostname, place.port), 60) as other:
                assert b'{"order":' in ask(other, key, action="add", **wanted)
                os.kill(first["pid"], signal.SIGTERM)
                closed, open_ = first_closed(one, other)
                assert b'"balance"' in ask(open_, key, action="balance")
                assert closed.recv(1) == b""

        # Whoever comes now is led past the node that has gone.
        placed += [front.call(key, "add", **wanted).json["order"] for _ in range(4)]
        assert len(set(placed)) == 6

        pids = [second["pid"], *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
        assert not any(psutil.pid_exists(pid) for pid in pids)
    database = tmp_path / "nodes" / "database"
    assert not (database / "pg" / "postmaster.pid").exists()
    assert hawker(database, "verify").returncode == 0


@pytest.mark.parametrize("words", [["--port", "70000"], ["--port", "-1"], ["--nodes", "0"]])
def test_words_that_make_no_sense_are_refused_before_anything_starts(tmp_path: Path, words: list[str]) -> None:
    command = [sys.executable, str(SCRIPT), "--data-dir", str(tmp_path / "nodes"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=panel_environment())
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "nodes").exists()


def test_a_port_that_is_taken_is_a_sentence_of_the_front() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, str(SCRIPT.with_name("front.py")), "--port", port, "127.0.0.1:1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"front: port {port} cannot be listened on: Address already in use\n"


def statuses(front: ServeProcess, key: str, ids: str) -> set[str]:
    return {row["status"] for row in front.call(key, "status", orders=ids).json.values()}


def first_closed(one: socket.socket, other: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Of two idle connections the one that is closed within a while, and the other."""
    readable, _, _ = select.select([one, other], [], [], 60)
    assert len(readable) == 1, "exactly one of them was led to the node that stops"
    return (one, other) if readable == [one] else (other, one)
