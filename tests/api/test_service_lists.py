"""The `services` answer: made once for a price list, packed where asked for, named by its content."""

import asyncio
import gzip
from collections.abc import Iterable
from time import process_time
from typing import Any

import psutil
import pytest

from hawker.api.service_lists import (
    BUSY_ANSWERS,
    BUSY_SECONDS,
    FRESH_SECONDS,
    STALE_SECONDS,
    ServiceLists,
    accepts_gzip,
)
from hawker.catalog.listing import pack, write_listing
from hawker.catalog.models import Service
from hawker.catalog.pricing import AgreedRate, add_group, agree_rates, price_accounts
from hawker.catalog.snapshot import Catalogue, refresh_catalogue
from panel import Panel
from plain_http import http_client
from processes import Reply, ServeProcess, eventually, start_serve


def ask(server: ServeProcess, key: str, *, method: str = "POST", **headers: str) -> Reply:
    """`services` with exactly these headers; the client unpacks nothing by itself that it has not asked for."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.send(
        method, params={"key": key, "action": "services"}, headers={"accept-encoding": "identity", **named}
    )


def plain_and_packed(server: ServeProcess, key: str) -> tuple[Reply, Reply]:
    return ask(server, key), ask(server, key, accept_encoding="gzip")


# --- over HTTP -------------------------------------------------------------------------------------


def test_it_is_packed_for_those_who_ask_and_plain_for_all_others(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer()
    for number in range(50):
        panel.service(rate=f"1.{number:02d}")
    plain, packed = plain_and_packed(server, customer.api_key)
    assert plain.body == packed.body  # unpacked by the client
    assert len(plain.json) == 50
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) * 5 < int(plain.headers["content-length"]) == len(plain.body)
    for answer in (plain, packed):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.quick
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_client_that_names_what_it_has_is_told_that_it_is_still_good(
    panel: Panel, server: ServeProcess, method: str, encoding: str
) -> None:
    customer, service = panel.customer(), panel.service()
    key = customer.api_key
    had = ask(server, key, method=method, accept_encoding=encoding)
    tag = had.headers["etag"]
    for named in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        answer = ask(server, key, method=method, accept_encoding=encoding, if_none_match=named)
        assert (answer.http_status, answer.body) == (304, b"")
        assert answer.headers["etag"] == tag
        assert {"content-type", "content-encoding"}.isdisjoint(answer.headers)
    for named in ('"other"', tag.strip('W/"'), "", f'{tag[:-2]}"'):
        answer = ask(server, key, method=method, accept_encoding=encoding, if_none_match=named)
        assert (answer.http_status, answer.body) == (200, had.body)
    Service.objects.filter(id=service.id).update(rate="0.91")

    def changed() -> Reply | None:
        newer = ask(server, key, method=method, accept_encoding=encoding, if_none_match=tag)
        return newer if newer.http_status == 200 else None

    # An answer may be some hundredths of a second old.
    answer = eventually("the changed list is sent", changed)
    assert answer.json[0]["rate"] == "0.91"
    assert answer.headers["etag"] != tag


def test_the_name_of_a_list_is_that_of_its_content(panel: Panel, server: ServeProcess) -> None:
    """So a change of somebody else's price, and another process, do not cost a client the whole list again."""
    one, same, other = panel.customer(), panel.customer(), panel.customer()
    service = panel.service(rate="2.00")
    price_accounts([one.account_id, same.account_id], percent="-10")
    tags = [ask(server, customer.api_key).headers["etag"] for customer in (one, same, other)]
    assert tags[0] == tags[1] != tags[2]
    agree_rates([AgreedRate(other.account_id, service.id, "1.80")])
    assert ask(server, other.api_key).headers["etag"] == tags[0]
    assert ask(server, one.api_key, if_none_match=tags[0]).http_status == 304
    with start_serve() as another:
        assert ask(another, one.api_key, if_none_match=tags[0]).http_status == 304


def test_two_customers_never_share_a_list_that_differs(panel: Panel, server: ServeProcess) -> None:
    cheap, dear = panel.customer(), panel.customer()
    panel.service(rate="2.00")
    price_accounts([cheap.account_id], percent="-50")
    had = ask(server, cheap.api_key).headers["etag"]
    for answer in plain_and_packed(server, dear.api_key):
        assert answer.json[0]["rate"] == "2.00"
    assert ask(server, dear.api_key, if_none_match=had).http_status == 200


def test_errors_carry_no_name_and_are_never_304(panel: Panel, server: ServeProcess) -> None:
    panel.service()
    answer = ask(server, "wrong", if_none_match="*", accept_encoding="gzip")
    assert (answer.http_status, answer.error) == (200, "Invalid API key")
    assert {"etag", "content-encoding", "cache-control"}.isdisjoint(answer.headers)


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("deflate,GZIP", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip ; q=0.001", True),
        ("x-gzip", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", False),
        ("gzipped, notgzip", False),
        ("br, deflate", False),
    ],
)
def test_gzip_is_sent_where_it_is_asked_for_by_name(header: str, asked: bool) -> None:
    assert accepts_gzip(header) is asked


def test_an_answer_costs_a_small_part_of_making_the_list(panel: Panel, server: ServeProcess) -> None:
    customer, first = panel.customer(), panel.service()
    price_accounts([customer.account_id], percent="-12.5")
    more = [
        Service(
            category=first.category,
            name=f"Followers, {number} a day",
            type="Default",
            rate=f"{number}.90",
            minimum=50,
            maximum=10_000,
            created_at=panel.clock.now(),
        )
        for number in range(1, 5_000)
    ]
    Service.objects.bulk_create(more, batch_size=1_000)
    catalogue, asked = refresh_catalogue(), 300
    began = process_time()
    pack(write_listing(catalogue.services.values(), catalogue.prices_of(customer.account_id)))
    making = process_time() - began
    form = {"key": customer.api_key, "action": "services"}
    serving = psutil.Process(server.pid)
    with http_client(headers={"accept-encoding": "gzip"}) as client:
        assert len(client.post(server.api, data=form).json()) == 5_000
        before = sum(serving.cpu_times()[:2])
        for _ in range(asked):
            assert client.post(server.api, data=form).headers["content-encoding"] == "gzip"
        each = (sum(serving.cpu_times()[:2]) - before) / asked
    print(f"services of 5,000 in gzip: {each * 1e6:.0f} µs of CPU an answer, {making * 1e6:.0f} µs to make the list")
    # The measure on both sides is CPU, which neighbours do not take; it is some fifty times less.
    assert each < making / 5


# --- what is made, and how often -------------------------------------------------------------------


class Looks:
    """Answers the catalogue as it is in the database, and counts."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> Catalogue:
        self.count += 1
        return await asyncio.to_thread(self._look)

    def _look(self) -> Catalogue:
        from django.db import connection

        try:
            return refresh_catalogue()
        finally:
            connection.close()


def made(listings: ServiceLists) -> tuple[int, int]:
    return listings.written, listings.packed


async def ask_all(listings: ServiceLists, accounts: Iterable[int], *, encoding: str = "gzip") -> list[bytes]:
    answers = await asyncio.gather(*(listings.answer(account, accept_encoding=encoding) for account in accounts))
    return [answer.body for answer in answers]


def test_a_list_is_written_and_packed_once_however_many_ask_at_once(panel: Panel) -> None:
    customers = [panel.customer().account_id for _ in range(6)]
    panel.service(rate="2.00")
    price_accounts(customers[:2], percent="-10")
    add_group("ten", "-10")
    price_accounts(customers[2:4], group="ten")

    async def run() -> None:
        looks = Looks()
        listings = ServiceLists(looks)
        bodies = await ask_all(listings, customers * 50)
        assert made(listings) == (2, 2)
        assert len(set(bodies)) == 2
        assert await ask_all(listings, customers * 50) == bodies
        assert made(listings) == (2, 2)
        plain = await ask_all(listings, customers * 50, encoding="")
        assert plain == [gzip.decompress(body) for body in bodies]
        assert made(listings) == (2, 2)  # unpacked from what was there
        # Equal bytes are the same bytes: nothing is copied for a customer.
        assert len({id(body) for body in bodies}) == 2

    asyncio.run(run())


def test_a_change_of_one_customers_price_costs_the_others_nothing(panel: Panel) -> None:
    one, other = (panel.customer().account_id for _ in range(2))
    service = panel.service(rate="2.00")
    price_accounts([one], percent="-10")

    async def run() -> None:
        listings = ServiceLists(Looks())
        before = await ask_all(listings, [one, other])
        assert made(listings) == (2, 2)
        await asyncio.to_thread(_apart, lambda: agree_rates([AgreedRate(other, service.id, "0.01")]))
        await asyncio.sleep(STALE_SECONDS * 1.5)
        after = await ask_all(listings, [one, other])
        assert after[0] is before[0]
        assert after[1] != before[1]
        assert made(listings) == (3, 3)
        await asyncio.to_thread(_apart, lambda: Service.objects.update(rate="3.00"))
        await asyncio.sleep(STALE_SECONDS * 1.5)
        await ask_all(listings, [one, other] * 3)
        assert made(listings) == (5, 5)

    asyncio.run(run())


def test_many_who_ask_at_once_share_a_look_at_the_database(panel: Panel) -> None:
    account = panel.customer().account_id
    panel.service()

    async def run() -> None:
        looks = Looks()
        listings = ServiceLists(looks)
        await listings.answer(account)
        loop = asyncio.get_running_loop()
        began, asked = loop.time(), 0
        while loop.time() - began < BUSY_SECONDS * 6:
            await ask_all(listings, [account] * 100)
            asked += 100
        assert looks.count > 1, "an old look does not hold for ever"
        assert asked > looks.count * BUSY_ANSWERS

    asyncio.run(run())


def test_one_request_after_the_other_each_sees_the_catalogue_as_it_is(panel: Panel) -> None:
    account = panel.customer().account_id
    panel.service()

    async def run() -> None:
        looks = Looks()
        listings = ServiceLists(looks)
        for number in range(1, 6):
            await listings.answer(account)
            assert looks.count == number
            await asyncio.sleep(FRESH_SECONDS * 1.5)
            assert listings.recall(account) is None

    asyncio.run(run())


def test_the_lists_that_nobody_asks_for_make_room_for_those_that_are_asked_for(panel: Panel) -> None:
    accounts = [panel.customer().account_id for _ in range(8)]
    panel.service(rate="2.00")
    for number, account in enumerate(accounts):
        price_accounts([account], percent=str(-number - 1))

    async def run() -> None:
        size = len((await ask_all(ServiceLists(Looks()), accounts[:1], encoding=""))[0])
        listings = ServiceLists(Looks(), max_bytes=size * 3 + size // 2)
        for account in accounts:
            await ask_all(listings, [accounts[0], account], encoding="")
        assert listings.written == 8  # the first was always among the newest three
        await ask_all(listings, [accounts[0], accounts[-1], accounts[-2]], encoding="")
        assert listings.written == 8
        assert sum(ready.size for ready in listings._ready.values()) == listings._size <= size * 3.5
        await ask_all(listings, [accounts[1]], encoding="")
        assert listings.written == 9
        tiny = ServiceLists(Looks(), max_bytes=1)
        assert await ask_all(tiny, accounts[:2], encoding="") == [
            (await ask_all(listings, [account], encoding=""))[0] for account in accounts[:2]
        ]
        assert len(tiny._ready) == 1

    asyncio.run(run())


def _apart(change: Any) -> None:
    """A change in a thread, whose connection ends with it."""
    from django.db import connection

    try:
        change()
    finally:
        connection.close()
