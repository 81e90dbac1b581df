"""`hawker up`: the plan that the supervisor carries out, and the one line that says it is ready."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hawker.cli.output import answer, fail, say, sentences
from hawker.core.database import DatabaseAccess, database_url
from hawker.core.settings import Settings
from hawker.demo.demo_file import DemoFile, read_demo_file
from hawker.host.children import ChildSpec
from hawker.host.errors import CannotHost
from hawker.host.listener import Listener, listen
from hawker.host.supervisor import Plan, supervise

DEMO_FEED_SECONDS = "20"
"""How often the demo looks at the sandbox's feeds, whose users post about once a minute at that speed."""

DEMO_SPEED = 600
"""The demo's sandbox delivers in seconds what takes hours in life, so that a visitor sees it happen."""


class MigrationFailed(CannotHost):
    """`hawker migrate` ended with an error, which it has said itself."""


def run_panel(settings: Settings, *, demo: bool, host: str, port: int | None, workers: int) -> None:
    """Run everything until told to stop. Ends with a sentence and exit code 1 where it cannot start."""
    folder = settings.folder
    os.environ["HAWKER_DATA_DIR"] = str(folder.path)
    with sentences(CannotHost), ExitStack() as stack:
        sandbox = None
        if demo:
            os.environ.setdefault("HAWKER_FEED_SECONDS", DEMO_FEED_SECONDS)
            known = read_demo_file(folder)
            sandbox = _listen_again(known.sandbox_url if known else "")
            stack.callback(sandbox.socket.close)
        panel = _Panel(settings, sandbox, workers)
        supervise(
            folder,
            Plan(
                children=panel.children,
                is_ready=panel.is_ready,
                on_ready=panel.on_ready,
                before_children=panel.migrate,
                host=host,
                port=port,
                embedded=settings.database_url is None,
                postgres_bin=settings.postgres_bin,
            ),
        )


def _listen_again(url: str) -> Listener:
    """The demo's sandbox where it listened before, since the panel knows it by that address; else anywhere."""
    port = urlsplit(url).port if url else None
    if port is not None:
        try:
            return listen("127.0.0.1", port)
        except CannotHost:
            say(f"the sandbox cannot have port {port} again and takes another")
    return listen("127.0.0.1", 0)


@dataclass(slots=True)
class _Panel:
    """The processes of one panel and what is known of their readiness."""

    settings: Settings
    sandbox: Listener | None
    workers: int
    _demo: "subprocess.Popen[str] | None" = None

    def migrate(self) -> None:
        if subprocess.run(_hawker("migrate"), stdout=subprocess.DEVNULL, check=False).returncode:  # noqa: S603
            raise MigrationFailed("the database could not be brought to this version")

    def children(self, listener: Listener) -> Sequence[ChildSpec]:
        web = _hawker("serve", "--fd", str(listener.descriptor))
        specs = [ChildSpec("serve", web, pass_fds=(listener.descriptor,))]
        specs += [ChildSpec(f"worker {n + 1}", _hawker("worker")) for n in range(self.workers)]
        if self.sandbox is not None:
            state = str(self.settings.folder.sandbox)
            words = ["--fd", str(self.sandbox.descriptor), "--speed", str(DEMO_SPEED), "--state", state]
            specs.append(ChildSpec("sandbox", _hawker("sandbox", *words), pass_fds=(self.sandbox.descriptor,)))
        return specs

    def is_ready(self, listener: Listener) -> bool:
        if not _is_healthy(listener.url):
            return False
        if self.sandbox is None:
            return True
        if self._demo is None:
            if _is_healthy(self.sandbox.url):
                words = _hawker("demo", "--sandbox-url", f"{self.sandbox.url}/api/v2")
                self._demo = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)  # noqa: S603
            return False
        code = self._demo.poll()
        if code:
            fail("the demo data could not be made")
        return code == 0

    def on_ready(self, listener: Listener) -> None:
        ready: dict[str, Any] = {
            "ready": True,
            "url": listener.url,
            "api": f"{listener.url}/api/v2",
            "database_url": database_url(self.settings, DatabaseAccess.APP),
        }
        known = read_demo_file(self.settings.folder) if self.sandbox is not None else None
        if known is not None:
            ready["demo"] = {"api_key": known.api_key, "sandbox": known.sandbox_url}
        answer(ready)
        if known is not None:
            _invite(ready["api"], known)


def _invite(api: str, demo: DemoFile) -> None:
    """A first order, ready to paste."""
    call = f"curl -s {api} -d key={demo.api_key}"
    say(f"""
The panel is ready, with demo data and a sandbox upstream. Paste an order, then look at it and at the balance:

  {call} -d action=add -d service={demo.service} -d link=https://example.com/page -d quantity={demo.quantity}
  {call} -d action=status -d order=…
  {call} -d action=balance

Ctrl-C stops everything.""")


def _hawker(*words: str) -> list[str]:
    return [sys.executable, "-m", "hawker", *words]


def _is_healthy(url: str) -> bool:
    """Whether something answers 200 at `/healthz`. Quick either way: the supervisor waits for it."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        response.read()
        return response.status == 200
    except (OSError, http.client.HTTPException, json.JSONDecodeError):
        return False
    finally:
        connection.close()
