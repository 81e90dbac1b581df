"""The crash and fault harness: real workers killed at every crash point, an upstream that misbehaves, and a count.

`weather(panel, server, sandbox, folder, Plan(...))` places orders over HTTP while two keepers run workers that die by
SIGKILL where they are told to, lets time pass until nothing moves any more, and answers `Figures`: what the upstream
really has of each order, against what our books say. Every order has a link of its own, by which the upstream's
records tell whose they are, and a quantity of its own, as orders of different customers mostly have.
"""

import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from keepers import Keepers
from plans import CRASH_POINTS, WIRE, Plan, faults_at
from proxy import Proxy, proxied
from shifted import ShiftedClock

from hawker.alerts.models import Alert, AlertKind
from hawker.orders.invariants import check_invariants
from hawker.orders.models import Attempt, Order, OrderEvent, Work
from hawker.providers.models import ProviderHealth
from panel import Panel
from plain_http import http_client
from processes import SandboxProcess, ServeProcess, eventually

CALM = 12
"""Orders that go well before and after: with fewer the numbers of a provider prove nothing."""

STEP_SECONDS = 20.0
"""Time passes in such steps, far shorter than a lease: a send that is under way sees two of them at most."""

_STEP_EVERY = 1.5
_MOST_ROUNDS = 40
_AHEAD = 6
"""So many orders wait to be sent while the storm goes on."""


@dataclass
class Figures:
    """What came of it. The first four must be 0; everything else tells what was tried."""

    doubled: int = 0
    lost: int = 0
    refunded_but_created: int = 0
    wrongly_bound: int = 0
    unaccounted_calls: int = 0
    breaches: list[str] = field(default_factory=list)
    orders: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    faults: int = 0
    wire_faults: int = 0
    unknowns: int = 0
    resolved_alone: int = 0
    left_to_a_person: int = 0
    completed: int = 0
    refunded: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not (
            self.doubled
            or self.lost
            or self.refunded_but_created
            or self.wrongly_bound
            or self.unaccounted_calls
            or self.breaches
        )

    def counted(self) -> dict[str, int]:
        """The figures as whole numbers, the kills by their points."""
        numbers = {name: value for name, value in asdict(self).items() if isinstance(value, int)}
        kills = {f"kills {CRASH_POINTS[point]}": count for point, count in sorted(self.kills.items())}
        return numbers | {"breaches": len(self.breaches), "kills": sum(self.kills.values())} | kills

    def __add__(self, other: "Figures") -> "Figures":
        mine, theirs = asdict(self), asdict(other)
        kills = Counter(self.kills) + Counter(other.kills)
        return Figures(**{name: mine[name] + theirs[name] for name in mine if name != "kills"}, kills=dict(kills))

    def __str__(self) -> str:
        share = 100 * self.resolved_alone / self.unknowns if self.unknowns else 100.0
        return json.dumps(
            asdict(self) | {"resolved_alone_percent": round(share, 1), "all_kills": sum(self.kills.values())}
        )


class Storm:
    """One panel, one upstream, and everything that happens to them."""

    def __init__(
        self, panel: Panel, server: ServeProcess, sandbox: SandboxProcess, proxy: Proxy, folder: Path, plan: Plan
    ) -> None:
        self.panel, self.server, self.sandbox, self.proxy, self.plan = panel, server, sandbox, proxy, plan
        self.folder = folder
        self.clock = ShiftedClock(folder / "clock")
        self.keepers = Keepers(plan, folder / "clock", folder)
        self.chance = random.Random(plan.seed)
        quantities = list(range(50, 10_000))
        self.chance.shuffle(quantities)
        self._quantities = itertools.cycle(quantities)
        sandbox.fund("1000000.00")
        sandbox._control("POST", "balance", json={"key": "somebody", "balance": "1000000.00"})
        self.upstream = panel.provider(replace(sandbox, url=proxy.url))
        self.service = panel.service(provider=self.upstream, rate="1.80", cost_rate="0.90")
        self.customer = panel.customer(credit="1000000.00")
        self.acknowledged: list[int] = []
        self._client = http_client()
        self._stepped = time.monotonic()

    def blow(self) -> Figures:
        """Everything from the first order to the count."""
        began = time.monotonic()
        with self._client, self.keepers.running():
            self.place(CALM)
            self.until("the first orders go well", lambda: Order.objects.filter(upstream_id__gt=0).count() >= CALM)
            self.sandbox.faults(*faults_at(self.plan.rate))
            self.clock.advance(STEP_SECONDS)
            self.proxy.spoil_some(WIRE, self.plan.wire, self.plan.seed)
            self.keepers.begin()
            self.rage()
            self.sandbox.faults()
            self.proxy.spoil_all(None)
            self.calm_down()
            self.deliver()
        assert not self.keepers.failed, self.keepers.failed
        figures = self.figures()
        figures.seconds = round(time.monotonic() - began, 1)
        return figures

    # --- what happens ------------------------------------------------------------------------------

    def place(self, count: int) -> None:
        """So many orders over HTTP; what is acknowledged must never be lost."""
        for _ in range(count):
            number = len(self.acknowledged)
            form = {
                "key": self.customer.api_key,
                "action": "add",
                "service": self.service.id,
                "link": f"https://example.com/{self.plan.seed}/{number}?fate=completed",
                "quantity": next(self._quantities),
            }
            self.acknowledged.append(self._client.post(self.server.api, data=form).json()["order"])

    def order_elsewhere(self) -> None:
        """An order of another customer of the same upstream, in the same row of numbers."""
        quantity = str(self.chance.randint(50, 5000))
        fields = {"service": "1", "link": "https://other.example/x", "quantity": quantity}
        self.sandbox._control("POST", "orders", json={"key": "somebody", "count": 1, "fields": fields})

    def rage(self) -> None:
        """Orders come in while workers die, until the plan is done or its time is over."""
        until = time.monotonic() + self.plan.seconds
        while time.monotonic() < until and not (
            self.keepers.done and len(self.acknowledged) - CALM >= self.plan.orders
        ):
            self.place(max(0, min(2, _AHEAD - self.count("queued"))))
            if self.chance.random() < 0.1:
                self.order_elsewhere()
            self.pass_time()
            time.sleep(0.3)

    def calm_down(self) -> None:
        """No faults any more: what is unknown is cleared up, as far as there is proof, and what waits is sent."""
        open_, unchanged = -1, 0
        for number in range(_MOST_ROUNDS):
            if number % 4 == 0:
                self.place(3)
            self.until("what waits was sent", self.is_quiet)
            before, open_ = open_, self.count("unknown")
            unchanged = unchanged + 1 if open_ == before else 0
            if open_ == 0 or (unchanged >= 3 and open_ == self.left_to_a_person()) or unchanged >= 8:
                return
            self.clock.advance(120 * (1 + unchanged))
            time.sleep(1)

    def deliver(self) -> None:
        """The upstream delivers all it has, and the workers hear of it."""
        self.sandbox.advance(days=30)
        self.clock.advance(1900)
        over = ("completed", "canceled", "partial", "unknown")

        def is_over() -> bool:
            self.pass_time()
            return self.count(*over) >= len(self.acknowledged)

        try:
            eventually("every order ends", is_over, seconds=90)
            eventually("a person hears of what stays unknown", lambda: not self.unheard(), seconds=40)
        except AssertionError:
            # Counted as lost, by name: more than a sentence about a time-out tells.
            return

    # --- time --------------------------------------------------------------------------------------

    def pass_time(self) -> None:
        """A step of time, where no living worker's send has seen two already."""
        if time.monotonic() - self._stepped < _STEP_EVERY:
            return
        started = [
            at
            for at, worker in self._sending()
            if int(worker.partition(":")[2].partition("/")[0]) in self.keepers.alive
        ]
        if all(self.clock.now() - at < timedelta(seconds=2 * STEP_SECONDS) for at in started):
            self.clock.advance(STEP_SECONDS)
            self._stepped = time.monotonic()

    def _sending(self) -> list[tuple[Any, str]]:
        return list(Attempt.objects.filter(state="sending").values_list("started_at", "worker"))

    def is_quiet(self) -> bool:
        """Nothing waits to be sent and nothing is under way; what dead workers left may have its lease end."""
        self.pass_time()
        return self.count("queued", "sending") == 0

    def until(self, what: str, check: Callable[[], bool]) -> None:
        """Wait for this while time passes."""

        def look() -> bool:
            assert self.keepers.running_both, self.describe()
            self.pass_time()
            return check()

        try:
            eventually(what, look, seconds=120)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.describe()}") from None

    def describe(self) -> dict[str, Any]:
        """How things stand, for whoever has to find out why they stand still."""
        return {
            "orders": Counter(Order.objects.values_list("state", flat=True)),
            "attempts": Counter(Attempt.objects.values_list("state", "evidence")),
            "work": list(Work.objects.values_list("kind", "due_at", "hold")[:10]),
            "health": list(ProviderHealth.objects.values()),
            "now": self.clock.now(),
            "alive": self.keepers.alive,
            "told": self.keepers._told[-6:],
            "logs": [path.read_text()[-1500:] for path in self.folder.glob("worker-*.log")],
        }

    # --- the count ---------------------------------------------------------------------------------

    def count(self, *states: str) -> int:
        """How many orders are in one of these states."""
        return Order.objects.filter(state__in=states).count()

    def left_to_a_person(self) -> int:
        """Unknown orders of which the panel says that only a person can decide."""
        return Work.objects.filter(kind="reconcile", hold_kind="person").count()

    def unheard(self) -> list[int]:
        """Unknown orders without an open alert."""
        open_alerts = Alert.objects.filter(kind=AlertKind.UNKNOWN_ATTEMPT, subject_kind="order", closed_at__isnull=True)
        alerted = set(open_alerts.values_list("subject_id", flat=True))
        unknown = Order.objects.filter(state="unknown").values_list("id", flat=True)
        return [order for order in unknown if str(order) not in alerted]

    def figures(self) -> Figures:
        """The upstream's record against our books."""
        rows = self.sandbox.orders()
        link_of = {row["order"]: row["link"] for row in rows}
        made = Counter(link_of.values())
        calls = self.sandbox.calls("add")
        received = Counter(call["fields"]["link"] for call in calls)
        orders = {order.id: order for order in Order.objects.all()}
        unheard = set(self.unheard())
        wrong: list[str] = []

        def name(what: str, found: Sequence[Order]) -> int:
            wrong.extend(f"{what}: {self._story(order)}" for order in found[:5])
            return len(found)

        attempts = Counter(
            Attempt.objects.exclude(state="not_sent").filter(kind="add").values_list("order_id", flat=True)
        )
        missing = [number for number in self.acknowledged if number not in orders]
        wrong += [f"acknowledged and gone: {number}" for number in missing]
        ours = list(orders.values())
        unknowns = set(OrderEvent.objects.filter(to_state="unknown").values_list("order_id", flat=True))
        left = [order for order in ours if order.state == "unknown"]
        report = check_invariants()
        return Figures(
            doubled=name("made more than once", [o for o in ours if made[o.link] > 1]),
            lost=len(missing) + name("lost", [o for o in ours if self._is_lost(o, made, unheard)]),
            refunded_but_created=name("refunded but made", [o for o in ours if o.state == "canceled" and made[o.link]]),
            wrongly_bound=name(
                "bound to another's",
                [o for o in ours if o.upstream_id is not None and link_of.get(o.upstream_id) != o.link],
            ),
            unaccounted_calls=name(
                "sent more often than attempted", [o for o in ours if received[o.link] > attempts[o.id]]
            ),
            breaches=[str(breach) for breach in report.breaches],
            orders=len(ours),
            kills=dict(self.keepers.kills),
            calls=len(calls),
            faults=sum(call["fault"] is not None for call in calls),
            wire_faults=sum(passage.fault is not None for passage in self.proxy.passages),
            unknowns=len(unknowns),
            resolved_alone=len(unknowns) - len(left),
            left_to_a_person=len(left),
            completed=sum(order.state == "completed" for order in ours),
            refunded=sum(order.state == "canceled" for order in ours),
            wrong=wrong,
        )

    @staticmethod
    def _is_lost(order: Order, made: Counter[str], unheard: set[int]) -> bool:
        """Neither ended as it should nor with a person who knows of it."""
        if order.state == "completed":
            return made[order.link] == 0
        if order.state == "unknown":
            return order.id in unheard
        return order.state != "canceled"

    def _story(self, order: Order) -> str:
        attempts = (
            Attempt.objects.filter(order=order).order_by("n").values_list("state", "upstream_id", "worker", "evidence")
        )
        return f"order {order.id} {order.state} {order.upstream_id} {order.link} {list(attempts)}"


def weather(panel: Panel, server: ServeProcess, sandbox: SandboxProcess, folder: Path, plan: Plan) -> Figures:
    """One storm over an empty panel, from the first order to the count."""
    folder.mkdir(parents=True, exist_ok=True)
    with proxied(sandbox.url) as proxy:
        figures = Storm(panel, server, sandbox, proxy, folder, plan).blow()
    connection.close()
    return figures
