"""How the panel treats a provider that fails, refuses, or runs out of our money: breaker, failover, pace, pauses."""

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import transaction

from hawker.alerts.actions import describe_alerts
from hawker.catalog.models import Route, Service
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from hawker.orders.models import Attempt, WorkKind
from hawker.providers.actions import change_provider
from hawker.providers.availability import pause_provider, resume_provider
from hawker.providers.models import Provider, ProviderHealth
from panel import Panel
from processes import SandboxProcess, eventually

LINK = "https://example.com/page?fate=completed"


@pytest.fixture
def upstream(panel: Panel, sandbox: SandboxProcess) -> Provider:
    return panel.provider(sandbox)


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="1000.00")


@pytest.fixture
def service(panel: Panel, upstream: Provider) -> Service:
    """Bought at the sandbox's own price, sold at twice that."""
    return panel.service(provider=upstream, rate="1.80", cost_rate="0.90")


def place(panel: Panel, customer: OpenedCustomer, service: Service, count: int = 1) -> list[int]:
    orders = [panel.place(customer, service, link=LINK) for _ in range(count)]
    panel.clock.advance(seconds=1)
    return orders


def states(panel: Panel, orders: list[int]) -> list[str]:
    return [panel.order(order)["state"] for order in orders]


def alerts() -> list[tuple[str, str]]:
    """What is open, oldest first."""
    return [(alert["kind"], alert["subject"]) for alert in reversed(describe_alerts(closed=False, limit=100))]


def set_up(provider: Provider, **changes: Any) -> None:
    change_provider(provider.name, changes)


# --- the breaker -----------------------------------------------------------------------------------


def test_a_provider_that_fails_gets_few_orders_then_one_at_a_time_until_it_answers(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, service: Service
) -> None:
    sandbox.faults("502-before-accept=1")
    orders = place(panel, customer, service, 40)
    panel.sweep()
    lost = len(sandbox.calls("add"))
    assert 5 <= lost <= 12, "the first failures halve what may be in flight, the fifth opens the breaker"
    panel.sweep()
    assert len(sandbox.calls("add")) == lost
    assert alerts() == [("breaker_open", "provider upstream")]
    panel.clock.advance(seconds=40)
    panel.sweep()
    panel.sweep()
    assert len(sandbox.calls("add")) == lost + 1, "half-open lets one order through"
    panel.clock.advance(seconds=40)
    panel.sweep()
    assert len(sandbox.calls("add")) == lost + 1, "and rests for longer when that one fails"
    sandbox.faults()
    panel.clock.advance(seconds=60)
    panel.sweep()
    panel.sweep()
    assert alerts() == []
    assert states(panel, orders).count("submitted") == 40 - lost - 1
    assert len(sandbox.orders()) == 40 - lost - 1, "what is unknown was not sent again"


def test_a_provider_out_of_reach_is_left_alone_too(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, service: Service
) -> None:
    Provider.objects.update(url="http://127.0.0.1:9/api/v2")
    (order,) = place(panel, customer, service)
    for _ in range(6):
        panel.sweep()
    assert alerts() == [("breaker_open", "provider upstream")]
    Provider.objects.update(url=sandbox.url)
    panel.sweep()
    assert sandbox.calls("add") == []
    panel.clock.advance(seconds=40)
    panel.sweep()
    assert states(panel, [order]) == ["submitted"]
    assert alerts() == []


# --- failover --------------------------------------------------------------------------------------


@pytest.fixture
def second(panel: Panel, sandbox: SandboxProcess, service: Service) -> Provider:
    """Another provider of the service, after the first."""
    provider = panel.provider(sandbox, name="second")
    Route.objects.create(service=service, provider=provider, position=1, upstream_service=1, cost_rate="0.90")
    return provider


def open_breaker(provider: Provider, panel: Panel, *, seconds: float = 60) -> None:
    moment = panel.clock.now()
    ProviderHealth.objects.filter(provider=provider).update(
        failures=5, opens=1, opened_at=moment, retry_at=moment + timedelta(seconds=seconds)
    )


def test_an_open_breaker_sends_what_waits_to_the_next_provider_and_never_what_is_unknown(
    panel: Panel,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    upstream: Provider,
    service: Service,
    second: Provider,
) -> None:
    sandbox.faults("502-after-accept=1")
    (unknown,) = place(panel, customer, service)
    panel.sweep()
    sandbox.faults()
    open_breaker(upstream, panel)
    orders = place(panel, customer, service, 3)
    panel.sweep()
    assert {panel.order(order)["provider"] for order in orders} == {second.id}
    assert states(panel, [*orders, unknown]) == ["submitted", "submitted", "submitted", "unknown"]
    assert "takes no orders now" in panel.order(orders[0])["events"][0]["reason"]
    panel.clock.advance(seconds=61)
    (later,) = place(panel, customer, service)
    panel.sweep()
    assert panel.order(later)["provider"] == upstream.id, "new orders go to the first again"
    assert len(sandbox.orders()) == 5


def test_an_order_is_moved_only_to_where_it_is_not_sold_under_its_cost(
    panel: Panel, customer: OpenedCustomer, upstream: Provider, service: Service, second: Provider
) -> None:
    Route.objects.filter(provider=second).update(cost_rate="1.81")
    open_breaker(upstream, panel)
    (order,) = place(panel, customer, service)
    panel.sweep()
    shown = panel.order(order)
    assert (shown["state"], shown["work"][0]["provider"], shown["attempts"]) == ("queued", upstream.id, [])
    panel.clock.advance(seconds=62)
    panel.sweep()
    assert panel.order(order)["provider"] == upstream.id


def test_an_order_that_was_moved_and_is_refused_there_comes_back_to_the_first(
    panel: Panel, customer: OpenedCustomer, upstream: Provider, service: Service, second: Provider
) -> None:
    Route.objects.filter(provider=second).update(upstream_service=199_999)
    open_breaker(upstream, panel)
    (order,) = place(panel, customer, service)
    panel.sweep()
    assert [a["state"] for a in panel.order(order)["attempts"]] == ["rejected"]
    panel.sweep()
    assert panel.order(order)["state"] == "queued", "the first has not refused it: it is waited for"
    panel.clock.advance(seconds=61)
    panel.sweep()
    assert (panel.order(order)["state"], panel.order(order)["provider"]) == ("submitted", upstream.id)


def test_a_provider_that_is_switched_off_gets_nothing_and_is_still_asked_about_what_it_has(
    panel: Panel,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    upstream: Provider,
    service: Service,
    second: Provider,
) -> None:
    (before,) = place(panel, customer, service)
    panel.sweep()
    set_up(upstream, enabled=False)
    (after,) = place(panel, customer, service)
    sandbox.advance(days=30)
    panel.clock.advance(seconds=10)
    panel.sweep()
    assert (panel.order(before)["state"], panel.order(after)["provider"]) == ("completed", second.id)


# --- pace ------------------------------------------------------------------------------------------


def test_no_minute_holds_more_orders_than_the_limit_whatever_the_workers(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, service: Service
) -> None:
    set_up(upstream, adds_per_minute=10)
    place(panel, customer, service, 15)
    for _ in range(32):
        panel.sweep(WorkKind.DISPATCH)
        panel.sweep(WorkKind.DISPATCH)
        panel.clock.advance(seconds=3)
    sent = sorted(Attempt.objects.values_list("started_at", flat=True))
    assert len(sent) == len(sandbox.calls("add")) == 15
    for moment in sent:
        assert sum(moment <= other < moment + timedelta(minutes=1) for other in sent) <= 10


def test_statuses_keep_to_their_limit(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, service: Service
) -> None:
    place(panel, customer, service, 3)
    panel.sweep()
    set_up(upstream, statuses_per_minute=2)
    for _ in range(12):
        panel.clock.advance(seconds=10)
        panel.sweep(WorkKind.POLL)
    assert 3 <= len(sandbox.calls("status")) <= 5


# --- money there -----------------------------------------------------------------------------------


def test_a_provider_without_our_money_is_resumed_when_the_balance_rises(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, service: Service
) -> None:
    sandbox.fund("0.01")
    (order,) = place(panel, customer, service)
    panel.sweep()
    assert alerts() == [("out_of_funds", "provider upstream")]
    panel.upkeep()
    panel.clock.advance(seconds=61)
    panel.upkeep()
    panel.sweep()
    assert len(sandbox.calls("add")) == 1, "the balance has not risen"
    sandbox.fund("50.00")
    panel.clock.advance(seconds=31)
    panel.upkeep()
    panel.sweep()
    assert len(sandbox.calls("balance")) == 2, "it is asked once a minute"
    panel.clock.advance(seconds=31)
    panel.upkeep()
    panel.sweep()
    assert states(panel, [order]) == ["submitted"]
    assert alerts() == []


def test_a_pause_for_funds_grows_until_an_order_is_taken(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, service: Service
) -> None:
    sandbox.faults("out-of-funds=1")
    place(panel, customer, service)
    lengths = []
    for _ in range(4):
        panel.clock.advance(hours=2)
        panel.sweep()
        upstream.refresh_from_db()
        assert upstream.paused_until is not None
        lengths.append((upstream.paused_until - panel.clock.now()).total_seconds())
    assert lengths == [120, 240, 480, 960]
    sandbox.faults()
    panel.clock.advance(hours=2)
    panel.sweep()
    assert len(sandbox.orders()) == 1
    assert alerts() == []


def test_a_pause_by_hand_lasts_until_it_is_ended_by_hand(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, service: Service
) -> None:
    pause_provider(upstream.id, reason="their prices are being talked about")
    (order,) = place(panel, customer, service)
    panel.clock.advance(days=400)
    panel.sweep()
    panel.upkeep()
    assert sandbox.calls("add") == []
    resume_provider(upstream.id, by="test", now=panel.clock.now())
    panel.sweep()
    assert states(panel, [order]) == ["submitted"]


def test_a_pause_by_hand_is_not_shortened_by_an_answer_that_is_settled_at_the_same_moment(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, service: Service
) -> None:
    sandbox.faults("out-of-funds=1")
    place(panel, customer, service)
    settling = threading.Thread(target=panel.sweep)
    with transaction.atomic():
        pause_provider(upstream.id, reason="their prices are being talked about")
        settling.start()
        # The answer wants to pause the provider too, and waits for what is not committed yet.
        eventually("the worker waits for the operator", _somebody_waits)
    settling.join(30)
    upstream.refresh_from_db()
    assert (upstream.pause_kind, upstream.paused_until) == ("manual", None)
    assert alerts() == []


def _somebody_waits() -> bool:
    with psycopg.connect(settings().folder.embedded_url("hawker")) as watcher:
        waiting = watcher.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return waiting.fetchone() is not None


def test_a_low_balance_is_told_once_and_is_over_when_it_rises(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider
) -> None:
    set_up(upstream, low_balance_micros=20_000_000)
    sandbox.fund("19.99")
    for _ in range(3):
        panel.clock.advance(minutes=11)
        panel.upkeep()
    (alert,) = describe_alerts(closed=False, limit=10)
    assert (alert["kind"], alert["times"]) == ("low_balance", 3)
    assert "19.99 USD" in alert["text"]
    sandbox.fund("20.00")
    panel.clock.advance(minutes=11)
    panel.upkeep()
    assert alerts() == []


def test_a_balance_that_falls_by_more_than_our_orders_cost_is_told(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, service: Service
) -> None:
    sandbox.fund("100.00")
    panel.upkeep()
    place(panel, customer, service, 20)
    panel.sweep()
    panel.clock.advance(minutes=11)
    panel.upkeep()
    assert alerts() == []
    sandbox.fund("98.00")
    panel.clock.advance(minutes=11)
    panel.upkeep()
    assert alerts() == [("balance_drift", "provider upstream")]
    readings = [reading.unexplained_micros for reading in upstream.readings.order_by("id")]
    assert readings == [0, 0, 200_000], "20 orders of 0.09 were known to be paid, 0.20 beside them not"


# --- the gate --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("switched", "state"), [(False, "unknown"), (True, "queued")])
def test_what_an_answer_from_before_the_panel_proves_is_the_operators_to_say(
    panel: Panel,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    upstream: Provider,
    service: Service,
    switched: bool,
    state: str,
) -> None:
    set_up(upstream, gate_not_sent=switched)
    sandbox.faults("redirect=1")
    (order,) = place(panel, customer, service)
    panel.sweep()
    assert states(panel, [order]) == [state]
    assert alerts() == [("gate", "provider upstream")]
    sandbox.faults()
    panel.clock.advance(minutes=3)
    panel.sweep()
    assert len(sandbox.orders()) == (1 if switched else 0)
