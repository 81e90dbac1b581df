"""The web process put together: which path goes to which front door."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import django

django.setup()

from hawker.api.door import Door  # noqa: E402 - models may only be imported after set-up
from hawker.worker.wake import Waker  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application:
    """Routes by exact path. API v2 does not come here: the server's connection hands it to the door, which it
    finds in the state of the lifespan (api/connection.py), so that it does not pay for the rest of the site.
    """

    def __init__(self) -> None:
        self._door = Door(placed=Waker())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _say(send, 200 if scope["path"] == "/healthz" else 404)
        elif scope["type"] == "lifespan":
            scope["state"]["door"] = self._door
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._door.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._door.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _say(send: Send, status: int) -> None:
    body = b'{"ok":true}' if status == 200 else b'{"error":"Not found"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


application = Application()
