"""`hawker provider` and `hawker route`: what the operator says of providers, and what is refused."""

from typing import Any

import msgspec
import pytest

from hawker.core.settings import settings
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess, hawker


def told(*words: object) -> Any:
    """What the command answers; fails where it did not succeed."""
    done = hawker(settings().data_dir, *map(str, words))
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


def refused(*words: object) -> str:
    """The sentence of a command that ends with exit code 1 and answers nothing."""
    done = hawker(settings().data_dir, *map(str, words))
    assert (done.returncode, done.stdout) == (1, ""), done.stdout
    return done.stderr


def columns(provider: Provider) -> dict[str, Any]:
    return Provider.objects.filter(id=provider.id).values().get()


@pytest.mark.quick
def test_a_provider_is_treated_as_the_operator_says(panel: Panel, sandbox: SandboxProcess) -> None:
    panel.provider(sandbox, name="acme")
    options = ["--rate-limit-add", 50, "--rate-limit-balance", 0, "--low-balance", "25.50", "--gate-not-sent"]
    shown = told("provider", "set", "acme", *options, "--no-reconcile-scan", "--disable", "--balance-every", 60)
    assert shown["rate_limits"] == {"add": 50, "status": None, "balance": None}
    assert (shown["enabled"], shown["reconcile_scan"], shown["gate_not_sent"]) == (False, False, True)
    assert (shown["balance"]["low"], shown["balance"]["every_seconds"]) == ("25.50", 60)
    paused = told("provider", "pause", "acme", "--reason", "their support is asleep")
    assert (paused["paused"]["kind"], paused["paused"]["reason"]) == ("manual", "their support is asleep")
    again = told("provider", "set", "acme", "--rate-limit-add", 0, "--low-balance", 0, "--enable")
    assert (again["rate_limits"]["add"], again["balance"]["low"], again["enabled"]) == (None, None, True)
    assert again["paused"] == paused["paused"]
    assert told("provider", "resume", "acme")["paused"] is None
    assert told("provider", "show", "acme")["breaker"]["state"] == "closed"


def test_another_address_needs_the_key_again_and_is_tried_first(panel: Panel, sandbox: SandboxProcess) -> None:
    provider = panel.provider(sandbox, name="acme")
    before = columns(provider)
    moved = sandbox.url.replace("127.0.0.1", "localhost")
    assert "needs the key again" in refused("provider", "set", "acme", "--url", moved, "--low-balance", 5)
    assert "did not answer with a balance" in refused(
        "provider", "set", "acme", "--url", moved, "--key", "a-wrong-key", "--low-balance", 5
    )
    assert columns(provider) == before
    shown = told("provider", "set", "acme", "--url", moved, "--key", sandbox.key)
    assert shown["url"] == moved
    assert told("provider", "import", "acme", "--category", "Flyers")["imported"] > 0, "it is asked with the new key"


def test_the_routes_of_a_service_stand_in_the_operators_order(panel: Panel, sandbox: SandboxProcess) -> None:
    first, _ = panel.provider(sandbox, name="first"), panel.provider(sandbox, name="second")
    service = panel.service(provider=first)
    added = told("route", "add", service.id, "second", 7, "--cost-rate", "0.45", "--position", 1)
    assert [(route["provider"], route["upstream_service"], route["cost_rate"]) for route in added] == [
        ("first", 1, "0.50"),
        ("second", 7, "0.45"),
    ]
    assert all(route["takes_orders"] for route in added)
    assert "not a rate" in refused("route", "add", service.id, "second", 7, "--cost-rate", "cheap")
    assert "no service 999" in refused("route", "add", 999, "second", 7, "--cost-rate", "1")
    assert "no provider called" in refused("route", "remove", service.id, "third")
    assert told("route", "list", "--service", service.id) == added
    assert told("route", "remove", service.id, "first") == added[1:]
    assert "not bought from first" in refused("route", "remove", service.id, "first")


@pytest.mark.parametrize("removed", [True, False])
def test_what_waits_for_a_route_that_is_gone_goes_on_with_the_one_there_is(
    panel: Panel, sandbox: SandboxProcess, removed: bool
) -> None:
    first, second = panel.provider(sandbox, name="first"), panel.provider(sandbox, name="second")
    service = panel.service(provider=first)
    order = panel.place(panel.customer(), service)
    panel.clock.advance(seconds=1)
    if removed:
        told("route", "remove", service.id, "first")
        panel.sweep()
        assert panel.order(order)["work"][0]["hold"] == "no route to this provider"
    told("route", "add", service.id, "second", 1, "--cost-rate", "0.45", "--position", 1)
    if not removed:
        told("route", "remove", service.id, "first")
    panel.clock.advance(minutes=5)
    panel.sweep()
    assert (panel.order(order)["state"], panel.order(order)["provider"]) == ("submitted", second.id)
