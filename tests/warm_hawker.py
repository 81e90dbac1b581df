"""Runs commands of `hawker` in processes that are forked from one which has imported it already.

To start Python and to import takes most of a short command's CPU. What is forked is a process of its own in all else:
it has the environment, folder, stdin, stdout and stderr that the caller wants, and ends with an exit code or a signal.

This file run as a program is the process that is forked from. `run_forked` starts it when it is first called.
"""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from end_of_run import RUN

_IMPORTED = (
    "hawker.cli.main",
    "hawker.host.panel_database",
    "cryptography.fernet",
    "django.core.management",
    "django.db.backends.postgresql.base",
    "django.db.migrations.executor",
    "django.db.models",
    "httpcore2",
    "prometheus_client",
    "procrastinate.contrib.django",
    "psycopg_pool",
    "structlog",
    "hawker.core.logs",
)
"""What commands import, but for what may be imported only after Django is set up over their panel."""

_lock = threading.Lock()
_started: "list[tuple[str, subprocess.Popen[bytes]]]" = []


def run_forked(
    words: Sequence[str], *, given: str, environment: Mapping[str, str], timeout_seconds: float
) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run` returns of `hawker WORDS`, in the caller's folder."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(given.encode())
        stdin.seek(0)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(_parent())
            asked = json.dumps({"words": list(words), "environment": dict(environment), "folder": str(Path.cwd())})
            descriptors = [stdin.fileno(), stdout.fileno(), stderr.fileno()]
            socket.send_fds(connection, [len(asked).to_bytes(4)], descriptors)
            connection.sendall(asked.encode())
            ended = connection.makefile().readline()
        assert ended, "the process that commands are forked from has died"
        told = []
        for file in (stdout, stderr):
            file.seek(0)
            told.append(file.read().decode())
        return subprocess.CompletedProcess(["hawker", *words], int(ended), *told)


def stop_forking() -> None:
    """End the process that is forked from, if it was started."""
    if _started:
        _, process = _started.pop()
        process.kill()
        process.communicate()


def _parent() -> str:
    """The address of the process that is forked from."""
    with _lock:
        if not _started:
            # Hawker's settings and Django's must not be those of this test process.
            ours = ("HAWKER_", "DJANGO_")
            variables = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
            path = tempfile.mkdtemp(prefix="w", dir=os.environ[RUN]) + "/s"
            process = subprocess.Popen([sys.executable, __file__, path], stdout=subprocess.PIPE, env=variables)
            _started.append((path, process))
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n", "hawker could not be imported"
        return _started[0][0]


def _serve(path: str) -> None:
    import importlib

    for name in _IMPORTED:
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        # Nobody waits for the processes that answer.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(connection)
                os._exit(0)
            connection.close()


def _answer(connection: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    with connection.makefile("rb") as file:
        asked = json.loads(file.read(int.from_bytes(size)))
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(asked, descriptors)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _run(asked: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Become the command; does not return."""
    code = 1
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        sys.argv = ["hawker", *asked["words"]]
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)
        from hawker.cli.main import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:  # noqa: BLE001 - as the interpreter does it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
