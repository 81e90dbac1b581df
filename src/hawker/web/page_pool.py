"""Pages run in threads of their own, few and bounded, so that they cannot slow down API v2.

A page request is handled by Django's request handler and middleware in one of `page_threads` threads. Each thread opens
at most one database connection. `page_queue` requests wait for a thread; what comes beyond them is answered with 503.
A client takes up no thread while it sends its request or reads its answer: the body is read before, and what a view
streams is written to a temporary file first. So an export that fails half way is a 500, never a file cut short.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import Any, TypeAlias

from django.core import signals
from django.core.handlers.asgi import ASGIHandler
from django.http.response import HttpResponseBase

from hawker.protocol.replies import plain_error_reply

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

RETRY_SECONDS = 2
"""What a client is told to wait when all threads are busy and the queue is full."""

_BODILESS = ("GET", "HEAD")
_CHUNK_BYTES = 65_536
_IN_MEMORY_BYTES = 1_048_576


class _BodyTooLarge(Exception):
    """The body is, or is announced to be, larger than allowed."""


class _ClientGone(Exception):
    """The client closed the connection before it was answered."""


@dataclass(frozen=True, slots=True)
class _PageResponse:
    """A response that needs no thread any more."""

    status: int
    headers: Headers
    chunks: Iterable[bytes]


class _PageHandler(ASGIHandler):
    """Django's handler with its middleware in synchronous form: it runs whole in the thread that calls it."""

    def __init__(self) -> None:
        super(ASGIHandler, self).__init__()
        self.load_middleware(is_async=False)

    def respond(self, scope: Scope, body: bytes, gone: threading.Event) -> _PageResponse:
        """The response to one request. Raises _ClientGone where `gone` was set meanwhile."""
        if gone.is_set():
            raise _ClientGone
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refused = self.create_request(scope, BytesIO(body))
        response = refused if request is None else self.get_response(request)
        assert response is not None, "Django makes the one or the other"
        try:
            return _read(response, gone, method=scope["method"])
        finally:
            # It sends request_finished too, upon which Django closes connections that are broken.
            response.close()


class PagePool:
    """An ASGI application for pages: reads the body, has a thread make the response, sends it."""

    def __init__(self, *, threads: int, queue: int, max_body_bytes: int) -> None:
        """At most `threads` requests are handled and `queue` wait at a time. Django must be set up."""
        self._most = threads + queue
        self._max_body_bytes = max_body_bytes
        self._requests = 0
        self._handler = _PageHandler()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="page")

    def close(self) -> None:
        """Start no further page. What is being made is finished."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = b"" if scope["method"] in _BODILESS else await self._read_body(scope, receive)
            response = await self._respond(scope, body, receive)
        except _BodyTooLarge:
            response = _error(413, "body_too_large", [])
        except _ClientGone:
            return
        headers = [(name.lower(), value) for name, value in response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        for chunk in response.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _respond(self, scope: Scope, body: bytes, receive: Receive) -> _PageResponse:
        if self._requests >= self._most:
            return _error(503, "unavailable", [(b"retry-after", b"%d" % RETRY_SECONDS)])
        gone = threading.Event()
        watching = asyncio.create_task(_watch(receive, gone))
        self._requests += 1
        try:
            job = self._executor.submit(self._handler.respond, scope, body, gone)
            response = asyncio.wrap_future(job)
            either: set[asyncio.Future[Any]] = {response, watching}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            # A client that left makes room for others, unless its page is being made already.
            if gone.is_set() and job.cancel():
                raise _ClientGone
            return await response
        finally:
            self._requests -= 1
            watching.cancel()

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        announced = dict(scope["headers"]).get(b"content-length", b"")
        if announced.isdigit() and int(announced[:20]) > self._max_body_bytes:
            raise _BodyTooLarge
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGone
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise _BodyTooLarge
            if not message.get("more_body", False):
                return bytes(body)


async def _watch(receive: Receive, gone: threading.Event) -> None:
    """Set `gone` when the client closes the connection: nobody needs the page then."""
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _error(status: int, code: str, headers: Headers) -> _PageResponse:
    body = plain_error_reply(code)
    described = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return _PageResponse(status, [*described, *headers], [body])


def _read(response: HttpResponseBase, gone: threading.Event, *, method: str) -> _PageResponse:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    cookies = [(b"set-cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()]
    headers = [*(header for header in headers if header[0].lower() != b"content-length"), *cookies]
    if not response.streaming:
        body: bytes = response.content  # type: ignore[attr-defined]
        length = [] if response.status_code in (204, 304) else [(b"content-length", b"%d" % len(body))]
        return _PageResponse(response.status_code, [*headers, *length], [body])
    if method == "HEAD":
        return _PageResponse(response.status_code, headers, [])
    spooled = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed when it was sent
    for chunk in response:
        if gone.is_set():
            spooled.close()
            raise _ClientGone
        spooled.write(chunk)
    length = [(b"content-length", b"%d" % spooled.tell())]
    return _PageResponse(response.status_code, [*headers, *length], _chunks_of(spooled))


def _chunks_of(spooled: "SpooledTemporaryFile[bytes]") -> Iterator[bytes]:
    with spooled:
        spooled.seek(0)
        while chunk := spooled.read(_CHUNK_BYTES):
            yield chunk
