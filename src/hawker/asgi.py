"""The web process put together: which path goes to which front endpoint."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import django

django.setup()

from django.core.handlers.asgi import ASGIHandler  # noqa: E402

from hawker.api.endpoint import Endpoint  # noqa: E402 - models may only be imported after set-up
from hawker.core.garbage_collection import tune_garbage_collector  # noqa: E402
from hawker.health.counter_store import keep_writing_counts  # noqa: E402
from hawker.health.endpoints import HEALTH_ROUTES, in_health_thread  # noqa: E402
from hawker.web.urls import PUBLIC  # noqa: E402
from hawker.worker.wake import Waker  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Any], Awaitable[None]]


class Application:
    """Routes by exact path. API v2 does not come here: the server's connection hands it to the endpoint, which it
    finds in the state of the lifespan (api/connection.py), so that it does not pay for the rest of the site.
    """

    def __init__(self) -> None:
        self._endpoint = Endpoint(placed=Waker())
        self._pages = ASGIHandler()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            send = _kept_in_check(send)
            health = HEALTH_ROUTES.get(scope["path"])
            if health is None and scope["path"] not in PUBLIC:
                await _say(send, 404)
            elif scope["method"] not in ("GET", "HEAD"):
                await _say(send, 405)
            elif health is not None:
                await _answer(send, *await health(scope))
            else:
                await self._pages(dict(scope), _without_body(receive), send)
        elif scope["type"] == "lifespan":
            scope["state"]["endpoint"] = self._endpoint
            await self._live(receive, send)

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
                self._counting.cancel()
                await asyncio.gather(self._counting, return_exceptions=True)
                await send({"type": "lifespan.shutdown.complete"})
                return


def _without_body(receive: Receive) -> Receive:
    """What a page that only reads gets of its request: Django would gather a body in a file, however large."""
    asked = False

    async def read() -> MutableMapping[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while (message := await receive())["type"] != "http.disconnect":
            pass
        return message

    return read


_IN_CHECK = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
)
"""What browsers are told with every answer but the API's, whose bytes are a contract. A page's own word goes before."""


def _kept_in_check(send: Send) -> Send:
    async def kept(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            said = {name.lower() for name, _ in headers}
            message = {**message, "headers": headers + [header for header in _IN_CHECK if header[0] not in said]}
        await send(message)

    return kept


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
