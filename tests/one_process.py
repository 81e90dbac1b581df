"""Runs commands of `hawker` one after the other in one process, which saves a start for each.

As a program it reads a JSON list of calls from stdin and writes a JSON list of what became of them. `run_commands`
starts it; each command finds its own environment and stdin.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One command: its words, what it reads on stdin, and what its environment has beside ours."""

    words: Sequence[str]
    given: str = ""
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """How a command ended, and the number of the last row that the audit log then had."""

    code: int
    stdout: str
    stderr: str
    last_event: int

    @property
    def answer(self) -> Any:
        return json.loads(self.stdout)


def run_commands(calls: Sequence[Call]) -> list[Done]:
    """What became of each command over this test process's panel."""
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps([asdict(call) for call in calls]),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [Done(**each) for each in json.loads(done.stdout)]


def _run(call: Call) -> Done:
    import psycopg

    from hawker.cli.main import app
    from hawker.core.settings import settings

    out, err = io.StringIO(), io.StringIO()
    ours = dict(os.environ)
    os.environ.update(call.environment)
    sys.stdin = io.TextIOWrapper(io.BytesIO(call.given.encode()))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = app(call.words, standalone_mode=False)
    finally:
        os.environ.clear()
        os.environ.update(ours)
    with psycopg.connect(settings().folder.embedded_url("hawker")) as connection:
        (last,) = connection.execute("SELECT COALESCE(max(id), 0) FROM audit_event").fetchone() or (0,)
    return Done(code or 0, out.getvalue(), err.getvalue(), last)


if __name__ == "__main__":
    calls = [Call(**call) for call in json.load(sys.stdin)]
    json.dump([asdict(_run(call)) for call in calls], sys.stdout)
