"""The bare ASGI echo: what the server software can do at most. Reads the body, answers ready bytes.

BENCH_ECHO_BODIES names a folder; the path /NAME answers the file NAME, and NAME.gz as gzip.
"""

import os
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn

Message = MutableMapping[str, Any]

_ANSWERS: dict[str, tuple[list[tuple[bytes, bytes]], bytes]] = {}


def _load(folder: Path) -> None:
    for path in folder.iterdir():
        body = path.read_bytes()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if path.suffix == ".gz":
            headers.append((b"content-encoding", b"gzip"))
        _ANSWERS[f"/{path.stem}"] = (headers, body)


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer one request with the bytes of its path."""
    while (await receive()).get("more_body"):
        pass
    headers, body = _ANSWERS[scope["path"]]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve on the socket whose number is the first argument, configured as `hawker serve` is."""
    _load(Path(os.environ["BENCH_ECHO_BODIES"]))
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        backlog=2048,
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
