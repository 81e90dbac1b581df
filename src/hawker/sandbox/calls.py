"""The record of every call received, kept as ready JSON: compact, and quick to answer from."""

from itertools import islice
from typing import NamedTuple

import msgspec

from hawker.sandbox.entries import CallSeen

_encode = msgspec.json.Encoder().encode


class CallPage(NamedTuple):
    """Some calls as JSON objects; `next` is what to ask `since` for the following ones, `more` whether there are."""

    calls: list[bytes]
    next: int
    more: bool


class CallLog:
    """The last `kept` calls, numbered from 1 without gaps."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._first = 1
        self._calls: list[tuple[str, bytes]] = []

    @property
    def next_number(self) -> int:
        """The number of the next call."""
        return self._first + len(self._calls)

    @property
    def dropped(self) -> int:
        """How many of the oldest calls are no longer kept."""
        return self._first - 1

    def add(self, call: CallSeen) -> None:
        """Keep a call under the next number. The oldest go in large pieces: to move a long list costs."""
        if not self._calls:
            self._first = call.n
        self._calls.append((call.action, _encode(call)))
        if len(self._calls) > self._kept + self._kept // 4 + 1:
            self._first += len(self._calls) - self._kept
            del self._calls[: -self._kept]

    def page(self, *, since: int, action: str | None, limit: int) -> CallPage:
        """The calls numbered above `since`, of one action where it is given, at most `limit`."""
        found: list[bytes] = []
        start = max(0, since + 1 - self._first)
        for number, (called, encoded) in enumerate(islice(self._calls, start, None), start=self._first + start):
            if action is not None and called != action:
                continue
            if len(found) == limit:
                return CallPage(found, number - 1, more=True)
            found.append(encoded)
        return CallPage(found, max(since, self.next_number - 1), more=False)

    def clear(self) -> None:
        """Forget all calls; the numbers go on."""
        self._first = self.next_number
        self._calls.clear()
