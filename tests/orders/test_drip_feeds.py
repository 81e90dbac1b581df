"""Drip-feeds from the API to the last cent: charged at once, started at their time, ended with their runs."""

import json
from typing import Any

import pytest

from hawker.core.failpoints import InjectedFault, arm, disarm
from hawker.core.money import format_micros
from hawker.ledger.customers import OpenedCustomer
from hawker.orders.models import Order, Work
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess, ServeProcess, run_hawker

LINK = "https://example.com/a?fate={}"
FUNDS = 10_000_000


class Feed:
    """A drip-feed, placed over the API, and its customer's view of it."""

    def __init__(self, panel: Panel, server: ServeProcess, customer: OpenedCustomer) -> None:
        self.panel, self.server, self.customer = panel, server, customer
        self.order = 0

    def place(self, upstream: Provider | None, *, fate: str = "completed", rate: str = "0.90", **fields: int) -> int:
        service = self.panel.service(
            provider=upstream, rate=rate, cost_rate="0.10", minimum=1, dripfeed=True, cancel=True
        )
        asked = {"quantity": 100, "runs": 3, "interval": 10, **fields}
        reply = self.server.call(self.customer.api_key, "add", service=service.id, link=LINK.format(fate), **asked)
        self.order = reply.json["order"]
        self.panel.clock.pass_by_the_server()
        return self.order

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.server.call(self.customer.api_key, "status", order=self.order).json
        return status

    def shown(self) -> dict[str, Any]:
        return self.panel.order(self.order)

    def sweep(self) -> None:
        """Start what is due, send it, and follow it. What a busy machine was too slow to send is sent again."""
        for _ in range(3):
            self.panel.sweep()
        while Work.objects.filter(kind="dispatch", hold="", tries__gt=0).exists():
            self.panel.clock.advance(seconds=2)
            self.panel.sweep()

    def pass_minutes(self, minutes: int, sandbox: SandboxProcess) -> None:
        """So much time here and upstream, and everything done that is due by then."""
        sandbox.advance(minutes=minutes)
        self.panel.clock.advance(minutes=minutes)
        self.sweep()


@pytest.fixture
def feed(panel: Panel, server: ServeProcess, customer: OpenedCustomer) -> Feed:
    return Feed(panel, server, customer)


def deliver(feed: Feed, sandbox: SandboxProcess, *, minutes: int = 10) -> None:
    """Run the drip-feed to its end."""
    for _ in range(3):
        feed.pass_minutes(minutes, sandbox)
    for _ in range(3):
        feed.pass_minutes(60 * 24 * 30, sandbox)


def test_all_runs_are_charged_at_once_and_none_is_sent_before_its_time(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed
) -> None:
    feed.place(upstream)
    assert panel.balance(customer) == FUNDS - 270_000
    sent = []
    feed.sweep()
    for _ in range(8):
        sent.append(len(sandbox.calls("add")))
        feed.pass_minutes(5, sandbox)
    assert sent == [1, 1, 2, 2, 3, 3, 3, 3]
    assert panel.balance(customer) == FUNDS - 270_000
    for call in sandbox.calls("add"):
        assert call["fields"] == {"service": "1", "link": LINK.format("completed"), "quantity": "100"}


@pytest.mark.quick
def test_each_run_is_an_order_of_its_own(sandbox: SandboxProcess, upstream: Provider, feed: Feed) -> None:
    feed.place(upstream)
    deliver(feed, sandbox)
    children = feed.shown()["children"]
    assert [child["part"] for child in children] == [1, 2, 3]
    assert len({child["upstream_order"] for child in children}) == 3
    for child in children:
        shown = feed.panel.order(child["order"])
        assert (shown["parent"], shown["quantity"], shown["charge"], shown["earned"]) == (
            feed.order,
            100,
            "0.09",
            "0.09",
        )
        assert [attempt["state"] for attempt in shown["attempts"]] == ["accepted"]
        assert [transfer["kind"] for transfer in shown["transfers"]] == ["delivery"]
        status = feed.server.call(feed.customer.api_key, "status", order=child["order"]).json
        assert (status["status"], status["charge"]) == ("Completed", "0.09")


def test_the_parent_shows_the_sum_of_its_runs(sandbox: SandboxProcess, upstream: Provider, feed: Feed) -> None:
    feed.place(upstream)
    assert feed.status() == {
        "charge": "0.27",
        "start_count": "0",
        "status": "Pending",
        "remains": "300",
        "currency": "USD",
        "runs": "0",
        "orders": [],
    }
    feed.sweep()
    feed.pass_minutes(10, sandbox)
    on_the_way = feed.status()
    assert (on_the_way["status"], on_the_way["runs"]) == ("In progress", "2")
    assert on_the_way["orders"] == [str(child["order"]) for child in feed.shown()["children"]]
    assert 100 <= int(on_the_way["remains"]) <= 300
    deliver(feed, sandbox)
    at_the_end = feed.status()
    assert at_the_end | {"orders": [], "start_count": ""} == {
        "charge": "0.27",
        "start_count": "",
        "status": "Completed",
        "remains": "0",
        "currency": "USD",
        "runs": "3",
        "orders": [],
    }
    first = feed.server.call(feed.customer.api_key, "status", order=at_the_end["orders"][0]).json
    assert at_the_end["start_count"] == first["start_count"] != "0"


def test_parents_and_runs_are_answered_side_by_side(sandbox: SandboxProcess, upstream: Provider, feed: Feed) -> None:
    feed.place(upstream)
    feed.sweep()
    (child,) = feed.status()["orders"]
    stranger = feed.panel.customer()
    many = feed.server.call(feed.customer.api_key, "status", orders=f"{child},{feed.order},7").json
    assert list(many) == [child, str(feed.order), "7"]
    assert list(many[child]) == ["charge", "start_count", "status", "remains", "currency"]
    assert list(many[str(feed.order)]) == [*many[child], "runs", "orders"]
    foreign = feed.server.call(stranger.api_key, "status", orders=f"{child},{feed.order}").json
    assert set(map(str, foreign.values())) == {"{'error': 'Incorrect order ID'}"}


def test_partial_runs_refund_to_the_cent_and_the_parent_is_partial(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed
) -> None:
    feed.place(upstream, fate="partial&remains=33")
    deliver(feed, sandbox)
    # Each run gives back 0.09 × 33 / 100 = 0.0297.
    assert panel.balance(customer) == FUNDS - 270_000 + 3 * 29_700
    status = feed.status()
    assert (status["status"], status["charge"], status["remains"]) == ("Partial", "0.1809", "99")
    assert feed.shown()["state"] == "partial"
    assert feed.shown()["remains"] == 99


def test_canceled_runs_refund_everything(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed
) -> None:
    feed.place(upstream, fate="canceled")
    deliver(feed, sandbox)
    assert panel.balance(customer) == FUNDS
    status = feed.status()
    assert (status["status"], status["charge"], status["remains"]) == ("Canceled", "0.00", "300")


def test_an_uneven_charge_is_split_without_a_rest(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed
) -> None:
    # 3 × 77 at 0.333 per 1,000 are 0.076923, rounded up to 0.07693.
    feed.place(upstream, rate="0.333", quantity=77)
    assert panel.balance(customer) == FUNDS - 76_930
    deliver(feed, sandbox)
    assert [child["charge"] for child in feed.shown()["children"]] == ["0.02565", "0.02564", "0.02564"]
    assert feed.status()["status"] == "Completed"


def test_late_runs_catch_up_one_interval_apart(sandbox: SandboxProcess, upstream: Provider, feed: Feed) -> None:
    feed.place(upstream, runs=5)
    feed.sweep()
    feed.panel.clock.advance(hours=9)
    sent = []
    for _ in range(9):
        feed.sweep()
        sent.append(len(sandbox.calls("add")))
        feed.panel.clock.advance(minutes=5)
    assert sent == [2, 2, 3, 3, 4, 4, 5, 5, 5]


def test_runs_do_not_pile_up_before_a_provider_that_is_away(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, feed: Feed
) -> None:
    Provider.objects.filter(id=upstream.id).update(enabled=False)
    feed.place(upstream, runs=5)
    for _ in range(30):
        feed.sweep()
        panel.clock.advance(minutes=2)
    assert len(feed.shown()["children"]) == 1
    Provider.objects.filter(id=upstream.id).update(enabled=True)
    sent = []
    for _ in range(8):
        feed.sweep()
        sent.append(len(sandbox.calls("add")))
        panel.clock.advance(minutes=5)
    assert sent[0] == 1
    # Never two within ten minutes, which are two looks here.
    assert all(after - before <= 1 for before, after in zip(sent, sent[2:], strict=False))
    assert sent[-1] == 4


def test_a_run_that_costs_more_than_its_share_is_held(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, feed: Feed
) -> None:
    feed.place(upstream)
    feed.sweep()
    upstream.routes.update(cost_rate="0.91")
    for _ in range(3):
        feed.pass_minutes(10, sandbox)
    assert len(sandbox.calls("add")) == 1
    held = panel.order(feed.shown()["children"][-1]["order"])
    assert [(work["kind"], work["hold"]) for work in held["work"]] == [("dispatch", "cost above the charge")]


def test_a_run_is_not_held_for_the_rounding_of_its_share(
    sandbox: SandboxProcess, upstream: Provider, feed: Feed
) -> None:
    """53 at 0.90 per 1,000 are 0.0000477 each: runs are charged 0.00005 and 0.00004 in turn, at a cost of 0.0000477."""
    feed.place(upstream, rate="0.0009", quantity=53, runs=10)
    upstream.routes.update(cost_rate="0.0009")
    for _ in range(11):
        feed.sweep()
        feed.pass_minutes(10, sandbox)
    assert len(sandbox.calls("add")) == 10


def cancel(feed: Feed) -> None:
    """Asked twice, because clients do; the second changes nothing."""
    for _ in range(2):
        answer = feed.server.call(feed.customer.api_key, "cancel", orders=str(feed.order))
        assert answer.json == [{"order": feed.order, "cancel": 1}]


def test_a_cancel_before_the_first_run_refunds_everything_at_once(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed
) -> None:
    feed.place(upstream)
    cancel(feed)
    assert panel.balance(customer) == FUNDS
    status = feed.status()
    assert (status["status"], status["charge"], status["remains"]) == ("Canceled", "0.00", "300")
    assert feed.shown()["work"] == []
    deliver(feed, sandbox)
    assert sandbox.calls("add") == []


@pytest.mark.parametrize("started", [1, 2])
def test_a_cancel_on_the_way_refunds_the_runs_that_were_not_started(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed, started: int
) -> None:
    feed.place(upstream, fate="partial&remains=40")
    feed.sweep()
    for _ in range(started - 1):
        feed.pass_minutes(10, sandbox)
    before = panel.balance(customer)
    cancel(feed)
    assert panel.balance(customer) == before + 90_000 * (3 - started)
    assert feed.status()["charge"] == format_micros(FUNDS - panel.balance(customer))
    assert feed.shown()["state"] == "active", "the parent ends when its runs end"
    deliver(feed, sandbox)
    assert len(sandbox.calls("add")) == started
    status = feed.status()
    assert (status["status"], status["runs"]) == ("Partial", str(started))
    assert status["charge"] == format_micros(FUNDS - panel.balance(customer))
    undelivered = sum(child["remains"] for child in feed.shown()["children"])
    assert status["remains"] == str(100 * (3 - started) + undelivered)


def test_a_cancel_between_two_runs_ends_it_at_once(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed
) -> None:
    feed.place(upstream, interval=525_600)
    feed.sweep()
    for _ in range(2):
        feed.pass_minutes(60 * 24 * 30, sandbox)
    assert feed.shown()["children"][0]["state"] == "completed"
    assert feed.status()["status"] == "In progress"
    cancel(feed)
    status = feed.status()
    assert (status["status"], status["charge"], status["remains"]) == ("Partial", "0.09", "200")
    assert panel.balance(customer) == FUNDS - 90_000
    refused = feed.server.call(customer.api_key, "cancel", orders=str(feed.order + 1_000))
    assert refused.json == [{"order": feed.order + 1_000, "cancel": {"error": "Incorrect order ID"}}]


def test_a_cancel_reaches_the_run_that_waits_to_be_sent(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed
) -> None:
    Provider.objects.filter(id=upstream.id).update(enabled=False)
    feed.place(upstream)
    feed.sweep()
    assert len(feed.shown()["children"]) == 1
    cancel(feed)
    assert panel.balance(customer) == FUNDS
    panel.clock.advance(seconds=1)
    feed.sweep()
    assert feed.status()["status"] == "Canceled"
    assert sandbox.calls("add") == []


@pytest.mark.parametrize("run_first", [False, True])
def test_a_drip_feed_and_its_run_are_canceled_in_one_call(
    panel: Panel, server: ServeProcess, upstream: Provider, feed: Feed, customer: OpenedCustomer, run_first: bool
) -> None:
    Provider.objects.filter(id=upstream.id).update(enabled=False)
    feed.place(upstream)
    feed.sweep()
    (run,) = [child["order"] for child in feed.shown()["children"]]
    asked = [run, feed.order] if run_first else [feed.order, run]
    answer = server.call(customer.api_key, "cancel", orders=",".join(map(str, asked))).json
    assert answer == [{"order": order, "cancel": 1} for order in asked]
    assert panel.balance(customer) == FUNDS
    panel.clock.advance(seconds=1)
    feed.sweep()
    assert (panel.order(run)["state"], feed.status()["status"]) == ("canceled", "Canceled")


def test_a_cancel_reaches_the_run_under_way(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed
) -> None:
    feed.place(upstream, quantity=3_000)
    feed.sweep()
    cancel(feed)
    feed.pass_minutes(1, sandbox)
    (call,) = sandbox.calls("cancel")
    assert call["fields"] == {"orders": str(feed.shown()["children"][0]["upstream_order"])}
    for _ in range(3):
        feed.pass_minutes(60 * 24, sandbox)
    (run,) = feed.shown()["children"]
    assert run["state"] in ("partial", "canceled")
    status = feed.status()
    assert status["status"] == {"partial": "Partial", "canceled": "Canceled"}[run["state"]]
    assert int(status["remains"]) == 6_000 + run["remains"]
    assert status["charge"] == format_micros(FUNDS - panel.balance(customer))


def test_one_run_may_be_canceled_and_the_others_go_on(
    panel: Panel, sandbox: SandboxProcess, customer: OpenedCustomer, upstream: Provider, feed: Feed
) -> None:
    Provider.objects.filter(id=upstream.id).update(enabled=False)
    feed.place(upstream)
    feed.sweep()
    (run,) = feed.status()["orders"]
    feed.server.call(customer.api_key, "cancel", order=run)
    Provider.objects.filter(id=upstream.id).update(enabled=True)
    deliver(feed, sandbox)
    assert [child["state"] for child in feed.shown()["children"]] == ["canceled", "completed", "completed"]
    status = feed.status()
    assert (status["status"], status["charge"], status["remains"]) == ("Partial", "0.18", "100")


def test_a_service_without_cancels_keeps_its_drip_feeds(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer, feed: Feed
) -> None:
    service = panel.service(dripfeed=True, cancel=False)
    order = panel.place(customer, service, runs=3, interval=10)
    answer = server.call(customer.api_key, "cancel", orders=str(order)).json
    assert answer == [{"order": order, "cancel": {"error": "Cancel is disabled for this service"}}]
    assert panel.order(order)["state"] == "active"


def test_a_drip_feed_under_a_request_id_is_placed_once(
    panel: Panel, server: ServeProcess, customer: OpenedCustomer
) -> None:
    service = panel.service(dripfeed=True)
    fields = {"service": service.id, "link": "@a", "quantity": 100, "runs": 3, "interval": 10, "request_id": "r1"}
    first = server.call(customer.api_key, "add", **fields)
    assert server.call(customer.api_key, "add", **fields).body == first.body
    assert server.call(customer.api_key, "add", **fields | {"runs": 2}).error == "Incorrect request"
    assert Order.objects.count() == 1
    assert panel.balance(customer) == FUNDS - 270_000


def test_a_kill_before_the_commit_leaves_nothing_and_the_run_comes_once(
    panel: Panel, sandbox: SandboxProcess, upstream: Provider, feed: Feed
) -> None:
    feed.place(upstream)
    before = feed.shown()
    try:
        arm("drip-before-commit=raise")
        with pytest.raises(InjectedFault):
            panel.sweep()
    finally:
        disarm()
    assert feed.shown() == before
    feed.sweep()
    assert len(sandbox.calls("add")) == 1


def test_a_manual_service_has_its_runs_queued_for_staff(panel: Panel, feed: Feed) -> None:
    feed.place(None)
    for _ in range(4):
        feed.sweep()
        panel.clock.advance(minutes=10)
    assert [child["state"] for child in feed.shown()["children"]] == ["queued"] * 3
    assert not Work.objects.exclude(kind="drip").exists()
    assert Order.objects.count() == 4


def told(*words: str) -> Any:
    """What this command says on stdout, over this test's panel."""
    done = run_hawker(*words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_operator_sees_the_runs_and_has_them_checked(
    sandbox: SandboxProcess, upstream: Provider, feed: Feed
) -> None:
    feed.place(upstream)
    feed.sweep()
    feed.pass_minutes(10, sandbox)
    shown = told("order", "show", str(feed.order))
    plan = {"runs": 3, "interval_minutes": 10, "started": 2, "stops_after": 3}
    assert {name: shown["drip"][name] for name in plan} == plan
    assert (shown["charge"], shown["handed"], shown["refunded"]) == ("0.27", "0.18", "0.00")
    assert [(run["part"], run["charge"]) for run in shown["children"]] == [(1, "0.09"), (2, "0.09")]
    run = told("order", "show", str(shown["children"][1]["order"]))
    assert (run["parent"], run["part"], run["drip"]) == (feed.order, 2, None)
    verified = told("verify")
    assert (verified["ok"], verified["checked"]["drip"]) == (True, 1)
