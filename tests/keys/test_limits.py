"""Limits at the door of two servers, counted together: how many pass, what the others are told."""

import math
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise

import psycopg
import pytest
from callers import BEHIND_PROXIES, INVALID, TOO_MANY, ask, ask_at_once, new_address, owner, request, two_servers
from django.db import connection

from hawker.accounts.actions import issue_key
from hawker.accounts.models import ApiKey, User
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from hawker.limits.actions import forget_full
from hawker.limits.models import InFlight, RateBucket
from hawker.orders.models import Order
from panel import Panel
from processes import ServeProcess, eventually, start_serve
from raw_http import Answer, Wire

KEY, ADDRESS, FAILED = 6, 9, 5
"""So low that a machine that is busy elsewhere does not let tokens come back between two lines of a test."""
LIMITED = BEHIND_PROXIES | {
    "HAWKER_LIMIT_KEY_PER_MINUTE": str(KEY),
    "HAWKER_LIMIT_ADDRESS_PER_MINUTE": str(ADDRESS),
    "HAWKER_LIMIT_FAILED_KEYS_PER_MINUTE": str(FAILED),
}


@pytest.fixture(scope="module")
def servers(database: None) -> Iterator[list[ServeProcess]]:
    with two_servers(LIMITED) as pair:
        yield pair


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    panel.service(id=1)
    return panel.customer(credit="1.00")


def more_key(customer: OpenedCustomer) -> str:
    return issue_key(User.objects.get(id=customer.user_id), now=datetime.now(UTC)).key


def regained(limit: int, since: float) -> int:
    """The most tokens that a bucket may have regained since then."""
    return math.ceil((time.monotonic() - since) * limit / 60)


def limit_headers(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("x-rate") or name == "retry-after"}


# --- so many and no more ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_of_many_parallel_requests_with_one_key_no_more_than_the_limit_pass(
    servers: list[ServeProcess], customer: OpenedCustomer, seed: int
) -> None:
    chance, begun = random.Random(seed), time.monotonic()
    costs = [chance.choice((1, 1, 1, 2, 3)) for _ in range(60)]
    requests = [
        request(customer.api_key)
        if cost == 1
        else request(customer.api_key, "status", orders=",".join(str(number) for number in range(1, cost * 10 + 1)))
        for cost in costs
    ]
    answers = ask_at_once(servers, requests)
    assert {answer.status for answer in answers} <= {200, 429}
    spent = sum(cost for cost, answer in zip(costs, answers, strict=True) if answer.status == 200)
    # What is left over is less than the cheapest request that was turned away.
    assert KEY - 1 < spent <= KEY + regained(KEY, begun)
    assert {answer.body for answer in answers if answer.status == 429} == {TOO_MANY}


def test_many_keys_at_one_address_share_its_limit(servers: list[ServeProcess], customer: OpenedCustomer) -> None:
    keys = [customer.api_key, *(more_key(customer) for _ in range(5))]
    address, begun = new_address(), time.monotonic()
    answers = ask_at_once(servers, [request(key, address=address) for key in keys * 6])
    passed = Counter(answer.status for answer in answers)
    assert ADDRESS <= passed[200] <= ADDRESS + regained(ADDRESS, begun)
    assert passed[200] + passed[429] == 36
    assert ask(servers[0], keys[-1]).status == 200, "from another address the keys have tokens left"


def test_the_addresses_of_one_ipv6_network_are_one_caller(
    servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    keys = [more_key(customer) for _ in range(3)]
    begun = time.monotonic()
    answers = ask_at_once(
        servers, [request(key, address=f"2001:db8:77:1:{number:x}::1") for number in range(10) for key in keys]
    )
    passed = sum(answer.status == 200 for answer in answers)
    assert ADDRESS <= passed <= ADDRESS + regained(ADDRESS, begun)
    assert ask(servers[0], more_key(customer), address="2001:db8:77:2::1").status == 200


def test_a_limited_add_is_placed_as_often_as_it_was_answered(
    servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    order = {"service": 1, "link": "https://example.com/page", "quantity": 50}
    answers = ask_at_once(servers, [request(customer.api_key, "add", **order) for _ in range(20)])
    placed = [answer.json["order"] for answer in answers if answer.status == 200]
    assert sorted(placed) == sorted(Order.objects.values_list("id", flat=True))
    assert len(placed) < 20


# --- what is told -----------------------------------------------------------------------------------


def test_answers_tell_how_the_nearest_limit_stands(servers: list[ServeProcess], customer: OpenedCustomer) -> None:
    remaining = []
    for turn in range(KEY - 1):
        answer = ask(servers[turn % 2], customer.api_key, "services" if turn % 3 else "balance")
        told = limit_headers(answer)
        assert (answer.status, told["x-ratelimit-limit"], len(told)) == (200, str(KEY), 3)
        remaining.append(int(told["x-ratelimit-remaining"]))
        assert 0 < int(told["x-ratelimit-reset"]) - time.time() <= 61
    # A token may come back between two of them.
    assert remaining[0] == KEY - 1
    assert all(before - 1 <= after <= before for before, after in pairwise(remaining))


def test_a_refusal_that_is_no_key_matter_tells_it_too(servers: list[ServeProcess], customer: OpenedCustomer) -> None:
    answer = ask(servers[0], customer.api_key, "add", service=99)
    assert (answer.status, answer.body) == (200, b'{"error":"Incorrect service ID"}')
    assert limit_headers(answer)["x-ratelimit-remaining"] == str(KEY - 1)


def test_who_is_turned_away_is_told_when_to_come_back(servers: list[ServeProcess], customer: OpenedCustomer) -> None:
    ids = ",".join(map(str, range(1, 101)))
    assert ask(servers[0], customer.api_key, "status", orders=ids).status == 200
    for server in (servers[0], servers[0], servers[1]):
        answer = ask(server, customer.api_key)
        assert (answer.status, answer.body) == (429, TOO_MANY)
        told = limit_headers(answer)
        assert (told["x-ratelimit-limit"], told["x-ratelimit-remaining"]) == (str(KEY), "0")
        assert 1 <= int(told["retry-after"]) <= 60 // KEY
        assert answer.headers["content-type"] == "application/json"


def test_a_token_comes_back_and_passes_one_request(servers: list[ServeProcess], customer: OpenedCustomer) -> None:
    """As if the time of one token had passed, told to the database and to no server."""
    assert ask(servers[0], customer.api_key, "status", orders=",".join(map(str, range(1, 101)))).status == 200
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rate_bucket SET full_at = full_at - interval '10 seconds' WHERE name LIKE 'key:%'")
    begun = time.monotonic()
    answers = [ask(servers[1], customer.api_key) for _ in range(3)]
    assert answers[0].status == 200
    assert sum(answer.status == 200 for answer in answers) <= 1 + regained(KEY, begun)


def test_what_costs_more_than_the_bucket_holds_takes_all_of_it(
    panel: Panel, servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    with start_serve({"HAWKER_LIMIT_KEY_PER_MINUTE": "3"}) as server:
        assert ask(server, customer.api_key, "status", orders=",".join(map(str, range(1, 101)))).status == 200
        assert ask(server, customer.api_key).status == 429


def test_all_full_buckets_are_forgotten_and_the_others_kept(
    servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    other = more_key(customer)
    assert {ask(servers[0], key).status for key in (customer.api_key, other)} == {200}
    kept = f"key:{ApiKey.objects.order_by('-id')[0].id}"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE rate_bucket SET full_at = now() WHERE name <> %s", [kept])
    make_full_buckets(20_000)
    forget_full()
    assert list(RateBucket.objects.values_list("name", flat=True)) == [kept]
    assert ask(servers[0], customer.api_key).status == 200


def test_the_clean_up_keeps_up_with_thousands_of_new_callers_a_second(panel: Panel) -> None:
    """What 3,000 new callers a second leave behind in a minute is deleted in less than that minute."""
    make_full_buckets(3_000 * 60)
    begun = time.monotonic()
    assert forget_full() >= 3_000 * 60
    assert time.monotonic() - begun < 60


def test_the_clean_up_waits_for_no_request(panel: Panel) -> None:
    make_full_buckets(10_000)
    with psycopg.connect(settings().folder.embedded_url("hawker_app")) as request:
        request.execute("SELECT FROM rate_bucket WHERE name = 'failed:7' FOR UPDATE")
        forget_full()
        assert list(RateBucket.objects.values_list("name", flat=True)) == ["failed:7"]


def make_full_buckets(many: int) -> None:
    """As many callers that came and went."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rate_bucket SELECT 'failed:' || n, now() FROM generate_series(1, %s) AS f (n)", [many]
        )


# --- wrong keys -------------------------------------------------------------------------------------


def test_of_many_parallel_wrong_keys_no_more_than_the_limit_are_looked_at(
    servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    address, begun = new_address(), time.monotonic()
    answers = ask_at_once(servers, [request(f"wrong key {number}", address=address) for number in range(40)])
    found = Counter((answer.status, answer.body) for answer in answers)
    assert FAILED <= found[200, INVALID] <= FAILED + regained(FAILED, begun)
    assert found[200, INVALID] + found[429, TOO_MANY] == 40


def test_an_address_with_too_many_wrong_keys_learns_nothing_of_a_right_one(
    servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    address = new_address()
    remembered = more_key(customer)
    assert {ask(server, remembered, address=address).status for server in servers} == {200}
    guesses = [request(f"wrong key {number}", address=address) for number in range(3 * FAILED)]
    assert ask_at_once(servers[:1], guesses)[-1].status == 429
    # The second server has seen none of the guesses.
    for server in servers:
        answer = ask(server, customer.api_key, address=address)
        assert (answer.status, answer.body) == (429, TOO_MANY)
        assert 1 <= int(limit_headers(answer)["retry-after"]) <= 60 // FAILED
        assert ask(server, customer.api_key).status == 200, "from elsewhere the key is good"
        assert ask(server, remembered, address=address).status == 200, "whoever shares the address goes on"
    # Also when every process has to look its keys up again, because something about keys has changed.
    ApiKey.objects.filter(user_id=customer.user_id).update(expires_at=datetime(2999, 1, 1, tzinfo=UTC))
    time.sleep(1.0)
    assert {ask(server, remembered, address=address).status for server in servers} == {200}


def test_a_right_key_among_many_guesses_is_not_told_from_a_wrong_one(
    servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    """At the end of a flood that is looked up in few batches, beside those that use up the limit."""
    address = new_address()
    guesses = [request(f"wrong key {number}", address=address) for number in range(60)]
    answers = ask_at_once(servers, [*guesses, request(customer.api_key, address=address)])
    assert answers[-1].body == TOO_MANY


@pytest.mark.parametrize("wrong", ["", "x", "w" * 100_000, "ключ", "%00"])
def test_wrong_keys_of_every_kind_count(servers: list[ServeProcess], customer: OpenedCustomer, wrong: str) -> None:
    address = new_address()
    answers = [ask(servers[0], wrong, address=address) for _ in range(FAILED + 2)]
    assert [answer.body for answer in answers[:FAILED]] == [INVALID] * FAILED
    assert answers[-1].status == 429


def test_expired_and_misplaced_keys_count_as_wrong_ones(servers: list[ServeProcess], customer: OpenedCustomer) -> None:
    address = new_address()
    ApiKey.objects.filter(user_id=customer.user_id).update(allowed_addresses=["192.0.2.0/24"])
    assert ask(servers[0], customer.api_key, address="192.0.2.1").status == 200
    answers = [ask(servers[0], customer.api_key, address=address) for _ in range(FAILED + 2)]
    assert [answer.body for answer in answers[:FAILED]] == [INVALID] * FAILED
    assert answers[-1].status == 429
    assert ask(servers[0], customer.api_key, address="192.0.2.1").status == 200


# --- in flight --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_at_a_time(database: None) -> Iterator[list[ServeProcess]]:
    with two_servers({"HAWKER_LIMIT_IN_FLIGHT_PER_ACCOUNT": "1"}) as pair:
        yield pair


ADD = {"service": 1, "link": "https://example.com/page", "quantity": 50}


@contextmanager
def held_up(customer: OpenedCustomer) -> Iterator[None]:
    """While the block runs, no order of this customer can be placed: it waits for the account's row."""
    with owner() as held, held.transaction():
        held.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", [customer.account_id])
        yield


def in_flight(customer: OpenedCustomer) -> int:
    return sum(len(row.leases) for row in InFlight.objects.filter(account_id=customer.account_id))


def test_while_one_request_is_answered_the_next_of_its_account_waits_outside(
    one_at_a_time: list[ServeProcess], panel: Panel, customer: OpenedCustomer
) -> None:
    first, second = one_at_a_time
    with Wire(first.url) as wire:
        with held_up(customer):
            wire.send(request(customer.api_key, "add", **ADD))
            eventually("in flight", lambda: in_flight(customer) == 1)
            for server in one_at_a_time:
                answer = ask(server, more_key(customer))
                assert (answer.status, answer.body) == (429, TOO_MANY)
                assert limit_headers(answer)["retry-after"] == "1"
            assert ask(second, panel.customer().api_key).status == 200, "nobody else waits"
        assert b'"order"' in wire.answer().body
        assert ask(second, customer.api_key).status == 200
    assert in_flight(customer) == 0


def test_who_asks_one_after_the_other_is_never_refused(
    one_at_a_time: list[ServeProcess], customer: OpenedCustomer
) -> None:
    with Wire(one_at_a_time[0].url) as one, Wire(one_at_a_time[1].url) as two:
        answers = [wire.ask(request(customer.api_key)) for _ in range(50) for wire in (one, two)]
    assert {answer.status for answer in answers} == {200}


def test_of_parallel_requests_all_are_answered_or_turned_away_and_no_place_is_lost(
    one_at_a_time: list[ServeProcess], customer: OpenedCustomer
) -> None:
    answers = ask_at_once(one_at_a_time, [request(customer.api_key, "add", **ADD) for _ in range(40)])
    counted = Counter(answer.status for answer in answers)
    assert counted[200] >= 1
    assert counted[200] + counted[429] == 40
    assert Order.objects.count() == sum(b'"order"' in answer.body for answer in answers)
    assert in_flight(customer) == 0


def test_the_places_of_a_killed_process_come_back(one_at_a_time: list[ServeProcess], customer: OpenedCustomer) -> None:
    environment = {"HAWKER_LIMIT_IN_FLIGHT_PER_ACCOUNT": "1"}
    with start_serve(environment) as killed, held_up(customer), Wire(killed.url) as wire:
        wire.send(request(customer.api_key, "add", **ADD))
        eventually("in flight", lambda: in_flight(customer) == 1)
        os.kill(killed.pid, signal.SIGKILL)
    assert ask(one_at_a_time[0], customer.api_key).status == 429
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE in_flight SET leases = ARRAY(SELECT lease - interval '90 seconds' FROM unnest(leases) AS lease)"
        )
    assert ask(one_at_a_time[0], customer.api_key).status == 200
    assert in_flight(customer) == 0


# --- what it costs, and what happens without a database ---------------------------------------------


@pytest.mark.parametrize("environment", [{}, {"HAWKER_LIMIT_FAILED_KEYS_PER_MINUTE": "0"}], ids=["as it comes", "off"])
def test_without_limits_a_good_key_costs_no_statement_about_them(
    customer: OpenedCustomer, environment: dict[str, str]
) -> None:
    """The tables of limits and of keys are locked even against reading: one statement more, and nobody is answered."""
    with start_serve(environment) as server, Wire(server.url) as wire:
        assert wire.ask(request(customer.api_key)).status == 200
        with owner() as held, held.transaction():
            held.execute("LOCK TABLE rate_bucket, in_flight, api_key IN ACCESS EXCLUSIVE MODE")
            for action, fields in (("balance", {}), ("services", {}), ("status", {"orders": "1,2"}), ("add", ADD)):
                answer = wire.ask(request(customer.api_key, action, **fields))
                assert (answer.status, limit_headers(answer)) == (200, {})
    assert Order.objects.count() == 1
    assert RateBucket.objects.count() == InFlight.objects.count() == 0


@contextmanager
def database_away() -> Iterator[None]:
    """While the block runs, the application can neither use its connections nor make new ones."""
    connection.close()
    with owner() as held:
        held.execute("ALTER ROLE hawker_app NOLOGIN")
        try:
            held.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hawker_app'")
            yield
        finally:
            held.execute("ALTER ROLE hawker_app LOGIN")


def test_without_the_database_answers_are_503_and_after_it_200(
    servers: list[ServeProcess], one_at_a_time: list[ServeProcess], customer: OpenedCustomer
) -> None:
    both = [servers[0], one_at_a_time[0]]
    assert {ask(server, customer.api_key).status for server in both} == {200}
    with database_away():
        answers = [ask(server, customer.api_key) for server in both]
        assert {(answer.status, b"temporarily unavailable" in answer.body) for answer in answers} == {(503, True)}
    eventually("answered again", lambda: {ask(server, customer.api_key).status for server in both} == {200})
