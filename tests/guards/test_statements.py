"""A batch of many costs as many statements and round trips as a batch of few: nothing asks once per order.

Counted on the wire, by the driver's own trace of the protocol: one Bind (or Query) is a statement, one Sync,
Flush (in a pipeline) or Query at most one round trip.
"""

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, TypeAlias, cast

import psycopg
import pytest
from django.db import connection

from hawker.accounts.actions import KeyAsk, read_grants, revoke_key, set_customer_active
from hawker.accounts.models import ApiKey, User
from hawker.catalog.models import Service
from hawker.ledger.actions import read_balances
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import (
    CancelAsk,
    Draft,
    ListAsk,
    Outcome,
    Reading,
    RefillAsk,
    StatusAsk,
    apply_readings,
    claim_dispatches,
    claim_polls,
    describe_orders,
    list_orders,
    place_orders,
    read_statuses,
    request_cancels,
    request_refills,
    settle_attempts,
    start_due_runs,
)
from hawker.orders.models import Order
from hawker.protocol.statuses import OrderStatus
from hawker.protocol.upstream import Accepted, Reason, Rejected, UpstreamStatus
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess

FEW, MANY = 4, 60
SHAKE = 1
"""Round trips by which equal work may differ: in a pipeline the driver asks for an answer only where it has not come by
itself meanwhile, which is the machine's affair. A question for each order would be dozens."""

_CUSTOMERS = 4
_SERVICES = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work sent to the database."""

    statements: int
    round_trips: int


def cost_of(work: Callable[[], Any]) -> Cost:
    """Do the work, and answer what it cost on this thread's connection."""
    connection.ensure_connection()
    raw = cast("psycopg.Connection[Any]", connection.connection)
    # Whether a statement has been prepared already must make no difference.
    raw.prepare_threshold = None
    with tempfile.TemporaryFile("w+") as file:
        raw.pgconn.trace(file.fileno())
        try:
            work()
        finally:
            raw.pgconn.untrace()
            raw.prepare_threshold = 5
        # libpq writes through a stream of its own, at the place where this file's ends.
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        text = os.read(file.fileno(), 100_000_000).decode("utf-8", "replace")
    kinds = re.findall(r"\tF\t\d+\t(\w+)", text)
    waits = kinds.count("Sync") + kinds.count("Flush") + kinds.count("Query")
    return Cost(kinds.count("Bind") + kinds.count("Query"), waits)


class Trade:
    """Several customers, several services, one provider that takes nothing yet."""

    def __init__(self, panel: Panel, sandbox: SandboxProcess) -> None:
        self.panel = panel
        self.provider: Provider = panel.provider(sandbox)
        self.customers: Sequence[OpenedCustomer] = [panel.customer() for _ in range(_CUSTOMERS)]
        self.services: Sequence[Service] = [
            panel.service(provider=self.provider, minimum=1, refill=True, cancel=True, dripfeed=True)
            for _ in range(_SERVICES)
        ]
        self._taken = 1_000_000
        # Whatever a process asks once, of its catalogue for one, is asked before anything is counted.
        self.placed(1)

    def drafts(self, many: int, **fields: str) -> list[Draft]:
        return [
            Draft(
                self.customers[n % _CUSTOMERS].account_id,
                {"service": str(self.services[n // 2 % _SERVICES].id), "link": f"https://example.com/{n}"}
                | {"quantity": "100"}
                | fields,
            )
            for n in range(many)
        ]

    def placed(self, many: int, **fields: str) -> list[int]:
        answers = place_orders(self.drafts(many, **fields), now=self.panel.clock.now())
        self.panel.clock.advance(seconds=1)
        numbers = [answer for answer in answers if isinstance(answer, int)]
        assert len(numbers) == many
        return numbers

    def claimed(self, many: int) -> list[Outcome]:
        """So many orders under way, and the answers that the provider gives of them."""
        self.placed(many)
        claims = claim_dispatches(self.provider.id, limit=many, token="guard", now=self.panel.clock.now())
        assert len(claims) == many
        self._taken += many
        return [Outcome(claim.attempt_id, Accepted(self._taken + place), 200) for place, claim in enumerate(claims)]

    def sent(self, many: int) -> None:
        settle_attempts(self.claimed(many), now=self.panel.clock.now())
        self.panel.clock.advance(hours=1)

    def readings(self, many: int, answer: UpstreamStatus) -> list[Reading[Any, Any]]:
        self.sent(many)
        polled = claim_polls(self.provider.id, limit=many, now=self.panel.clock.now())
        assert len(polled) == many
        return [Reading(order, answer) for order in polled]

    def delivered(self, many: int) -> list[int]:
        readings = self.readings(many, DELIVERED)
        apply_readings(readings, now=self.panel.clock.now())
        self.panel.clock.advance(hours=25)
        return [reading.asked.order_id for reading in readings]

    def asked(self, orders: Sequence[int]) -> dict[int, list[str]]:
        """These orders' numbers by account, as customers write them."""
        owners = dict(Order.objects.filter(id__in=orders).values_list("id", "account_id"))
        asked: dict[int, list[str]] = {}
        for order in orders:
            asked.setdefault(owners[order], []).append(str(order))
        return asked


DELIVERED = UpstreamStatus(OrderStatus.COMPLETED, remains=0, start_count=7, charge_micros=40_000)
CUT_SHORT = UpstreamStatus(OrderStatus.PARTIAL, remains=40, start_count=7, charge_micros=40_000)

Prepared: TypeAlias = Callable[[], Any]


@pytest.fixture
def trade(panel: Panel, sandbox: SandboxProcess) -> Trade:
    return Trade(panel, sandbox)


def place(trade: Trade, many: int) -> Prepared:
    drafts = trade.drafts(many)
    return lambda: place_orders(drafts, now=trade.panel.clock.now())


def place_with_request_ids(trade: Trade, many: int) -> Prepared:
    drafts = [
        Draft(draft.account_id, {**draft.fields, "request_id": f"{many}/{n}"})
        for n, draft in enumerate(trade.drafts(many))
    ]
    return lambda: place_orders(drafts, now=trade.panel.clock.now())


def place_drips(trade: Trade, many: int) -> Prepared:
    drafts = trade.drafts(many, runs="3", interval="10")
    return lambda: place_orders(drafts, now=trade.panel.clock.now())


def status(trade: Trade, many: int) -> Prepared:
    asks = [StatusAsk(account, ids) for account, ids in trade.asked(trade.placed(many)).items()]
    return lambda: read_statuses(asks)


def orders(trade: Trade, many: int) -> Prepared:
    trade.placed(many)
    return lambda: list_orders([ListAsk(customer.account_id, many) for customer in trade.customers])


def balance(trade: Trade, many: int) -> Prepared:
    accounts = [trade.customers[n % _CUSTOMERS].account_id for n in range(many)]
    return lambda: read_balances(accounts)


def claim(trade: Trade, many: int) -> Prepared:
    trade.placed(many)
    return lambda: claim_dispatches(trade.provider.id, limit=many, token="guard", now=trade.panel.clock.now())


def settle_accepted(trade: Trade, many: int) -> Prepared:
    outcomes = trade.claimed(many)
    return lambda: settle_attempts(outcomes, now=trade.panel.clock.now())


def settle_rejected(trade: Trade, many: int) -> Prepared:
    verdict = Rejected(Reason.OTHER, "neworder.error.link")
    outcomes = [Outcome(outcome.attempt_id, verdict, 200) for outcome in trade.claimed(many)]
    return lambda: settle_attempts(outcomes, now=trade.panel.clock.now())


def claim_to_poll(trade: Trade, many: int) -> Prepared:
    trade.sent(many)
    return lambda: claim_polls(trade.provider.id, limit=many, now=trade.panel.clock.now())


def apply_deliveries(trade: Trade, many: int) -> Prepared:
    readings = trade.readings(many, DELIVERED)
    return lambda: apply_readings(readings, now=trade.panel.clock.now())


def apply_partials(trade: Trade, many: int) -> Prepared:
    readings = trade.readings(many, CUT_SHORT)
    return lambda: apply_readings(readings, now=trade.panel.clock.now())


def cancel_queued(trade: Trade, many: int) -> Prepared:
    asks = [CancelAsk(account, ids) for account, ids in trade.asked(trade.placed(many)).items()]
    return lambda: request_cancels(asks, now=trade.panel.clock.now())


def cancel_drips(trade: Trade, many: int) -> Prepared:
    asked = trade.asked(trade.placed(many, runs="3", interval="10"))
    asks = [CancelAsk(account, ids) for account, ids in asked.items()]
    return lambda: request_cancels(asks, now=trade.panel.clock.now())


def refill(trade: Trade, many: int) -> Prepared:
    asks = [RefillAsk(account, ids) for account, ids in trade.asked(trade.delivered(many)).items()]
    return lambda: request_refills(asks, now=trade.panel.clock.now())


def start_runs(trade: Trade, many: int) -> Prepared:
    trade.placed(many, runs="3", interval="10")
    return lambda: start_due_runs(limit=many, now=trade.panel.clock.now())


def describe(trade: Trade, many: int) -> Prepared:
    numbers = trade.placed(many)
    return lambda: describe_orders(numbers)


@pytest.mark.parametrize(
    "verb",
    [
        place,
        place_with_request_ids,
        place_drips,
        status,
        orders,
        balance,
        claim,
        settle_accepted,
        settle_rejected,
        claim_to_poll,
        apply_deliveries,
        apply_partials,
        cancel_queued,
        cancel_drips,
        refill,
        start_runs,
        describe,
    ],
    ids=lambda verb: verb.__name__.replace("_", " "),
)
def test_a_batch_of_many_costs_no_more_than_a_batch_of_few(
    trade: Trade, verb: Callable[[Trade, int], Prepared]
) -> None:
    few = cost_of(verb(trade, FEW))
    many = cost_of(verb(trade, MANY))
    assert few.statements > 0
    assert many.statements == few.statements
    assert abs(many.round_trips - few.round_trips) <= SHAKE


@pytest.mark.quick
def test_placing_costs_what_it_did(trade: Trade) -> None:
    # BEGIN, four statements, COMMIT; waited for are the number of the catalogue, the accounts and the COMMIT, of which
    # the first two come in one round trip.
    cost = cost_of(place(trade, MANY))
    assert cost.statements == 6
    assert cost.round_trips <= 3


def test_the_count_sees_a_question_per_order(trade: Trade) -> None:
    numbers = trade.placed(MANY)
    assert cost_of(lambda: [describe_orders([number]) for number in numbers]).statements >= MANY


def test_a_bad_key_costs_the_same_whatever_is_wrong_with_it(panel: Panel) -> None:
    """An answer's time tells nobody whether a key was ever good, or whose."""
    now = panel.clock.now()
    good = panel.customer()
    revoked, expired, elsewhere, disabled = (panel.customer() for _ in range(4))
    revoke_key(_key_of(revoked), now=now)
    ApiKey.objects.filter(id=_key_of(expired)).update(expires_at=now)
    ApiKey.objects.filter(id=_key_of(elsewhere)).update(allowed_addresses=["192.0.2.7"])
    set_customer_active(User.objects.get(id=disabled.user_id).email, active=False)
    shown = [
        revoked.api_key,
        expired.api_key,
        elsewhere.api_key,
        disabled.api_key,
        "0" * 64,
        "",
        "\0\ud800",
        "k" * 9_999,
    ]
    costs = [cost_of(lambda key=key: _is_refused(key, now)) for key in shown]
    waits = [cost.round_trips for cost in costs]
    assert len({cost.statements for cost in costs}) == 1
    assert max(waits) - min(waits) <= SHAKE
    assert read_grants([KeyAsk(good.api_key, ip_address("127.0.0.1"))], now=now)[0].grant is not None


def _key_of(customer: OpenedCustomer) -> int:
    return ApiKey.objects.get(user_id=customer.user_id).id


def _is_refused(key: str, now: datetime) -> None:
    (found,) = read_grants([KeyAsk(key, ip_address("127.0.0.1"))], now=now)
    assert (found.grant, found.shut_out) == (None, None)
