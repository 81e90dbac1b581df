"""Orders that would be sold under their cost are held, seen, and let go when that changes or staff say so."""

import asyncio
import os
import pwd
from collections.abc import Iterator

import msgspec
import pytest

from hawker.catalog.models import Route, Service
from hawker.core.settings import Settings, settings
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import CancelAsk, release_orders, request_cancels
from hawker.orders.errors import NotHeld
from hawker.orders.models import WorkKind
from hawker.orders.placing.rules import allowed_cost
from hawker.providers.models import Provider
from hawker.worker.sweeps import Sweeps
from panel import Panel
from people import TEST
from processes import SandboxProcess, hawker


@pytest.fixture
def dear(panel: Panel, upstream: Provider) -> Service:
    """Sold at 0.90, bought at 0.91."""
    return panel.service(provider=upstream, rate="0.90", cost_rate="0.91")


@pytest.fixture
def held(panel: Panel, customer: OpenedCustomer, dear: Service) -> int:
    order: int = panel.place(customer, dear)
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert holds_of(panel, order) == ["cost above the charge"]
    return order


def holds_of(panel: Panel, order: int) -> list[str]:
    return [work["hold"] for work in panel.order(order)["work"] if work["hold"]]


def pulse(panel: Panel, sweeps: Sweeps) -> None:
    """What a worker that has been running for a while does in a second."""

    async def run() -> None:
        await sweeps.wake_held()
        for provider_id, kind in await sweeps.due():
            if kind is WorkKind.DISPATCH:
                await sweeps.run(provider_id, kind)

    sweeps.clock = panel.clock
    asyncio.run(run())


@pytest.mark.parametrize("change", ["cost", "exchange rate", "provider switched off and on"])
def test_a_held_order_goes_within_a_second_of_the_change_that_frees_it(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, held: int, change: str
) -> None:
    sweeps = Sweeps()
    pulse(panel, sweeps)
    pulse(panel, sweeps)
    assert sandbox.calls("add") == []
    looked_at_again = panel.order(held)["work"][0]["due_at"]
    match change:
        case "cost":
            Route.objects.update(cost_rate="0.90")
        case "exchange rate":
            Provider.objects.update(exchange_rate="0.98")
        case _:
            Route.objects.update(cost_rate="0.90")
            Provider.objects.update(enabled=False)
            pulse(panel, sweeps)
            assert sandbox.calls("add") == []
            Provider.objects.update(enabled=True)
    assert looked_at_again > panel.clock.now()
    panel.clock.advance(seconds=1)
    pulse(panel, sweeps)
    assert panel.order(held)["state"] == "submitted"
    assert len(sandbox.calls("add")) == 1


def test_nothing_is_looked_at_while_nothing_changes_and_all_of_it_again_in_time(
    panel: Panel, sandbox: SandboxProcess, held: int
) -> None:
    sweeps = Sweeps()
    pulse(panel, sweeps)
    due_at = panel.order(held)["work"][0]["due_at"]
    panel.clock.advance(minutes=5)
    pulse(panel, sweeps)
    assert panel.order(held)["work"][0]["due_at"] == due_at
    panel.clock.advance(minutes=6)
    pulse(panel, sweeps)
    assert panel.order(held)["work"][0]["due_at"] > due_at
    assert holds_of(panel, held) == ["cost above the charge"]
    assert sandbox.calls("add") == []


@pytest.mark.quick
def test_what_one_route_costs_too_much_for_another_may_take(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, dear: Service
) -> None:
    cheap = panel.provider(sandbox, name="cheap")
    Route.objects.create(service=dear, provider=cheap, position=1, upstream_service=1, cost_rate="0.50")
    order = panel.place(customer, dear)
    panel.clock.advance(seconds=1)
    panel.sweep()
    panel.sweep()
    shown = panel.order(order)
    assert (shown["state"], shown["provider"]) == ("submitted", cheap.id)
    assert shown["events"][0]["reason"].startswith("cost above the charge: from provider")
    assert len(sandbox.calls("add")) == 1


def test_an_order_whose_route_is_gone_takes_the_one_that_came(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider
) -> None:
    service = panel.service(provider=upstream)
    order = panel.place(customer, service)
    Route.objects.all().delete()
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert holds_of(panel, order) == ["no route to this provider"]
    other = panel.provider(sandbox, name="other")
    Route.objects.create(service=service, provider=other, upstream_service=1, cost_rate="0.50")
    panel.sweep()
    panel.sweep()
    assert panel.order(order)["provider"] == other.id


def test_held_orders_are_listed_and_released_from_the_command_line(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, held: int
) -> None:
    placed = panel.place(customer, panel.service())
    listed = hawker(settings().data_dir, "order", "list", "--held")
    assert [row["order"] for row in msgspec.json.decode(listed.stdout)] == [held]
    words = ["order", "release", str(held), str(placed), "--reason", "a good customer", "--at-a-loss"]
    released = hawker(settings().data_dir, *words)
    assert msgspec.json.decode(released.stdout) == {"released": [held]}
    assert f"order {placed} is not held" in released.stderr
    panel.clock.advance(minutes=1)
    panel.sweep()
    shown = panel.order(held)
    assert shown["state"] == "submitted"
    assert (shown["events"][0]["actor"], shown["events"][0]["reason"]) == (
        f"cli:{pwd.getpwuid(os.getuid()).pw_name}",
        "to be sent regardless of cost (cost above the charge): a good customer",
    )
    again = hawker(settings().data_dir, *words[:3], "--reason", "twice")
    assert (again.returncode, again.stdout) == (1, "")
    assert len(sandbox.calls("add")) == 1


def test_released_without_accepting_the_loss_it_is_looked_at_and_held_again(panel: Panel, held: int) -> None:
    (answer,) = release_orders([held], at_a_loss=False, actor=TEST, reason="look", now=panel.clock.now())
    assert answer == "queued"
    assert holds_of(panel, held) == []
    panel.sweep()
    assert holds_of(panel, held) == ["cost above the charge"]


def test_a_held_order_is_canceled_and_refunded_like_any_that_waits(
    panel: Panel, customer: OpenedCustomer, held: int
) -> None:
    request_cancels([CancelAsk(None, [str(held)])], now=panel.clock.now())
    assert panel.order(held)["state"] == "canceled"
    assert panel.balance(customer) == 10_000_000
    (answer,) = release_orders([held], at_a_loss=True, actor=TEST, reason="late", now=panel.clock.now())
    assert isinstance(answer, NotHeld)


@pytest.fixture
def margin(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A panel whose operator wants 20 % on top of what things cost."""
    monkeypatch.setenv("HAWKER_MINIMUM_MARGIN_PERCENT", "20")
    settings.cache_clear()
    yield 20
    monkeypatch.undo()
    settings.cache_clear()


def test_an_order_below_the_operators_margin_is_held(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, margin: int
) -> None:
    enough, short = (panel.service(provider=upstream, rate="0.90", cost_rate=cost) for cost in ("0.75", "0.7501"))
    free = panel.service(provider=upstream, rate="0", free=True, cost_rate="5")
    orders = [panel.place(customer, service) for service in (enough, short, free)]
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert [panel.order(order)["state"] for order in orders] == ["submitted", "queued", "submitted"]
    assert holds_of(panel, orders[1]) == ["margin below 20 %"]
    assert len(sandbox.calls("add")) == 2


@pytest.mark.parametrize(
    ("charge", "percent", "allowed"), [(100, 0, 100), (120, 20, 100), (119, 20, 99), (90_000, 20, 75_000), (0, 50, 0)]
)
def test_the_cost_that_a_charge_allows_is_rounded_down(charge: int, percent: int, allowed: int) -> None:
    assert allowed_cost(charge, margin_percent=percent, is_run=False) == allowed


@pytest.mark.parametrize("percent", ["-1", "1001", "1.5", "x"])
def test_a_margin_that_cannot_be_one_is_refused(monkeypatch: pytest.MonkeyPatch, percent: str) -> None:
    monkeypatch.setenv("HAWKER_MINIMUM_MARGIN_PERCENT", percent)
    with pytest.raises(ValueError, match="minimum_margin_percent"):
        Settings()  # type: ignore[call-arg]
