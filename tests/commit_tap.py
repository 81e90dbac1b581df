"""A wire between a process and its database that can be cut at the COMMIT of an order, on either side of it."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum

from psycopg.conninfo import conninfo_to_dict

from hawker.core.settings import settings

_READY = b"Z\x00\x00\x00\x05I"
_WORDS = b"SFATAL\x00VFATAL\x00C57P02\x00Mterminating connection due to unexpected postmaster exit\x00\x00"
_ENDS = b"E" + (4 + len(_WORDS)).to_bytes(4, "big") + _WORDS


class Cut(Enum):
    """Where the wire is cut, once."""

    BEFORE = "the COMMIT is swallowed"
    WITH = "the COMMIT is passed on"
    AFTER = "the COMMIT is done, its answer is swallowed"
    TOLD = "the COMMIT is done, and right behind its answer the database says that it ends"


class CommitTap:
    """Passes everything on, until `arm`: then the next COMMIT of a transaction that `writes` is the last thing that is
    seen of it, and `then` is called at that very moment, before the connection is cut.
    """

    def __init__(self, *, writes: bytes = b"INSERT INTO orders") -> None:
        self._writes = writes
        address = conninfo_to_dict(settings().folder.embedded_url("hawker"))
        self._behind = f"{address['host']}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._cut: Cut | None = None
        self._then: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def database_url(self) -> str:
        port = self._listener.getsockname()[1]
        return f"postgresql://hawker_app@127.0.0.1:{port}/hawker?sslmode=disable&gssencmode=disable"

    def arm(self, cut: Cut, then: Callable[[], None]) -> None:
        with self._lock:
            self._cut, self._then = cut, then

    def close(self) -> None:
        self._cut = None
        # A plain close would leave the thread that waits in accept() there.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                front, _ = self._listener.accept()
            except OSError:
                return
            back = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                back.connect(self._behind)
            except OSError:
                front.close()
                back.close()
                continue
            pair = _Pair(front, back, self._writes)
            for forth in (True, False):
                threading.Thread(target=self._pass_on, args=(pair, forth), daemon=True).start()

    def _pass_on(self, pair: "_Pair", forth: bool) -> None:
        with contextlib.suppress(OSError):
            for message in _asked(pair.front) if forth else _chunks(pair.back):
                pair.note(message, forth=forth)
                if self._is_cut_at(pair, message, forth):
                    break
                (pair.back if forth else pair.front).sendall(message)
        pair.close()

    def _is_cut_at(self, pair: "_Pair", message: bytes, forth: bool) -> bool:
        """Whether the connection ends with this message; if so, all that was to happen has happened."""
        is_it = pair.commits and (message[:1] in (b"E", b"Q") if forth else b"COMMIT\x00" in message)
        with self._lock:
            if not is_it or self._cut is None or forth is (self._cut in (Cut.AFTER, Cut.TOLD)):
                return False
            cut, self._cut = self._cut, None
            if cut is Cut.WITH:
                pair.back.sendall(message)
            if cut is Cut.TOLD:
                pair.front.sendall(message.removesuffix(_READY) + _ENDS)
                # The words and the end of the connection are two things, and a client may see the one before the other.
                time.sleep(0.2)
            self.cuts += 1
            self._then()
        return True


class _Pair:
    """A server's connection and ours to the database behind it, and what was seen of their talk."""

    def __init__(self, front: socket.socket, back: socket.socket, writes: bytes) -> None:
        self.front, self.back = front, back
        self._writes, self._has_written = writes, False
        self._texts: dict[bytes, bytes] = {}
        self.commits = False
        """Whether the COMMIT of a transaction that wrote is under way."""

    def note(self, message: bytes, *, forth: bool) -> None:
        """Follow both protocols: a text is asked as it is, or parsed under a name once and bound by the name after."""
        if not forth or message[:1] not in (b"P", b"B", b"Q"):
            return
        first, second, *_ = message[5:].split(b"\x00", 2)
        if message[:1] == b"P":
            self._texts[first] = second
            return
        text = first if message[:1] == b"Q" else self._texts.get(second, b"")
        self.commits = self._has_written and text == b"COMMIT"
        self._has_written = self._writes in text or (self._has_written and text not in (b"BEGIN", b"COMMIT"))

    def close(self) -> None:
        for end in (self.front, self.back):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _asked(source: socket.socket) -> Iterator[bytes]:
    """The messages of the asking side, one by one. The first has no letter before its length."""
    unread, letter = b"", 0
    for chunk in _chunks(source):
        unread += chunk
        while len(unread) >= letter + 4:
            size = letter + int.from_bytes(unread[letter : letter + 4], "big")
            if len(unread) < size:
                break
            yield unread[:size]
            unread, letter = unread[size:], 1


def _chunks(source: socket.socket) -> Iterator[bytes]:
    while chunk := source.recv(262_144):
        yield chunk
