"""Balances read by the event loop itself: the same answers as the other way, whatever becomes of the connection."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from hawker.api import async_query as async_query_module
from hawker.api.async_query import AsyncQuery
from hawker.api.coalescer import Coalescer
from hawker.core.errors import Unavailable
from hawker.ledger.actions import READ_BALANCES, balances_in, read_balances, write_account_ids
from panel import Panel
from processes import ServeProcess

Balances = Coalescer[int, int]
Reader = AsyncQuery[int, int]

_OTHERS = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
       AND query LIKE '%%balance_micros FROM account WHERE id = ANY($1%%'
"""


@pytest.fixture
def asked_otherwise() -> list[int]:
    """How many asks each batch had that went the other way."""
    return []


@pytest.fixture
def in_loop(panel: Panel, asked_otherwise: list[int]) -> Callable[..., None]:
    """Runs a test in a loop, with a coalescer of balances and the reader that it has."""

    def verb(ids: Any) -> Any:
        asked_otherwise.append(len(ids))
        return read_balances(ids)

    def run(test: Callable[[Balances, Reader], Coroutine[Any, Any, None]], statement: str = READ_BALANCES) -> None:
        async def main() -> None:
            with ThreadPoolExecutor(1) as executor:
                reader: Reader = AsyncQuery(statement, write=write_account_ids, read=balances_in, executor=executor)
                try:
                    await test(Coalescer(verb, executor=executor, max_batch=64, async_query=reader), reader)
                finally:
                    reader.close()
                    executor.submit(lambda: connection.close())  # noqa: PLW0108 - of that thread, not of this one

        asyncio.run(asyncio.wait_for(main(), 30))

    return run


async def until_connected(balances: Balances, reader: Reader, account: int) -> None:
    """Ask until an answer came directly."""
    before = reader.answered
    while reader.answered == before:
        await balances.ask(account)
        await asyncio.sleep(0.02)


def backend_of(reader: Reader) -> int:
    assert reader._raw is not None
    return reader._raw.info.backend_pid


def test_all_are_answered_as_the_other_way_answers(
    panel: Panel, in_loop: Callable[..., None], asked_otherwise: list[int]
) -> None:
    accounts = [panel.customer(credit=f"{number}.25").account_id for number in range(1, 41)]
    expected = read_balances(accounts + accounts[:5])

    async def test(balances: Balances, reader: Reader) -> None:
        await until_connected(balances, reader, accounts[0])
        asked_otherwise.clear()
        before = reader.answered
        assert list(await asyncio.gather(*map(balances.ask, accounts + accounts[:5]))) == expected
        assert (reader.answered, asked_otherwise) == (before + 1, [])

    in_loop(test)


@pytest.mark.quick
def test_what_was_just_charged_is_seen(panel: Panel, in_loop: Callable[..., None]) -> None:
    customer, service = panel.customer(credit="10.00"), panel.service(rate="0.90")

    def place() -> None:
        try:
            assert isinstance(panel.place(customer, service), int)
        finally:
            connection.close()

    async def test(balances: Balances, reader: Reader) -> None:
        await until_connected(balances, reader, customer.account_id)
        for placed in range(1, 6):
            await asyncio.to_thread(place)
            assert await balances.ask(customer.account_id) == 10_000_000 - placed * 90_000

    in_loop(test)


def test_a_connection_that_ends_costs_nobody_an_answer_and_is_opened_again(
    panel: Panel, in_loop: Callable[..., None], asked_otherwise: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_query_module, "RETRY_SECONDS", 0.05)
    account = panel.customer(credit="3.50").account_id

    async def test(balances: Balances, reader: Reader) -> None:
        for at_once in (False, True, True):
            await until_connected(balances, reader, account)
            asked_otherwise.clear()
            ended = backend_of(reader)
            asked = [balances.ask(account) for _ in range(20)] if at_once else []
            await asyncio.to_thread(_end_backend, ended)
            asked += [balances.ask(account) for _ in range(20)]
            assert set(await asyncio.gather(*asked)) == {3_500_000}
            await until_connected(balances, reader, account)
            assert backend_of(reader) != ended

    in_loop(test)


def _end_backend(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s::int)", [pid])
    connection.close()


def test_a_database_that_does_not_answer_is_asked_the_other_way(
    panel: Panel, in_loop: Callable[..., None], asked_otherwise: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_query_module, "TIMEOUT_SECONDS", 0.1)
    account = panel.customer(credit="3.50").account_id

    async def test(balances: Balances, reader: Reader) -> None:
        await until_connected(balances, reader, account)
        asked_otherwise.clear()
        held = backend_of(reader)
        os.kill(held, signal.SIGSTOP)
        try:
            assert await balances.ask(account) == 3_500_000
            assert asked_otherwise == [1]
            assert reader._raw is None, "and whatever it says later is nobody's"
        finally:
            os.kill(held, signal.SIGCONT)

    in_loop(test)


def test_what_the_database_refuses_is_asked_the_other_way(
    panel: Panel, in_loop: Callable[..., None], asked_otherwise: list[int]
) -> None:
    account = panel.customer(credit="3.50").account_id

    async def test(balances: Balances, reader: Reader) -> None:
        deadline = asyncio.get_running_loop().time() + 5
        while reader._raw is None and asyncio.get_running_loop().time() < deadline:
            await balances.ask(account)
            await asyncio.sleep(0.02)
        asked_otherwise.clear()
        assert await balances.ask(account) == 3_500_000
        assert (reader.answered, asked_otherwise) == (0, [1])

    in_loop(test, "SELECT id, 1 / 0 FROM account WHERE id = ANY($1::bigint[])")


def test_an_account_that_is_not_there_fails_alone(panel: Panel, in_loop: Callable[..., None]) -> None:
    account = panel.customer(credit="3.50").account_id

    async def test(balances: Balances, reader: Reader) -> None:
        await until_connected(balances, reader, account)
        ours, nobodys = balances.ask(account), balances.ask(987_654_321)
        assert await ours == 3_500_000
        with pytest.raises(Unavailable):
            await nobodys

    in_loop(test)


def test_after_the_close_the_other_way_answers(panel: Panel, in_loop: Callable[..., None]) -> None:
    account = panel.customer(credit="3.50").account_id

    async def test(balances: Balances, reader: Reader) -> None:
        await until_connected(balances, reader, account)
        under_way = balances.ask(account)
        await asyncio.sleep(0)  # it is sent
        reader.close()
        assert [await under_way, await balances.ask(account)] == [3_500_000] * 2
        assert reader._raw is None

    in_loop(test)


def test_a_server_answers_balances_whatever_becomes_of_its_connection(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer(credit="7.25")
    ended = 0
    for turn in range(60):
        reply = server.call(customer.api_key, "balance")
        assert (reply.http_status, reply.body) == (200, b'{"balance":"7.25","currency":"USD"}'), turn
        if turn % 10 == 5:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT count(pg_terminate_backend(pid)) FROM ({_OTHERS}) AS others")
                ended += cursor.fetchone()[0]
    assert ended, "none of its connections was found"
