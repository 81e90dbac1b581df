"""Real processes for tests: started on free ports, asked over HTTP, ended by their own id."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, TypeAlias

import httpx2
import msgspec
import psutil

from plain_http import http_client, http_get, http_post
from warm_hawker import ForkedProcess, run_forked, start_forked

Process: TypeAlias = "subprocess.Popen[Any] | ForkedProcess"

START_SECONDS = 60


@dataclass(frozen=True)
class Reply:
    """An answer of API v2: the HTTP status, the exact bytes, and their JSON value."""

    http_status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> str:
        """The error text; fails where the answer is no plain error object."""
        assert list(self.json) == ["error"], self.body
        text: str = self.json["error"]
        return text


@dataclass(frozen=True)
class ServeProcess:
    """A running `hawker serve`."""

    url: str
    pid: int

    @property
    def api(self) -> str:
        return f"{self.url}/api/v2"

    def call(self, key: str, action: str, **fields: object) -> Reply:
        """POST a form to API v2."""
        form = {"key": key, "action": action, **{name: str(value) for name, value in fields.items()}}
        return self.send("POST", data=form)

    def send(self, method: str, *, path: str = "/api/v2", **arguments: Any) -> Reply:
        """Any request to the server."""
        with http_client() as client:
            answer = client.request(method, f"{self.url}{path}", **arguments)
        return Reply(answer.status_code, answer.content, dict(answer.headers))


@dataclass(frozen=True)
class SandboxProcess:
    """A running `hawker sandbox` and its control door."""

    url: str
    key: str
    pid: int

    @property
    def base(self) -> str:
        return self.url.removesuffix("/api/v2")

    def _control(self, method: str, path: str, **arguments: Any) -> Any:
        with http_client() as client:
            answer = client.request(method, f"{self.base}/sandbox/{path}", **arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reset(self) -> None:
        """No orders, no calls, no faults, and time that passes only when told to."""
        self._control("POST", "reset")
        self._control("POST", "faults", json={})
        self._control("POST", "speed", json={"speed": 0})

    def advance(self, **amount: float) -> None:
        """Let so much of the sandbox's own time pass."""
        self._control("POST", "advance", json={"seconds": timedelta(**amount).total_seconds()})

    def faults(self, *specifications: str) -> None:
        """Exactly these faults from now on, such as `html=1` or `status:empty=0.5`."""
        self._control("POST", "faults", json=dict(text.split("=", 1) for text in specifications))

    def fund(self, balance: str) -> None:
        """What the key's balance is from now on."""
        self._control("POST", "balance", json={"key": self.key, "balance": balance})

    def ask(self, action: str, **fields: object) -> Any:
        """Ask the panel itself, with our key there, as somebody else might."""
        form = {"key": self.key, "action": action, **{name: str(value) for name, value in fields.items()}}
        return http_post(self.url, data=form).json()

    def calls(self, action: str) -> list[dict[str, Any]]:
        """Every call of this action that was received, whatever became of it."""
        answer = self._control("GET", "calls", params={"action": action, "limit": 100_000})
        calls: list[dict[str, Any]] = answer["calls"]
        return calls

    def orders(self) -> list[dict[str, Any]]:
        """Every order that exists upstream."""
        answer = self._control("GET", "orders", params={"limit": 100_000})
        orders: list[dict[str, Any]] = answer["orders"]
        return orders


@contextlib.contextmanager
def start_serve(
    environment: Mapping[str, str] | None = None,
    *,
    port: int = 0,
    log: IO[bytes] | None = None,
    program: Sequence[str] = (),
) -> Iterator[ServeProcess]:
    """A `hawker serve` over the panel of HAWKER_DATA_DIR, on a free port where none is asked for. It logs to `log`.

    It is forked, unless `program` says how Python starts it: `AS_PEOPLE_DO`, or over a script of the test.
    """
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with listener:
        words = ("serve", "--fd", str(listener.fileno()))
        process = _start(words, environment, log=log, program=program, pass_fds=[listener.fileno()])
    with ended(process):
        wait_until_healthy(url, process)
        yield ServeProcess(url, process.pid)


@contextlib.contextmanager
def start_worker(
    environment: Mapping[str, str] | None = None, *, log: IO[bytes] | None = None, program: Sequence[str] = ()
) -> Iterator[Process]:
    """A `hawker worker` over the panel of HAWKER_DATA_DIR; it may be armed to kill itself."""
    process = _start(("worker",), environment, log=log, program=program)
    with ended(process):
        yield process


@contextlib.contextmanager
def start_sandbox(*words: str, log: IO[bytes] | None = None, program: Sequence[str] = ()) -> Iterator[SandboxProcess]:
    """A `hawker sandbox` on a free port."""
    process = _start(("sandbox", "--port", "0", *words), None, log=log, program=program, stdout=subprocess.PIPE)
    with ended(process):
        assert process.stdout is not None
        ready = msgspec.json.decode(process.stdout.readline())
        yield SandboxProcess(ready["url"], ready["key"], process.pid)


AS_PEOPLE_DO = ("-m", "hawker")
"""How a process of Hawker is started where it must not be forked: its memory, environment or words are looked at."""


def _start(
    words: Sequence[str],
    environment: Mapping[str, str] | None,
    *,
    log: IO[bytes] | None,
    program: Sequence[str],
    stdout: int | None = None,
    pass_fds: Sequence[int] = (),
) -> Process:
    variables = {**os.environ, **(environment or {})}
    if program:
        command = [sys.executable, *program, *words]
        return subprocess.Popen(command, pass_fds=pass_fds, env=variables, stdout=stdout, stderr=log, text=True)
    return start_forked(
        words,
        environment=variables,
        stdout=None if stdout == subprocess.PIPE else 1,
        stderr=log.fileno() if log else 2,
        pass_fds=pass_fds,
    )


@contextlib.contextmanager
def ended(process: Process) -> Iterator[None]:
    """End this process when the block is left: asked first, killed after."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=45)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def wait_until_healthy(url: str, process: Process) -> None:
    """Wait for 200 at /healthz; fails when the process ends first."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the process ended with {process.returncode}"
        with contextlib.suppress(httpx2.TransportError):
            if http_get(f"{url}/healthz").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{url} did not become healthy")


@dataclass(frozen=True)
class UpProcess:
    """A running `hawker up`: what its one line said, and its processes by name."""

    ready: dict[str, Any]
    process: "subprocess.Popen[str]"
    data_dir: Path

    @property
    def server(self) -> ServeProcess:
        return ServeProcess(self.ready["url"], self.process.pid)

    @property
    def key(self) -> str:
        key: str = self.ready["demo"]["api_key"]
        return key

    def call(self, action: str, **fields: object) -> Reply:
        return self.server.call(self.key, action, **fields)

    def child(self, word: str) -> psutil.Process:
        """The process of the panel that runs `hawker WORD`."""
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if word in child.cmdline()[3:4]:
                    return child
        raise AssertionError(f"no hawker {word} is running")

    def postmaster(self) -> int:
        """The process id of the embedded database."""
        return int((self.data_dir / "pg" / "postmaster.pid").read_text().splitlines()[0])


@contextlib.contextmanager
def start_up(data_dir: Path, *words: str, environment: Mapping[str, str] | None = None) -> Iterator[UpProcess]:
    """A `hawker up` on a free port over this folder; whatever it left running is ended after."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hawker", "up", "--port", "0", "--data-dir", str(data_dir), *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**panel_environment(), **(environment or {})},
    )
    with ended(process):
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"hawker up ended with {process.wait(10)} before it was ready"
        yield UpProcess(msgspec.json.decode(line), process, data_dir)


def panel_environment() -> dict[str, str]:
    """Our environment without what makes this test process a panel of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("HAWKER_", "DJANGO_"))}


def run_hawker(
    *words: str, given: str = "", environment: Mapping[str, str] | None = None, forked: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end: over this process's panel, where no other environment is named.

    `forked` saves the start of Python and the imports; without it, the command is started as people start it.
    """
    variables = dict(os.environ) if environment is None else environment
    if forked:
        return run_forked(words, given=given, environment=variables, timeout_seconds=120)
    command = [sys.executable, "-m", "hawker", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=variables, input=given)


def hawker(data_dir: Path, *words: str, forked: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a command over the panel of this folder to its end, with none of our settings."""
    # Before `--`, behind which everything is an argument.
    options = words.index("--") if "--" in words else len(words)
    all_words = [*words[:options], "--data-dir", str(data_dir), *words[options:]]
    return run_hawker(*all_words, environment=panel_environment(), forked=forked)


def eventually(what: str, check: Callable[[], Any], *, seconds: float = 30) -> Any:
    """The first truthy answer of `check`; fails with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := check():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")
