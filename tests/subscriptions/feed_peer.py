"""A web server with feeds that say what a test puts down, and a record of what was asked of it."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

ITEM = "<item><title>{0}</title><link>https://posts.example/{0}</link><guid isPermaLink='false'>{0}</guid></item>"


def document(*items: str) -> bytes:
    """An RSS document of these items."""
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{"".join(items)}</channel></rss>'.encode()


def rss(*posts: str, item: str = ITEM) -> bytes:
    """An RSS document of these posts, newest first."""
    return document(*(item.format(post) for post in posts))


def dated(post: str, date: str) -> str:
    """An item that says when it was posted."""
    return f"<item><link>https://posts.example/{post}</link><pubDate>{date}</pubDate></item>"


@dataclass
class Asked:
    """One request that came."""

    name: str
    headers: Mapping[str, str]


@dataclass
class FeedPeer:
    """`answers` by the user's name: status, headers, body. A name without one answers 404.

    `held` names are answered when the event is set.
    """

    base: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    held: dict[str, threading.Event] = field(default_factory=dict)

    @property
    def template(self) -> str:
        return f"{self.base}/feeds/{{username}}.xml"

    def say(self, name: str, body: bytes, *, status: int = 200, **headers: str) -> None:
        """Have the user's feed be this from now on; a header `last_modified` goes out as Last-Modified."""
        self.answers[name] = (status, {key.replace("_", "-"): value for key, value in headers.items()}, body)

    def post(self, name: str, *posts: str) -> None:
        """Have the user's feed list these posts, newest first."""
        self.say(name, rss(*posts))

    def asked_for(self, name: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.name == name]

    def answer(self, name: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(Asked(name, headers))
        if name in self.held:
            self.held[name].wait(30)
        status, answered, body = self.answers.get(name, (404, {}, b"no such feed"))
        etag = answered.get("etag")
        if status == 200 and etag is not None and headers.get("If-None-Match") == etag:
            return 304, answered, b""
        return status, answered, body


@contextmanager
def start_feed_peer() -> Iterator[FeedPeer]:
    """The server, listening on a free port of this machine."""
    peer = FeedPeer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the name is http.server's
            name = unquote(self.path.removeprefix("/feeds/").removesuffix(".xml"))
            status, headers, body = peer.answer(name, dict(self.headers.items()))
            self.send_response(status)
            for header, value in headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *words: object) -> None:  # noqa: A002 - the name is http.server's
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients hang up in the middle of what is too long: no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        peer.base = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield peer
        for event in peer.held.values():
            event.set()
        server.shutdown()
        thread.join()
