"""Reads feeds in a process of its own: `python -m hawker.posts.reader`, a feed in, its posts as JSON out.

A feed is a stranger's document. Whatever it does to the parser (endless nesting, a pattern that never ends,
entities that swell) happens here, under a limit of memory and time, and not in the worker that sends orders.

Frames both ways: four bytes of length, big-endian, and so many bytes. In: the address, then the document. Out:
{"posts":[{"id":…,"link":…,"published":seconds|null}]} or {"error":"a sentence"}.
"""

import calendar
import io
import json
import os
import signal
import struct
import sys
from typing import Any, BinaryIO
from urllib.parse import urljoin

READ_SECONDS = 15
MAX_MEMORY_BYTES = 1024 * 1024 * 1024

_HARMLESS = ("CharacterEncodingOverride", "NonXMLContentType")
"""What feedparser complains of although the document was read whole."""


def read_posts(url: str, document: bytes) -> dict[str, Any]:
    """The posts of a feed with those that have neither id nor link left out, or why it cannot be read."""
    import feedparser

    # A stream and never the address: feedparser would fetch that by itself.
    headers = {"content-location": url, "content-type": "application/xml"}
    feed = feedparser.parse(
        io.BytesIO(document), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )
    trouble = feed.get("bozo_exception") if feed.get("bozo") else None
    if not feed.get("version"):
        return {"error": "the document is not a feed"}
    if trouble is not None and type(trouble).__name__ not in _HARMLESS:
        # What a half document leaves out would come as new posts with the next whole one.
        return {"error": f"the feed is not well-formed: {str(trouble)[:200]}"}
    return {"posts": [post for entry in feed.entries if (post := _post(entry, url)) is not None]}


def _post(entry: Any, url: str) -> dict[str, Any] | None:
    link = entry.get("link")
    if not isinstance(link, str) or not link.strip():
        return None
    try:
        link = urljoin(url, link.strip())
    except ValueError:
        return None
    name = entry.get("id")
    published = entry.get("published_parsed") or entry.get("updated_parsed")
    try:
        seconds = calendar.timegm(published) if published else None
    except (ValueError, OverflowError, TypeError):
        seconds = None
    return {"id": name if isinstance(name, str) and name else link, "link": link, "published": seconds}


def main() -> None:
    """Answer until stdin ends. SIGALRM ends the process, also inside a parser that listens to nobody."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # Whatever a library prints must not come between the frames.
    sys.stdout = sys.stderr
    _limit()
    while (url := _read(source)) is not None and (document := _read(source)) is not None:
        signal.alarm(READ_SECONDS)
        try:
            answer = read_posts(url.decode(), document)
        except MemoryError:
            answer = {"error": "the feed takes too much memory to read"}
        except Exception as error:  # noqa: BLE001 - a parser fails on a stranger's document in any way
            answer = {"error": f"the feed cannot be read: {type(error).__name__}"}
        signal.alarm(0)
        _write(sink, json.dumps(answer).encode())


def _limit() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        sys.stderr.write("hawker: feeds are read without a limit of memory\n")
    os.nice(5)


def _read(source: BinaryIO) -> bytes | None:
    head = source.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack(">I", head)
    return source.read(length)


def _write(sink: BinaryIO, frame: bytes) -> None:
    sink.write(struct.pack(">I", len(frame)) + frame)
    sink.flush()


if __name__ == "__main__":
    main()
