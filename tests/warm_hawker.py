"""Runs `hawker` in processes that are forked from one which has imported it and set up Django already.

To start Python, to import and to set up Django takes most of a short command's CPU, and 2 s for a server. What is
forked is a process of its own in all else: it has the environment, folder, stdin, stdout and stderr that the caller
wants, reads its settings anew, and ends with an exit code or a signal.

This file run as a program is the process that is forked from. `start_forked` starts it when it is first called.
"""

import atexit
import contextlib
import fcntl
import gc
import io
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from end_of_run import RUN

_LIBRARIES = (
    "hawker.cli.main",
    "hawker.cli.sandbox",
    "hawker.cli.serve",
    "hawker.host.panel_database",
    "cryptography.fernet",
    "django.core.management",
    "django.core.handlers.asgi",
    "django.db.backends.postgresql.base",
    "django.db.migrations.executor",
    "django.template.backends.django",
    "httpcore2",
    "httptools",
    "prometheus_client",
    "psycopg_pool",
    "structlog",
    "uvicorn.lifespan.on",
    "uvloop",
)

_OVER_DJANGO = (
    "hawker.api.endpoint",
    "hawker.cli.doctor",
    "hawker.host.migration",
    "hawker.orders.invariants",
    "hawker.web.page_pool",
    "hawker.web.urls",
    "hawker.worker.run",
)
"""What may be imported only after Django is set up. None of it keeps anything of the settings at import."""

_FIRST_DESCRIPTOR = 900
"""Where descriptors that were received wait for their numbers: above all that is open."""

_lock = threading.Lock()
_started: "list[tuple[str, subprocess.Popen[bytes]]]" = []


class ForkedProcess:
    """A process that was forked, as `subprocess.Popen` shows one."""

    def __init__(self, words: Sequence[str], connection: socket.socket, stdout: IO[str] | None) -> None:
        self.args = ["hawker", *words]
        self.stdout = stdout
        self.returncode: int | None = None
        self._connection = connection
        self._lines = connection.makefile()
        self.pid = int(self._hear())

    def poll(self) -> int | None:
        """The exit code, or minus the signal's number; None while the process runs."""
        if self.returncode is None:
            self._connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                if self._connection.recv(1, socket.MSG_PEEK):
                    self._connection.settimeout(None)
                    self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when the process has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._hear())
            except TimeoutError:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._lines.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, where the process still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL, where the process still runs."""
        self.send_signal(signal.SIGKILL)

    def _hear(self) -> str:
        line = self._lines.readline()
        assert line, "the process that is forked from has died"
        return line


def start_forked(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: int = 0,
    stdout: int | None = 1,
    stderr: int = 2,
    pass_fds: Sequence[int] = (),
) -> ForkedProcess:
    """Start `hawker WORDS` in the caller's folder. Where `stdout` is None, the process's `.stdout` is a pipe.

    It has the descriptors of `pass_fds` under the same numbers.
    """
    pipe = None
    if stdout is None:
        reading, stdout = os.pipe()
        pipe = os.fdopen(reading)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_parent())
    asked = {
        "words": list(words),
        "environment": dict(environment),
        "folder": str(Path.cwd()),
        "descriptors": [0, 1, 2, *pass_fds],
    }
    text = json.dumps(asked).encode()
    socket.send_fds(connection, [len(text).to_bytes(4)], [stdin, stdout, stderr, *pass_fds])
    connection.sendall(text)
    if pipe is not None:
        os.close(stdout)
    return ForkedProcess(words, connection, pipe)


def run_forked(
    words: Sequence[str], *, given: str, environment: Mapping[str, str], timeout_seconds: float
) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run` returns of `hawker WORDS`, in the caller's folder."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(given.encode())
        stdin.seek(0)
        process = start_forked(
            words, environment=environment, stdin=stdin.fileno(), stdout=stdout.fileno(), stderr=stderr.fileno()
        )
        try:
            code = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        told = []
        for file in (stdout, stderr):
            file.seek(0)
            told.append(file.read().decode())
        return subprocess.CompletedProcess(process.args, code, *told)


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


def _import_all(folder: Path) -> None:
    """Import what processes of Hawker do, with Django set up over a panel that does not exist."""
    import importlib

    import django

    for name in _LIBRARIES:
        importlib.import_module(name)
    from hawker.core.settings import settings

    names = {"HAWKER_DATA_DIR": str(folder / "no-panel"), "DJANGO_SETTINGS_MODULE": "hawker.django_settings"}
    os.environ.update(names)
    django.setup()
    for name in _OVER_DJANGO:
        importlib.import_module(name)
    for name in names:
        del os.environ[name]
    settings.cache_clear()

    set_up = django.setup
    pending = [True]

    def set_up_over_this_panel(*, set_prefix: bool = True) -> None:
        if pending:
            pending.clear()
            _read_django_settings()
        set_up(set_prefix=set_prefix)

    django.setup = set_up_over_this_panel


def _read_django_settings() -> None:
    """Have Django forget the settings that it was set up with, and read those of this process."""
    import importlib

    from django import conf, db

    from hawker import django_settings

    importlib.reload(django_settings)
    conf.settings.__dict__.clear()
    conf.settings._wrapped = conf.Settings("hawker.django_settings")
    db.connections.__dict__.pop("settings", None)
    db.connections._settings = None
    for alias in [connection.alias for connection in db.connections.all(initialized_only=True)]:
        del db.connections[alias]


def _serve(path: str) -> None:
    _import_all(Path(path).parent)
    # Else each process's first collections would copy the memory that it shares with this one.
    gc.collect()
    gc.freeze()
    running: dict[int, tuple[int, socket.socket]] = {}
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(path)
        listener.listen(64)
        selector.register(listener, selectors.EVENT_READ)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            for key, _ in selector.select():
                if key.fileobj is not listener:
                    _tell_end(*running.pop(key.fd))
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    continue
                connection, _ = listener.accept()
                asked, descriptors = _read_request(connection)
                pid = os.fork()
                if pid == 0:
                    selector.close()
                    listener.close()
                    connection.close()
                    for descriptor, (_, other) in running.items():
                        os.close(descriptor)
                        other.close()
                    _run(asked, descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
                with contextlib.suppress(OSError):
                    connection.sendall(f"{pid}\n".encode())
                end = os.pidfd_open(pid)
                running[end] = pid, connection
                selector.register(end, selectors.EVENT_READ)


def _read_request(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    size, descriptors, _, _ = socket.recv_fds(connection, 4, 16)
    with connection.makefile("rb") as file:
        return json.loads(file.read(int.from_bytes(size))), descriptors


def _tell_end(pid: int, connection: socket.socket) -> None:
    _, status = os.waitpid(pid, 0)
    with connection, contextlib.suppress(OSError):
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _run(asked: dict[str, Any], descriptors: Sequence[int]) -> NoReturn:
    """Become the command; does not return."""
    code = 1
    try:
        waiting = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_DESCRIPTOR) for descriptor in descriptors]
        for descriptor in descriptors:
            os.close(descriptor)
        for descriptor, number in zip(waiting, asked["descriptors"], strict=True):
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
        with contextlib.suppress(BaseException):
            # As the interpreter does it: threads first, then what was registered.
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
