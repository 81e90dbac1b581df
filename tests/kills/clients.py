"""Clients that order without pause and do what the documentation tells them: an order whose answer was lost is
sent again under its request id, to whichever server answers."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from hawker.ledger.customers import OpenedCustomer
from processes import eventually
from raw_http import Answer, Wire, post_form

CLIENTS = 8
CAREFUL = 6
"""So many of the clients send request ids; the others take a lost answer as they must: not knowing."""

PAUSE_SECONDS = 0.02
"""Between two orders of a client: some are always under way, and there are not so many that reading them takes long."""
PATIENCE_SECONDS = 0.1

CHARGE_MICROS = 90_000
UNAVAILABLE = b'{"error":"Service temporarily unavailable, please try again later"}'


def link_of(request_id: str) -> str:
    """Every order has a link of its own, so that the tables tell which request made it."""
    return f"https://example.com/{request_id}"


@dataclass
class Client:
    """One client of a customer. It alone writes what it has been told; others look when it has stopped."""

    name: str
    customer: OpenedCustomer
    service: int
    urls: Sequence[str]
    acknowledged: dict[str, int] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    at: int = 0

    @property
    def is_careful(self) -> bool:
        return self.name.startswith("careful")

    def form(self, request_id: str) -> bytes:
        fields = {"service": str(self.service), "quantity": "100", "link": link_of(request_id)}
        named = {"request_id": request_id} if self.is_careful else {}
        return post_form(key=self.customer.api_key, action="add", **fields, **named)

    def run(self, stop: threading.Event) -> None:
        """Order until told to stop; what is under way then is brought to its end."""
        wire: Wire | None = None
        number = 0
        while not stop.is_set():
            number += 1
            wire = self.order(f"{self.name}-{number}", wire)
            time.sleep(PAUSE_SECONDS)
        if wire is not None:
            wire.close()

    def order(self, request_id: str, wire: Wire | None) -> Wire | None:
        """One order; answers the connection that may be used for the next."""
        request = self.form(request_id)
        ends_at = time.monotonic() + 90
        while time.monotonic() < ends_at:
            wire, answer = self.ask(wire, request)
            if answer is not None and answer.status == 200:
                assert list(answer.json) == ["order"], answer.body
                self.acknowledged[request_id] = answer.json["order"]
                return wire
            if answer is not None:
                assert (answer.status, answer.body) == (503, UNAVAILABLE)
            self.counted["unavailable" if answer else "lost answers"] += 1
            if not self.is_careful:
                return wire
            time.sleep(PATIENCE_SECONDS)
        raise AssertionError(f"{request_id} was never answered")

    def ask(self, wire: Wire | None, request: bytes) -> tuple[Wire | None, Answer | None]:
        """The answer, or None where it was lost; the next try goes to the next server then."""
        try:
            wire = wire or Wire(self.urls[self.at % len(self.urls)])
            # A server that is told to stop, or dies, closes: the assertion is the wire's own for that.
            return wire, wire.ask(request)
        except (OSError, AssertionError):
            if wire is not None:
                wire.close()
            self.at += 1
            return None, None


class Load:
    """All clients at once, each in a thread of its own, while the block runs."""

    def __init__(self, customers: Sequence[OpenedCustomer], service: int, urls: Sequence[str], *, name: str) -> None:
        kinds = ["careful" if number < CAREFUL else "careless" for number in range(CLIENTS)]
        self.clients = [
            Client(f"{kind}-{name}-{n}", customers[n % len(customers)], service, urls, at=n)
            for n, kind in enumerate(kinds)
        ]
        self._stop = threading.Event()
        self._failed: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=[client]) for client in self.clients]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self._failed == []

    def _run(self, client: Client) -> None:
        try:
            client.run(self._stop)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            self._failed.append(f"{client.name}: {error!r}")

    def goes_on(self, orders: int = 50) -> None:
        """Wait until so many more orders were acknowledged."""
        wanted = self.answered + orders
        eventually("orders are acknowledged", lambda: self.answered >= wanted or self._failed, seconds=60)
        with contextlib.suppress(IndexError):
            raise AssertionError(self._failed[0])

    @property
    def answered(self) -> int:
        return sum(len(client.acknowledged) for client in self.clients)

    @property
    def counted(self) -> Counter[str]:
        """How many answers were lost, and how many said that the panel is away."""
        return sum((client.counted for client in self.clients), Counter())
