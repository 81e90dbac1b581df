"""One request of API v2 and its one answer, between the HTTP connection and the endpoint."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from hawker.api.response import JSON
from hawker.core.security_headers import SECURITY_HEADERS

Headers = Iterable[tuple[bytes, bytes]]
Take = Callable[["HttpExchange"], None]
"""What answers requests: called once each, in the event loop, when the body is whole or too large."""

_OK = STATUS_LINE[200] + b"content-type: application/json\r\ncontent-length: "


class AnsweringConnection(Protocol):
    """What an exchange needs of the connection it came in on."""

    client: tuple[str, int] | None
    transport: Any

    def answered(self) -> None: ...

    def close_after_answer(self, *, is_sending: bool) -> None: ...


UNREAD = "unread"
"""The action of a request that is not understood yet, or never was."""


class HttpExchange:
    """A request as it comes in, and the way back.

    It takes the place of uvicorn's RequestResponseCycle and has the attributes that uvicorn reads there, so that
    keep-alive, pipelining and shutdown work as they do for every other request. It does without ASGI, because a task,
    an event and four messages for each request cost more than half of what the cheapest request costs (measured).
    """

    __slots__ = (
        "_connection",
        "_expects_continue",
        "_started",
        "_take",
        "action",
        "body",
        "disconnected",
        "headers",
        "keep_alive",
        "max_body",
        "method",
        "more_body",
        "query",
        "response_complete",
    )

    def __init__(
        self,
        connection: AnsweringConnection,
        take: Take,
        *,
        method: str,
        query: bytes,
        headers: Mapping[bytes, bytes],
        keep_alive: bool,
        expects_continue: bool,
        max_body: int,
    ) -> None:
        self._connection = connection
        self._take = take
        self._expects_continue = expects_continue
        self._started = False
        self.action = UNREAD
        self.method = method
        self.query = query
        self.headers = headers
        self.keep_alive = keep_alive
        self.max_body = max_body
        self.body: bytes | bytearray = b""
        self.more_body = True
        self.disconnected = False
        self.response_complete = False

    @property
    def message_event(self) -> "HttpExchange":
        """What the server sets. Not an attribute: an exchange that held itself would be left to the collector."""
        return self

    @property
    def is_too_large(self) -> bool:
        """Whether the body is, or is announced to be, larger than the operator allows."""
        announced = self.headers.get(b"content-length", b"")
        return len(self.body) > self.max_body or (announced.isdigit() and int(announced[:20]) > self.max_body)

    @property
    def peer(self) -> tuple[str, int] | None:
        """The address and port at the other end of the connection; None for a socket of the file system."""
        return self._connection.client

    def receive(self, chunk: bytes) -> None:
        """A piece of the body has come. Most bodies come in one, which is kept as it is."""
        if not self.body:
            self.body = chunk
        elif isinstance(self.body, bytearray):
            self.body += chunk
        else:
            self.body = bytearray(self.body) + chunk
        if len(self.body) > self.max_body:
            self.set()

    def start(self) -> None:
        """The answers before this one are out: take this request as soon as it is whole."""
        self._started = True
        if self._expects_continue and self.more_body:
            if self.is_too_large:
                # The client may send its body or not: what comes next cannot be told apart.
                self.keep_alive = False
            else:
                self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.set()

    def set(self) -> None:
        """Something of the request has come, or the client has gone: what an ASGI cycle's event is set for."""
        if self._started and not self.disconnected and (not self.more_body or self.is_too_large):
            self._started = False
            self._take(self)

    def answer(self, status: int, body: bytes, headers: Headers = ()) -> None:
        """Send the answer, in one write. Does nothing where the client has hung up."""
        connection = self._connection
        if self.disconnected or connection.transport.is_closing():
            return
        self.response_complete = True
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        if status == 200 and not headers and self.method != "HEAD":
            connection.transport.write(b"%b%d\r\n%b%b" % (_OK, len(body), end, body))
        else:
            # Side by side: a list of services may be a megabyte, and would be copied for each who asks.
            connection.transport.writelines((_head(status, len(body), tuple(headers)) + end, self._sent(status, body)))
        if not self.keep_alive:
            connection.close_after_answer(is_sending=self.more_body)
        connection.answered()

    def refuse(self, response: bytes) -> None:
        """Send the bytes of a refusal and close, whatever the client goes on sending."""
        connection = self._connection
        if self.disconnected or connection.transport.is_closing():
            return
        self.response_complete = True
        connection.transport.write(response)
        connection.close_after_answer(is_sending=True)

    def _sent(self, status: int, body: bytes) -> bytes:
        return b"" if status == 304 or self.method == "HEAD" else body


def refusal(status: int) -> bytes:
    """The bytes that answer a request whose head or framing is refused."""
    text = _REFUSALS[status]
    lines = [*SECURITY_HEADERS, (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(text))]
    fields = b"".join(b"%b: %b\r\n" % line for line in lines)
    return STATUS_LINE[status] + fields + b"connection: close\r\n\r\n" + text


_REFUSALS = {400: b"Invalid HTTP request received.", 431: b"The head of the request is too large."}


@lru_cache(maxsize=1_024)
def _head(status: int, length: int, headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """The head but for its end; remembered, because a list of services goes out under the same one to all who ask."""
    lines = [(name, value) for name, value in headers if b"\r" not in value and b"\n" not in value]
    if status != 304:
        lines += [JSON, (b"content-length", b"%d" % length)]
    return STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % line for line in lines)
