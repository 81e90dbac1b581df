"""The web process: uvicorn on a socket that somebody else may have bound."""

import socket

import uvicorn

from hawker.api.connection import Connection

GRACE_SECONDS = 30
"""How long a stop waits for answers in flight."""


def serve(*, host: str, port: int, fd: int | None) -> None:
    """Serve until SIGTERM or SIGINT, then finish the answers in flight. Django must be set up.

    `fd` is a listening socket, shared with other `serve` processes or bound by the supervisor.
    """
    config = uvicorn.Config(
        "hawker.asgi:application",
        host=host,
        port=port,
        loop="uvloop",
        http=Connection,
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
    sockets = [socket.socket(fileno=fd)] if fd is not None else None
    uvicorn.Server(config).run(sockets=sockets)
