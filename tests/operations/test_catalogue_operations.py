"""Operations on services, prices, links, routes and providers: fields that are named, once only, seen versions."""

from collections.abc import Mapping
from typing import Any, get_args

import pytest
from django.db import connection

from hawker.accounts.models import User
from hawker.audit.actions import list_audit_events
from hawker.catalog.links import LinkKind
from hawker.catalog.models import ForbiddenLink, PriceGroup, Service, SubscriptionMode
from hawker.operations.errors import BadInput, ChangedSince, Refused
from hawker.operations.inputs import meta_of
from hawker.operations.jobs import Selection, read_items, start_job
from hawker.operations.prices import describe_customer_prices
from hawker.operations.provider_view import show_provider
from hawker.operations.running import EVERYTHING, run_operation
from hawker.operations.services import SetService, describe_service
from hawker.providers.models import Provider
from one_process import Call, run_commands
from panel import Panel
from people import ANNA, STAFF
from processes import SandboxProcess

ID = "0d3ff0b4-6f4e-4c36-8f0c-6a3c6f1e2b77"


def run(panel: Panel, name: str, values: Mapping[str, Any], **more: Any) -> Any:
    asked: dict[str, Any] = {"actor": ANNA, "permissions": EVERYTHING} | more
    return run_operation(name, values, now=panel.clock.now(), **asked)


WRONG = [
    ("service.set", {"service": 1, "links": "a*b"}, "links"),
    ("service.set", {"service": 1, "refill_days": 3651}, "refill_days"),
    ("service.set", {"service": 1, "name": "two\nlines"}, "name"),
    ("service.set", {"service": 1, "name": "  "}, "name"),
    ("service.set", {"service": 0, "free": True}, "service"),
    ("service.add_subscription", {"service": 1, "feed": " "}, "feed"),
    ("service.add_subscription", {"service": 1, "feed": "https://a.example/", "name": "n" * 256}, "name"),
    ("service.enable", {"service": 10**12}, "service"),
    ("price.group.add", {"name": "", "percent": "5"}, "name"),
    ("price.group.add", {"name": "Friends", "percent": "-100"}, "percent"),
    ("price.group.set", {"name": "Friends", "percent": "five"}, "percent"),
    ("price.customer", {"email": "a@example.com", "group": "A", "no_group": True}, "group"),
    ("price.customer", {"email": "a@example.com", "percent": "1001"}, "percent"),
    ("price.rate", {"email": "a@example.com", "service": 1}, "rate"),
    ("price.rate", {"email": "a@example.com", "service": 0, "rate": "1"}, "service"),
    ("link.forbid", {"patterns": ["***"]}, "patterns"),
    ("link.forbid", {"patterns": []}, "patterns"),
    ("link.allow", {"patterns": ["a b"]}, "patterns"),
    ("route.add", {"service": 1, "provider": "acme", "upstream_service": 1, "cost_rate": "cheap"}, "cost_rate"),
    (
        "route.add",
        {"service": 1, "provider": "acme", "upstream_service": 1, "cost_rate": "1", "position": 1001},
        "position",
    ),
    ("provider.add", {"name": " ", "url": "https://a.example/api", "key": "k"}, "name"),
    ("provider.add", {"name": "acme", "url": "http://a.example/api", "key": "k"}, "url"),
    (
        "provider.add",
        {"name": "acme", "url": "https://a.example/api", "key": "k", "exchange_rate": "0"},
        "exchange_rate",
    ),
    ("provider.import", {"provider": "acme", "markup": -1}, "markup"),
    ("provider.set", {"provider": "acme", "rate_limit_add": 100_001}, "rate_limit_add"),
    ("provider.set", {"provider": "acme", "low_balance": "much"}, "low_balance"),
    ("provider.set", {"provider": "acme", "url": "https://a.example/api"}, "key"),
    ("provider.set", {"provider": "acme", "sync_markup": 5, "no_sync_markup": True}, "sync_markup"),
    ("provider.pause", {"provider": "acme", "reason": " "}, "reason"),
]


@pytest.mark.parametrize(("name", "values", "field"), WRONG)
def test_a_wrong_field_is_named_and_nothing_is_written(
    panel: Panel, name: str, values: Mapping[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        run(panel, name, values)
    assert caught.value.field == field, str(caught.value)
    assert not list_audit_events(limit=1)
    assert not ForbiddenLink.objects.exists()
    assert not PriceGroup.objects.exists()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("service.set", {"service": 4711, "free": True}),
        ("service.disable", {"service": 4711}),
        ("service.add_subscription", {"service": 4711, "feed": "https://a.example/{username}"}),
        ("price.group.set", {"name": "Friends", "percent": "5"}),
        ("price.group.remove", {"name": "Friends"}),
        ("price.customer", {"email": "nobody@example.com", "no_group": True}),
        ("price.rate", {"email": "nobody@example.com", "service": 1, "rate": "1"}),
        ("link.forbid", {"patterns": ["a.example"], "service": 4711}),
        ("route.add", {"service": 1, "provider": "nobody", "upstream_service": 1, "cost_rate": "1"}),
        ("route.remove", {"service": 1, "provider": "nobody"}),
        ("provider.import", {"provider": "nobody"}),
        ("provider.set", {"provider": "nobody", "enabled": False}),
        ("provider.pause", {"provider": "nobody", "reason": "x"}),
        ("provider.resume", {"provider": "nobody"}),
    ],
)
def test_what_is_not_there_is_refused_in_a_sentence(panel: Panel, name: str, values: Mapping[str, Any]) -> None:
    with pytest.raises(Refused, match="there is no "):
        run(panel, name, values)
    assert not list_audit_events(limit=1)


def test_an_edit_says_what_is_to_change(panel: Panel) -> None:
    for name, values in (("service.set", {"service": 1}), ("price.customer", {"email": "a@example.com"})):
        with pytest.raises(Refused, match="say what"):
            run(panel, name, values)


def test_the_choices_of_a_field_are_those_of_the_catalogue() -> None:
    def choices(field: str) -> list[str]:
        return list(get_args(get_args(SetService.__annotations__[field])[0].__origin__))

    assert choices("links") == [each.value for each in LinkKind]
    assert choices("subscription") == SubscriptionMode.values
    assert meta_of(SetService.__annotations__["refill_days"]) is not None


def test_a_service_that_somebody_changed_since_is_not_changed(panel: Panel) -> None:
    service = panel.service()
    seen = describe_service(service.id)["version"]
    run(panel, "service.set", {"service": service.id, "name": "Better"}, actor=STAFF, seen=seen)
    with pytest.raises(ChangedSince, match=r"Followers → Better by staff:ben"):
        run(panel, "service.set", {"service": service.id, "name": "Best"}, seen=seen)
    assert Service.objects.get(id=service.id).name == "Better"
    again = describe_service(service.id)["version"]
    assert run(panel, "service.set", {"service": service.id, "name": "Best"}, seen=again).name == "Best"


def test_prices_and_providers_have_a_version_too(panel: Panel, sandbox: SandboxProcess) -> None:
    customer = panel.customer()
    email = User.objects.get(id=customer.user_id).email
    seen = describe_customer_prices(email.upper())["version"]
    run(panel, "price.customer", {"email": email, "percent": "-5"}, actor=STAFF, seen=seen)
    with pytest.raises(ChangedSince, match="by staff:ben"):
        run(panel, "price.customer", {"email": email.upper(), "percent": "-6"}, seen=seen)
    panel.provider(sandbox, name="acme")
    seen = show_provider("acme", panel.clock.now())["version"]
    run(panel, "provider.pause", {"provider": "acme", "reason": "theirs"}, actor=STAFF, seen=seen)
    with pytest.raises(ChangedSince, match=r"the provider acme was changed meanwhile"):
        run(panel, "provider.set", {"provider": "acme", "enabled": False}, seen=seen)
    assert Provider.objects.get(name="acme").enabled


def test_a_repeated_id_answers_the_same_and_asks_nobody(panel: Panel, sandbox: SandboxProcess) -> None:
    values = {"name": "acme", "url": sandbox.url, "key": sandbox.key, "allow_private": True}
    added = run(panel, "provider.add", values, operation_id=ID)
    sandbox.faults("empty=1")
    assert run(panel, "provider.add", values, operation_id=ID) == added
    sandbox.faults()
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(operation_run::text, ' ') FROM operation_run")
        (kept,) = cursor.fetchone() or ("",)
    assert ID in kept
    assert sandbox.key not in kept
    service = panel.service()
    (first, again) = (
        run(panel, "service.add_subscription", {"service": service.id, "feed": "https://a.example/{username}"}, **once)
        for once in [{"operation_id": f"{ID}-2"}] * 2
    )
    assert first == again
    assert Service.objects.count() == 2
    assert len(list_audit_events(action="provider.add", limit=5)) == 1


def test_a_number_that_names_nothing_refuses_the_whole_selection(panel: Panel) -> None:
    service = panel.service()
    selection = Selection(ids=(str(service.id), "4711"))
    asked: dict[str, Any] = {"actor": ANNA, "permissions": EVERYTHING, "now": panel.clock.now()}
    with pytest.raises(Refused, match="there is no service 4711"):
        start_job("service.disable", {}, selection, **asked)
    assert Service.objects.get(id=service.id).enabled


def test_services_are_switched_one_by_one_and_a_dry_run_switches_none(panel: Panel) -> None:
    services = [panel.service() for _ in range(3)]
    selection = Selection(ids=tuple(str(service.id) for service in services))
    asked: dict[str, Any] = {"actor": ANNA, "permissions": EVERYTHING, "now": panel.clock.now()}
    assert start_job("service.disable", {}, selection, dry_run=True, **asked).done == 3
    assert Service.objects.filter(enabled=True).count() == 3
    job = start_job("service.set", {"links": "url", "one_active_per_link": True}, selection, **asked)
    assert [item.state for item in read_items(job.job)] == ["done"] * 3
    assert Service.objects.filter(links="url", one_active_per_link=True).count() == 3
    assert {event["subject"]["id"] for event in list_audit_events(action="service.set", limit=9)} == set(selection.ids)


def test_what_makes_something_new_has_no_version_to_compare(panel: Panel) -> None:
    with pytest.raises(BadInput) as caught:
        run(panel, "price.group.add", {"name": "Friends", "percent": "-5"}, seen=0)
    assert caught.value.field == "seen"
    assert not PriceGroup.objects.exists()


def test_the_command_line_edits_what_it_has_seen(panel: Panel) -> None:
    service, other = str(panel.service().id), str(panel.service().id)
    words = ["service", "set", service, "--links", "url", "--seen", "0"]
    shown, first, again, several, missing = run_commands(
        [
            Call(["service", "show", service]),
            Call([*words, "--operation-id", ID]),
            Call(words),
            Call([*words, other]),
            Call(["service", "disable", other, "4711"]),
        ]
    )
    assert shown.answer["version"] == 0
    assert {**shown.answer, "links": "url"} == {**first.answer, "version": 0}
    assert (again.code, several.code, missing.code) == (1, 1, 1)
    assert f"the service {service} was changed meanwhile: links any → url" in again.stderr
    assert "name one" in several.stderr
    assert "there is no service 4711; nothing was changed" in missing.stderr
    assert Service.objects.get(id=other).enabled
