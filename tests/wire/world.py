"""The panel that the wire cases are asked of: two customers with orders, three services, one key without money."""

from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
from django.db import connection

from hawker.catalog.models import Category, Service
from hawker.catalog.pricing import AgreedRate, agree_rates, price_accounts
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import (
    CancelAsk,
    RefillAsk,
    RefillDecision,
    StaffDelivery,
    record_deliveries,
    request_cancels,
    request_refills,
    resolve_refills,
)
from hawker.orders.models import RefillState, State
from panel import Panel
from people import STAFF
from processes import ServeProcess
from scripted_upstream import ScriptedUpstream

SHOWN = {
    1: {"rate": "0.99", "quantity": 438, "start_count": "3572", "status": "Partial", "remains": "157"},
    100: {"rate": "1.44219", "quantity": 1000, "start_count": "234", "status": "In progress", "remains": "10"},
}
"""The two orders of the seed's examples: what they were sold for, and what the upstream says of them."""


def next_order_is(number: int) -> None:
    """Let the next order have this number; only the owner of the tables may."""
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute(f"ALTER SEQUENCE orders_id_seq RESTART WITH {number}")  # type: ignore[arg-type]


def next_refill_is(number: int) -> None:
    """Let the next refill have this number; only the owner of the tables may."""
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute(f"ALTER SEQUENCE refill_id_seq RESTART WITH {number}")  # type: ignore[arg-type]


def everything_written() -> tuple[object, ...]:
    """What a refused request must not change, from orders and refills to every balance."""
    return _asked(
        """SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_event), (SELECT count(*) FROM work),
                  (SELECT count(*) FROM attempt), (SELECT count(*) FROM transfer), (SELECT count(*) FROM deposit),
                  (SELECT count(*) FROM order_request), (SELECT count(*) FROM active_link),
                  (SELECT array_agg((id, state) ORDER BY id)::text FROM refill),
                  (SELECT count(*) FROM orders WHERE cancel_requested_at IS NOT NULL),
                  (SELECT array_agg((id, balance_micros, seq) ORDER BY id)::text FROM account)"""
    )


def orders_written() -> int:
    """How many orders there are."""
    (count,) = _asked("SELECT count(*) FROM orders")
    assert isinstance(count, int)
    return count


def _asked(question: str) -> tuple[object, ...]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        row: tuple[object, ...] = cursor.fetchone()
    return row


@dataclass
class World:
    """The panel, its server, and the names that cases use for what is in it."""

    panel: Panel
    server: ServeProcess
    names: dict[str, str] = field(default_factory=dict)

    def customer(self, name: str, credit: str) -> OpenedCustomer:
        customer = self.panel.customer(credit=credit)
        self.names[name] = customer.api_key
        return customer


def build_world(panel: Panel, server: ServeProcess, upstream: ScriptedUpstream) -> World:
    """Fill the panel with what cases/README.md lists."""
    world = World(panel, server)
    provider = upstream.register(panel)
    world.customer("key", "100000.00")
    world.customer("poor", "0.04499")
    other = world.customer("other_key", "10.00")
    # What the two orders below cost, over the seed's balance.
    seed = world.customer("seed_key", "102.5633")
    panel.service(id=1, refill=True, cancel=True)
    second = Category.objects.create(name="Second Category", position=1)
    shared = {"category": second, "created_at": panel.clock.now()}
    comments = {"name": "Comments", "type": "Custom Comments", "rate": "8", "minimum": 10, "maximum": 1500}
    Service.objects.create(id=2, cancel=True, **comments, **shared)
    package = {"name": 'Package 😀 "big"', "type": "Package", "rate": "0.5", "minimum": 1, "maximum": 1}
    Service.objects.create(id=3, **package, **shared)
    panel.service(id=4, rate="0", free=True, minimum=1)
    Service.objects.filter(id=4).update(category=second, name="Trial", position=1)
    panel.service(id=5)
    sold = {
        number: panel.service(id=100 + number, rate=shown["rate"], minimum=1, provider=provider)
        for number, shown in SHOWN.items()
    }
    for number, shown in SHOWN.items():
        next_order_is(number)
        assert panel.place(seed, sold[number], quantity=shown["quantity"]) == number
    next_order_is(10)
    assert panel.place(other, Service.objects.get(id=1)) == 10
    drips = panel.service(id=300, provider=provider, dripfeed=True)
    next_order_is(300)
    assert panel.place(world.customer("drip_key", "10.00"), drips, runs=3, interval=525_600) == 300
    Service.objects.exclude(id__in=(1, 2, 3, 4)).update(enabled=False)
    panel.clock.advance(seconds=1)
    for _ in range(2):
        panel.sweep()
    upstream.say(panel, 301, start_count="1500", status="In progress", remains="40")
    for number, shown in SHOWN.items():
        facts = {name: str(shown[name]) for name in ("start_count", "status", "remains")}
        upstream.say(panel, number, **facts)
    reseller = world.customer("reseller", "10.00")
    price_accounts([reseller.account_id], percent="-12.5")
    agree_rates([AgreedRate(reseller.account_id, 2, "7.5")])
    add_refills_and_cancels(panel, seed)
    next_order_is(23501)
    return world


def add_refills_and_cancels(panel: Panel, seed: OpenedCustomer) -> None:
    """Free orders of the seed's customer that staff deliver: 201 to 207, with the refills 1 to 3."""
    offers = {"rate": "0", "free": True, "minimum": 1, "refill": True, "cancel": True}
    service, brief = panel.service(id=6, **offers), panel.service(id=7, refill_days=7, **offers)
    now, month_ago = panel.clock.now(), panel.clock.now() - timedelta(days=30)
    panel.clock.instant = month_ago
    next_order_is(201)
    orders = [panel.place(seed, brief if number == 204 else service) for number in range(201, 208)]
    assert orders == list(range(201, 208))
    for delivered, at in ((orders[:4], month_ago), (orders[4:5], now)):
        done = [StaffDelivery(order, State.COMPLETED, "by hand") for order in delivered]
        assert record_deliveries(done, actor=STAFF, now=at) == [State.COMPLETED] * len(delivered)
    next_refill_is(1)
    week_ago = now - timedelta(days=7)
    request_refills([RefillAsk(seed.account_id, ["201", "202", "203"])], now=week_ago)
    ends = [(1, RefillState.COMPLETED), (2, RefillState.REJECTED)]
    resolve_refills([RefillDecision(number, state, "by hand") for number, state in ends], actor=STAFF, now=week_ago)
    request_cancels([CancelAsk(seed.account_id, ["207"])], now=week_ago)
    Service.objects.filter(id__in=(service.id, brief.id)).update(enabled=False)
    panel.clock.instant = now
