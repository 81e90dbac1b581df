"""`hawker service` and `hawker link`: what the operator says holds for the very next order."""

from typing import Any

import msgspec
import pytest

from hawker.catalog.actions import change_services
from hawker.catalog.errors import BadChange
from hawker.catalog.models import ForbiddenLink, Service
from hawker.core.settings import settings
from panel import Panel
from processes import SandboxProcess, ServeProcess, hawker


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


def test_a_service_is_shown_with_its_rules_and_routes(panel: Panel, sandbox: SandboxProcess) -> None:
    service = panel.service(provider=panel.provider(sandbox), upstream_service=7, cost_rate="0.51", refill=True)
    shown = {
        "service": service.id,
        "name": "Followers",
        "type": "Default",
        "category": "First Category",
        "enabled": True,
        "rate": "0.90",
        "free": False,
        "min": 50,
        "max": 10000,
        "refill": True,
        "refill_days": 0,
        "cancel": False,
        "dripfeed": False,
        "links": "any",
        "forbidden_links": [],
        "routes": [{"provider": "upstream", "provider_enabled": True, "upstream_service": 7, "cost_rate": "0.51"}],
    }
    described = told("service", "show", service.id)
    assert {name: described[name] for name in shown} == shown
    assert list(described)[-1] == "version"
    listed = {name: value for name, value in described.items() if name != "version"}
    assert told("service", "list") == [listed]
    assert told("service", "list", "--disabled") == []
    assert told("service", "list", "--provider", "upstream", "--category", "first category") == [listed]


@pytest.mark.quick
def test_a_disabled_service_takes_no_order_until_it_is_enabled_again(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer()
    service, other = panel.service(), panel.service()
    order = {"service": service.id, "link": "https://example.com", "quantity": 100}
    assert told("service", "disable", service.id, other.id) == {"disabled": [service.id, other.id]}
    assert server.call(customer.api_key, "add", **order).error == "Incorrect service ID"
    assert told("service", "enable", service.id) == {"enabled": [service.id]}
    assert "order" in server.call(customer.api_key, "add", **order).json
    assert [row["service"] for row in server.call(customer.api_key, "services").json] == [service.id]


def test_one_wrong_number_leaves_all_as_they_were(panel: Panel) -> None:
    service = panel.service()
    assert "no service 999" in refused("service", "disable", service.id, 999)
    assert Service.objects.get(id=service.id).enabled
    assert "no service 999" in refused("service", "show", 999)


def test_a_change_that_cannot_be_is_a_sentence_and_changes_nothing(panel: Panel) -> None:
    service = panel.service()
    assert "say what to change" in refused("service", "set", service.id)
    assert "hawker: links: " in refused("service", "set", service.id, "--links", "a*b", "--free")
    assert "refill days: must be a whole number from 0 to 3650" in refused(
        "service", "set", service.id, "--refill-days", "3651"
    )
    for name in ("", " blanks ", "two\nlines", "n" * 256):
        with pytest.raises(BadChange, match="name must be"):
            change_services([service.id], {"free": True, "name": name})
    after = Service.objects.get(id=service.id)
    assert (after.name, after.links, after.free) == ("Followers", "any", False)


ADDRESSES = ["https://example.com/page", "HTTP://EXAMPLE.COM", "example.com/page"]
HANDLES = ["@name", "name", "#tag"]


def test_a_service_takes_links_of_its_kind(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer()
    urls, handles, any_ = panel.service(), panel.service(), panel.service()
    assert told("service", "set", urls.id, "--links", "url", "--refill-days", 30)["refill_days"] == 30
    change_services([handles.id], {"links": "handle"})

    def answer(service: Service, link: str) -> str:
        value = server.call(customer.api_key, "add", service=service.id, quantity=100, link=link).json
        return "order" if "order" in value else str(value["error"])

    for link in ADDRESSES:
        assert [answer(service, link) for service in (urls, any_)] == ["order", "order"]
    for link in HANDLES:
        assert [answer(service, link) for service in (handles, any_)] == ["order", "order"]
    # A word with a dot may be either; who offers a service for addresses takes `example.com` for one.
    assert [answer(service, "example.com") for service in (urls, handles)] == ["order", "order"]
    balance = panel.balance(customer)
    assert {answer(urls, link) for link in HANDLES} == {"Incorrect link"}
    assert {answer(handles, link) for link in ADDRESSES} == {"Incorrect link"}
    assert panel.balance(customer) == balance


def test_forbidden_links_are_refused_by_all_services_or_by_one(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer()
    strict, other = panel.service(), panel.service()
    assert told("link", "forbid", "Bad.Example", "casino*bonus") == {"forbidden": ["bad.example", "casino*bonus"]}
    told("link", "forbid", "bad.example")
    told("link", "forbid", "only.example", "--service", strict.id)
    assert ForbiddenLink.objects.count() == 3

    def answer(service: Service, link: str) -> str:
        value = server.call(customer.api_key, "add", service=service.id, quantity=100, link=link).json
        return "order" if "order" in value else str(value["error"])

    for service in (strict, other):
        assert answer(service, "https://WWW.bad.example:443/page") == "Incorrect link"
        assert answer(service, "https://example.com/CASINO/the%2Dbonu%73") == "Incorrect link"
        assert answer(service, "https://notbad.example/") == "order"
    assert answer(strict, "only.example") == "Incorrect link"
    assert answer(other, "only.example") == "order"
    assert told("service", "show", strict.id)["forbidden_links"] == ["only.example"]
    assert told("link", "allow", "bad.example", "unknown.example") == {"allowed": ["bad.example"]}
    assert answer(other, "https://www.bad.example/page") == "order"
    assert {(row["pattern"], row["service"]) for row in told("link", "list")} == {
        ("casino*bonus", None),
        ("only.example", strict.id),
    }


def test_a_pattern_that_would_forbid_everything_is_refused(panel: Panel) -> None:
    assert "'***' cannot be a pattern" in refused("link", "forbid", "good.example", "***")
    assert "no service" in refused("link", "forbid", "good.example", "--service", 4711)
    assert not ForbiddenLink.objects.exists()
