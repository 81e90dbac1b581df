"""Request ids: a client that repeats an `add` with the same id gets the same order, charged once.

The id is the account's own, looked up under the lock of the account that placing takes anyhow: of two that come at
once, in one batch or through two processes, the second sees what the first has placed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from hawker.core.errors import Refusal
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.placing import idempotency_queries as queries
from hawker.protocol.errors import IncorrectParameter, IncorrectRequest
from hawker.protocol.params import REQUEST_ID
from hawker.protocol.service_types import TYPES

_COUNTED = {"service"} | {param.name for service_type in TYPES for param in service_type.params}
"""What two requests must have in common to be the same: the parameters of any type. Others are ignored, here as
in placing, so that a client may add a time or a trace to each of its calls."""

_PRUNED_AT_ONCE = 5_000


class IdempotentRequest(Protocol):
    """What is looked at of a draft."""

    @property
    def account_id(self) -> int: ...
    @property
    def fields(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class _Key:
    """An id of an account, and the digest of the parameters it came with."""

    account_id: int
    request_id: str
    digest: str


@dataclass(slots=True)
class Memory:
    """The request ids of one batch: what they placed before, and what they place now.

    Empty, and free, where no draft carries one.
    """

    _keys: Mapping[int, _Key | Refusal]
    _known: dict[tuple[int, str], tuple[str, int]] = field(default_factory=dict)
    _fresh: list[tuple[int, str, str, int]] = field(default_factory=list)

    def recall(self, place: int) -> int | Refusal | None:
        """What answers the draft at this place of the batch before it is looked at: the order that the id
        stands for, or the refusal of an id that cannot be one or came with other parameters. None: go on.
        """
        key = self._keys.get(place)
        if key is None or isinstance(key, Refusal):
            return key
        digest, order_id = self._known.get((key.account_id, key.request_id), (key.digest, None))
        return order_id if digest == key.digest else IncorrectRequest()

    def keep(self, place: int, order_id: int) -> None:
        """The draft at this place has become this order. A refused draft leaves no trace."""
        key = self._keys.get(place)
        if isinstance(key, _Key):
            self._known[key.account_id, key.request_id] = (key.digest, order_id)
            self._fresh.append((key.account_id, key.request_id, key.digest, order_id))

    def write(self, cursor: Cursor, now: datetime) -> None:
        """Write what was kept, in the transaction that places the orders."""
        if self._fresh:
            ask(cursor, queries.INSERT_REQUESTS, (now, *map(list, zip(*self._fresh, strict=True))))


@dataclass(frozen=True, slots=True)
class AskedMemory:
    """A memory whose look-up is on its way: `read` waits for it."""

    _keys: Mapping[int, _Key | Refusal]
    _rows: Cursor | None

    def read(self) -> Memory:
        if self._rows is None:
            return Memory(self._keys)
        return Memory(self._keys, {(row[0], row[1]): (row[2], row[3]) for row in self._rows})


def ask_memory(cursor: Cursor, drafts: Sequence[IdempotentRequest]) -> AskedMemory:
    """Ask for what the request ids of these drafts stand for. The statement must follow the one that locks
    their accounts; there is none where no draft carries an id.
    """
    keys = {
        place: _read_key(draft, text)
        for place, draft in enumerate(drafts)
        if (text := draft.fields.get("request_id")) is not None
    }
    asked = {(key.account_id, key.request_id) for key in keys.values() if isinstance(key, _Key)}
    rows = ask(cursor, queries.FIND_REQUESTS, tuple(map(list, zip(*asked, strict=True)))) if asked else None
    return AskedMemory(keys, rows)


def forget_requests(*, before: datetime) -> int:
    """Forget the ids of requests older than this; answers how many. Afterwards such an id places a new order.

    In small transactions, so that nobody who is placing waits. Raises Unavailable.
    """
    forgotten = 0
    while True:
        fell = in_transaction(lambda cursor: ask(cursor, queries.FORGET_REQUESTS, (before, _PRUNED_AT_ONCE)).rowcount)
        forgotten += fell
        if fell < _PRUNED_AT_ONCE:
            return forgotten


def _read_key(draft: IdempotentRequest, text: str) -> _Key | Refusal:
    try:
        request_id = str(REQUEST_ID.read(text))
    except IncorrectParameter as refusal:
        return refusal
    return _Key(draft.account_id, request_id, _digest(draft.fields))


def _digest(fields: Mapping[str, str]) -> str:
    """Of the parameters as they were asked, blanks around them aside. The service may be gone by the time of a
    repetition, so this does not read them by its type."""
    counted = sorted((name, text.strip()) for name, text in fields.items() if name in _COUNTED)
    return hashlib.sha256(json.dumps(counted).encode()).hexdigest()
