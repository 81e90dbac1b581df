"""A panel under arbitrary steps: every step through its own verbs and sweeps, on a real database.

After each step every invariant is checked, and every cent against tests/model/expected.py.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import psycopg
from expected import READ, Asked, Expected, Row, price
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from peer import FINAL, Fate, Peer, opener_of

from hawker.catalog.models import Route, Service
from hawker.catalog.snapshot import forget_catalogue
from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.ledger.actions import Credit, open_house_accounts, record_credits
from hawker.ledger.customers import OpenedCustomer
from hawker.ledger.errors import AlreadyCredited, NotEnoughFunds
from hawker.orders.actions.cancel import CancelAsk, Canceling, request_cancels
from hawker.orders.actions.dispatch import claim_dispatches
from hawker.orders.actions.place import Draft, place_orders
from hawker.orders.actions.resolve import bind_order, find_unknown, refund_order, resend_order
from hawker.orders.actions.settle import Outcome, settle_attempts
from hawker.orders.invariants import EVERY_INVARIANT, check_invariants
from hawker.orders.models import WorkKind
from hawker.orders.rulings import NotSent
from hawker.protocol.upstream import Accepted
from hawker.worker.sweeps import Sweeps
from panel import Panel

KEPT = ("django_migrations", "django_content_type", "catalogue_version", "access_version")
RATES = ("0.90", "0.99999", "1.1", "0.00123", "33.33333", "7")
EVERY_BREACH = " UNION ALL ".join(
    f"(SELECT '{each.name}', found.* FROM ({each.breaches}) AS found)" for each in EVERY_INVARIANT
)
"""All that check_invariants looks for, in one round trip: it is asked after every step."""

FATES = st.lists(st.sampled_from(Fate), max_size=4)
PICK = st.integers(0, 60)
ROUNDS = 12
"""So many times two hours pass at the end of an example: enough for everything to end."""

NEWS = st.lists(
    st.tuples(PICK, st.sampled_from(["Partial", "In progress", "Processing", *FINAL]), st.integers(-3, 120)), max_size=4
)
QUANTITIES = st.integers(1, 60) | st.integers(1, 7_000)


@dataclass
class Tally:
    """What the machine has done so far, over all its examples."""

    examples: int = 0
    steps: int = 0
    states: Counter[str] = field(default_factory=Counter)
    """How often an order was seen to come into a state: a machine that stops getting anywhere would find nothing."""


TALLY = Tally()


@dataclass
class Owner:
    """The owner's connection, for what no verb does: emptying the tables between examples."""

    connection: "psycopg.Connection[tuple[object, ...]] | None" = None
    tables: list[str] = field(default_factory=list)

    def empty(self) -> None:
        """Delete every row: of tables as small as these that is a hundred times as fast as truncating them."""
        if self.connection is None or self.connection.closed:
            self.connection = psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True)
            found = self.connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            self.tables = [str(row[0]) for row in found if row[0] not in KEPT]
        statements = ["SET session_replication_role = replica"]
        statements += [f"DELETE FROM {table}" for table in self.tables]
        statements += ["SET session_replication_role = origin"]
        statements += ["UPDATE catalogue_version SET version = version + 1"]
        statements += ["UPDATE access_version SET version = version + 1"]
        self.connection.execute("; ".join(statements).encode())
        forget_catalogue()
        open_house_accounts()


OWNER = Owner()


class Machine(RuleBasedStateMachine):
    """Customers, orders, two upstream panels, staff and time."""

    def __init__(self) -> None:
        super().__init__()
        OWNER.empty()
        TALLY.examples += 1
        self.panel = Panel()
        self.peers: dict[int, Peer] = {}
        self.expected = Expected(self.peers)
        self.customers: list[OpenedCustomer] = []
        self.services: dict[str, Service] = {}
        self.rates: dict[int, str] = {}
        self.links = 0
        self.payments = 0
        self.lost: list[tuple[int, int | None]] = []
        self.is_whole = False
        self.sweeps = self._worker()

    # --- the parts ---------------------------------------------------------------------------------

    def _worker(self) -> Sweeps:
        return Sweeps(clock=self.panel.clock, opener=opener_of(self.peers))

    @initialize(amounts=st.lists(st.integers(1, 4_000_000), min_size=2, max_size=3))
    def open(self, amounts: list[int]) -> None:
        for name in ("first", "second"):
            peer = Peer(name)
            self.peers[self.panel.provider(peer, name=name).id] = peer  # type: ignore[arg-type]  # as a scripted one
        for steps in amounts:
            customer = self.panel.customer(credit="0")
            self.customers.append(customer)
            self._pay(customer, steps * 10)

    def _pay(self, customer: OpenedCustomer, micros: int, *, twice: bool = False) -> None:
        self.payments += 1
        credit = Credit(customer.account_id, micros, "bank", f"payment {self.payments}", "test", "money came")
        (first,) = record_credits([credit], now=self.panel.clock.now())
        assert isinstance(first, int)
        if twice:
            # A gateway that reports a payment twice has it credited once.
            (again,) = record_credits([credit], now=self.panel.clock.now())
            assert isinstance(again, AlreadyCredited)
        self.expected.paid[customer.account_id] += micros

    def customer(self, pick: int) -> OpenedCustomer:
        return self.customers[pick % len(self.customers)]

    def service(self, type_name: str, *, routes: int = 2) -> Service:
        """The service of this type, made when it is first asked for."""
        if type_name not in self.services:
            rate = RATES[len(self.services) % len(RATES)]
            service = self.panel.service(
                type=type_name, rate=rate, minimum=1, maximum=5_000, cancel=True, refill=True, dripfeed=True
            )
            for position, provider_id in enumerate(list(self.peers)[:routes]):
                Route.objects.create(
                    service=service, provider_id=provider_id, upstream_service=1, cost_rate="0.0001", position=position
                )
            self.services[type_name] = service
            self.rates[service.id] = rate
        return self.services[type_name]

    def rate_of(self) -> Mapping[tuple[int, int], Fraction]:
        return {
            (customer.account_id, service_id): Fraction(rate)
            for customer in self.customers
            for service_id, rate in self.rates.items()
        }

    def link(self) -> str:
        self.links += 1
        return f"https://example.com/{self.links}"

    def order(self, pick: int) -> int:
        """One of all orders, runs and posts included."""
        numbers = list(self.expected.rows)
        return numbers[-1 - pick % len(numbers)]

    def has(self, state: str) -> bool:
        return any(row.state == state for row in self.expected.rows.values())

    def sweep(self, *kinds: WorkKind) -> None:
        """A worker does what is due now."""

        async def run() -> None:
            await self.sweeps.expire()
            await self.sweeps.wake_held()
            for provider_id, kind in await self.sweeps.due():
                if kind in kinds:
                    await self.sweeps.run(provider_id, kind)

        asyncio.run(run())

    # --- what happens ------------------------------------------------------------------------------

    @rule(pick=PICK, steps=st.integers(1, 1_000_000), twice=st.booleans())
    def deposit(self, pick: int, steps: int, twice: bool) -> None:
        self._pay(self.customer(pick), steps * 10, twice=twice)

    @rule(drafts=st.lists(st.tuples(PICK, QUANTITIES), min_size=1, max_size=4))
    def place(self, drafts: list[tuple[int, int]]) -> None:
        """A batch of orders: each taken or refused as the balance that the ones before it left allows."""
        service = self.service("Default")
        asked, left = [], {}
        for pick, quantity in drafts:
            account_id = self.customer(pick).account_id
            charge = price(self.rate_of()[account_id, service.id], quantity, package=False)
            order = Asked(account_id, service.id, "Default", self.link(), quantity, charge)
            available = left.setdefault(account_id, self.expected.balance(account_id))
            taken = quantity <= service.maximum and charge <= available
            left[account_id] -= charge if taken else 0
            asked.append((order, taken))
        answers = place_orders(
            [
                Draft(
                    order.account_id, {"service": str(service.id), "link": order.link, "quantity": str(order.quantity)}
                )
                for order, _ in asked
            ],
            now=self.panel.clock.now(),
        )
        for (order, taken), answer in zip(asked, answers, strict=True):
            assert isinstance(answer, int) == taken, (order, answer)
            if isinstance(answer, int):
                self.expected.asked[answer] = order
            elif order.quantity <= service.maximum:
                assert isinstance(answer, NotEnoughFunds)

    @precondition(lambda self: self.has("queued"))
    @rule(fates=FATES, others=FATES, seconds=st.sampled_from([1, 6, 40]))
    def send(self, fates: list[Fate], others: list[Fate], seconds: int) -> None:
        """What is due is sent, and the upstreams make of it what they like."""
        self.panel.clock.advance(seconds=seconds)
        for peer, theirs in zip(self.peers.values(), (fates, others), strict=True):
            peer.fates = list(theirs)
        self.sweep(WorkKind.DISPATCH)
        for peer in self.peers.values():
            peer.fates = []

    @precondition(lambda self: any(peer.orders for peer in self.peers.values()))
    @rule(news=NEWS, hours=st.sampled_from([1, 30, 0.01]), mute=st.booleans())
    def poll(self, news: list[tuple[int, str, int]], hours: float, mute: bool) -> None:
        """Upstreams come on with orders, or take back what they said; the panel asks how its orders are."""
        made = [made for peer in self.peers.values() for made in peer.orders.values()]
        # Mostly of orders that go on: those that have ended are many in the end, and change nothing.
        going_on = [order for order in made if order.status not in FINAL] or made
        for pick, status, remains in news:
            among = made if pick % 8 == 7 else going_on
            order = among[-1 - pick % len(among)]
            order.status, order.remains = status, remains
        self.panel.clock.advance(hours=hours)
        for peer in self.peers.values():
            peer.is_mute = mute
        self.sweep(WorkKind.POLL, WorkKind.CANCEL, WorkKind.RECONCILE)
        for peer in self.peers.values():
            peer.is_mute = False

    @precondition(lambda self: self.expected.rows)
    @rule(picks=st.lists(PICK, min_size=1, max_size=3), staff=st.booleans(), willing=st.booleans())
    def cancel(self, picks: list[int], staff: bool, willing: bool) -> None:
        """Customers, or staff, ask for cancels, of which some are others' orders."""
        for peer in self.peers.values():
            peer.refuses_cancels = not willing
        account_id = None if staff else self.customer(picks[0]).account_id
        numbers = [self.order(pick) for pick in picks]
        before = self.expected.rows
        asked = CancelAsk(account_id, [str(number) for number in numbers])
        (answers,) = request_cancels([asked], now=self.panel.clock.now())
        for number in numbers:
            row, answer = before[number], answers[str(number)]
            if isinstance(answer, Canceling):
                assert account_id in (None, row.account_id), "canceled by a stranger"

    @precondition(lambda self: self.has("queued"))
    @rule(wrote=st.booleans(), pick=PICK)
    def die(self, wrote: bool, pick: int) -> None:
        """A worker claims, perhaps writes, and is never heard of again, or much later."""
        provider_id = list(self.peers)[pick % 2]
        self.panel.clock.advance(seconds=1)
        for claim in claim_dispatches(provider_id, limit=1, token="dead/1", now=self.panel.clock.now()):
            made = self.peers[provider_id].make(claim.fields) if wrote else None
            self.lost.append((claim.attempt_id, made.number if made else None))

    @precondition(lambda self: self.lost)
    @rule(pick=PICK)
    def come_back(self, pick: int) -> None:
        """A dead worker was only slow: it has an answer after all."""
        attempt_id, number = self.lost.pop(pick % len(self.lost))
        verdict = NotSent("it was asleep") if number is None else Accepted(number)
        settle_attempts([Outcome(attempt_id, verdict)], now=self.panel.clock.now())

    @precondition(lambda self: self.has("unknown"))
    @rule(pick=PICK, how=st.sampled_from(["truly", "resend", "refund"]))
    def resolve(self, pick: int, how: str) -> None:
        """A person decides of an unknown order: what is true, or what seems best."""
        unknown = [row for row in self.expected.rows.values() if row.state == "unknown"]
        self._resolve(unknown[pick % len(unknown)], how)

    def _resolve(self, row: Row, how: str) -> None:
        said = {"actor": "staff", "reason": "because", "now": self.panel.clock.now()}
        provider_id = find_unknown(row.id).provider_id
        bound = {other.upstream_id for other in self.expected.rows.values() if other.provider_id == provider_id}
        orders = self.peers[provider_id].orders.values()
        made = [made.number for made in orders if made.link == row.link and made.number not in bound]
        if how == "truly" and made:
            bind_order(row.id, made[-1], **said)
            return
        if made:
            self.expected.decided.add(row.link)
        (refund_order if how == "refund" else resend_order)(row.id, **said)

    # --- what must hold ----------------------------------------------------------------------------

    @invariant()
    def everything_holds(self) -> None:
        TALLY.steps += 1
        self.is_whole = False
        self._look()
        self.is_whole = True

    def _look(self) -> None:
        breaches, rows, balances = in_transaction(_read, pipelined=True)
        assert breaches == []
        before = self.expected.rows
        TALLY.states.update(row.state for row in rows if row.id not in before or before[row.id].state != row.state)
        self.expected.look(rows, balances, self.rate_of())

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
            if row.state == "unknown":
                self._resolve(row, "truly")
        self._look()


def _read(cursor: Cursor) -> tuple[list[object], list[Row], dict[int, int]]:
    breaches = ask(cursor, EVERY_BREACH)
    rows = ask(cursor, READ)
    balances = ask(cursor, "SELECT id, balance_micros FROM account WHERE user_id IS NOT NULL")
    return breaches.fetchall(), [Row(*row) for row in rows], dict(balances.fetchall())
