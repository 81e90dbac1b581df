"""Signals as something to look at in a loop, not as something that interrupts."""

import contextlib
import os
import select
import signal
import time
from types import FrameType, TracebackType
from typing import Any, Self

_SAME_WISH_SECONDS = 1.0
"""A wrapper that passes a terminal's Ctrl-C on makes us see it twice at once: that is one wish."""


class StopSignals:
    """Inside the block SIGTERM, SIGINT and SIGHUP are wishes to stop, and the end of a child wakes `wait()`.

    SIGHUP stays ignored where it was (nohup). Main thread only.
    """

    def __init__(self) -> None:
        self.asked = False
        self.asked_again = False
        self._asked_at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        # A Python handler of any kind makes the signal reach the wake-up pipe.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float) -> None:
        """Sleep that long, or until a signal comes."""
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reader, 4096):
                pass

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self._asked_at = True, now
        elif now - self._asked_at >= _SAME_WISH_SECONDS:
            self.asked_again = True
