"""HTTP by hand: exact bytes out, exact bytes in, over one socket that stays open."""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import msgspec

FORM = "application/x-www-form-urlencoded"
SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """One answer as it came: status, headers by lower-case name, body bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Wire:
    """One connection to a server."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """The socket's, so that `select` may wait for it."""
        return self._socket.fileno()

    def hang_up(self) -> None:
        """End the connection, also for a thread that is writing to it."""
        self._socket.shutdown(socket.SHUT_RDWR)

    def send(self, *pieces: bytes) -> None:
        """Write each piece at once, and nothing between two of them."""
        for piece in pieces:
            self._socket.sendall(piece)

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next answer, read to its last byte; an interim 1xx, a 304 and those to HEAD are without a body."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        start, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(start.split(" ")[1])
        bodiless = to_head or status < 200 or status == 304
        return Answer(status, headers, b"" if bodiless else self._exactly(int(headers["content-length"])))

    def ask(self, request: bytes) -> Answer:
        self.send(request)
        return self.answer()

    def is_closed(self) -> bool:
        """Whether the server closes this connection and says nothing more."""
        return not self._unread and not self._socket.recv(1)

    def is_silent(self, *, seconds: float = 0.2) -> bool:
        """Whether the server says nothing for so long."""
        self._socket.settimeout(seconds)
        try:
            self._unread += self._socket.recv(65_536)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(SECONDS)
        return False

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._unread:
            self._receive()
        found, _, self._unread = self._unread.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._receive()
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def _receive(self) -> None:
        more = self._socket.recv(262_144)
        assert more, f"the server closed the connection after {self._unread[:200]!r}"
        self._unread += more


def post(body: bytes = b"", *, content_type: str = FORM, target: str = "/api/v2", headers: Iterable[str] = ()) -> bytes:
    """The bytes of a POST."""
    typed = [f"Content-Type: {content_type}"] if content_type else []
    lines = [f"POST {target} HTTP/1.1", "Host: panel", *typed, f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post_form(**fields: str) -> bytes:
    """The bytes of a POST of a form."""
    return post(urlencode(fields).encode())


def post_json(**fields: object) -> bytes:
    """The bytes of a POST of a JSON object."""
    return post(msgspec.json.encode(fields), content_type="application/json")
