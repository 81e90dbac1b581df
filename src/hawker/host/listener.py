"""The socket of the web server: bound once by the supervisor and handed to every `serve` process.

It outlives a restarted server, so a customer's connection waits a moment and is never refused.
"""

import errno
import ipaddress
import socket
from dataclasses import dataclass

from hawker.host.errors import PortUnusable

DEFAULT_PORT = 8000
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound and listening socket."""

    socket: socket.socket
    url: str
    """Without a slash at the end; a wildcard address is shown as this machine's own."""

    @property
    def descriptor(self) -> int:
        return self.socket.fileno()


def listen(host: str, port: int | None) -> Listener:
    """Listen on `host`: on that port, or without one on 8000 or else any free one.

    Raises PortUnusable with what to do.
    """
    if port is not None and not 0 <= port <= 65_535:
        raise PortUnusable(f"there is no port {port}: ports go from 0 (any free one) to 65535")
    if port is None:
        try:
            return _bind(host, DEFAULT_PORT)
        except OSError:
            port = 0
    try:
        return _bind(host, port)
    except OSError as error:
        raise PortUnusable(_why(host, port, error)) from error


def _bind(host: str, port: int) -> Listener:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    bound = socket.create_server((str(address[0]), port), family=family, backlog=_BACKLOG)
    shown = ipaddress.ip_address(bound.getsockname()[0].split("%")[0])
    if shown.is_unspecified:
        shown = ipaddress.ip_address("::1" if shown.version == 6 else "127.0.0.1")
    name = f"[{shown}]" if shown.version == 6 else str(shown)
    return Listener(bound, f"http://{name}:{bound.getsockname()[1]}")


def _why(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"{host} is not an address of this machine: {error.strerror}"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program: choose another with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by this account: choose one above 1023 with --port"
    return f"{host} port {port} cannot be listened on: {error.strerror}"
