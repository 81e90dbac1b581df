"""The reading process from outside: started when first needed, killed when it takes too long, started again."""

import atexit
import selectors
import struct
import subprocess
import sys
import threading
import time

import msgspec

from hawker.posts.reader import READ_SECONDS

MAX_ANSWER_BYTES = 64 * 1024 * 1024


class ReadPost(msgspec.Struct, frozen=True):
    """One post as the reader tells it; `published` in seconds since 1970, UTC."""

    id: str
    link: str
    published: int | None


class ReadFeed(msgspec.Struct, frozen=True):
    """What the reader answers: posts, or an error in words."""

    posts: list[ReadPost] = []
    error: str = ""


class Reader:
    """One reading process and its pipes. `read` may be called from any thread; it serves one at a time."""

    def __init__(self, *, seconds: float = READ_SECONDS + 5) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def read(self, url: str, document: bytes) -> ReadFeed:
        """The feed's posts. Never raises for what the document does: that is an error in the answer."""
        with self._lock:
            try:
                return msgspec.json.decode(self._ask(url, document), type=ReadFeed)
            except (OSError, EOFError, TimeoutError, msgspec.DecodeError) as error:
                self._end()
                return ReadFeed(error=f"the feed could not be read: {error or type(error).__name__}")

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._end()

    def _ask(self, url: str, document: bytes) -> bytes:
        if self._process is None or self._process.poll() is not None:
            self._end()
            command = [sys.executable, "-m", "hawker.posts.reader"]
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        address = url.encode()
        frames = b"".join((struct.pack(">I", len(frame)) + frame) for frame in (address, document))
        view = memoryview(frames)
        while view:
            view = view[stdin.write(view) or 0 :]
        deadline = time.monotonic() + self._seconds
        (length,) = struct.unpack(">I", self._take(4, deadline))
        if length > MAX_ANSWER_BYTES:
            raise EOFError("the answer of the reader is too large")
        return self._take(length, deadline)

    def _take(self, count: int, deadline: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        taken = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while len(taken) < count:
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise TimeoutError(f"it took over {self._seconds:g} s")
                piece = self._process.stdout.read(count - len(taken))
                if not piece:
                    raise EOFError("the process that reads it ended early")
                taken += piece
        return bytes(taken)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


reader = Reader()
"""The reading process of this process."""
