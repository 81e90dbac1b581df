"""A sandbox in a thread of this process, on a free port, and a client that speaks to it over real HTTP.

    with running(speed=0) as peer:
        order = peer.add(service=1, link="https://shop.example/?fate=partial&remains=40", quantity=100)
        peer.advance(hours=10)
        assert peer.status(order)["status"] == "Partial"

By default time stands still and moves by `advance` only, so that no test waits for anything.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import uvloop

from hawker.core.money import Money
from hawker.sandbox import FateMix, Faults, SandboxConfig, opened

KEY = "test-key"
OTHER_KEY = "other-key"
SURE = "https://shop.example/flyer?fate=completed"


class Peer:
    """The client's side of a running sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.root = url.removesuffix("/api/v2")
        self.address = (urlsplit(url).hostname, urlsplit(url).port)
        self._http = httpx2.Client(trust_env=False, verify=False, timeout=10)

    def post(self, fields: dict[str, Any], path: str = "/api/v2") -> httpx2.Response:
        """One call as a form; a fresh client is not needed, the sandbox keeps connections alive."""
        return self._http.post(self.root + path, data={name: str(value) for name, value in fields.items()})

    def raw(self, action: str, *, key: str = KEY, **fields: Any) -> bytes:
        """The bytes of the answer to one action."""
        return self.post({"key": key, "action": action, **fields}).content

    def ask(self, action: str, *, key: str = KEY, **fields: Any) -> Any:
        """The answer to one action."""
        return self.post({"key": key, "action": action, **fields}).json()

    def add(self, **fields: Any) -> int:
        """Order, and return the order's id."""
        answer = self.ask("add", **fields)
        assert isinstance(answer.get("order"), int), answer
        return answer["order"]

    def status(self, order: int) -> dict[str, Any]:
        return self.ask("status", order=order)

    def balance(self, key: str = KEY) -> Money:
        return Money.parse(self.ask("balance", key=key)["balance"])

    def get(self, path: str) -> Any:
        """What the control door tells."""
        response = self._http.get(self.root + path)
        assert response.status_code == 200, response.text
        return response.json()

    def set(self, path: str, **values: Any) -> None:
        """Have the control door do something."""
        response = self.try_set(path, values)
        assert response.json() == {"ok": True}, response.text

    def try_set(self, path: str, values: Any) -> httpx2.Response:
        return self._http.post(self.root + path, json=values)

    def advance(self, *, hours: float = 0, minutes: float = 0) -> None:
        """Let the sandbox's own time pass."""
        self.set("/sandbox/advance", seconds=hours * 3600 + minutes * 60)

    def orders(self) -> list[dict[str, Any]]:
        return self.get("/sandbox/orders")["orders"]

    def calls(self, action: str = "add") -> list[dict[str, Any]]:
        return self.get(f"/sandbox/calls?action={action}")["calls"]

    def close(self) -> None:
        self._http.close()


@contextmanager
def running(
    *faults: str, mix: str = "80,12,8", state_dir: Path | None = None, speed: float = 0, **settings: Any
) -> Iterator[Peer]:
    """A sandbox that runs while the context is open."""
    config = SandboxConfig(
        keys=settings.pop("keys", {KEY: Money.parse("10000"), OTHER_KEY: Money.parse("500")}),
        faults=Faults.parse(faults),
        mix=FateMix.parse(mix),
        state_dir=state_dir,
        speed=speed,
        **settings,
    )
    with _in_thread(config) as url:
        peer = Peer(url)
        try:
            yield peer
        finally:
            peer.close()


@contextmanager
def _in_thread(config: SandboxConfig) -> Iterator[str]:
    ready: list[str] = []
    failed: list[BaseException] = []
    started, loops = threading.Event(), []
    stop = asyncio.Event()

    async def live() -> None:
        loops.append(asyncio.get_running_loop())
        async with opened(config) as url:
            ready.append(url)
            started.set()
            await stop.wait()

    def body() -> None:
        try:
            uvloop.run(live())
        except BaseException as error:  # noqa: BLE001  # handed over to the test's thread
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    started.wait(10)
    try:
        if failed:
            raise failed[0]
        yield ready[0]
    finally:
        if ready:
            loops[0].call_soon_threadsafe(stop.set)
        thread.join(10)
