"""`hawker price`: JSON of what holds now, or a sentence and nothing changed."""

import json
from typing import Any

import pytest

from hawker.catalog.models import CatalogueVersion
from hawker.core.settings import settings
from panel import Panel
from processes import ServeProcess, hawker


def price(*words: str) -> Any:
    done = hawker(settings().data_dir, "price", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.quick
def test_prices_are_set_shown_and_paid(panel: Panel, server: ServeProcess) -> None:
    customer, service = panel.customer(), panel.service(rate="0.90")
    email = email_of(customer.user_id)
    assert price("group", "add", "Resellers", "-10")["percent"] == "-10"
    price("customer", email, "--group", "Resellers", "--percent", "-12.5")
    assert price("group", "set", "Resellers", "-20.25")["percent"] == "-20.25"
    shown = price("rate", email.upper(), str(service.id), "0.7")
    assert shown == {
        "customer": email,
        "group": "Resellers",
        "group_percent": "-20.25",
        "percent": "-12.5",
        "applied_percent": "-12.5",
        "rates": [{"service": service.id, "name": "Followers", "rate": "0.7", "catalogue_rate": "0.90"}],
    }
    (group,) = price("group", "list")
    assert (group["name"], group["percent"], group["customers"]) == ("Resellers", "-20.25", 1)
    assert server.call(customer.api_key, "services").json[0]["rate"] == "0.7"
    price("rate", email, str(service.id), "--remove")
    assert price("customer", email, "--no-percent") == shown | {
        "percent": None,
        "applied_percent": "-20.25",
        "rates": [],
    }
    order = server.call(customer.api_key, "add", service=service.id, link="https://a.example/b", quantity=1000).json
    assert panel.order(order["order"])["rate"] == "0.71775"


REFUSED = [
    (["group", "add", "Friends", "5"], "a price group 'Friends' already exists"),
    (["group", "add", "Others", "-100"], "percent: a percentage is between -99.99 and 1000, not -100"),
    (["group", "remove", "Friends"], "the price group 'Friends' has customers: put them into another one first"),
    (["customer", "EMAIL"], "say what is to change"),
    (["rate", "EMAIL", "SERVICE", "0"], "rate: a rate of 0 is possible only for services that are marked free"),
    (["rate", "EMAIL", "SERVICE"], "rate: say a rate, or that the agreed one is to be removed"),
    (["show", "stranger@example.com"], "there is no customer stranger@example.com"),
]


def test_what_is_refused_says_why_in_a_sentence_and_changes_nothing(panel: Panel) -> None:
    from hawker.catalog.pricing import add_group, price_accounts

    customer, service = panel.customer(), panel.service()
    add_group("Friends", "-5")
    price_accounts([customer.account_id], group="Friends")
    names = {"EMAIL": email_of(customer.user_id), "SERVICE": str(service.id)}
    before = CatalogueVersion.objects.get().version
    for words, why in REFUSED:
        done = hawker(settings().data_dir, "price", *(names.get(word, word) for word in words))
        assert (done.returncode, done.stdout) == (1, ""), words
        assert done.stderr.startswith(f"hawker: {why}"), (words, done.stderr)
    assert CatalogueVersion.objects.get().version == before


@pytest.mark.parametrize("words", [["group", "add", "A"], ["customer"], ["rate", "a@b.c", "no", "1"]])
def test_wrong_words_end_with_2(panel: Panel, words: list[str]) -> None:
    assert hawker(settings().data_dir, "price", *words).returncode == 2


def email_of(user_id: int) -> str:
    from hawker.accounts.models import User

    return User.objects.get(id=user_id).email
