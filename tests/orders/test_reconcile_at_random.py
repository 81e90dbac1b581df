"""Randomised trouble at a real upstream: nothing is bound wrongly, nothing that was made is sent again.

The sandbox's own record of what it received is the judge.
"""

import random
from collections import Counter

import pytest

from hawker.orders import claim_dispatches
from hawker.orders.models import Attempt, Order, WorkKind
from hawker.providers.models import ProviderHealth
from panel import Panel
from plain_http import http_post
from processes import SandboxProcess
from unknowns import CREATED, NOT_CREATED, Story, order_elsewhere

STEPS = 20


class Storm(Story):
    """Bursts of orders under faults, workers that die before or after they wrote, and other customers in between."""

    def __init__(self, panel: Panel, sandbox: SandboxProcess, seed: int) -> None:
        super().__init__(panel, sandbox)
        self.chance = random.Random(seed)
        self.orders: list[int] = self.calm(12)

    def step(self) -> None:
        chance = self.chance
        faults = [*CREATED, *NOT_CREATED]
        match chance.choice(["calm", "fault", "fault", "mixed", "killed", "foreign", "clear"]):
            case "calm":
                self.burst()
            case "fault":
                self.burst(f"{chance.choice(faults)}=1")
            case "mixed":
                self.burst(*(f"{fault}=0.2" for fault in chance.sample(faults, 3)))
            case "killed":
                self.killed()
            case "foreign":
                for _ in range(chance.randint(1, 5)):
                    order_elsewhere(self.sandbox, key="somebody", quantity=chance.choice([100, 200]))
            case "clear":
                self.panel.clock.advance(seconds=chance.choice([95, 200, 800, 4000]))
        self.panel.clock.advance(seconds=chance.choice([0, 3, 20, 61, 100]))
        # The breaker has tests of its own; here it would only keep trouble away.
        ProviderHealth.objects.update(failures=0, opens=0, opened_at=None, retry_at=None, probe_until=None)
        self.panel.sweep(WorkKind.DISPATCH)
        self.panel.sweep(WorkKind.RECONCILE)

    def quantity(self) -> int:
        """Now and then the same as others', so that charges cannot tell them apart."""
        return 100 if self.chance.random() < 0.3 else self.chance.randint(50, 5000)

    def burst(self, *faults: str) -> None:
        self.sandbox.faults(*faults)
        self.orders += [self.place(self.quantity()) for _ in range(self.chance.randint(1, 3))]
        self.send()
        self.sandbox.faults()

    def killed(self) -> None:
        """A worker claims, perhaps writes, and is never heard of again."""
        self.orders.append(self.place(self.quantity()))
        self.panel.clock.advance(seconds=6)
        for claim in claim_dispatches(self.upstream.id, limit=1, token="killed/1", now=self.panel.clock.now()):
            if self.chance.random() < 0.5:
                http_post(self.sandbox.url, data={"key": self.sandbox.key, **claim.fields})

    def settle_down(self) -> None:
        for _ in range(6):
            self.panel.clock.advance(seconds=100)
            self.burst()
            self.look(seconds=700)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_nothing_is_bound_wrongly_or_sent_twice(
    panel: Panel, sandbox: SandboxProcess, seed: int
) -> None:
    storm = Storm(panel, sandbox, seed)
    for _ in range(STEPS):
        storm.step()
    storm.settle_down()
    link_of = {row["order"]: row["link"] for row in sandbox.orders()}
    made = Counter(link_of.values())
    orders = list(Order.objects.filter(id__in=storm.orders))
    assert {order.link: made[order.link] for order in orders if made[order.link] > 1} == {}, "sent twice"
    wrong = [o.id for o in orders if o.upstream_id is not None and link_of[o.upstream_id] != o.link]
    assert wrong == [], "bound to another order's number"
    lost = [o.id for o in orders if o.state == "queued" and made[o.link]]
    assert lost == [], "queued again although it was made"
    decided = Counter(
        Attempt.objects.filter(evidence__contains="orphan").exclude(state="unknown").values_list("state", flat=True)
    )
    assert decided["accepted"] > 0
    assert decided["not_created"] > 0
