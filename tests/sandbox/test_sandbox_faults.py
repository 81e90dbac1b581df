"""Faults: what the client is shown, what really happened, and what our own reader makes of it."""

import socket
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import httpx2
import pytest
from sandbox_peer import KEY, SURE, Peer, running

from hawker.core.money import Money
from hawker.protocol.statuses import OrderStatus, RefillStatus, read_refill_status
from hawker.protocol.upstream import (
    Accepted,
    Reason,
    Rejected,
    Unknown,
    read_add,
    read_balance,
    read_count,
    read_created,
    read_services,
    read_statuses,
)
from hawker.sandbox.faults import KINDS, Faults
from plain_http import http_client

ADD = {"key": KEY, "action": "add", "service": "1", "link": SURE, "quantity": "100"}
_BODY = f"key={KEY}&action=add&service=1&link=https://shop.example/&quantity=100".encode()
RAW_ADD = (
    b"POST /api/v2 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY
)


def shown_to_a_client(peer: Peer, timeout: float = 10) -> str:
    """One add on a fresh connection: `HTTP status verdict`, or the name of the failure."""
    with http_client(timeout=timeout) as http:
        try:
            answer = http.post(peer.url, data=ADD)
        except httpx2.TransportError as error:
            return type(error).__name__
    verdict = read_add(answer.status_code, answer.content)
    return f"{answer.status_code} {type(verdict).__name__}"


CLIENT_SEES = {
    "delay": {"200 Accepted"},
    "hang-after-accept": {"ReadTimeout"},
    "reset-before-accept": {"ReadError"},
    "reset-after-accept": {"ReadError"},
    "502-before-accept": {"502 Unknown"},
    "502-after-accept": {"502 Unknown"},
    "html": {"200 Unknown"},
    "html-after-accept": {"200 Unknown"},
    "empty": {"200 Unknown"},
    "truncated": {"200 Unknown", "RemoteProtocolError"},
    "wrong-types": {"200 Accepted"},
    "duplicate-id": {"200 Accepted"},
    "out-of-funds": {"200 Rejected"},
    "active-order": {"200 Rejected"},
    "rate-limit": {"429 Rejected", "429 Unknown"},
    "both-order-and-error": {"200 Unknown"},
    "error-key": {"200 Rejected"},
    "redirect": {"302 Unknown"},
}


@pytest.mark.parametrize("name", KINDS)
def test_each_fault_shows_what_it_says_and_leaves_an_order_exactly_where_its_table_says(name: str):
    with running() as peer:
        peer.set("/sandbox/faults", **{name: "1:0.01" if name == "delay" else 1})
        turns, patience = (2, 0.2) if name == "hang-after-accept" else (8, 10)
        seen = {shown_to_a_client(peer, patience) for _ in range(turns)}

        assert seen == CLIENT_SEES[name]
        made = turns if KINDS[name].executes else 0
        assert len(peer.orders()) == made
        assert peer.balance() == Money(10_000_000_000 - made * 90_000)
        calls = peer.calls()
        assert [call["fault"] for call in calls] == [name] * turns
        assert [call["executed"] for call in calls] == [KINDS[name].executes] * turns
        assert [call["order"] for call in calls if call["order"]] == [row["order"] for row in peer.orders()]
        assert peer.get("/sandbox/summary")["calls_by_fault"] == {name: turns}


def test_a_reset_is_a_tcp_reset_and_the_call_is_on_record_all_the_same():
    with running("reset-after-accept=1") as peer:
        with socket.create_connection(peer.address) as client:
            client.sendall(RAW_ADD)
            with pytest.raises(ConnectionResetError):
                client.recv(1)

        assert peer.calls()[0]["order"] == peer.orders()[0]["order"]


def test_a_delayed_answer_does_not_delay_the_others():
    with running("delay=1:60") as peer, socket.create_connection(peer.address) as waiting:
        waiting.sendall(RAW_ADD)
        while not peer.orders():
            pass
        assert peer.balance() == Money.parse("9999.91")


def test_a_hanging_call_ends_by_itself_when_its_time_is_over():
    with running("hang-after-accept=1:0.05") as peer:
        assert shown_to_a_client(peer) == "RemoteProtocolError"
        assert len(peer.orders()) == 1


def test_a_duplicate_id_is_the_order_before_and_there_are_two_orders_all_the_same():
    with running() as peer:
        first = peer.add(service=1, link=SURE, quantity=100)
        peer.set("/sandbox/faults", **{"duplicate-id": 1})
        assert peer.ask("add", service=1, link=SURE, quantity=100) == {"order": first}

        assert len(peer.orders()) == 2
        assert [call["order"] for call in peer.calls()] == [first, first + 1]


def test_error_keys_are_the_raw_keys_of_the_wild_and_each_has_its_turn():
    with running("error-key=1") as peer:
        answers = [read_add(200, peer.raw("add", service=1, link=SURE, quantity=100)) for _ in range(5)]

    assert {answer.text for answer in answers if isinstance(answer, Rejected)} == {
        "neworder.error.not_enough_funds",
        "neworder.error.min_quantity",
        "neworder.error.link",
        "neworder.error.link_duplicate",
        "error.incorrect_service_id",
    }


def test_out_of_funds_and_an_active_link_are_read_as_such():
    for name, reason in (("out-of-funds", Reason.FUNDS), ("active-order", Reason.ACTIVE_LINK)):
        with running(f"{name}=1") as peer:
            verdict = read_add(200, peer.raw("add", service=1, link=SURE, quantity=100))
            assert isinstance(verdict, Rejected)
            assert verdict.reason is reason


def test_a_fault_leaves_an_add_that_breaks_a_rule_refused():
    with running("502-after-accept=1") as peer:
        assert peer.post(ADD | {"quantity": "1"}).status_code == 502

        assert peer.orders() == []
        assert peer.calls()[0]["error"] == "Quantity less than minimal 50"


def test_only_the_addressed_action_meets_its_fault():
    with running("status:empty=1", "balance:502-before-accept=1") as peer:
        order = peer.add(service=1, link=SURE, quantity=100)

        assert peer.raw("status", order=order) == b""
        assert peer.post({"key": KEY, "action": "balance"}).status_code == 502
        assert len(peer.ask("services")) == 200


def test_a_refill_that_hangs_up_after_accepting_exists_all_the_same():
    with running("refill:empty=1", refill_wait_hours=0) as peer:
        order = peer.add(service=1, link=SURE, quantity=100)
        peer.advance(hours=10)

        verdict = read_created(200, peer.raw("refill", order=order), id_key="refill")
        assert isinstance(verdict, Unknown)
        assert peer.calls("refill")[0]["refills"] == [1]


# --- loose answers ---------------------------------------------------------------------------------


@pytest.fixture
def loose():
    every = [f"{action}:wrong-types=1" for action in ("services", "add", "status", "refill", "refill_status", "cancel")]
    with running(*every, "balance:wrong-types=1", refill_wait_hours=0, mix="60,30,10") as peer:
        yield peer


def strict_and_loose(peer: Peer, action: str, **fields):
    """The same question answered right and loosely, several times over for both turns of a fault."""
    right = peer.raw(action, **fields)
    peer.set("/sandbox/faults", **{f"{action}:wrong-types": 1})
    loose = [peer.raw(action, **fields) for _ in range(6)]
    peer.set("/sandbox/faults")
    assert right not in loose
    return right, loose


def test_a_tolerant_client_reads_the_same_orders_from_loose_statuses():
    with running(mix="50,30,20") as peer:
        ids = []
        for hours in (5, 0.2, 0.1, 0):
            ids += [peer.add(service=1, link="https://shop.example/", quantity=500) for _ in range(12)]
            peer.advance(hours=hours)
        right, loose = strict_and_loose(peer, "status", orders=",".join(map(str, ids)))

    expected = read_statuses(right, ids)
    assert {row.status for row in expected.values()} == set(OrderStatus)
    for body in loose:
        read = read_statuses(body, ids)
        for order, row in read.items():
            assert row.status is expected[order].status
            assert row.charge_micros == expected[order].charge_micros
            assert row.start_count in (expected[order].start_count, None)
            if row.status in (OrderStatus.COMPLETED, OrderStatus.PARTIAL, OrderStatus.CANCELED):
                assert row.remains == expected[order].remains
            else:
                assert row.remains in (expected[order].remains, None)


def services_in(body: bytes):
    """The catalogue as our client reads it, rates as numbers: a JSON number has lost the zeros at its end."""
    services, skipped = read_services(200, body)
    return [(replace(service, rate=""), Decimal(service.rate)) for service in services], skipped


def test_a_tolerant_client_reads_the_same_catalogue_and_balance_from_loose_answers():
    with running() as peer:
        peer.add(service=1, link=SURE, quantity=100)
        right, loose = strict_and_loose(peer, "services")
        assert all(services_in(body) == services_in(right) for body in loose)
        right, loose = strict_and_loose(peer, "balance")
        assert all(read_balance(200, body) == read_balance(200, right) for body in loose)


def test_a_tolerant_client_reads_ids_refills_and_cancels_from_loose_answers(loose: Peer):
    verdicts = [read_add(200, loose.raw("add", service=1, link=SURE, quantity=100)) for _ in range(6)]
    orders = [row["order"] for row in loose.orders()]
    assert verdicts == [Accepted(order) for order in orders]
    loose.advance(hours=10)

    assert read_created(200, loose.raw("refill", order=orders[0]), id_key="refill") == Accepted(1)
    assert loose.ask("refill", orders=f"{orders[1]},7") == [
        {"order": str(orders[1]), "refill": "2"},
        {"order": "7", "refill": {"error": "Incorrect order ID"}},
    ]
    word = loose.ask("refill_status", refill=1)["status"]
    assert word == "PENDING"
    assert read_refill_status(word) is RefillStatus.PENDING
    assert [read_count(row["refill"]) for row in loose.ask("refill_status", refills="1,2,99")] == [1, 2, 99]
    fresh = loose.ask("add", service=1, link=SURE, quantity=100)["order"]
    assert loose.ask("cancel", orders=fresh) == [{"order": fresh, "cancel": "1"}]
    assert loose.ask("status", order=7) == {"error": "Incorrect order ID"}


def test_loose_statuses_of_drip_feeds_and_subscriptions_keep_their_extra_keys():
    with running("status:wrong-types=1") as peer:
        drip = peer.add(service=1, link=SURE, quantity=100, runs=2, interval=5)
        subscription = peer.add(service=12, username="ann", min=250, max=300, delay=0)

        assert peer.status(drip)["runs"] == "1"
        assert peer.status(subscription)["status"] == "Active"


# --- rates -----------------------------------------------------------------------------------------


def test_faults_come_at_their_rates_and_the_same_seed_repeats_them():
    def met(seed):
        with running("502-after-accept=0.2", "empty=0.3", seed=seed) as peer:
            for _ in range(300):
                peer.post(ADD)
            return [call["fault"] for call in peer.calls()]

    first = met(5)
    share = Counter(first)
    assert 30 < share["502-after-accept"] < 95
    assert 55 < share["empty"] < 130
    assert met(5) == first
    assert met(6) != first


def test_faults_are_changed_while_it_runs_and_the_new_ones_take_the_place_of_all():
    with running("empty=1") as peer:
        peer.set("/sandbox/faults", html=0.25, delay="0.5:0.1", **{"status:empty": 1e-05})
        assert peer.get("/sandbox/summary")["faults"] == [
            "add:html=0.25",
            "add:delay=0.5:0.1",
            "status:empty=1e-05",
        ]
        peer.set("/sandbox/faults")
        assert shown_to_a_client(peer) == "200 Accepted"


def test_what_a_sandbox_says_of_its_faults_can_be_given_to_another():
    faults = Faults.parse(["html=0.25", "delay=0.5:0.01", "status:empty=1"])

    assert Faults.parse(faults.specifications()) == faults


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not a fault such as"),
        ("html", "is not a fault such as"),
        ("html=", "is not a fault such as"),
        ("html=-0.1", "is not a fault such as"),
        ("html=nan", "is not a fault such as"),
        ("html=٠.١", "is not a fault such as"),
        ("html=1.1", "the rate of html must be between 0 and 1, not 1.1"),
        ("html=0.1.2", "the rate of html must be between 0 and 1, not 0.1.2"),
        ("smoke=0.1", "there is no fault 'smoke'"),
        ("sell:html=0.1", "there is no action 'sell'"),
        ("status:duplicate-id=0.1", "duplicate-id is a fault of add and refill only"),
        ("html=0.1:5", "html takes no seconds"),
        ("delay=0.1:1.2.3", "the seconds of delay must be a number"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_a_sentence(text: str, sentence: str):
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")):
        Faults.parse([text])


def test_rates_of_one_action_may_not_add_up_to_more_than_one():
    Faults.parse(["html=0.5", "empty=0.5", "status:html=0.5"])
    with pytest.raises(ValueError, match="of add add up to more than 1"):
        Faults.parse(["html=0.5", "empty=0.6"])
