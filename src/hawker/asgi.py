"""The web process put together: which path goes to which application."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import django

django.setup()

from hawker.api.endpoint import Endpoint  # noqa: E402 - models may only be imported after set-up
from hawker.core.addresses import is_within, read_address, read_networks  # noqa: E402
from hawker.core.client_address import find_client_address  # noqa: E402
from hawker.core.garbage_collection import tune_garbage_collector  # noqa: E402
from hawker.core.security_headers import with_security_headers  # noqa: E402
from hawker.core.settings import settings  # noqa: E402
from hawker.health.counter_store import keep_writing_counts  # noqa: E402
from hawker.health.endpoints import HEALTH_ROUTES, in_health_thread  # noqa: E402
from hawker.web.page_pool import PagePool  # noqa: E402
from hawker.web.urls import is_page  # noqa: E402
from hawker.worker.wake import Waker  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]


class Application:
    """Routes health endpoints by their path and pages by the prefix of theirs.

    API v2 does not come here: the HTTP connection hands it to its endpoint, which it finds in the state of the lifespan
    (api/connection.py), so that it does not pay for the rest of the site.
    """

    def __init__(self) -> None:
        self._endpoint = Endpoint(placed=Waker())
        self._trusted_proxies = read_networks(settings().trusted_proxies)
        self._pages = PagePool(
            threads=settings().page_threads,
            queue=settings().page_queue,
            max_body_bytes=settings().page_max_body_bytes,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["endpoint"] = self._endpoint
            await self._live(receive, send)
        elif scope["type"] == "http":
            page_scope = self._without_proxies(scope)
            send = _secured(send, is_https=page_scope["scheme"] == "https")
            health = HEALTH_ROUTES.get(scope["path"])
            if is_page(scope["path"]):
                await self._pages(page_scope, receive, send)
            elif health is None:
                await _say(send, 404)
            elif scope["method"] not in ("GET", "HEAD"):
                await _say(send, 405)
            else:
                await _answer(send, *await health(scope))

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._endpoint.start()
                tune_garbage_collector()
                self._counting = asyncio.create_task(keep_writing_counts(in_health_thread))
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._endpoint.stop()
                self._pages.close()
                self._counting.cancel()
                await asyncio.gather(self._counting, return_exceptions=True)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _without_proxies(self, scope: Scope) -> Scope:
        """The request as the browser made it: its own address and scheme, where a trusted proxy says them.

        Headers in which proxies say so are taken out, so that no view believes what a client wrote there.
        """
        headers = dict(reversed(scope["headers"]))
        lists = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        forwarded = {b"x-forwarded-for": b",".join(lists)}
        address = find_client_address(scope["client"], forwarded, self._trusted_proxies)
        connected = read_address(scope["client"][0]) if scope["client"] else None
        is_proxied = connected is not None and is_within(connected, self._trusted_proxies)
        scheme = headers.get(b"x-forwarded-proto", b"").strip().lower()
        return {
            **scope,
            "client": None if address is None else (str(address), 0 if is_proxied else scope["client"][1]),
            "scheme": scheme.decode() if is_proxied and scheme in (b"http", b"https") else scope["scheme"],
            "headers": [(name, value) for name, value in scope["headers"] if name not in _PROXY_HEADERS],
        }


_PROXY_HEADERS = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-real-ip",
    }
)


def _secured(send: Send, *, is_https: bool) -> Send:
    """Adds the security headers to what is sent."""

    async def secured(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": with_security_headers(list(message["headers"]), is_https=is_https)}
        await send(message)

    return secured


_BODIES = {
    404: b'{"error":"Not found"}',
    405: b'{"error":"Method not allowed"}',
}


async def _say(send: Send, status: int) -> None:
    await _answer(send, status, b"application/json", _BODIES[status])


async def _answer(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


application = Application()
