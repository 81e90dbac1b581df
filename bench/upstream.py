"""The sandbox as upstream of a filled panel: started, made the provider of its services, given orders to know."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.errors import RunFailed
from bench.fill import QUANTITY
from bench.processes import die_with_parent
from bench.stack import Stack
from hawker.protocol.form import add_form

KEY = "bench-upstream-key"
_BALANCE = "1000000000"

_DIRECT_PROVIDER = """
    UPDATE provider SET url = %s, key_cipher = %s, allow_private = true, paused_until = NULL,
                        pause_kind = '' WHERE id = %s
"""
_DIRECT_ROUTES = "UPDATE route SET upstream_service = %s, provider_id = %s"
"""Of all services: pgbench orders any of them from the first provider."""

_NEXT_UPSTREAM_ID = "SELECT coalesce(max(upstream_id), 0) + 1 FROM orders"
"""Numbers that an earlier sandbox of this run gave to orders are bound: this one begins behind them."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running sandbox whose own time stands still: what is ordered stays under way."""

    url: str
    service: int
    pid: int

    @property
    def fields(self) -> Mapping[str, str]:
        """An order as the worker sends it, without the key."""
        return add_form(
            upstream_service=self.service,
            type_name="Default",
            link="https://example.com/bench",
            quantity=QUANTITY,
            extra=None,
        )

    def place(self, count: int) -> int:
        """Make so many orders upstream at once; answers the id of the first."""
        first: int = self._control("summary")["next_order_id"]
        self._control("orders", {"key": KEY, "count": count, "fields": dict(self.fields)})
        return first

    def calls(self, action: str) -> int:
        """How many calls of this action came in."""
        return int(self._control("summary")["calls"].get(action, 0))

    def _control(self, path: str, values: object = None) -> Any:
        body = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(f"{self.url.removesuffix('/api/v2')}/sandbox/{path}", data=body)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)


@contextmanager
def running_upstream(stack: Stack) -> Iterator[Upstream]:
    """A sandbox, to which the first provider of the filled panel leads from now on."""
    with psycopg.connect(stack.url) as connection:
        row = connection.execute(_NEXT_UPSTREAM_ID).fetchone()
    assert row is not None, "max() answers a row"
    words = ["--port", "0", "--speed", "0", "--key", f"{KEY}={_BALANCE}", "--first-order-id", str(row[0])]
    with (stack.folder / "sandbox.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hawker.sandbox", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=dict(stack.env),
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - the harness runs no threads
        )
    with process:
        try:
            assert process.stdout is not None, "asked for as a pipe"
            line = process.stdout.readline()
            if not line:
                raise RunFailed("the sandbox did not start")
            url = json.loads(line)["url"]
            _direct(stack, url, service := _default_service(url))
            yield Upstream(url, service, process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _default_service(url: str) -> int:
    request = urllib.request.Request(url, data=f"key={KEY}&action=services".encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        for row in json.load(answer):
            if row["type"] == "Default" and int(row["min"]) <= QUANTITY <= int(row["max"]):
                return int(row["service"])
    raise RunFailed(f"the sandbox sells no Default service for {QUANTITY}")


def _direct(stack: Stack, url: str, service: int) -> None:
    # Sealed by the panel's own code in a process of the panel: this one has no settings of it.
    code = (
        "import sys, django; django.setup(); from hawker.providers.vault import seal; "
        "sys.stdout.buffer.write(seal(sys.argv[1]))"
    )
    env = {**stack.env, "DJANGO_SETTINGS_MODULE": "hawker.django_settings"}
    sealed = subprocess.run([sys.executable, "-c", code, KEY], env=env, capture_output=True, check=True).stdout
    with psycopg.connect(stack.url) as connection:
        connection.execute(_DIRECT_PROVIDER, (url, sealed, stack.filled.provider_id))
        connection.execute(_DIRECT_ROUTES, (service, stack.filled.provider_id))
