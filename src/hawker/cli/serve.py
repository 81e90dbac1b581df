"""The web process: uvicorn on a socket that somebody else may have bound."""

import asyncio
import select
import socket

import uvicorn

from hawker.api.connection import HttpConnection
from hawker.cli.output import say, sentences
from hawker.host.errors import PortUnusable
from hawker.host.listener import listen, refuse_newcomers

GRACE_SECONDS = 30
"""How long a stop waits for answers in flight."""

_HANDSHAKE_SECONDS = 0.2
"""What a stop leaves to clients that were let in but have not finished shaking hands: two slow round trips at most."""

_MOST_LOOKS = 200


def serve(*, host: str, port: int, fd: int | None) -> None:
    """Serve until SIGTERM or SIGINT, then finish the answers in flight. Django must be set up.

    `fd` is a listening socket, shared with other `serve` processes or bound by the supervisor.
    """
    if fd is not None:
        listener, owner = socket.socket(fileno=fd), False
    else:
        with sentences(PortUnusable):
            bound = listen(host, port)
        say(f"hawker: serving at {bound.url}")
        listener, owner = bound.socket, True
    config = uvicorn.Config(
        "hawker.asgi:application",
        loop="uvloop",
        http=HttpConnection,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=75,
        backlog=2048,
        proxy_headers=False,
    )
    _Server(config, owner=owner).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Stops without cutting anybody off who has been let in.

    A connection belongs to its client from the handshake on, which the kernel does without us: those that
    wait to be accepted when the socket closes would be reset, with their requests sent. So newcomers are kept out
    first, by the owner of the socket alone (others may go on with it), and the queue is emptied before it closes.
    """

    def __init__(self, config: uvicorn.Config, *, owner: bool) -> None:
        super().__init__(config)
        self._owner = owner

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or ():
            if self._owner:
                refuse_newcomers(listener)
            await _emptied(listener)
        await super().shutdown(sockets)


async def _emptied(listener: socket.socket) -> None:
    """Go on accepting until nobody waits to be; not for ever, where the socket is shared and newcomers go on coming."""
    await asyncio.sleep(_HANDSHAKE_SECONDS)
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    for _ in range(_MOST_LOOKS):
        if not waiting.poll(0):
            return
        await asyncio.sleep(0.01)
