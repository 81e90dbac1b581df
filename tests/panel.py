"""A panel to fill and drive: factories over the public verbs, the worker's sweeps on a clock of one's own."""

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from hawker.catalog.models import Category, Route, Service
from hawker.catalog.snapshot import forget_catalogue
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer, open_customer
from hawker.ledger.models import Account
from hawker.orders import Draft, describe_orders, place_orders
from hawker.orders.invariants import EVERY_INVARIANT, check_invariants
from hawker.orders.models import WorkKind
from hawker.protocol.params import Value
from hawker.providers.actions import add_provider, new_access, open_access
from hawker.providers.models import Provider
from hawker.worker.sweeps import Sweeps
from hawker.worker.upkeep import check_balances, move_orders, sync, watch
from people import TEST
from processes import SandboxProcess

_KEPT = ("django_migrations", "django_content_type", "catalogue_version", "access_version", "secret_check")
_LARGE_BYTES = 256 * 1024
_numbers = itertools.count(1)


_EVERY_BREACH = " UNION ALL ".join(
    f"(SELECT '{each.name}', found.* FROM ({each.breaches}) AS found)" for each in EVERY_INVARIANT
)
"""All that check_invariants looks for, in one round trip whose plan is kept."""

_LARGEST_TABLE = """
    SELECT max(pg_table_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""

_owners: "list[psycopg.Connection]" = []
"""The connection that tests look at this process's panel by and empty it: kept, because what it knows of the fifty
tables takes a new one longer to read than the statements take."""


def _owner() -> psycopg.Connection:
    if _owners:
        with contextlib.suppress(psycopg.Error):
            _owners[0].execute("SELECT 1")
            return _owners[0]
        # The test before this one has killed the database.
        _owners.pop().close()
    _owners.append(psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True))
    return _owners[0]


def let_go_of_panel() -> None:
    """Close the connection that tests look by."""
    if _owners:
        _owners.pop().close()


def _emptied_tables(connection: psycopg.Connection) -> list[str]:
    """The tables that are empty when a test begins."""
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND NOT tablename = ANY(%s)", [list(_KEPT)]
    )
    return [table for (table,) in rows]


def forget_rows() -> None:
    """Empty every table, as the owner and past the guards that hold against everybody else."""
    connection = _owner()
    with connection.transaction():
        tables = _emptied_tables(connection)
        # Waits for what is being written, as TRUNCATE does.
        connection.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        connection.execute("SET LOCAL session_replication_role = replica")
        # TRUNCATE makes new files, which takes 100 ms for the fifty tables; a test writes a few rows into ten of them.
        sizes = [f"SELECT '{table}', pg_table_size('{table}') WHERE EXISTS (SELECT FROM {table})" for table in tables]
        for table, size_bytes in connection.execute(" UNION ALL ".join(sizes), prepare=True).fetchall():
            connection.execute(f"TRUNCATE {table} CASCADE" if size_bytes > _LARGE_BYTES else f"DELETE FROM {table}")
        connection.execute("UPDATE catalogue_version SET version = version + 1")
        connection.execute("UPDATE access_version SET version = version + 1")
        connection.execute("SELECT setval('account_id_seq', 1000, false)")
    forget_catalogue()
    from hawker.ledger.actions import open_house_accounts

    open_house_accounts()


def forget_figures() -> None:
    """Give every table new, empty files, of which the planner knows nothing: what tests before have left of their rows
    would choose other plans each time."""
    connection = _owner()
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(f"TRUNCATE {', '.join(_emptied_tables(connection))}")
        connection.execute("DELETE FROM pg_statistic WHERE starelid >= 16384")
    from hawker.ledger.actions import open_house_accounts

    open_house_accounts()


@dataclass
class ManualClock:
    """A clock that moves when told to."""

    instant: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.instant

    def advance(self, **amount: float) -> None:
        self.instant += timedelta(**amount)

    def pass_by_the_server(self) -> None:
        """A second later than any clock of a server shows: what it has just placed is due, however slow the machine."""
        self.instant = max(self.instant, datetime.now(UTC)) + timedelta(seconds=1)


@dataclass
class Panel:
    """Factories with sensible defaults, and the worker in the test's own hands."""

    clock: ManualClock = field(default_factory=ManualClock)

    def customer(self, *, credit: str = "100.00") -> OpenedCustomer:
        from hawker.core.money import Money

        email = f"customer{next(_numbers)}@example.com"
        return open_customer(email, credit_micros=Money.parse(credit).micros, actor=TEST, now=self.clock.now())

    def provider(self, sandbox: SandboxProcess, *, name: str = "upstream") -> Provider:
        access = new_access(name, url=sandbox.url, key=sandbox.key, allow_private=True)
        return add_provider(
            access, url=sandbox.url, balance_micros=0, currency="USD", exchange_rate="1", now=self.clock.now()
        )

    def service(
        self,
        *,
        type: str = "Default",  # noqa: A002 - the field's word
        rate: str = "0.90",
        minimum: int = 50,
        maximum: int = 10_000,
        provider: Provider | None = None,
        upstream_service: int = 1,
        cost_rate: str = "0.50",
        **flags: Any,
    ) -> Service:
        category, _ = Category.objects.get_or_create(name="First Category")
        service = Service.objects.create(
            category=category,
            name="Followers",
            type=type,
            rate=rate,
            minimum=minimum,
            maximum=maximum,
            created_at=self.clock.now(),
            **flags,
        )
        if provider is not None:
            Route.objects.create(
                service=service, provider=provider, upstream_service=upstream_service, cost_rate=cost_rate
            )
        return service

    def place(self, customer: OpenedCustomer, service: Service, **fields: Value) -> Any:
        """One order through the verb: its number, or the refusal."""
        texts = {"service": str(service.id), "link": "https://example.com/page", "quantity": "100"}
        texts |= {name: str(value) for name, value in fields.items()}
        return place_orders([Draft(customer.account_id, texts)], now=self.clock.now())[0]

    def balance(self, customer: OpenedCustomer) -> int:
        balance = Account.objects.get(id=customer.account_id).balance_micros
        assert balance is not None
        return balance

    def order(self, order_id: int) -> dict[str, Any]:
        """All there is about one order."""
        return describe_orders([order_id])[0]

    def sweep(self, *kinds: WorkKind, opener: Any = open_access) -> None:
        """What is due now, done once by a worker in this process."""

        async def run() -> None:
            sweeps = Sweeps(clock=self.clock, opener=opener)
            await sweeps.expire()
            await sweeps.wake_held()
            await move_orders(self.clock)
            for provider_id, kind in await sweeps.due():
                if not kinds or kind in kinds:
                    await sweeps.run(provider_id, kind)

        asyncio.run(run())

    def upkeep(self, opener: Any = open_access) -> None:
        """What the worker looks after beside what is due: unknowns that stay, balances, prices."""

        async def run() -> None:
            await watch(self.clock)
            await check_balances(self.clock, opener)
            await sync(self.clock, opener)

        asyncio.run(run())

    def assert_verified(self) -> None:
        """Every invariant holds."""
        connection = _owner()
        (largest,) = connection.execute(_LARGEST_TABLE, prepare=True).fetchone() or (0,)
        if largest > _LARGE_BYTES:
            # The plan that is kept was made for tables of a few rows.
            report = check_invariants()
            assert report.ok, report.breaches
        else:
            breaches = connection.execute(_EVERY_BREACH, prepare=True).fetchall()
            assert not breaches, breaches
