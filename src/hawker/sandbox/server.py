"""Running a sandbox: binds its socket, says when it is ready, ends on SIGTERM or Ctrl-C."""

import asyncio
import itertools
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import uvloop

from hawker.sandbox.config import SandboxConfig
from hawker.sandbox.connection import SandboxConnection
from hawker.sandbox.routes import route
from hawker.sandbox.sandbox import Sandbox

_BACKLOG = 4_096
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # recognised here, never bound to unasked


@asynccontextmanager
async def opened(config: SandboxConfig) -> AsyncIterator[str]:
    """A sandbox that answers while the context is open; yields the address of its API.

    Raises OSError where the address cannot be bound or the state folder not be written, and a ValueError
    with a sentence for a state folder that is in use or unreadable.
    """
    sandbox = Sandbox(config)
    alive: set[SandboxConnection] = set()
    numbers = itertools.count(1)
    answerer = partial(route, sandbox)
    try:
        listener = _listen(config)
        server = await asyncio.get_running_loop().create_server(
            lambda: SandboxConnection(answerer, next(numbers), alive), sock=listener, backlog=_BACKLOG
        )
        try:
            yield _url_of(listener)
        finally:
            server.close()
            for connection in list(alive):
                connection.close()
            # One turn of the loop sends what was written and closes the sockets.
            await asyncio.sleep(0)
    finally:
        sandbox.close()


async def serve(config: SandboxConfig, *, ready: Callable[[str], None] | None = None) -> None:
    """Run a sandbox until SIGTERM, SIGINT or cancellation; `ready` is called with the address of its API."""
    async with opened(config) as url:
        stopped = asyncio.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        if ready is not None:
            ready(url)
        await stopped.wait()


def run(config: SandboxConfig, *, ready: Callable[[str], None] | None = None) -> None:
    """`serve` on uvloop, for a process of its own."""
    uvloop.run(serve(config, ready=ready))


def ready_line(config: SandboxConfig, url: str) -> str:
    """`{"ready":true,"url":"http://127.0.0.1:PORT/api/v2","key":…}`: what a process prints once it answers."""
    return msgspec.json.encode({"ready": True, "url": url, "key": next(iter(config.keys))}).decode()


def _listen(config: SandboxConfig) -> socket.socket:
    if config.fd is not None:
        return socket.socket(fileno=config.fd)
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, error.strerror, f"{config.host}:{config.port}") from error
    return listener


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in _EVERYWHERE:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/api/v2" if ":" in host else f"http://{host}:{port}/api/v2"
