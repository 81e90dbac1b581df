"""What a machine stands on: the panel and its database, two upstreams, a feed, and what is compared after each step."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import psycopg
from django.db import connection
from expected import READ, Expected, Row, at_percent
from hypothesis.stateful import RuleBasedStateMachine, invariant
from peer import FINAL, Peer, opener_of

from hawker.catalog.models import Route, Service
from hawker.catalog.snapshot import forget_catalogue
from hawker.core.errors import Unavailable
from hawker.core.failpoints import InjectedFault, arm, disarm
from hawker.core.settings import settings
from hawker.ledger.actions import open_house_accounts
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import StaffDelivery, bind_order, find_unknown, record_deliveries, refund_order, resend_order
from hawker.orders.invariants import EVERY_INVARIANT, check_invariants
from hawker.orders.models import Order, State, WorkKind
from hawker.posts.rules import Post
from hawker.posts.source import FeedQuestion, FetchResult, Posts
from hawker.worker.sweeps import Sweeps
from panel import Panel
from people import STAFF

KEPT = ("django_migrations", "django_content_type", "catalogue_version", "access_version")
RATES = ("0.90", "0.99999", "1.1", "0.00123", "33.33333", "7")
ROUNDS = 14
"""So many times two hours pass at the end of an example: enough for everything to end."""

EVERY_BREACH = " UNION ALL ".join(
    f"(SELECT '{each.name}', found.* FROM ({each.breaches}) AS found)" for each in EVERY_INVARIANT
)
"""All that check_invariants looks for, in one round trip: it is asked after every step."""

READ_BALANCES = "SELECT id, balance_micros FROM account WHERE user_id IS NOT NULL"
READ_REFILLS = """
    SELECT o.provider_id, o.upstream_id, count(*) FROM refill r JOIN orders o ON o.id = r.order_id
     WHERE r.provider_id IS NOT NULL GROUP BY o.provider_id, o.upstream_id
"""


@dataclass
class Tally:
    """What machines have done so far, over all their examples."""

    examples: int = 0
    steps: int = 0
    states: Counter[str] = field(default_factory=Counter)
    """How often an order was seen to come into a state: a machine that stops getting anywhere would find nothing."""

    crashes: Counter[str] = field(default_factory=Counter)


TALLY = Tally()


@dataclass
class Owner:
    """The owner's connection, for what no verb does: emptying the tables, cutting off everybody else."""

    _connection: "psycopg.Connection[tuple[Any, ...]] | None" = None
    _tables: list[str] = field(default_factory=list)

    def _open(self) -> "psycopg.Connection[tuple[Any, ...]]":
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True)
            found = self._connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            self._tables = [str(row[0]) for row in found if row[0] not in KEPT]
        return self._connection

    def empty(self) -> None:
        """Delete every row: of tables as small as these that is a hundred times as fast as truncating them."""
        owner = self._open()
        statements = ["SET session_replication_role = replica"]
        statements += [f"DELETE FROM {table}" for table in self._tables]
        statements += ["SET session_replication_role = origin"]
        statements += ["UPDATE catalogue_version SET version = version + 1"]
        statements += ["UPDATE access_version SET version = version + 1"]
        owner.execute("; ".join(statements).encode())
        forget_catalogue()
        open_house_accounts()

    def ask(self, *statements: str) -> list[list[tuple[Any, ...]]]:
        """The rows of each, in one round trip and planned once: this connection is never cut off."""
        owner = self._open()
        with owner.pipeline():
            asked = [owner.execute(statement, prepare=True) for statement in statements]
            return [cursor.fetchall() for cursor in asked]

    def cut(self) -> None:
        """Every connection of the application ends, whatever it is doing."""
        self._open().execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = 'hawker_app'"
        )


OWNER = Owner()


@dataclass
class Feed:
    """What everybody posts, newest first."""

    posts: list[Post] = field(default_factory=lambda: [Post("0", "https://example.com/posts/0")])

    def publish(self) -> None:
        number = len(self.posts)
        self.posts.insert(0, Post(str(number), f"https://example.com/posts/{number}"))

    def check(self, template: str, *, allow_private: bool) -> None:
        raise AssertionError((template, allow_private))

    async def look(self, question: FeedQuestion) -> FetchResult:
        del question
        return Posts(tuple(self.posts))


def reconnect() -> None:
    """Before the model itself asks by way of the ORM, which has no second try: an earlier step may have cut the kept
    connection. The panel's own verbs must find that out by themselves."""
    connection.close()


class Ground(RuleBasedStateMachine):
    """The parts; tests/model/machine.py has the rules."""

    def __init__(self) -> None:
        super().__init__()
        disarm()
        OWNER.empty()
        TALLY.examples += 1
        self.panel = Panel()
        self.peers: dict[int, Peer] = {}
        self.feed = Feed()
        self.expected = Expected(self.peers)
        self.customers: list[OpenedCustomer] = []
        self.services: dict[str, Service] = {}
        self.rates: dict[int, str] = {}
        self.agreed: dict[tuple[int, int], str] = {}
        self.percents: dict[int, Fraction] = {}
        self.links = 0
        self.payments = 0
        self.lost: list[tuple[int, int | None]] = []
        self.is_whole = False
        self.sweeps = self._worker()

    def _worker(self) -> Sweeps:
        return Sweeps(clock=self.panel.clock, opener=opener_of(self.peers), find_source=lambda _: self.feed)

    def customer(self, pick: int) -> OpenedCustomer:
        return self.customers[pick % len(self.customers)]

    def service(self, type_name: str, *, by_hand: bool = False) -> Service:
        """The service of this type, made when it is first asked for; staff deliver one that is `by_hand`."""
        name = f"{type_name} by hand" if by_hand else type_name
        if name not in self.services:
            reconnect()
            rate = RATES[len(self.services) % len(RATES)]
            flags = {"subscription": "local", "post_url": "https://feeds.example/{username}", "old_posts": True}
            service = self.panel.service(
                type=type_name,
                rate=rate,
                minimum=1,
                maximum=5_000,
                cancel=True,
                refill=True,
                dripfeed=True,
                **(flags if type_name == "Subscriptions" else {}),
            )
            for position, provider_id in enumerate([] if by_hand else self.peers):
                Route.objects.create(
                    service=service, provider_id=provider_id, upstream_service=1, cost_rate="0.0001", position=position
                )
            self.services[name] = service
            self.rates[service.id] = rate
        return self.services[name]

    def rate_of(self) -> Mapping[tuple[int, int], Fraction]:
        """What 1,000 cost each customer at this moment."""
        prices = {}
        for account_id in (customer.account_id for customer in self.customers):
            for service_id, rate in self.rates.items():
                agreed = self.agreed.get((account_id, service_id))
                percent = self.percents.get(account_id, Fraction())
                prices[account_id, service_id] = Fraction(agreed) if agreed else at_percent(Fraction(rate), percent)
        return prices

    def link(self) -> str:
        self.links += 1
        return f"https://example.com/{self.links}"

    def order(self, pick: int) -> int:
        """One of all orders, runs and posts included."""
        numbers = list(self.expected.rows)
        return numbers[-1 - pick % len(numbers)]

    def has(self, *states: str) -> bool:
        return any(row.state in states for row in self.expected.rows.values())

    def sweep(self, *kinds: WorkKind) -> None:
        """A worker does what is due now."""

        async def run() -> None:
            await self.sweeps.expire()
            await self.sweeps.wake_held()
            for provider_id, kind in sorted(await self.sweeps.due()):
                if kind in kinds:
                    await self.sweeps.run(provider_id, kind)

        asyncio.run(run())
        self.connect_anew()

    def connect_anew(self) -> None:
        """Verbs connect anew by themselves; the ORM, which this thread uses too, would say once that it has to."""
        if connection.connection is not None and connection.connection.broken:
            connection.close()

    @contextlib.contextmanager
    def crashing(self, point: str | None) -> Iterator[None]:
        """Where it comes past this point, the process ends there; another one begins anew."""
        if point is not None:
            arm(f"{point}=raise")
        try:
            with contextlib.suppress(Unavailable):
                yield
        except* InjectedFault:
            TALLY.crashes[str(point)] += 1
            self.sweeps = self._worker()
        finally:
            disarm()

    def resolve_row(self, row: Row, how: str) -> None:
        """A person decides of an unknown order: what is true, or what seems best."""
        now = self.panel.clock.now()
        provider_id = find_unknown(row.id).provider_id
        # As it is now: another order of the same link may have been bound since the last look.
        reconnect()
        bound = set(Order.objects.filter(provider_id=provider_id).values_list("upstream_id", flat=True))
        orders = self.peers[provider_id].orders.values()
        made = [made.number for made in orders if made.link == row.link and made.number not in bound]
        if how == "truly" and made:
            bind_order(row.id, made[-1], actor=STAFF, reason="it is there", now=now)
            return
        if made:
            self.expected.decided.add(row.link)
        (refund_order if how == "refund" else resend_order)(row.id, actor=STAFF, reason="because", now=now)

    # --- what must hold ----------------------------------------------------------------------------

    @invariant()
    def everything_holds(self) -> None:
        TALLY.steps += 1
        self.is_whole = False
        self._look()
        self.is_whole = True

    def _look(self) -> None:
        breaches, found, held, asked = OWNER.ask(EVERY_BREACH, READ, READ_BALANCES, READ_REFILLS)
        assert breaches == [], breaches
        rows = [Row(*row) for row in found]
        before = self.expected.rows
        TALLY.states.update(row.state for row in rows if row.id not in before or before[row.id].state != row.state)
        self.expected.look(rows, dict(held), self.rate_of())
        self.expected.look_at_refills({(provider_id, number): count for provider_id, number, count in asked})

    def teardown(self) -> None:
        """Let everything come to its end: nothing is lost, and no escrow is left."""
        if not self.is_whole:
            return
        for peer in self.peers.values():
            peer.refuses_cancels = False
        for _ in range(ROUNDS):
            if all(row.is_over for row in self.expected.rows.values()):
                break
            self._come_to_an_end()
        left = [row for row in self.expected.rows.values() if not row.is_over]
        assert left == [], "orders that nothing more happens to"
        report = check_invariants()
        assert report.ok, report.breaches

    def _come_to_an_end(self) -> None:
        for peer in self.peers.values():
            for made in peer.orders.values():
                if made.status not in FINAL:
                    made.status = "Completed"
        self.panel.clock.advance(hours=2)
        self.sweep(*WorkKind)
        self._look()
        for row in list(self.expected.rows.values()):
            if row.is_over:
                continue
            if row.state == "unknown":
                self.resolve_row(row, "truly")
            elif row.type == "Subscriptions":
                self.cancel_as_staff(row.id)
            elif row.service_id in self.by_hand():
                self.deliver(row.id, State.COMPLETED, None)
        self._look()

    def by_hand(self) -> set[int]:
        return {service.id for name, service in self.services.items() if name.endswith("by hand")}

    def deliver(self, order_id: int, state: State, remains: int | None) -> bool:
        """Staff say how far they have come with an order. Answers whether the panel takes it."""
        delivery = StaffDelivery(order_id, state, "done by hand", remains)
        (answer,) = record_deliveries([delivery], actor=STAFF, now=self.panel.clock.now())
        if isinstance(answer, State) and answer is not State.IN_PROGRESS:
            self.expected.delivered[order_id] = (answer.value, remains or 0)
        return isinstance(answer, State)

    def cancel_as_staff(self, order_id: int) -> None:
        raise NotImplementedError
