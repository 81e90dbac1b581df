"""The socket of the web server: bound once by the supervisor and handed to every `serve` process.

It outlives a restarted server, so a customer's connection waits a moment and is never refused.
"""

import contextlib
import ctypes
import errno
import ipaddress
import socket
import struct
from dataclasses import dataclass

from hawker.host.errors import PortUnusable

DEFAULT_PORT = 8000
_BACKLOG = 2048

_SO_ATTACH_FILTER = 26
_NO_NEWCOMERS = (
    # (code, jump if true, jump if false, k): drop what has SYN set and ACK not, the first packet of a handshake.
    (0x30, 0, 0, 13),  # A = the flags of the TCP header
    (0x54, 0, 0, 0x12),  # A &= SYN | ACK
    (0x15, 0, 1, 0x02),  # A == SYN?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # keep
)


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


def refuse_newcomers(listener: socket.socket) -> None:
    """Let nobody begin a connection any more, while those who have begun are still accepted; for good, for all
    processes that share the socket.

    Linux has no such call: closing a listening socket resets whoever waits to be accepted. A packet filter on
    the socket drops the first packet of each handshake instead; its sender tries again a second later and is
    refused by then, with nothing sent. Where the kernel does not take it, the old small gap remains.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _NO_NEWCOMERS))
    with contextlib.suppress(OSError):
        head = struct.pack("HP", len(_NO_NEWCOMERS), ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)


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
