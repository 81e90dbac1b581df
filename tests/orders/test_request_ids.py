"""A client that repeats an order under its own name for it gets the order that it has, and pays once."""

import asyncio
from datetime import timedelta

import pytest

from hawker.accounts.actions import issue_key
from hawker.accounts.models import User
from hawker.catalog.models import Service
from hawker.core.money import Money
from hawker.ledger.customers import OpenedCustomer, change_balance
from hawker.orders import Draft, place_orders
from hawker.orders.models import Order, OrderRequest
from hawker.protocol.errors import IncorrectRequest, text_of
from hawker.worker import tasks
from hawker.worker.sweeps import sweeps
from panel import Panel
from people import TEST
from processes import ServeProcess


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="1.00")


@pytest.fixture
def service(panel: Panel) -> Service:
    return panel.service(rate="0.90")


def fields_of(service: Service, **other: object) -> dict[str, str]:
    """An order of 100 for 0.09 under the name `a`."""
    fields = {"service": service.id, "link": "https://example.com", "quantity": 100, "request_id": "a", **other}
    return {name: str(value) for name, value in fields.items()}


def place_all(panel: Panel, *drafts: tuple[OpenedCustomer, dict[str, str]]) -> list[object]:
    """One batch: each draft's number, or the text of its refusal."""
    answers = place_orders([Draft(who.account_id, fields) for who, fields in drafts], now=panel.clock.now())
    return [answer if isinstance(answer, int) else text_of(answer) for answer in answers]


@pytest.mark.quick
def test_within_one_batch_the_first_is_placed_and_the_others_answer_it(
    panel: Panel, customer: OpenedCustomer, service: Service
) -> None:
    other = panel.customer(credit="1.00")
    fields = fields_of(service)
    answers = place_all(
        panel,
        (customer, fields),
        (customer, fields_of(service, quantity=101)),
        (other, fields),
        (customer, {**fields, "comment": "ignored"}),
        (other, fields),
    )
    first, refused, others, again, others_again = answers
    assert (refused, again, others_again) == (text_of(IncorrectRequest()), first, others)
    assert first != others, "another account's names are its own"
    assert Order.objects.count() == OrderRequest.objects.count() == 2
    assert panel.balance(customer) == panel.balance(other) == 910_000


def test_a_refused_order_leaves_no_trace_of_its_name(panel: Panel, customer: OpenedCustomer, service: Service) -> None:
    dear = fields_of(service, quantity=5_000)
    answers = place_all(panel, (customer, dear), (customer, fields_of(service, quantity=1)), (customer, dear))
    assert answers == ["Not enough funds on balance", "Quantity less than minimal 50", "Not enough funds on balance"]
    assert not OrderRequest.objects.exists()
    email = User.objects.get(account__id=customer.account_id).email
    credit = Money.parse("10").micros
    change_balance(email, credit, transaction="", actor=TEST, reason="more", now=panel.clock.now())
    order, again, other = place_all(panel, (customer, dear), (customer, dear), (customer, fields_of(service)))
    assert (again, other) == (order, "Incorrect request")
    assert panel.balance(customer) == 11_000_000 - 4_500_000


def test_an_order_is_answered_also_when_it_could_not_be_placed_any_more(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, service: Service
) -> None:
    fields = fields_of(service, quantity=1_000)
    order = server.call(customer.api_key, "add", **fields).body
    assert b"order" in order
    # The money is spent, the limits are others, the service is off sale: none of it matters to a repetition.
    Service.objects.update(minimum=2_000, rate="50", enabled=False)
    assert server.call(customer.api_key, "add", **fields).body == order
    assert server.call(customer.api_key, "add", **{**fields, "request_id": "b"}).error == "Incorrect service ID"
    assert Order.objects.count() == 1


def test_every_key_of_an_account_means_the_same_names(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, service: Service
) -> None:
    second = issue_key(User.objects.get(account__id=customer.account_id), now=panel.clock.now()).key
    fields = fields_of(service)
    assert server.call(customer.api_key, "add", **fields).body == server.call(second, "add", **fields).body
    assert Order.objects.count() == 1


@pytest.mark.parametrize("name", ["x" * 129, " ", "a\tb", "a\u200bb", "a\u2028b", "\ufeff", "é" * 200, "a\x1b"])
def test_what_cannot_be_a_name_is_refused(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, service: Service, name: str
) -> None:
    assert server.call(customer.api_key, "add", **fields_of(service, request_id=name)).error == "Incorrect request_id"
    assert not Order.objects.exists()
    assert panel.balance(customer) == 1_000_000


@pytest.mark.parametrize("name", ["'); DROP TABLE orders; --", '{"a":[1]}', "NULL", "😀", "a\\", 'x"y', "%s", "0"])
def test_any_visible_text_is_a_name(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, service: Service, name: str
) -> None:
    fields = fields_of(service, request_id=name)
    first, second = (server.call(customer.api_key, "add", **fields) for _ in range(2))
    assert "order" in first.json
    assert first.body == second.body
    assert OrderRequest.objects.get().request_id == name


def test_names_are_forgotten_after_their_days_and_not_before(
    panel: Panel, customer: OpenedCustomer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = fields_of(service)
    (order,) = place_all(panel, (customer, fields))
    monkeypatch.setattr(sweeps, "clock", panel.clock)
    panel.clock.advance(days=30, minutes=-1)
    asyncio.run(tasks.delete_old_rows.func())  # type: ignore[attr-defined]
    assert place_all(panel, (customer, fields)) == [order]
    panel.clock.advance(minutes=2)
    asyncio.run(tasks.delete_old_rows.func())  # type: ignore[attr-defined]
    assert not OrderRequest.objects.exists()
    (later,) = place_all(panel, (customer, fields))
    assert later != order
    assert OrderRequest.objects.get().created_at - Order.objects.get(id=order).created_at > timedelta(days=30)
