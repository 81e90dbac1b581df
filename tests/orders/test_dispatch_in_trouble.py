"""What sending does when the process, the database or the upstream behave as they should not."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from hawker.alerts.actions import describe_alerts
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import Draft, NotSent, Outcome, claim_dispatches, place_orders, settle_attempts
from hawker.orders.models import Work
from hawker.protocol.upstream import Accepted, Unknown
from hawker.providers.actions import ProviderAccess, open_access
from hawker.providers.http_client import ProviderClient, open_line
from hawker.providers.models import Provider
from hawker.providers.rules import read_provider_url
from panel import Panel
from processes import SandboxProcess


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="100.00")


def place(panel: Panel, customer: OpenedCustomer, provider: Provider, count: int) -> list[int]:
    service = panel.service(provider=provider)
    orders = [panel.place(customer, service) for _ in range(count)]
    panel.clock.advance(seconds=1)
    return orders


def as_owner(*statements: str) -> None:
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement)  # type: ignore[arg-type]


@contextmanager
def refusing_answers_of(order: int) -> Iterator[None]:
    """The database refuses every write that settles this order, and no other's."""
    as_owner(
        f"""CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF NEW.order_id = {order} AND NEW.to_state = 'submitted' THEN
                RAISE EXCEPTION 'poisoned' USING ERRCODE = 'raise_exception';
              END IF; RETURN NEW; END $$""",
        "CREATE TRIGGER poison BEFORE INSERT ON order_event FOR EACH ROW EXECUTE FUNCTION poison()",
    )
    try:
        yield
    finally:
        as_owner("DROP TRIGGER poison ON order_event", "DROP FUNCTION poison()")


def test_one_answer_that_cannot_be_written_costs_no_other_order_its_answer(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider
) -> None:
    orders = place(panel, customer, upstream, 12)
    poisoned = orders[0]
    with refusing_answers_of(poisoned):
        panel.sweep()
    panel.sweep()
    states = {order: panel.order(order)["state"] for order in orders}
    assert states.pop(poisoned) == "sending"
    assert set(states.values()) == {"submitted"}
    assert len(sandbox.orders()) == 12
    assert [alert["kind"] for alert in describe_alerts(closed=False, limit=10)] == ["unsettled"]
    panel.clock.advance(seconds=91)
    panel.sweep()
    assert panel.order(poisoned)["state"] == "unknown"
    assert len(sandbox.calls("add")) == 12


def test_orders_on_hold_do_not_stand_before_those_that_can_be_sent(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider
) -> None:
    dear = panel.service(provider=upstream, rate="0.90", cost_rate="0.91")
    held = [panel.place(customer, dear) for _ in range(30)]
    panel.clock.advance(seconds=1)
    orders = place(panel, customer, upstream, 3)
    panel.sweep()
    assert [panel.order(order)["state"] for order in orders] == ["submitted"] * 3
    assert {panel.order(order)["work"][0]["hold"] for order in held} == {"cost above the charge"}
    assert len(sandbox.calls("add")) == 3


def test_one_sweep_passes_by_however_many_orders_on_hold(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider
) -> None:
    dear = panel.service(provider=upstream, rate="0.90", cost_rate="0.91")
    fields = {"service": str(dear.id), "link": "https://example.com/page", "quantity": "100"}
    place_orders([Draft(customer.account_id, fields)] * 400, now=panel.clock.now())
    panel.clock.advance(seconds=1)
    orders = place(panel, customer, upstream, 2)
    place_orders([Draft(customer.account_id, fields)] * 20, now=panel.clock.now())
    panel.clock.advance(seconds=1)
    orders += place(panel, customer, upstream, 2)
    panel.sweep()
    assert [panel.order(order)["state"] for order in orders] == ["submitted"] * 4
    assert Work.objects.filter(kind="dispatch", hold="cost above the charge").count() == 420


class SleptLine:
    """A line of a machine that slept between the claim and the send: its wall clock is further than it thinks."""

    def __init__(self, line: ProviderClient, panel: Panel) -> None:
        self._line, self._panel = line, panel

    def is_fresh(self) -> bool:
        self._panel.clock.advance(seconds=6)
        return self._line.is_fresh()

    async def close(self) -> None:
        await self._line.close()


def test_a_machine_that_slept_after_its_claim_sends_nothing_of_it(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider
) -> None:
    async def opener(access: ProviderAccess) -> ProviderClient:
        return SleptLine(await open_access(access), panel)  # type: ignore[return-value]

    (order,) = place(panel, customer, upstream, 1)
    panel.sweep(opener=opener)
    assert sandbox.calls("add") == []
    assert panel.order(order)["attempts"][0]["state"] == "not_sent"
    panel.clock.advance(minutes=1)
    panel.sweep()
    assert panel.order(order)["state"] == "submitted"


def test_an_id_that_came_with_an_order_bought_elsewhere_is_bound_to_no_other(
    panel: Panel, customer: OpenedCustomer, upstream: Provider
) -> None:
    first, second = place(panel, customer, upstream, 2)
    as_owner(
        "SET session_replication_role = replica",
        f"UPDATE orders SET provider_id = {upstream.id}, upstream_id = 4711 WHERE id = {second}",
    )
    (claim,) = claim_dispatches(upstream.id, limit=1, token="one/1", now=panel.clock.now())
    assert claim.order_id == first
    settle_attempts([Outcome(claim.attempt_id, Accepted(4711), 200, "")], now=panel.clock.now())
    assert panel.order(first)["state"] == "unknown"
    as_owner(
        "SET session_replication_role = replica",
        f"UPDATE orders SET provider_id = NULL, upstream_id = NULL WHERE id = {second}",
    )


def test_an_answer_after_the_decision_changes_nothing_and_raises_an_alert(
    panel: Panel, customer: OpenedCustomer, upstream: Provider
) -> None:
    (order,) = place(panel, customer, upstream, 1)
    (claim,) = claim_dispatches(upstream.id, limit=1, token="slow/1", now=panel.clock.now())
    settle_attempts([Outcome(claim.attempt_id, Unknown("read timeout"))], now=panel.clock.now())
    settle_attempts([Outcome(claim.attempt_id, NotSent("as it turned out"))], now=panel.clock.now())
    assert panel.order(order)["attempts"][0]["evidence"] == "read timeout\nas it turned out"
    before = panel.order(order)["state"]
    for _ in range(2):
        settle_attempts([Outcome(claim.attempt_id, Accepted(4712), 200, "")], now=panel.clock.now())
    shown = panel.order(order)
    assert (shown["state"], shown["upstream_order"]) == (before, None)
    assert shown["attempts"][0]["steps"][0]["kind"] == "late"
    (alert,) = describe_alerts(closed=False, limit=10)
    assert (alert["kind"], alert["subject"], alert["times"]) == ("late_answer", f"order {order}", 2)
    assert "4712" in alert["text"]


@contextmanager
def answering_twice() -> Iterator[str]:
    """An upstream that sends an answer nobody asked for right behind the one that was."""
    listener = socket.create_server(("127.0.0.1", 0))
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"order":%d}'

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(answer % 111 + answer % 999)
            connection.recv(65_536)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v2"
    finally:
        listener.close()
        thread.join(5)


def test_an_answer_nobody_asked_for_is_never_taken_for_the_next_orders() -> None:
    async def exchange(url: str) -> tuple[bytes, bool]:
        line = await open_line(read_provider_url(url, allow_private=True), allow_private=True)
        answer = await line.call({"action": "add"})
        fresh = line.is_fresh()
        await line.close()
        return answer.body, fresh

    with answering_twice() as url:
        assert asyncio.run(exchange(url)) == (b'{"order":111}', False)
