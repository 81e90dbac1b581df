"""One connection to a provider, or to another host: dialled first, used once at a time, every failure told apart."""

import asyncio
import functools
import ipaddress
import select
import ssl
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import urlencode

import httpcore2

from hawker.core.counters import count, measure
from hawker.core.failpoints import any_armed, failpoint
from hawker.core.redaction import GONE, forms_of, without
from hawker.providers.errors import CallFailed, CannotConnect
from hawker.providers.rules import Address, ProviderUrl, is_public, not_public

CONNECT_SECONDS = 10.0
DEADLINE_SECONDS = 30.0
IDLE_SECONDS = 3.0
"""A connection idle for longer is not trusted with an `add`: the peer may be closing it."""

MAX_REPLY_BYTES = 2 * 1024 * 1024
"""Of anything but a catalogue. A hundred statuses with all their children take less; ten megabytes of empty lists take
seconds to read, in which nothing else is sent."""

_HANG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)
"""An orderly end too, where the system tells of it; errors and resets always come."""


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Made when it is first needed: to load the certificates takes 45 ms of CPU, and most commands dial nobody."""
    context = httpcore2.default_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Resolver(Protocol):
    """Turns a host name into its addresses; passed in so that tests can rebind names."""

    async def __call__(self, host: str, port: int) -> list[Address]: ...


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer, whatever it says. `headers` by their names in lower case, the last of each."""

    http_status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


async def resolve(host: str, port: int) -> list[Address]:
    """The system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=6)
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


class ProviderClient:
    """An open HTTP/1.1 connection to one host."""

    def __init__(self, url: ProviderUrl, stream: httpcore2.AsyncNetworkStream, name: str = "") -> None:
        """`name` is under which provider its calls are counted (core/counters.py)."""
        self._url = url
        self._stream = stream
        self._name = name
        origin = httpcore2.Origin(b"https" if url.tls else b"http", url.host.encode(), url.port)
        self._connection = httpcore2.AsyncHTTP11Connection(origin, stream)
        self._idle_since = time.monotonic()

    def is_fresh(self) -> bool:
        """Whether the connection may carry a call that must not be sent twice."""
        return (
            not self._connection.is_closed()
            and not self._connection.has_expired()
            and not self._is_left()
            and time.monotonic() - self._idle_since <= IDLE_SECONDS
        )

    def _is_left(self) -> bool:
        """Whether the other end has hung up, or says something before it was asked.

        The connection itself looks only after its first answer; written to before, it would make an order unknown
        that was provably not sent. What TLS says unasked are tickets for the next connection.
        """
        connection = self._stream.get_extra_info("socket")
        if connection is None or connection.fileno() < 0:
            return connection is not None
        poll = select.poll()
        poll.register(connection.fileno(), _HANG_UP if self._url.tls else _HANG_UP | select.POLLIN)
        return bool(poll.poll(0))

    async def call(
        self,
        fields: Mapping[str, str],
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        max_bytes: int = MAX_REPLY_BYTES,
    ) -> HttpAnswer:
        """POST the form once and read the whole answer within the deadline: no redirects, no retries, no proxy.

        A panel may say our key back to us, in an error, a page or a name: it is taken out of the answer before anybody
        reads it, so it comes into no table and no log.

        Raises CallFailed when the answer did not come whole: the call may have been carried out.
        """
        body = urlencode(fields).encode()
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
        }
        request = self._request(b"POST", headers, body)
        if any_armed():
            request.extensions["trace"] = _failpoints_of(fields.get("action", ""))
        key, action, began = fields.get("key", ""), fields.get("action", ""), time.monotonic()
        try:
            answer = await self._send(request, deadline_seconds, max_bytes)
        except CallFailed as failure:
            count(("upstream_calls", self._name, action, "no_answer"))
            raise CallFailed(without(str(failure), [key])) from failure
        measure(("upstream", self._name, action), time.monotonic() - began)
        count(("upstream_calls", self._name, action, "answered" if answer.http_status < 400 else "http_error"))
        return replace(answer, body=_without_key(answer.body, key))

    async def get(self, headers: Mapping[str, str], *, deadline_seconds: float, max_bytes: int) -> HttpAnswer:
        """GET the address once, of which at most `max_bytes` are read. Raises CallFailed like `call`."""
        return await self._send(self._request(b"GET", headers), deadline_seconds, max_bytes)

    def _request(self, method: bytes, headers: Mapping[str, str], body: bytes = b"") -> httpcore2.Request:
        common = {"Host": self._url.host_header, "User-Agent": "Hawker", "Accept-Encoding": "identity"}
        return httpcore2.Request(
            method,
            httpcore2.URL(
                scheme=b"https" if self._url.tls else b"http",
                host=self._url.host.encode(),
                port=self._url.port,
                target=self._url.target.encode(),
            ),
            headers=[(name.encode(), value.encode()) for name, value in (common | dict(headers)).items()],
            content=body,
        )

    async def _send(self, request: httpcore2.Request, deadline_seconds: float, max_bytes: int) -> HttpAnswer:
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self._exchange(request, max_bytes)
        except TimeoutError as error:
            await self.close()
            raise CallFailed(f"no complete response within {deadline_seconds:g} s") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as error:
            await self.close()
            raise CallFailed(f"{type(error).__name__}: {error}") from error

    async def _exchange(self, request: httpcore2.Request, max_bytes: int) -> HttpAnswer:
        response = await self._connection.handle_async_request(request)
        try:
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > max_bytes:
                    raise httpcore2.RemoteProtocolError(f"the answer is larger than {max_bytes / 1024**2:g} MB")
        finally:
            await response.aclose()
        self._idle_since = time.monotonic()
        if self._has_more():
            await self.close()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return HttpAnswer(
            response.status, _decoded(bytes(body), headers.get("content-encoding", ""), max_bytes), headers
        )

    def _has_more(self) -> bool:
        """Whether bytes came after the end of the answer: the next call would take them for its own answer."""
        pending, _ = self._connection._h11_state.trailing_data  # noqa: SLF001 - there is no public way to ask
        return bool(pending)

    async def close(self) -> None:
        await self._connection.aclose()


def _failpoints_of(action: str) -> Callable[[str, object], Awaitable[None]]:
    """Tests may end the process while a call is under way: `add-half-written` between the head of the request and its
    body, `add-written` when all of it has left and nothing is answered yet."""
    points = {
        "http11.send_request_headers.complete": f"{action}-half-written",
        "http11.send_request_body.complete": f"{action}-written",
    }

    async def trace(event: str, info: object) -> None:
        del info
        if event in points:
            failpoint(points[event])

    return trace


def _decoded(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """A body that was compressed although we asked for none; one that cannot be inflated, or not within the
    limit, stays as it is, and is then neither JSON nor a feed."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        inflated = inflater.decompress(body, max_bytes + 1)
    except zlib.error:
        return body
    return inflated if len(inflated) <= max_bytes else body


def _without_key(body: bytes, key: str) -> bytes:
    for form in forms_of(key):
        if (written := form.encode("utf-8", "surrogatepass")) in body:
            body = body.replace(written, GONE.encode())
    return body


async def open_line(
    url: ProviderUrl,
    *,
    allow_private: bool,
    name: str = "",
    resolver: Resolver = resolve,
    backend: httpcore2.AsyncNetworkBackend | None = None,
) -> ProviderClient:
    """Connect, TLS included. Raises CannotConnect: then nothing was sent.

    The name is resolved once, every address is checked, and the address that was checked is the one
    dialled, so a name that changes between look and connection gains nothing (SSRF, rebinding).
    """
    network = backend or httpcore2.AnyIOBackend()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            stream = await _dial(network, await _addresses(url, allow_private, resolver), url.port)
            failpoint("connecting")
            if url.tls:
                stream = await _secured(stream, url.host)
    except TimeoutError as error:
        raise CannotConnect(f"no connection to {url.host} within {CONNECT_SECONDS:g} s") from error
    except (httpcore2.NetworkError, httpcore2.TimeoutException, OSError) as error:
        raise CannotConnect(f"no connection to {url.host}: {error or type(error).__name__}") from error
    return ProviderClient(url, stream, name)


async def _secured(stream: httpcore2.AsyncNetworkStream, host: str) -> httpcore2.AsyncNetworkStream:
    try:
        return await stream.start_tls(_tls_context(), server_hostname=host)
    except BaseException:
        # Cut short by our deadline, the library leaves the connection open until the collector comes.
        await stream.aclose()
        raise


async def _addresses(url: ProviderUrl, allow_private: bool, resolver: Resolver) -> list[Address]:
    try:
        addresses: list[Address] = [ipaddress.ip_address(url.host)]
    except ValueError:
        addresses = await resolver(url.host, url.port)
    if not addresses:
        raise CannotConnect(f"{url.host} has no address")
    refused = [str(address) for address in addresses if not allow_private and not is_public(address)]
    if refused:
        # One bad address refuses the name: which of several a resolver lists first is the attacker's choice.
        raise CannotConnect(not_public(url.host, refused[0]))
    return addresses


async def _dial(
    network: httpcore2.AsyncNetworkBackend, addresses: list[Address], port: int
) -> httpcore2.AsyncNetworkStream:
    for address in addresses[:-1]:
        try:
            return await network.connect_tcp(str(address), port, timeout=CONNECT_SECONDS / len(addresses))
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
            continue
    return await network.connect_tcp(str(addresses[-1]), port)
