"""The record of calls and the control door."""

import pytest
from sandbox_peer import KEY, OTHER_KEY, SURE, running

from hawker.core.money import Money
from hawker.sandbox.connection import _is_local


@pytest.fixture
def peer():
    with running() as peer:
        yield peer


def test_every_call_is_on_record_with_its_raw_fields_and_what_it_made(peer):
    order = peer.add(service=1, link=SURE, quantity=100, request_id="mark-1", odd="kept too")
    peer.ask("add", service=1, link=SURE, quantity=1)
    peer.ask("cancel", orders=f"{order},7")

    good, refused = peer.calls()
    assert good["key"] == KEY
    assert good["method"] == "POST"
    assert good["fields"] == {
        "service": "1", "link": SURE, "quantity": "100", "request_id": "mark-1", "odd": "kept too",
    }  # fmt: skip
    assert (good["order"], good["error"], good["fault"], good["executed"]) == (order, None, None, True)
    assert (refused["order"], refused["error"]) == (None, "Quantity less than minimal 50")
    assert good["at"] <= refused["at"]
    assert peer.calls("cancel")[0]["cancels"] == [order]
    assert peer.orders()[0]["marker"] == "mark-1"


def test_a_request_that_cannot_be_read_is_on_record_with_the_head_of_its_text(peer):
    response = peer.post({}, path="/api/v2?key=a&key=b")

    assert response.json() == {"error": "Incorrect request"}
    assert peer.calls("")[0]["fields"] == {"query": "key=a&key=b", "body": ""}


def test_calls_come_in_pages_that_can_be_followed_without_missing_one(peer):
    for quantity in range(100, 125):
        peer.add(service=1, link=SURE, quantity=quantity)
        peer.raw("balance")
    seen, since, more = [], 0, True
    while more:
        page = peer.get(f"/sandbox/calls?since={since}&action=add&limit=7")
        assert len(page["calls"]) <= 7
        seen += [call["fields"]["quantity"] for call in page["calls"]]
        since, more = page["next"], page["more"]

    assert seen == [str(quantity) for quantity in range(100, 125)]
    assert peer.get(f"/sandbox/calls?since={since}")["calls"] == []
    peer.raw("services")
    assert [call["action"] for call in peer.get(f"/sandbox/calls?since={since}")["calls"]] == ["services"]


def test_only_the_last_calls_are_kept_and_it_says_how_many_are_gone():
    with running(calls_kept=10) as peer:
        for _ in range(40):
            peer.raw("balance")
        page = peer.get("/sandbox/calls")

    numbers = [call["n"] for call in page["calls"]]
    assert 10 <= len(numbers) <= 14
    assert numbers == list(range(page["dropped"] + 1, 41))


def test_orders_are_listed_with_what_was_asked_and_what_became_of_them(peer):
    first = peer.add(service=1, link="https://shop.example/?fate=canceled", quantity=100)
    second = peer.add(key=OTHER_KEY, service=3, link=SURE)
    peer.advance(hours=10)
    rows = peer.orders()

    assert [row["order"] for row in rows] == [first, second]
    assert {name: rows[0][name] for name in ("key", "service", "link", "quantity", "fate", "status", "refunded")} == {
        "key": KEY,
        "service": 1,
        "link": "https://shop.example/?fate=canceled",
        "quantity": 100,
        "fate": "canceled",
        "status": "Canceled",
        "refunded": "0.09",
    }
    page = peer.get(f"/sandbox/orders?since={first - 1}&limit=1")
    assert ([row["order"] for row in page["orders"]], page["more"]) == ([first], True)
    assert peer.get(f"/sandbox/orders?since={second}") == {"orders": [], "more": False}


def test_the_summary_counts_orders_calls_and_money(peer):
    peer.add(service=1, link="https://shop.example/?fate=partial&remains=50", quantity=100)
    peer.add(service=1, link=SURE, quantity=100)
    peer.advance(hours=10)
    peer.raw("balance")
    summary = peer.get("/sandbox/summary")

    assert summary["orders"] == 2
    assert summary["orders_by_status"] == {"Partial": 1, "Completed": 1}
    assert summary["calls"] == {"add": 2, "balance": 1}
    assert summary["balances"] == {KEY: "9999.865", OTHER_KEY: "500.00"}
    assert summary["seconds"] == 36_000


def test_a_balance_is_set_and_a_new_key_is_made(peer):
    peer.set("/sandbox/balance", key="third", balance="0.10")

    assert peer.balance("third") == Money.parse("0.1")
    assert peer.add(key="third", service=1, link=SURE, quantity=100)


def test_a_reset_forgets_everything_but_the_ids(peer):
    first = peer.add(service=1, link=SURE, quantity=100)
    peer.set("/sandbox/faults", empty=1)
    peer.set("/sandbox/reset")

    assert peer.orders() == []
    assert peer.calls() == []
    assert peer.balance() == Money.parse("10000")
    assert peer.add(service=1, link=SURE, quantity=100) > first


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/sandbox/faults", {"smoke": 1}),
        ("/sandbox/faults", {"html": True}),
        ("/sandbox/faults", [1]),
        ("/sandbox/speed", {}),
        ("/sandbox/speed", {"speed": -1}),
        ("/sandbox/speed", {"speed": "fast"}),
        ("/sandbox/advance", {"seconds": -1}),
        ("/sandbox/advance", {"seconds": 1e300}),
        ("/sandbox/balance", {"key": "", "balance": "1"}),
        ("/sandbox/balance", {"key": KEY, "balance": 1}),
        ("/sandbox/balance", {"key": KEY, "balance": "-1"}),
    ],
)
def test_what_makes_no_sense_to_the_control_door_is_refused_with_a_sentence(peer, path, values):
    before = peer.get("/sandbox/summary")
    response = peer.try_set(path, values)

    assert response.status_code == 400
    assert set(response.json()) == {"error"}
    assert len(response.json()["error"]) > 15
    assert peer.get("/sandbox/summary") == before


def test_it_says_that_it_is_well_and_knows_no_other_page(peer):
    assert peer.get("/healthz") == {"ok": True}
    for path in ("/", "/api/v1", "/sandbox", "/sandbox/x", "/sandbox/reset/"):
        assert peer.post({}, path=path).status_code == 404


@pytest.mark.parametrize(
    ("address", "local"),
    [
        (("127.0.0.1", 5), True),
        (("127.9.9.9", 5), True),
        (("::1", 5, 0, 0), True),
        (("::ffff:127.0.0.1", 5, 0, 0), True),
        (("10.0.0.1", 5), False),
        (("203.0.113.9", 5), False),
        (("::ffff:203.0.113.9", 5, 0, 0), False),
        (("fe80::1%eth0", 5, 0, 2), False),
        ("", True),
    ],
)
def test_the_control_door_opens_to_this_machine_only(address, local):
    assert _is_local(address) is local


def test_orders_of_other_programs_are_placed_at_once(peer):
    mine = peer.add(service=1, link=SURE, quantity=100)
    fields = {"service": "1", "link": SURE, "quantity": "200"}
    peer.set("/sandbox/orders", key=KEY, count=3, fields=fields)

    assert [order["order"] for order in peer.orders()] == [mine, mine + 1, mine + 2, mine + 3]
    assert len(peer.calls("add")) == 1


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"key": "nobody"}, "key must be"),
        ({"count": 0}, "count must be"),
        ({"count": True}, "count must be"),
        ({"fields": {"service": 1}}, "fields must be"),
        ({"fields": {"service": "1", "link": SURE, "quantity": "1"}}, "Quantity less than minimal"),
    ],
)
def test_orders_that_cannot_be_are_not_placed(peer, changed, sentence):
    values = {"key": KEY, "fields": {"service": "1", "link": SURE, "quantity": "200"}, **changed}
    assert sentence in peer.try_set("/sandbox/orders", values).json()["error"]
    assert peer.orders() == []
