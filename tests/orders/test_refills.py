"""Refills over the API: asked for, bought upstream, followed to their end, or seen to by staff."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from delivered import deliver, follow, refill, status
from slowly import slowly

from hawker.accounts.actions import issue_key
from hawker.accounts.models import KeyScope, User
from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import RefillAsk, RefillDecision, StaffDelivery, record_deliveries, request_refills, resolve_refills
from hawker.orders.errors import NoSuchRefill, NotForStaff
from hawker.orders.models import RefillState, State, WorkKind
from hawker.protocol.errors import RefillTooEarly
from panel import Panel
from people import ANNA
from processes import SandboxProcess, ServeProcess

TOO_EARLY = "The order was completed or refill was requested less than 24 hours ago"
RUNNING = "The refill task is not completed for this order"


@pytest.fixture
def service(panel: Panel, sandbox: SandboxProcess) -> Service:
    """A service that offers refills, bought upstream."""
    return panel.service(provider=panel.provider(sandbox), refill=True)


def reading_key(customer: OpenedCustomer) -> str:
    """A key of the customer that may look only."""
    return issue_key(User.objects.get(id=customer.user_id), now=datetime.now(UTC), scope=KeyScope.READ).key


@pytest.mark.parametrize(("wish", "end"), [("completed", "Completed"), ("rejected", "Rejected")])
def test_a_refill_is_bought_upstream_and_followed_to_its_end(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    service: Service,
    wish: str,
    end: str,
) -> None:
    order = deliver(panel, sandbox, customer, service, wishes=f"fate=completed&refill={wish}")
    balance = panel.balance(customer)
    number = refill(server, customer, order)
    assert status(server, customer, number) == "Pending"
    panel.sweep()
    (call,) = sandbox.calls("refill")
    assert call["fields"] == {"order": str(panel.order(order)["upstream_order"])}
    follow(panel, sandbox, minutes=1)
    assert status(server, customer, number) == "Pending"
    follow(panel, sandbox, minutes=15)
    assert status(server, customer, number) == "In progress"
    follow(panel, sandbox, minutes=45)
    assert status(server, customer, number) == end
    shown = panel.order(order)
    assert (shown["state"], shown["work"]) == ("completed", [])
    assert shown["refills"][0]["upstream_refill"] == call["refills"][0]
    assert [attempt["state"] for attempt in shown["attempts"] if attempt["kind"] == "refill"] == ["accepted"]
    assert f"refill {number}: accepted as {call['refills'][0]}" in [event["reason"] for event in shown["events"]]
    assert panel.balance(customer) == balance, "a refill moves no money"


@pytest.mark.quick
def test_a_hundred_refills_are_followed_in_one_call(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    panel.clock.instant = datetime.now(UTC) - timedelta(days=3)
    orders = [
        panel.place(customer, service, link="https://example.com/?fate=completed", quantity=50) for _ in range(100)
    ]
    panel.clock.advance(seconds=1)
    panel.sweep()
    sandbox.advance(days=2)
    panel.clock.advance(minutes=10)
    panel.sweep()
    sandbox.advance(days=2)
    panel.clock.instant = datetime.now(UTC) + timedelta(minutes=1)
    granted = server.call(customer.api_key, "refill", orders=",".join(map(str, orders))).json
    numbers = [row["refill"] for row in granted]
    assert [row["order"] for row in granted] == orders
    assert numbers == sorted(numbers)
    panel.sweep(WorkKind.REFILL)
    assert len(sandbox.calls("refill")) == 100
    follow(panel, sandbox, hours=2)
    (call,) = sandbox.calls("refill_status")
    assert len(call["fields"]["refills"].split(",")) == 100
    told = server.call(customer.api_key, "refill_status", refills=",".join(map(str, numbers))).json
    assert [row["refill"] for row in told] == numbers
    assert {row["status"] for row in told} <= {"Completed", "Rejected"}


def nothing_asked(panel: Panel, sandbox: SandboxProcess, order: int) -> bool:
    """No refill was written, none is due, and none was sent."""
    shown = panel.order(order)
    return (shown["refills"], shown["work"], sandbox.calls("refill")) == ([], [], [])


@pytest.mark.quick
def test_an_order_has_one_running_refill_at_most(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = deliver(panel, sandbox, customer, service)
    number = refill(server, customer, order)
    assert server.call(customer.api_key, "refill", order=order).error == RUNNING
    panel.sweep()
    follow(panel, sandbox, minutes=15)
    assert server.call(customer.api_key, "refill", order=order).error == RUNNING
    follow(panel, sandbox, minutes=45)
    assert server.call(customer.api_key, "refill", order=order).error == TOO_EARLY
    assert [row["refill"] for row in panel.order(order)["refills"]] == [number]
    assert len(sandbox.calls("refill")) == 1


def test_a_refill_may_be_asked_for_again_a_day_after_the_last(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = deliver(panel, sandbox, customer, service)
    ask = [RefillAsk(customer.account_id, [str(order)])]
    (first,) = request_refills(ask, now=panel.clock.now())
    requested_at = panel.clock.now()
    panel.sweep()
    follow(panel, sandbox, hours=3)
    panel.clock.instant = requested_at + timedelta(hours=24, seconds=-1)
    (refused,) = request_refills(ask, now=panel.clock.now())
    assert isinstance(refused[str(order)], RefillTooEarly)
    panel.clock.advance(seconds=1)
    sandbox.advance(hours=24)
    (second,) = request_refills(ask, now=panel.clock.now())
    assert second[str(order)] != first[str(order)]
    panel.sweep()
    assert len(sandbox.calls("refill")) == 2


@pytest.mark.parametrize(("hours", "granted"), [(23.99, False), (24, True)])
def test_a_refill_may_be_asked_for_a_day_after_the_end(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service, hours: float, granted: bool
) -> None:
    order = deliver(panel, sandbox, customer, service)
    ended_at = panel.order(order)["ended_at"]
    now = ended_at + timedelta(hours=hours)
    (answer,) = request_refills([RefillAsk(customer.account_id, [str(order)])], now=now)
    assert isinstance(answer[str(order)], int) is granted
    assert isinstance(answer[str(order)], RefillTooEarly) is not granted


@pytest.mark.parametrize(("days", "granted"), [(2, False), (3, True), (0, True)])
def test_refills_are_over_after_the_days_of_the_service(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    service: Service,
    days: int,
    granted: bool,
) -> None:
    order = deliver(panel, sandbox, customer, service, days_ago=2.5)
    Service.objects.filter(id=service.id).update(refill_days=days)
    answer = server.call(customer.api_key, "refill", order=order)
    if granted:
        assert list(answer.json) == ["refill"]
    else:
        assert answer.error == "Refill days are over"
        assert nothing_asked(panel, sandbox, order)


def test_a_service_without_refills_refuses_them(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = deliver(panel, sandbox, customer, service)
    Service.objects.filter(id=service.id).update(refill=False)
    assert server.call(customer.api_key, "refill", order=order).error == "Refill is disabled for this service"
    assert nothing_asked(panel, sandbox, order)


@pytest.mark.parametrize("wishes", ["fate=canceled", ""])
def test_only_what_was_delivered_is_refilled(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    service: Service,
    wishes: str,
) -> None:
    order = deliver(panel, sandbox, customer, service, wishes=wishes) if wishes else panel.place(customer, service)
    assert server.call(customer.api_key, "refill", order=order).error == "The order is not completed"
    assert panel.order(order)["refills"] == []


def test_a_partial_order_is_refilled(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = deliver(panel, sandbox, customer, service, wishes="fate=partial&remains=40")
    assert panel.order(order)["state"] == "partial"
    refill(server, customer, order)
    panel.sweep()
    assert len(sandbox.calls("refill")) == 1


def test_a_drip_feed_is_refilled_by_its_runs(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer
) -> None:
    service = panel.service(provider=panel.provider(sandbox), refill=True, dripfeed=True)
    panel.clock.instant = datetime.now(UTC) - timedelta(days=3)
    fields = {"runs": 2, "interval": 10, "quantity": 50, "link": "https://example.com/?fate=completed"}
    order = panel.place(customer, service, **fields)
    for _ in range(4):
        panel.clock.advance(minutes=11)
        panel.sweep()
        panel.clock.advance(seconds=1)
        panel.sweep()
        sandbox.advance(days=1)
    for _ in range(2):
        panel.clock.advance(hours=1)
        panel.sweep()
    shown = panel.order(order)
    assert shown["state"] == "completed"
    runs = [child["order"] for child in shown["children"]]
    assert server.call(customer.api_key, "refill", order=order).error == "Refill is disabled for this service"
    answered = server.call(customer.api_key, "refill", orders=",".join(map(str, runs))).json
    assert [list(row) for row in answered] == [["order", "refill"]] * 2
    assert all(isinstance(row["refill"], int) for row in answered)


def test_each_order_of_a_list_gets_its_own_answer(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = deliver(panel, sandbox, customer, service)
    other = panel.customer()
    foreign = deliver(panel, sandbox, other, service)
    fresh = panel.place(customer, service)
    answer = server.call(customer.api_key, "refill", orders=f"{foreign}, {order},{order} ,0{order},x,{fresh},99999999")
    number = panel.order(order)["refills"][0]["refill"]
    assert answer.json == [
        {"order": foreign, "refill": {"error": "Incorrect order ID"}},
        {"order": order, "refill": number},
        {"order": order, "refill": {"error": RUNNING}},
        {"order": "x", "refill": {"error": "Incorrect order ID"}},
        {"order": fresh, "refill": {"error": "The order is not completed"}},
        {"order": 99999999, "refill": {"error": "Incorrect order ID"}},
    ]
    assert panel.order(foreign)["refills"] == panel.order(fresh)["refills"] == []
    told = server.call(other.api_key, "refill_status", refills=f"{number},x")
    assert told.json == [
        {"refill": number, "status": {"error": "Refill not found"}},
        {"refill": "x", "status": {"error": "Refill not found"}},
    ]
    assert server.call(other.api_key, "refill_status", refill=number).error == "Refill not found"
    assert status(server, customer, number) == "Pending"


def test_a_hundred_and_one_are_refused_whole(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = deliver(panel, sandbox, customer, service)
    ids = ",".join(str(order + place) for place in range(101))
    for action, name in (("refill", "orders"), ("refill_status", "refills"), ("cancel", "orders")):
        assert server.call(customer.api_key, action, **{name: ids}).error == "No more than 100 IDs are allowed"
    assert nothing_asked(panel, sandbox, order)


def test_a_key_that_may_only_read_asks_for_no_refill(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = deliver(panel, sandbox, customer, service)
    reader = reading_key(customer)
    for action in ("refill", "cancel"):
        assert server.call(reader, action, orders=order).error == "Invalid API key"
    number = refill(server, customer, order)
    assert server.call(reader, "refill_status", refill=number).json == {"status": "Pending"}


def test_many_who_ask_at_once_get_one_refill(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = deliver(panel, sandbox, customer, service)
    with ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(server.call, customer.api_key, "refill", order=order) for _ in range(32)]
    answers = Counter(call.result().body for call in calls)
    (shown,) = panel.order(order)["refills"]
    running = b'{"error":"%s"}' % RUNNING.encode()
    assert answers == {b'{"refill":"%d"}' % shown["refill"]: 1, running: 31}
    panel.sweep()
    assert len(sandbox.calls("refill")) == 1


def test_a_refill_waits_for_one_that_is_being_committed(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer, service: Service
) -> None:
    order = deliver(panel, sandbox, customer, service)
    ask = [RefillAsk(customer.account_id, [str(order)])]
    with slowly("refill-before-commit", request_refills, ask, now=panel.clock.now()) as answers:
        assert server.call(customer.api_key, "refill", order=order).error == RUNNING
    assert [row["refill"] for row in panel.order(order)["refills"]] == [answers[0][0][str(order)]]


def test_what_staff_delivered_is_refilled_by_staff(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, customer: OpenedCustomer
) -> None:
    panel.clock.instant = datetime.now(UTC) - timedelta(days=3)
    orders = [panel.place(customer, panel.service(refill=True)) for _ in range(2)]
    done = [StaffDelivery(order, State.COMPLETED, "by hand") for order in orders]
    assert record_deliveries(done, actor=ANNA, now=panel.clock.now()) == [State.COMPLETED] * 2
    first, second = (refill(server, customer, order) for order in orders)
    panel.clock.advance(days=3)
    panel.sweep()
    assert sandbox.calls("refill") == []
    decisions = [
        RefillDecision(first, RefillState.COMPLETED, "delivered again"),
        RefillDecision(second, RefillState.REJECTED, "nothing was lost"),
        RefillDecision(second, RefillState.COMPLETED, "twice"),
        RefillDecision(99_999_999, RefillState.COMPLETED, "nobody's"),
    ]
    answers = resolve_refills(decisions, actor=ANNA, now=panel.clock.now())
    assert answers[:2] == [RefillState.COMPLETED, RefillState.REJECTED]
    assert [type(answer) for answer in answers[2:]] == [NotForStaff, NoSuchRefill]
    assert (status(server, customer, first), status(server, customer, second)) == ("Completed", "Rejected")
    (again,) = resolve_refills(decisions[:1], actor=ANNA, now=panel.clock.now())
    assert isinstance(again, NotForStaff)
    last = panel.order(orders[1])["events"][-1]
    assert last["reason"] == f"refill {second}: rejected by staff:anna: nothing was lost"
