"""Why a provider rejected an order is kept as a fact: what its sentence says beside that misleads nobody."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hawker.catalog.models import Route, Service
from hawker.orders.models import Attempt
from hawker.providers.models import Provider, ProviderHealth
from panel import Panel
from scripted_upstream import ScriptedUpstream, start_scripted_upstream

BUSY = "Too many requests, and the order before was rejected: bad link"
"""The provider is busy; the words after `rejected: ` alone would be a refusal of this order."""


@pytest.fixture
def first() -> Iterator[ScriptedUpstream]:
    with start_scripted_upstream() as upstream:
        yield upstream


@pytest.fixture
def second() -> Iterator[ScriptedUpstream]:
    with start_scripted_upstream() as upstream:
        yield upstream


def service_of(panel: Panel, first: Provider, second: Provider) -> Service:
    service = panel.service(provider=first)
    Route.objects.create(service=service, provider=second, position=1, upstream_service=1, cost_rate="0.50")
    return service


def test_a_busy_providers_sentence_is_not_read_back_as_a_refusal(
    panel: Panel, first: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    busy, other = first.register(panel, "busy"), second.register(panel, "other")
    order = panel.place(panel.customer(), service_of(panel, busy, other))
    first.refusals.append(BUSY)
    panel.sweep()
    assert panel.order(order)["state"] == "queued"
    assert Attempt.objects.get(order_id=order).reason == "busy"
    # Its breaker opens, the order goes to the next provider, and that one refuses it.
    retry_at = panel.clock.now() + timedelta(hours=1)
    ProviderHealth.objects.filter(provider=busy).update(failures=5, opened_at=panel.clock.now(), retry_at=retry_at)
    second.refusals.append("This link is not supported")
    panel.clock.advance(minutes=2)
    panel.sweep()
    assert [attempt.reason for attempt in Attempt.objects.filter(order_id=order).order_by("id")] == ["busy", "other"]
    # The first has never refused it, so it is asked again.
    assert panel.order(order)["state"] == "queued"
    panel.clock.advance(hours=2)
    panel.sweep()
    panel.sweep()
    assert (panel.order(order)["state"], panel.order(order)["provider"]) == ("submitted", busy.id)


def test_an_order_that_every_provider_refuses_ends_and_is_refunded(
    panel: Panel, first: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    providers = first.register(panel, "one"), second.register(panel, "two")
    customer = panel.customer(credit="10.00")
    order = panel.place(customer, service_of(panel, *providers))
    first.refusals.append("This link is not supported")
    second.refusals.append("Rejected: we do not take this")
    panel.sweep()
    panel.clock.advance(seconds=5)
    panel.sweep()
    assert panel.order(order)["state"] == "canceled"
    assert panel.balance(customer) == 10_000_000
    transfers = panel.order(order)["transfers"]
    assert [(each["kind"], each["operation"]) for each in transfers] == [
        ("charge", "order.add"),
        ("refund", "order.settle"),
    ]
