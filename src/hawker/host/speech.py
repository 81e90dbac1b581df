"""What the host tells people, on stderr: stdout belongs to machines."""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str], None]
"""Takes one sentence for the person at the terminal, or in the journal."""


def say_on_stderr(sentence: str) -> None:
    """Write one line with a single write(), so that lines of several processes never mix."""
    # A closed terminal must not take the panel down: what cannot be said is left unsaid.
    with contextlib.suppress(OSError):
        os.write(2, f"hawker: {sentence}\n".encode(errors="backslashreplace"))


@dataclass(slots=True)
class News:
    """Says its sentence every ten seconds to a person who waits; the first ten are silent."""

    say: Say
    sentence: str
    every_seconds: float = 10.0
    _next_at: float | None = None

    def tell(self) -> None:
        """Call it as often as you like."""
        now = time.monotonic()
        if self._next_at is not None and now < self._next_at:
            return
        if self._next_at is not None:
            self.say(self.sentence)
        self._next_at = now + self.every_seconds
