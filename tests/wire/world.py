"""The panel that the wire cases are asked of: two customers with orders, three services, one key without money."""

from dataclasses import dataclass, field

import psycopg
from django.db import connection
from scripted_upstream import ScriptedUpstream

from hawker.catalog.models import Category, Service
from hawker.catalog.pricing import AgreedRate, agree_rates, price_accounts
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from panel import Panel
from processes import ServeProcess

SHOWN = {
    1: {"rate": "0.99", "quantity": 438, "start_count": "3572", "status": "Partial", "remains": "157"},
    100: {"rate": "1.44219", "quantity": 1000, "start_count": "234", "status": "In progress", "remains": "10"},
}
"""The two orders of the seed's examples: what they were sold for, and what the upstream says of them."""


def next_order_is(number: int) -> None:
    """Let the next order have this number; only the owner of the tables may."""
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute(f"ALTER SEQUENCE orders_id_seq RESTART WITH {number}")  # type: ignore[arg-type]


def everything_written() -> tuple[object, ...]:
    """What a refused request must not change: orders, events, work, transfers, request ids and every balance."""
    return _asked(
        """SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_event), (SELECT count(*) FROM work),
                  (SELECT count(*) FROM attempt), (SELECT count(*) FROM transfer), (SELECT count(*) FROM deposit),
                  (SELECT count(*) FROM order_request),
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
    next_order_is(23501)
    return world
