"""API v2 as tests/wire/seed-api.txt shows it: keys, order and JSON types, to the byte."""

import re

import pytest
from sandbox_peer import KEY, OTHER_KEY, SURE, Peer, running

from hawker.core.money import Money
from hawker.protocol.service_types import TYPES
from hawker.protocol.upstream import read_services
from hawker.sandbox.catalogue import SERVICES
from plain_http import http_client

FORMS = {
    "Default": {"link": SURE, "quantity": 500},
    "Package": {"link": SURE},
    "Custom Comments": {"link": SURE, "comments": "\r\n".join(f"note {n}" for n in range(10))},
    "Custom Comments Package": {"link": SURE, "comments": "one\ntwo 🎈"},
    "Mentions": {"link": SURE, "quantity": 500, "usernames": "ann\nben"},
    "Mentions with Hashtags": {"link": SURE, "quantity": 500, "usernames": "ann\nben", "hashtags": "tea\ncake"},
    "Mentions Custom List": {"link": SURE, "usernames": "\n".join(f"name{n}" for n in range(12))},
    "Mentions Hashtag": {"link": SURE, "quantity": 500, "hashtag": "tea"},
    "Mentions User Followers": {"link": SURE, "quantity": 500, "username": "ann"},
    "Mentions Media Likers": {"link": SURE, "quantity": 500, "media": "https://pictures.example/1"},
    "Comment Likes": {"link": SURE, "quantity": 500, "username": "ann"},
    "Comment Replies": {"link": SURE, "username": "ann", "comments": "\n".join(f"reply {n}" for n in range(12))},
    "Poll": {"link": SURE, "quantity": 500, "answer_number": 2},
    "Invites from Groups": {"link": SURE, "quantity": 500, "groups": "one\ntwo"},
    "SEO": {"link": SURE, "quantity": 500, "keywords": "tea\ncake"},
    "Web Traffic": {"link": SURE, "quantity": 500, "type_of_traffic": 1, "google_keyword": "tea"},
    "Subscriptions": {"username": "ann", "min": 250, "max": 500, "delay": 0},
}


@pytest.fixture(scope="module")
def shared():
    with running() as peer:
        yield peer


@pytest.fixture
def peer(shared: Peer):
    shared.set("/sandbox/reset")
    return shared


def first_service(type_name: str, **flags: bool) -> int:
    return next(
        service
        for service, row in SERVICES.items()
        if row.type.name == type_name and all(getattr(row.offered, name) is value for name, value in flags.items())
    )


# --- the seed's examples ---------------------------------------------------------------------------


def test_the_service_list_has_the_seeds_keys_in_the_seeds_order_and_types(peer: Peer):
    body = peer.raw("services")
    first, second = peer.ask("services")[:2]

    assert list(first) == ["service", "name", "type", "category", "rate", "min", "max", "refill", "cancel", "dripfeed"]
    assert body.startswith(
        b'[{"service":1,"name":"' + first["name"].encode() + b'","type":"Default","category":"Flyers",'
        b'"rate":"0.90","min":"50","max":"10000","refill":true,"cancel":true,"dripfeed":true},'
    )
    assert (second["type"], second["rate"], second["min"], second["max"]) == ("Custom Comments", "8", "10", "1500")
    assert (second["refill"], second["cancel"]) == (False, True)


def test_the_catalogue_is_two_hundred_services_in_twelve_categories_of_all_seventeen_types(peer: Peer):
    read = read_services(200, peer.raw("services"))

    assert isinstance(read, tuple)
    services, skipped = read
    assert skipped == []
    assert [service.service for service in services] == list(range(1, 201))
    assert len({service.category for service in services}) == 12
    assert len({service.name for service in services}) == 200
    assert {service.type.name for service in services} == {each.name for each in TYPES}
    for flag in ("refill", "cancel", "dripfeed"):
        assert {getattr(service, flag) for service in services} == {True, False}


@pytest.mark.quick
def test_an_add_answers_the_order_as_a_number(peer: Peer):
    body = peer.raw("add", service=1, link=SURE, quantity=100)

    assert re.fullmatch(rb'\{"order":[0-9]+\}', body)


def test_one_status_is_five_strings_in_the_seeds_order(peer: Peer):
    order = peer.add(service=1, link="https://shop.example/?fate=partial&remains=157", quantity=1000)
    peer.advance(hours=10)
    body = peer.raw("status", order=order)

    start_count = peer.status(order)["start_count"]
    assert body == (
        b'{"charge":"0.7587","start_count":"%s","status":"Partial","remains":"157","currency":"USD"}'
        % start_count.encode()
    )
    assert int(start_count) > 0


def test_many_statuses_are_one_object_keyed_by_the_ids_as_asked(peer: Peer):
    mine = peer.add(service=1, link=SURE, quantity=100)
    foreign = peer.add(key=OTHER_KEY, service=1, link=SURE, quantity=100)
    body = peer.raw("status", orders=f"{mine}, {foreign},7,{mine},x")

    one = b'{"charge":"0.09","start_count":"0","status":"Pending","remains":"100","currency":"USD"}'
    wrong = b'{"error":"Incorrect order ID"}'
    assert body == b'{"%d":%b,"%d":%b,"7":%b,"x":%b}' % (mine, one, foreign, wrong, wrong, wrong)


def test_a_refill_answers_its_id_as_text_and_many_as_numbers(peer: Peer):
    orders = [peer.add(service=1, link=SURE, quantity=100) for _ in range(3)]
    peer.advance(hours=30)

    first = int(peer.ask("refill", order=orders[0])["refill"])
    assert peer.raw("refill_status", refill=first) == b'{"status":"Pending"}'
    assert peer.raw("refill", orders=f"{orders[1]},{orders[2]},7") == (
        b'[{"order":%d,"refill":%d},{"order":%d,"refill":%d},{"order":7,"refill":{"error":"Incorrect order ID"}}]'
        % (orders[1], first + 1, orders[2], first + 2)
    )


def test_one_refill_is_the_bytes_of_the_seed(peer: Peer):
    with running() as fresh:
        order = fresh.add(service=1, link=SURE, quantity=100)
        fresh.advance(hours=30)
        assert fresh.raw("refill", order=order) == b'{"refill":"1"}'


def test_refill_statuses_are_an_array_and_an_unknown_one_carries_its_error(peer: Peer):
    good = peer.add(service=1, link=SURE, quantity=100)
    bad = peer.add(service=1, link=SURE + "&refill=rejected", quantity=100)
    peer.advance(hours=30)
    first, second = (row["refill"] for row in peer.ask("refill", orders=f"{good},{bad}"))
    peer.advance(hours=1)

    assert peer.raw("refill_status", refills=f"{first},{second},999999") == (
        b'[{"refill":%d,"status":"%s"},{"refill":%d,"status":"Rejected"},'
        b'{"refill":999999,"status":{"error":"Refill not found"}}]'
        % (first, peer.ask("refill_status", refill=first)["status"].encode(), second)
    )


def test_a_cancel_answers_an_array_of_ones_and_errors(peer: Peer):
    order = peer.add(service=1, link=SURE, quantity=100)

    assert peer.raw("cancel", orders=f"9,{order}") == (
        b'[{"order":9,"cancel":{"error":"Incorrect order ID"}},{"order":%d,"cancel":1}]' % order
    )
    assert peer.raw("cancel", order=order) == b'[{"order":%d,"cancel":1}]' % order


def test_the_balance_is_text_with_the_currency(peer: Peer):
    peer.set("/sandbox/balance", key=KEY, balance="100.84292")

    assert peer.raw("balance") == b'{"balance":"100.84292","currency":"USD"}'


# --- every type ------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_name", [each.name for each in TYPES])
def test_each_type_is_ordered_by_its_own_parameters_and_charged_exactly(peer: Peer, type_name: str):
    service = SERVICES[first_service(type_name)]
    order = peer.add(service=service.offered.service, **FORMS[type_name])

    row = next(row for row in peer.orders() if row["order"] == order)
    charged = Money.parse("10000") - peer.balance()
    if type_name == "Subscriptions":
        assert row["charge"] == "0.00"
    else:
        assert charged.micros == service.charge_micros(row["quantity"])
        assert charged


@pytest.mark.parametrize("type_name", [each.name for each in TYPES])
def test_each_type_refuses_an_order_without_its_first_parameter(peer: Peer, type_name: str):
    fields = dict(FORMS[type_name])
    del fields[next(iter(fields))]

    assert set(peer.ask("add", service=first_service(type_name), **fields)) == {"error"}
    assert peer.orders() == []


# --- refusals --------------------------------------------------------------------------------------

DEFAULT = {"service": 1, "link": SURE, "quantity": 100}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"key": "wrong"}, "Invalid API key"),
        ({"key": ""}, "Invalid API key"),
        ({"action": "sell"}, "Incorrect request"),
        ({"action": ""}, "Incorrect request"),
        ({"service": 201}, "Incorrect service ID"),
        ({"service": "x"}, "Incorrect service ID"),
        ({"service": ""}, "Incorrect service ID"),
        ({"link": "javascript:alert(1)"}, "Incorrect link"),
        ({"link": ""}, "Incorrect link"),
        ({"quantity": 49}, "Quantity less than minimal 50"),
        ({"quantity": 10001}, "Quantity more than maximum 10000"),
        ({"quantity": "1e3"}, "Incorrect quantity"),
        ({"quantity": ""}, "Incorrect quantity"),
        ({"runs": 101, "interval": 5}, "Quantity more than maximum 10000"),
        ({"runs": 2}, "Incorrect interval"),
        ({"service": 4, "runs": 2, "interval": 5}, "Incorrect runs"),
        ({"service": 18, "quantity": 50_000, "runs": "", "key": OTHER_KEY}, "Not enough funds on balance"),
        ({"service": 12, "username": "a", "min": 1, "max": 300, "delay": 0}, "Quantity less than minimal 250"),
        ({"service": 12, "username": "a", "min": 250, "max": 60_000, "delay": 0}, "Quantity more than maximum 50000"),
        (
            {"service": 12, "username": "a", "min": 250, "max": 300, "delay": 0, "expiry": "01/01/2020"},
            "Incorrect expiry",
        ),
    ],
)
def test_an_add_that_breaks_a_rule_is_refused_with_the_contracts_text_and_changes_nothing(peer: Peer, changes, text):
    before = (peer.balance(), peer.balance(OTHER_KEY))

    response = peer.post({"key": KEY, "action": "add", **DEFAULT, **changes})

    assert (response.status_code, response.json()) == (200, {"error": text})
    assert peer.orders() == []
    assert (peer.balance(), peer.balance(OTHER_KEY)) == before


def test_an_order_for_exactly_the_balance_is_taken_and_the_next_one_not(peer: Peer):
    peer.set("/sandbox/balance", key=KEY, balance="0.09")

    peer.add(**DEFAULT)

    assert not peer.balance()
    assert peer.ask("add", **DEFAULT) == {"error": "Not enough funds on balance"}


def test_foreign_and_unknown_orders_and_refills_do_not_exist(peer: Peer):
    foreign = peer.add(key=OTHER_KEY, **DEFAULT)
    peer.advance(hours=30)
    refill = peer.ask("refill", key=OTHER_KEY, order=foreign)["refill"]

    for order in (foreign, 7, "", "x", "9" * 30):
        assert peer.ask("status", order=order) == {"error": "Incorrect order ID"}
        assert peer.ask("refill", order=order) == {"error": "Incorrect order ID"}
    for asked in (refill, 7, "", "x"):
        assert peer.ask("refill_status", refill=asked) == {"error": "Refill not found"}
    assert peer.ask("cancel") == {"error": "Incorrect order ID"}


@pytest.mark.parametrize(
    ("action", "name"), [("status", "orders"), ("refill", "orders"), ("cancel", "orders"), ("refill_status", "refills")]
)
def test_a_hundred_ids_are_answered_and_one_more_is_refused_whole(peer: Peer, action: str, name: str):
    assert len(peer.ask(action, **{name: ",".join(map(str, range(1, 101)))})) == 100
    assert peer.ask(action, **{name: ",".join(map(str, range(1, 102)))}) == {
        "error": "No more than 100 IDs are allowed"
    }


# --- transport -------------------------------------------------------------------------------------


def test_all_four_ways_of_sending_an_order_are_read_alike(peer: Peer):
    fields = {"key": KEY, "action": "add", **{name: str(value) for name, value in DEFAULT.items()}}
    with http_client() as http:
        answers = [
            http.post(peer.url, data=fields),
            http.post(peer.url, files={name: (None, value) for name, value in fields.items()}),
            http.post(peer.url, json=fields | {"service": 1, "quantity": 100}),
            http.post(peer.url, params=fields),
            http.post(peer.url + "/", data=fields),
        ]

    assert [answer.status_code for answer in answers] == [200] * 5
    ids = [answer.json()["order"] for answer in answers]
    assert ids == list(range(ids[0], ids[0] + 5))
    assert {(row["link"], row["quantity"]) for row in peer.orders()} == {(SURE, 100)}


def test_a_bearer_key_and_an_idempotency_key_are_read_from_the_headers(peer: Peer):
    headers = {"authorization": f"Bearer {KEY}", "idempotency-key": "mark-7"}
    with http_client() as http:
        answer = http.post(peer.url, data={"action": "add", **DEFAULT}, headers=headers)

    assert "order" in answer.json()
    assert peer.orders()[0]["marker"] == "mark-7"


def test_get_reads_but_never_orders(peer: Peer):
    with http_client() as http:
        balance = http.get(peer.url, params={"key": KEY, "action": "balance"})
        add = http.get(peer.url, params={"key": KEY, "action": "add", **DEFAULT})

    assert balance.json() == {"balance": "10000.00", "currency": "USD"}
    assert add.json() == {"error": "Incorrect request"}
    assert peer.orders() == []
