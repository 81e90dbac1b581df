"""An upstream panel inside this process: what it really has, and how its answers go wrong.

The panel's own code reads and judges what comes back; only sockets are left out, so that thousands of steps fit into a
minute. What it made, and what it told about it, is the truth against which the model measures the panel.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from hawker.providers.actions import Opener, ProviderAccess
from hawker.providers.errors import CallFailed, CannotConnect
from hawker.providers.http_client import DEADLINE_SECONDS, HttpAnswer, ProviderClient


class Fate(StrEnum):
    """What happens to one call that makes something."""

    MADE = "made"
    MADE_SILENT = "made, and the answer is lost"
    MADE_GARBLED = "made, and a gateway answers instead"
    LOST = "lost on its way"
    GARBLED = "a gateway answers, nothing is made"
    REFUSED = "refused for good"
    BUSY = "refused for now"
    POOR = "refused for want of funds"
    STALE = "the connection is closed before anything is written"


MAKES = (Fate.MADE, Fate.MADE_SILENT, Fate.MADE_GARBLED)
SILENT = (Fate.MADE_SILENT, Fate.LOST)
GARBLED = (Fate.MADE_GARBLED, Fate.GARBLED)
_REFUSALS = {
    Fate.REFUSED: "The service does not take this",
    Fate.BUSY: "Too many requests, try again later",
    Fate.POOR: "Not enough funds on balance",
}
FINAL = ("Completed", "Canceled", "Partial")


@dataclass
class Made:
    """An order, or a refill, that this upstream really has."""

    number: int
    link: str
    quantity: int
    status: str = "Pending"
    remains: int = 0
    cancel_asked: bool = False
    told: set[tuple[str, int]] = field(default_factory=set)
    """Every final status that it ever told the panel, with what remained."""


@dataclass
class Peer:
    """One upstream panel. `fates` are those of the next calls that make something; without any all goes well."""

    name: str
    orders: dict[int, Made] = field(default_factory=dict)
    refills: dict[int, Made] = field(default_factory=dict)
    fates: list[Fate] = field(default_factory=list)
    refuses_cancels: bool = False
    is_away: bool = False
    is_mute: bool = False
    """Whether questions get no answer: statuses, balances, cancels."""

    on_call: list[Callable[[], object]] = field(default_factory=list)
    """What happens, once each, while the next calls that make something are under way."""

    key: str = "the peer's key"
    _last: int = 1000

    @property
    def url(self) -> str:
        # Each its own: providers of one address and key are taken for one panel.
        return f"http://127.0.0.1:9/{self.name}"

    def line(self) -> ProviderClient:
        if self.is_away:
            raise CannotConnect(f"{self.name} is away")
        return _PeerLine(self)

    def next_fate(self) -> Fate:
        return self.fates[0] if self.fates else Fate.MADE

    def make(self, form: Mapping[str, str]) -> Made:
        """Take an order in."""
        self._last += 1
        quantity = int(form.get("quantity", 0)) or len(form.get("comments", form.get("usernames", "x")).split("\n"))
        made = Made(self._last, form["link"], quantity, remains=quantity)
        self.orders[made.number] = made
        return made

    def answer(self, form: Mapping[str, str]) -> HttpAnswer:
        match form["action"]:
            case "add":
                return self._create(form, "order")
            case "refill":
                return self._create(form, "refill")
        if self.is_mute:
            raise CallFailed("no whole answer")
        match form["action"]:
            case "status":
                asked = form["orders"].split(",")
                return _json({number: self._status(self.orders.get(int(number))) for number in asked})
            case "refill_status":
                asked = form["refills"].split(",")
                return _json([self._refill_status(int(number)) for number in asked])
            case "cancel":
                return _json([self._cancel(int(number)) for number in form["orders"].split(",")])
            case "balance":
                return _json({"balance": "100.00", "currency": "USD"})
        raise AssertionError(form)

    def _create(self, form: Mapping[str, str], kind: str) -> HttpAnswer:
        fate = self.fates.pop(0) if self.fates else Fate.MADE
        if self.on_call:
            self.on_call.pop(0)()
        if refusal := _REFUSALS.get(fate):
            return _json({"error": refusal})
        number = 0
        if fate in MAKES and kind == "order":
            number = self.make(form).number
        elif fate in MAKES:
            number = self._last = self._last + 1
            self.refills[number] = Made(number, form["order"], 0)
        if fate in SILENT:
            raise CallFailed("no whole answer")
        return HttpAnswer(502, b"<html>bad gateway</html>") if fate in GARBLED else _json({kind: number})

    def _status(self, made: Made | None) -> object:
        if made is None:
            return {"error": "Incorrect order ID"}
        if made.status in FINAL:
            made.told.add((made.status, made.remains))
        return {
            "charge": str(Decimal(made.quantity) / 10_000),
            "start_count": "7",
            "status": made.status,
            "remains": str(made.remains),
            "currency": "USD",
        }

    def _refill_status(self, number: int) -> object:
        refill = self.refills.get(number)
        return {"refill": number, "status": refill.status if refill else {"error": "Refill not found"}}

    def _cancel(self, number: int) -> object:
        if self.refuses_cancels or number not in self.orders:
            return {"order": number, "cancel": {"error": "This order cannot be canceled"}}
        self.orders[number].cancel_asked = True
        return {"order": number, "cancel": 1}


class _PeerLine(ProviderClient):
    """A connection to a peer, good for one call."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._looks = 0
        self._used = False

    def is_fresh(self) -> bool:
        # Looked at when it is handed out, and again right before the one write that must not be repeated.
        self._looks += 1
        if self._looks > 1 and self._peer.next_fate() is Fate.STALE:
            self._peer.fates.pop(0)
            self._used = True
        return not self._used

    async def call(self, fields: Mapping[str, str], *, deadline_seconds: float = DEADLINE_SECONDS) -> HttpAnswer:
        del deadline_seconds
        self._used = True
        return self._peer.answer(fields)

    async def close(self) -> None:
        self._used = True


def opener_of(peers: Mapping[int, Peer]) -> Opener:
    """The way out of a worker whose providers are these."""

    async def open_peer(access: ProviderAccess) -> ProviderClient:
        return peers[access.provider_id].line()

    return open_peer


def _json(answer: object) -> HttpAnswer:
    return HttpAnswer(200, json.dumps(answer).encode())
