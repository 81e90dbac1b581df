"""How orders fare over the sandbox's time, and what their fates cost and give back."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_peer import KEY, SURE, running

from hawker.core.money import Money
from hawker.protocol.statuses import OrderStatus
from hawker.sandbox.delivery import FINAL, delivery_at, ends_at, refund_due
from hawker.sandbox.entries import SandboxOrder
from hawker.sandbox.fates import FateMix, WireFate, left_by, read_wish
from hawker.sandbox.timeline import DAY

OPENING = Money.parse("10000")
LINK = "https://shop.example/flyer"
SUBSCRIPTION = {"service": 12, "username": "ann", "min": 250, "max": 300, "delay": 0}


@pytest.fixture
def peer():
    with running() as peer:
        yield peer


class HandClock:
    """A clock that a test moves."""

    def __init__(self):
        self._now = datetime(2027, 1, 1, tzinfo=UTC)

    def now(self):
        return self._now

    def pass_seconds(self, seconds):
        self._now += timedelta(seconds=seconds)


# --- one order -------------------------------------------------------------------------------------


@pytest.mark.quick
def test_an_order_waits_then_counts_down_then_is_completed(peer):
    order = peer.add(service=1, link=SURE, quantity=5000)
    seen = [peer.status(order)]
    for _ in range(60):
        peer.advance(minutes=6)
        seen.append(peer.status(order))

    remains = [int(status["remains"]) for status in seen]
    words = list(dict.fromkeys(status["status"] for status in seen))
    assert words[0] == "Pending"
    assert words[-1] == "Completed"
    assert set(words[1:-1]) <= {"In progress", "Processing"}
    assert remains == sorted(remains, reverse=True)
    assert len(set(remains)) > 10
    assert (remains[0], remains[-1]) == (5000, 0)
    assert {status["start_count"] for status in seen if status["status"] == "Pending"} == {"0"}
    assert len({status["start_count"] for status in seen if status["status"] != "Pending"} - {"0"}) == 1
    assert {status["charge"] for status in seen} == {"4.50"}


def test_larger_orders_take_longer(peer):
    small, large = (peer.add(service=1, link=SURE, quantity=quantity) for quantity in (50, 10_000))
    peer.advance(minutes=40)

    assert peer.status(small)["status"] == "Completed"
    assert peer.status(large)["status"] != "Completed"


def test_a_link_can_ask_for_a_partial_with_so_many_left_and_pays_their_share_back(peer):
    order = peer.add(service=1, link=f"{LINK}?fate=partial&remains=157", quantity=1000)
    assert peer.balance() == OPENING - Money.parse("0.9")
    peer.advance(hours=10)

    status = peer.status(order)
    assert (status["status"], status["remains"], status["charge"]) == ("Partial", "157", "0.7587")
    assert peer.balance() == OPENING - Money.parse("0.7587")


def test_a_link_can_ask_for_a_cancel_and_everything_goes_back(peer):
    order = peer.add(service=1, link=f"{LINK}#fate=canceled", quantity=1000)
    peer.advance(hours=10)

    status = peer.status(order)
    assert (status["status"], status["remains"], status["charge"]) == ("Canceled", "1000", "0.00")
    assert peer.balance() == OPENING


def test_a_package_that_should_end_partial_is_completed(peer):
    order = peer.add(service=3, link=f"{LINK}?fate=partial")
    peer.advance(hours=10)

    assert peer.status(order)["status"] == "Completed"
    assert peer.balance() == OPENING - Money.parse("29")


def test_a_package_can_be_canceled_whole(peer):
    order = peer.add(service=3, link=f"{LINK}?fate=canceled")
    peer.advance(hours=10)

    assert peer.status(order)["status"] == "Canceled"
    assert peer.balance() == OPENING


def test_fates_follow_the_mix_and_the_same_seed_gives_the_same_fates():
    def fates(seed):
        with running(mix="50,30,20", seed=seed) as peer:
            for _ in range(300):
                peer.raw("add", service=1, link=LINK, quantity=50)
            return [row["fate"] for row in peer.orders()]

    first = fates(5)
    share = Counter(first)
    assert 110 < share["completed"] < 190
    assert 55 < share["partial"] < 125
    assert 30 < share["canceled"] < 90
    assert fates(5) == first
    assert fates(6) != first


def test_a_mix_can_make_every_order_end_alike():
    with running(mix="0,1,0") as peer:
        orders = [peer.add(service=1, link=LINK, quantity=50) for _ in range(20)]
        peer.advance(hours=10)
        answers = peer.ask("status", orders=",".join(map(str, orders)))

    assert {answer["status"] for answer in answers.values()} == {"Partial"}


def test_speed_makes_hours_into_seconds_and_a_change_of_speed_never_takes_anything_back():
    clock = HandClock()
    with running(speed=600, clock=clock) as peer:
        order = peer.add(service=1, link=SURE, quantity=10_000)
        clock.pass_seconds(10)
        before = peer.status(order)
        peer.set("/sandbox/speed", speed=0)
        clock.pass_seconds(1_000_000)
        assert peer.status(order) == before
        peer.set("/sandbox/speed", speed=1)
        clock.pass_seconds(60)
        after = peer.status(order)
        peer.set("/sandbox/speed", speed=600)
        clock.pass_seconds(60)

        assert before["status"] != "Completed"
        assert int(before["remains"]) - 60 < int(after["remains"]) < int(before["remains"])
        assert peer.status(order)["status"] == "Completed"


def test_time_does_not_go_back_when_the_clock_does():
    clock = HandClock()
    with running(speed=600, clock=clock) as peer:
        order = peer.add(service=1, link=SURE, quantity=100)
        clock.pass_seconds(60)
        assert peer.status(order)["status"] == "Completed"
        clock.pass_seconds(-59)
        assert peer.status(order)["status"] == "Completed"


# --- cancels ---------------------------------------------------------------------------------------


def test_a_cancel_before_delivery_ends_canceled_with_everything_back(peer):
    order = peer.add(service=1, link=f"{LINK}?fate=completed", quantity=10_000)
    assert peer.ask("cancel", orders=order) == [{"order": order, "cancel": 1}]
    assert peer.status(order)["status"] == "Pending"
    # The cancel may come after delivery began: at this quantity hardly anything is delivered by then.
    peer.advance(minutes=5)

    status = peer.status(order)
    delivered = 10_000 - int(status["remains"])
    assert status["status"] == ("Partial" if delivered else "Canceled")
    assert delivered < 300
    assert peer.balance() == OPENING - Money.parse(status["charge"])


def test_a_cancel_in_the_middle_ends_partial_and_pays_the_rest_back_once(peer):
    order = peer.add(service=1, link=SURE, quantity=10_000)
    peer.advance(hours=2)
    peer.ask("cancel", orders=order)
    peer.ask("cancel", orders=order)
    peer.advance(minutes=5)
    status = peer.status(order)
    peer.advance(hours=20)

    assert status["status"] == "Partial"
    assert 0 < int(status["remains"]) < 10_000
    assert peer.status(order) == status
    assert peer.balance() == OPENING - Money.parse(status["charge"])


def test_cancels_are_refused_where_the_service_has_none_or_the_order_is_over(peer):
    uncancelable = peer.add(service=4, link=SURE, quantity=100)
    finished = peer.add(service=1, link=SURE, quantity=100)
    peer.advance(hours=10)

    assert peer.ask("cancel", orders=f"{uncancelable},{finished}") == [
        {"order": uncancelable, "cancel": {"error": "Cancel is disabled for this service"}},
        {"order": finished, "cancel": {"error": "The order is already completed"}},
    ]


def test_a_sandbox_may_refuse_cancels_or_take_them_and_do_nothing():
    with running(cancel_refused=1.0) as refusing, running(cancel_ignored=1.0) as ignoring:
        refused, ignored = (peer.add(service=1, link=SURE, quantity=100) for peer in (refusing, ignoring))

        assert "error" in refusing.ask("cancel", orders=refused)[0]["cancel"]
        assert ignoring.ask("cancel", orders=ignored) == [{"order": ignored, "cancel": 1}]
        for peer, order in ((refusing, refused), (ignoring, ignored)):
            peer.advance(hours=10)
            assert peer.status(order)["status"] == "Completed"


# --- refills ---------------------------------------------------------------------------------------


def test_a_refill_is_pending_then_in_progress_then_over_and_may_be_asked_again_a_day_later(peer):
    order = peer.add(service=1, link=SURE + "&refill=completed", quantity=100)
    assert peer.ask("refill", order=order) == {"error": "The order is not completed"}
    peer.advance(hours=10)
    assert peer.ask("refill", order=order) == {
        "error": "The order was completed or refill was requested less than 24 hours ago"
    }
    peer.advance(hours=20)

    refill = peer.ask("refill", order=order)["refill"]
    words = []
    for _ in range(4):
        words.append(peer.ask("refill_status", refill=refill)["status"])
        if len(words) < 3:
            assert peer.ask("refill", order=order) == {"error": "The refill task is not completed for this order"}
        peer.advance(minutes=15)
    assert words == ["Pending", "In progress", "In progress", "Completed"]
    assert peer.ask("refill", order=order)["error"].endswith("less than 24 hours ago")
    peer.advance(hours=24)
    assert int(peer.ask("refill", order=order)["refill"]) > int(refill)


def test_refills_are_refused_where_the_service_has_none_or_the_days_are_over():
    with running(refill_days=30, refill_wait_hours=0) as peer:
        without, late = (peer.add(service=service, link=SURE, quantity=100) for service in (9, 1))
        peer.advance(hours=24 * 32)

        assert peer.ask("refill", order=without) == {"error": "Refill is disabled for this service"}
        assert peer.ask("refill", order=late) == {"error": "Refill days are over"}


# --- drip-feed -------------------------------------------------------------------------------------


def test_a_drip_feed_is_paid_at_once_and_runs_at_its_interval(peer):
    order = peer.add(service=1, link=SURE, quantity=100, runs=3, interval=120)
    assert peer.balance() == OPENING - Money.parse("0.27")
    first = peer.status(order)
    peer.advance(minutes=125)
    second = peer.status(order)
    peer.advance(hours=10)
    last = peer.status(order)

    assert [status["runs"] for status in (first, second, last)] == ["1", "2", "3"]
    assert (first["status"], second["status"], last["status"]) == ("Pending", "In progress", "Completed")
    assert (first["remains"], last["remains"]) == ("300", "0")
    assert 100 < int(second["remains"]) <= 200
    assert len(last["orders"]) == 3
    assert {peer.status(int(child))["status"] for child in last["orders"]} == {"Completed"}
    assert sum(Money.parse(peer.status(int(child))["charge"]).micros for child in last["orders"]) == 270_000
    assert peer.balance() == OPENING - Money.parse("0.27")


def test_a_partial_drip_feed_pays_back_the_share_of_every_run(peer):
    order = peer.add(service=1, link=f"{LINK}?fate=partial&remains=40", quantity=100, runs=3, interval=5)
    peer.advance(hours=10)

    status = peer.status(order)
    assert (status["status"], status["remains"], status["charge"]) == ("Partial", "120", "0.162")
    assert peer.balance() == OPENING - Money.parse("0.162")


def test_a_canceled_drip_feed_makes_no_more_runs_and_pays_them_back(peer):
    order = peer.add(service=1, link=SURE, quantity=100, runs=10, interval=600)
    peer.advance(hours=1)
    assert peer.ask("cancel", orders=order)[0]["cancel"] == 1
    peer.advance(hours=200)

    status = peer.status(order)
    assert (status["status"], status["runs"], status["remains"], status["charge"]) == ("Partial", "1", "900", "0.09")
    assert peer.balance() == OPENING - Money.parse("0.09")


# --- subscriptions ---------------------------------------------------------------------------------


def test_a_subscription_orders_for_old_posts_at_once_and_for_new_ones_as_they_come(peer):
    order = peer.add(**SUBSCRIPTION, old_posts=2, posts=3)
    at_first = peer.status(order)
    peer.advance(hours=2)
    later = peer.status(order)
    peer.advance(hours=100)
    last = peer.status(order)

    assert list(at_first) == [
        "charge", "start_count", "status", "remains", "currency", "posts", "expiry", "orders",
    ]  # fmt: skip
    assert (at_first["status"], at_first["posts"], at_first["expiry"]) == ("Active", "2", "")
    assert 2 < int(later["posts"]) < 5
    assert (last["status"], last["posts"], len(last["orders"])) == ("Completed", "5", 5)
    rows = [row for row in peer.orders() if row["parent"] == order]
    assert all(250 <= row["quantity"] <= 300 for row in rows)
    assert peer.balance() == OPENING - Money.parse(last["charge"])


def test_a_subscription_waits_while_there_are_no_funds_and_goes_on_when_there_are(peer):
    peer.set("/sandbox/balance", key=KEY, balance="10.00")
    order = peer.add(**SUBSCRIPTION, old_posts=3, posts=0)
    waiting = peer.status(order)
    peer.set("/sandbox/balance", key=KEY, balance="100.00")

    assert (waiting["status"], waiting["posts"]) == ("Paused", "1")
    assert (peer.status(order)["status"], peer.status(order)["posts"]) == ("Completed", "3")


def test_a_subscription_expires_and_another_is_canceled_at_once():
    clock = HandClock()
    with running(clock=clock) as peer:
        expiring = peer.add(**SUBSCRIPTION, expiry="02/01/2027")
        canceled = peer.add(**SUBSCRIPTION)
        assert peer.ask("cancel", orders=canceled)[0]["cancel"] == 1
        assert peer.status(canceled)["status"] == "Canceled"
        peer.advance(hours=47)
        assert peer.status(expiring)["status"] == "Active"
        peer.advance(hours=2)

        status = peer.status(expiring)
        assert (status["status"], status["expiry"]) == ("Expired", "02/01/2027")
        assert 40 <= int(status["posts"]) <= 48
        assert peer.status(canceled)["posts"] == "0"


def test_a_subscribers_name_can_ask_for_the_fate_of_its_orders(peer):
    order = peer.add(**SUBSCRIPTION | {"username": "ann?fate=canceled"}, old_posts=4, posts=0)
    peer.advance(hours=10)

    children = peer.status(order)["orders"]
    assert {peer.status(int(child))["status"] for child in children} == {"Canceled"}
    assert peer.balance() == OPENING


# --- money -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_in_whatever_order_the_balance_is_what_the_orders_left_of_it(peer, seed):
    chance = random.Random(seed)
    kinds = (
        {"service": 1, "link": LINK, "quantity": 333},
        {"service": 3, "link": LINK},
        {"service": 1, "link": LINK, "quantity": 77, "runs": 7, "interval": 45},
        {**SUBSCRIPTION, "old_posts": 2, "posts": 9},
        SUBSCRIPTION,
    )
    for _ in range(120):
        ids = [row["order"] for row in peer.orders()]
        match chance.randrange(4):
            case 0 | 1:
                peer.ask("add", **chance.choice(kinds))
            case 2 if ids:
                peer.ask("cancel", orders=",".join(map(str, chance.sample(ids, min(len(ids), 5)))))
            case _:
                peer.advance(minutes=chance.choice((1, 10, 100, 1000)))

    rows = peer.orders()
    assert len({row["status"] for row in rows}) > 3
    left = sum(Money.parse(row["charge"]).micros for row in rows if row["parent"] is None)
    assert peer.balance() == Money(OPENING.micros - left)


# --- the pure functions under it -------------------------------------------------------------------

orders = st.builds(
    lambda quantity, rolled, fate, cancel, charge: SandboxOrder(
        id=1,
        key=KEY,
        service=1,
        link=LINK,
        quantity=quantity,
        charge_micros=charge * 10,
        tick=1_000,
        at=datetime(2027, 1, 1, tzinfo=UTC),
        roll=rolled,
        fate=fate,
        left=left_by(fate, read_wish(LINK), quantity, rolled),
        cancel_tick=cancel,
    ),
    quantity=st.integers(1, 100_000),
    rolled=st.integers(0, 2**64 - 1),
    fate=st.sampled_from(WireFate),
    cancel=st.none() | st.integers(1_000, 1_000 + DAY),
    charge=st.integers(1, 10**9),
)


@given(order=orders, ticks=st.lists(st.integers(0, 2 * DAY), min_size=2, max_size=8))
@settings(max_examples=300, deadline=None)
def test_whatever_the_order_its_delivery_only_goes_forward(order, ticks):
    seen = [delivery_at(order, tick) for tick in sorted([*ticks, ends_at(order) - 1, ends_at(order)])]

    remains = [delivery.remains for delivery in seen]
    assert remains == sorted(remains, reverse=True)
    assert all(0 <= left <= order.quantity for left in remains)
    ended = [delivery.status in FINAL for delivery in seen]
    assert ended == sorted(ended)
    last = delivery_at(order, ends_at(order))
    assert last.status in FINAL
    assert delivery_at(order, ends_at(order) - 1).status not in FINAL
    assert (last.remains == 0) == (last.status is OrderStatus.COMPLETED)
    assert (last.remains == order.quantity) == (last.status is OrderStatus.CANCELED)
    assert 0 <= refund_due(order, last.remains) <= order.charge_micros


@given(text=st.text(max_size=60))
def test_no_link_can_upset_the_reading_of_wishes(text):
    read_wish(text)
    read_wish(f"{LINK}?fate={text}&remains={text}")


@pytest.mark.parametrize("text", ["", "80,12", "1,2,x", "-1,1,1", "0,0,0"])
def test_a_mix_that_makes_no_sense_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match="fates"):
        FateMix.parse(text)
