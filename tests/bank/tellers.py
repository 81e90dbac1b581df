"""Those who write in the bank test: customers over HTTP, staff and workers by the verbs, each in its own thread."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from hawker.catalog.models import Service
from hawker.core.errors import Unavailable
from hawker.ledger.actions import Credit, correct_balance, record_credits
from hawker.ledger.customers import OpenedCustomer
from hawker.ledger.errors import NotEnoughFunds
from hawker.orders import (
    CancelAsk,
    Outcome,
    Reading,
    StaffDelivery,
    apply_readings,
    claim_dispatches,
    claim_polls,
    record_deliveries,
    request_cancels,
    settle_attempts,
    start_due_runs,
)
from hawker.orders.models import State
from hawker.protocol.statuses import OrderStatus
from hawker.protocol.upstream import Accepted, Reason, Rejected, Unknown, UpstreamStatus
from hawker.providers.models import Provider
from people import STAFF, TEST
from raw_http import Wire, post_form

MINUTES_A_SECOND = 5
"""How fast time goes by for workers: runs of drip-feeds come due, polls are asked again."""

AWAY = (503, b'{"error":"Service temporarily unavailable, please try again later"}')


@dataclass
class Bank:
    """Who banks here, what they can buy, and what became of it all."""

    customers: Sequence[OpenedCustomer]
    by_provider: Service
    by_staff: Service
    drips: Service
    provider: Provider
    urls: Sequence[str]
    counted: Counter[str] = field(default_factory=Counter)
    orders: list[tuple[OpenedCustomer, int]] = field(default_factory=list)
    staffed: list[int] = field(default_factory=list)
    upstream_ids: Any = field(default_factory=lambda: itertools.count(1))
    _began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        """A clock that hurries, and never stands before the servers'."""
        return self._began + (datetime.now(UTC) - self._began) * 60 * MINUTES_A_SECOND

    def recent(self, chance: random.Random) -> tuple[OpenedCustomer, int] | None:
        orders = self.orders[-200:]
        return chance.choice(orders) if orders else None


class Teller:
    """One thread that does its `work` again and again until told to stop; a database that is away is waited for."""

    def __init__(self, bank: Bank, number: int, work: "Work") -> None:
        self.bank, self.chance = bank, random.Random(number)
        self.failed = ""
        self._number, self._work = number, work
        self._wire: Wire | None = None

    def run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                try:
                    self._work(self)
                except Unavailable:
                    self.bank.counted["unavailable"] += 1
                    time.sleep(0.1)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            self.failed = f"{self._work.__name__}: {error!r}"
        finally:
            connection.close()
            if self._wire is not None:
                self._wire.close()

    def ask(self, customer: OpenedCustomer, **fields: object) -> Any:
        """What the API answers. Raises Unavailable where it says so, or where the answer is lost."""
        form = post_form(key=customer.api_key, **{name: str(value) for name, value in fields.items()})
        try:
            self._wire = self._wire or Wire(self.bank.urls[self._number % len(self.bank.urls)])
            answer = self._wire.ask(form)
        except (OSError, AssertionError) as error:
            if self._wire is not None:
                self._wire.close()
            self._wire = None
            raise Unavailable("the answer was lost") from error
        if (answer.status, answer.body) == AWAY:
            raise Unavailable("the panel says so")
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body)


Work = Callable[[Teller], None]


def order(teller: Teller) -> None:
    """Customers order what a provider or staff deliver, at once or run by run, also more than they can pay."""
    bank, chance = teller.bank, teller.chance
    customer = chance.choice(bank.customers)
    service = chance.choice([bank.by_provider, bank.by_provider, bank.by_staff, bank.drips])
    quantity = chance.choice([100, 137, 1_000, 10_000])
    runs = {"runs": chance.randint(1, 4), "interval": 1} if service is bank.drips else {}
    fields = {"service": service.id, "quantity": quantity, "link": f"https://example.com/{chance.random()}", **runs}
    answer = teller.ask(customer, action="add", **fields)
    if "order" in answer:
        bank.counted["orders"] += 1
        bank.orders.append((customer, answer["order"]))
        if service is bank.by_staff:
            bank.staffed.append(answer["order"])
    else:
        assert answer == {"error": "Not enough funds on balance"}, answer
        bank.counted["refused"] += 1


def cancel(teller: Teller) -> None:
    """Customers cancel what they have just ordered, and staff whatever there is."""
    bank, chance = teller.bank, teller.chance
    time.sleep(0.005)
    if (found := bank.recent(chance)) is None:
        return
    customer, number = found
    if chance.random() < 0.5:
        teller.ask(customer, action="cancel", orders=number)
    else:
        request_cancels([CancelAsk(None, [str(number)])], now=bank.now(), actor=STAFF, reason="as asked")
    bank.counted["cancels"] += 1


def deposit(teller: Teller) -> None:
    """A gateway reports what came in, some of it twice, for several accounts at once."""
    bank, chance = teller.bank, teller.chance
    told = [
        Credit(
            chance.choice(bank.customers).account_id,
            chance.randint(1, 300) * 10_000,
            "gateway",
            f"t{chance.randint(1, 1_000_000)}",
            TEST,
            "paid",
        )
        for _ in range(chance.randint(1, 4))
    ]
    record_credits([*told, *told[:1]], now=bank.now())
    bank.counted["deposits"] += len(told)
    time.sleep(0.01)


def correct(teller: Teller) -> None:
    """Staff change balances by hand, up and down."""
    bank, chance = teller.bank, teller.chance
    amount = chance.randint(1, 100_000) * chance.choice([10, -10])
    account = chance.choice(bank.customers).account_id
    try:
        correct_balance(account, amount, actor=STAFF, reason="a test", now=bank.now())
        bank.counted["corrections"] += 1
    except NotEnoughFunds:
        bank.counted["refused"] += 1
    time.sleep(0.01)


def deliver_by_hand(teller: Teller) -> None:
    """Staff begin orders, complete them, or deliver a part."""
    bank, chance = teller.bank, teller.chance
    time.sleep(0.01)
    numbers = chance.sample(bank.staffed[-50:], min(4, len(bank.staffed[-50:])))
    states = [State.IN_PROGRESS, State.COMPLETED, State.PARTIAL]
    done = [
        StaffDelivery(number, state, "by hand", 33 if state is State.PARTIAL else None)
        for number, state in zip(numbers, chance.choices(states, k=len(numbers)), strict=True)
    ]
    answers = record_deliveries(done, actor=STAFF, now=bank.now()) if done else []
    bank.counted["deliveries"] += sum(isinstance(answer, State) for answer in answers)


def send(teller: Teller) -> None:
    """A worker claims what is due and settles what came of it: taken, refused, or nobody knows."""
    bank, chance = teller.bank, teller.chance
    claims = claim_dispatches(bank.provider.id, limit=20, token=f"w{chance.random()}", now=bank.now())
    outcomes = [Outcome(claim.attempt_id, verdict(chance, bank)) for claim in claims]
    while outcomes:
        try:
            bank.counted["settled"] += len(settle_attempts(outcomes, now=bank.now()))
        except Unavailable:
            # What a worker does: it keeps the answers and settles them when the database is back.
            time.sleep(0.1)
        else:
            break
    time.sleep(0.01)


def verdict(chance: random.Random, bank: Bank) -> Accepted | Rejected | Unknown:
    match chance.choices(["accepted", "rejected", "unknown"], weights=[90, 9, 1])[0]:
        case "accepted":
            return Accepted(next(bank.upstream_ids))
        case "rejected":
            return Rejected(Reason.OTHER, "Incorrect link")
        case _:
            return Unknown("the connection was reset")


def follow(teller: Teller) -> None:
    """A worker asks how orders go: on their way, done, done in part, canceled; and starts the runs that are due."""
    bank, chance = teller.bank, teller.chance
    now = bank.now()
    start_due_runs(limit=50, now=now)
    polls = claim_polls(bank.provider.id, limit=50, now=now + timedelta(minutes=1))
    answers = [Reading(poll, told(chance, poll.quantity)) for poll in polls]
    apply_readings(answers, now=now + timedelta(minutes=1))
    bank.counted["answers"] += len(answers)
    time.sleep(0.01)


def told(chance: random.Random, quantity: int) -> UpstreamStatus:
    status = chance.choice([*OrderStatus, OrderStatus.COMPLETED])
    remains = chance.randint(0, quantity) if status is not OrderStatus.COMPLETED else 0
    return UpstreamStatus(status, remains, 1_000, None)


TELLERS: Sequence[Work] = (order, order, cancel, deposit, correct, deliver_by_hand, send, follow)
