"""A provider's prices followed by themselves: costs, rates where there is a markup, jumps held."""

import asyncio

import pytest

from hawker.alerts.actions import describe_alerts
from hawker.catalog.models import Route, Service
from hawker.providers.actions import access_of, ask_services, change_provider
from hawker.providers.importing import import_services
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess

# What the sandbox sells as number 1: 0.90 for 1,000, from 50 to 10,000.


@pytest.fixture
def upstream(panel: Panel, sandbox: SandboxProcess) -> Provider:
    provider = panel.provider(sandbox)
    return change_provider(provider.name, {"prices_every_seconds": 3600})


def costs(service: Service) -> list[str]:
    return list(service.routes.order_by("position").values_list("cost_rate", flat=True))


@pytest.mark.quick
def test_costs_are_followed_and_what_we_sell_at_only_with_a_markup(panel: Panel, upstream: Provider) -> None:
    service = panel.service(provider=upstream, rate="2.00", cost_rate="0.80", minimum=7)
    panel.upkeep()
    service.refresh_from_db()
    assert (costs(service), service.rate, service.minimum) == (["0.90"], "2.00", 7)
    change_provider("upstream", {"markup_percent": 50})
    panel.upkeep()
    service.refresh_from_db()
    assert service.rate == "2.00", "its time has not come"
    panel.clock.advance(hours=1)
    panel.upkeep()
    service.refresh_from_db()
    assert (costs(service), service.rate, service.minimum) == (["0.90"], "1.35", 50)


def test_a_provider_that_is_not_the_first_sets_no_rate_of_ours(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider
) -> None:
    service = panel.service(provider=panel.provider(sandbox, name="first"), rate="2.00", cost_rate="0.50", minimum=7)
    Route.objects.create(service=service, provider=upstream, position=1, upstream_service=1, cost_rate="0.80")
    change_provider("upstream", {"markup_percent": 50})
    panel.upkeep()
    offered, _ = asyncio.run(ask_services(access_of(upstream)))
    import_services(upstream, offered[:1], markup_percent=100, now=panel.clock.now())
    service.refresh_from_db()
    assert (costs(service), service.rate, service.minimum) == (["0.50", "0.90"], "2.00", 7)


def test_a_price_that_jumps_is_held_until_a_person_takes_it(panel: Panel, upstream: Provider) -> None:
    service = panel.service(provider=upstream, rate="2.00", cost_rate="0.44")
    panel.upkeep()
    assert costs(service) == ["0.44"]
    (alert,) = describe_alerts(closed=False, limit=9)
    assert (alert["kind"], alert["subject"]) == ("price_jump", "provider upstream")
    assert "service 1 went from 0.44 to 0.90" in alert["text"]
    Route.objects.update(cost_rate="0.90")
    panel.clock.advance(hours=1)
    panel.upkeep()
    assert describe_alerts(closed=False, limit=9) == []


def test_an_order_held_for_its_cost_goes_on_when_the_cost_falls(panel: Panel, upstream: Provider) -> None:
    order = panel.place(panel.customer(), panel.service(provider=upstream, rate="1.00", cost_rate="1.10"))
    panel.clock.advance(seconds=1)
    panel.sweep()
    assert panel.order(order)["work"][0]["hold"] == "cost above the charge"
    panel.upkeep()
    panel.sweep()
    assert panel.order(order)["state"] == "submitted"
