"""The rules of clearing up unknowns, held against worlds in which the truth is known."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hawker.orders.reconciling.number_windows import (
    MAX_CANDIDATES,
    OPEN_AFTER,
    PER_CALL,
    Doubt,
    Later,
    Neighbour,
    Side,
    Window,
    numbers_grow,
    windows_of,
)
from hawker.orders.reconciling.rules import SECOND_LOOK, Bind, NotMade, NumberScan, holds_none, judge
from hawker.protocol.presence import read_presence
from hawker.protocol.statuses import OrderStatus
from hawker.protocol.upstream import Unreadable, UpstreamStatus

START = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = 90


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def status(charge: int | None = 90_000, *, remains: int | None = 100, currency: str | None = "USD") -> UpstreamStatus:
    return UpstreamStatus(OrderStatus.PENDING, remains, None, charge, currency)


# --- worlds ----------------------------------------------------------------------------------------


@dataclass
class Sent:
    """An attempt of ours as it truly was: `number` is what the provider gave, None where it made nothing, `done` when
    the provider had finished with it at the latest, as we may know."""

    id: int
    started: float
    ended: float
    known: bool
    charge: int
    done: float
    number: int | None = None


def world(seed: int) -> tuple[list[Sent], dict[int, int | None]]:
    """Our attempts, many at once, and who has each number: an attempt of ours (0: another customer's, which we cannot
    see). Orders are made at any moment up to the end of their lease, also long after we stopped waiting, except where
    the provider itself gave a whole answer that told nothing."""
    chance = random.Random(seed)
    clock, sent = 0.0, []
    for n in range(1, chance.randint(4, 60)):
        clock += chance.choice([0.1, 1, 10, 40, 120]) * chance.random()
        known = chance.random() < 0.85
        ended = clock + (chance.random() * 3 if known else chance.choice([1, 30, LEASE]))
        done = ended if known or chance.random() < 0.4 else clock + LEASE
        sent.append(Sent(n, clock, ended, known, chance.choice([90_000, 180_000, 270_000]), done))
    moments: list[tuple[float, int]] = []
    for item in sent:
        if item.known:
            moments.append((item.started + (item.ended - item.started) * chance.random(), item.id))
        elif chance.random() < 0.5:
            moments.append((item.started + (item.done - item.started) * chance.random(), item.id))
    moments += [(clock * chance.random(), 0) for _ in range(chance.randint(0, 60))]
    owners: dict[int, int | None] = {}
    for number, (_, owner) in enumerate(sorted(moments), start=1000):
        owners[number] = owner
        if owner:
            sent[owner - 1].number = number
    return sent, owners


def known_orders(sent: list[Sent]) -> list[Neighbour]:
    return [Neighbour(s.number, at(s.started), at(s.ended)) for s in sent if s.known and s.number]


def doubts_of(sent: list[Sent]) -> dict[int, Doubt]:
    return {
        s.id: Doubt(s.id, s.id, at(s.started), at(s.ended), at(s.done), s.charge, 100, 0) for s in sent if not s.known
    }


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9))
def test_in_no_world_is_a_wrong_order_bound_or_a_made_one_sent_again(seed: int) -> None:
    sent, owners = world(seed)
    truth = {s.id: s.number for s in sent}
    doubts = doubts_of(sent)
    ours = {s.number for s in sent if s.known}
    for doubt in doubts.values():
        known = known_orders(sent)
        windows = windows_of(doubt, known, known, now=at(10**6))
        if isinstance(windows, Later):
            continue
        for window in windows:
            inside = range(window.low.upstream_id + 1, window.high.upstream_id)
            made = truth[doubt.attempt_id]
            assert made is None or not window.whole or made in inside, "the whole window holds what was made"
            orphans = {number: status(sent[owner - 1].charge) for number in inside if (owner := owners.get(number))}
            orphans = {number: found for number, found in orphans.items() if number not in ours}
            judged = judge(
                doubt,
                NumberScan(window, orphans, known=[n for n in known if n.upstream_id in inside]),
                [other for other in doubts.values() if other is not doubt],
                currency="USD",
                sample=20,
                empty_since=START,
                charged=None,
                now=at(10**6),
            )
            if isinstance(judged, Bind):
                assert judged.upstream_id == made
            elif isinstance(judged, NotMade):
                assert made is None


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 10**9), st.floats(0, 1))
def test_in_no_world_is_a_wrong_order_bound_that_was_looked_for_before_an_order_followed(
    seed: int, part: float
) -> None:
    """The panel as it is at some moment, quiet since OPEN_AFTER: all that was sent is over, nothing came after it."""
    sent, owners = world(seed)
    sent = sent[: 1 + int(part * len(sent))]
    now = max(s.done for s in sent) + OPEN_AFTER.total_seconds()
    ours = {s.number for s in sent}
    owners = {number: owner for number, owner in owners.items() if number in ours or not owner}
    known, doubts = known_orders(sent), doubts_of(sent)
    for doubt in doubts.values():
        windows = windows_of(doubt, known, known, now=at(now))
        if isinstance(windows, Later) or windows[0].open is None:
            continue
        (window,) = windows
        inside = range(window.low.upstream_id + 1, window.high.upstream_id)
        bound = {n.upstream_id for n in known}
        orphans = {n: status(sent[owner - 1].charge) for n in inside if (owner := owners.get(n)) and n not in bound}
        judged = judge(
            doubt,
            NumberScan(window, orphans, known=[n for n in known if n.upstream_id in inside]),
            [other for other in doubts.values() if other is not doubt],
            currency="USD",
            sample=20,
            empty_since=START,
            charged=None,
            now=at(now),
        )
        assert not isinstance(judged, NotMade), "an open window never proves that nothing was made"
        if isinstance(judged, Bind):
            assert judged.upstream_id == sent[doubt.attempt_id - 1].number


# --- single rules ----------------------------------------------------------------------------------

LOW, HIGH = Neighbour(100, at(-50), at(-40)), Neighbour(110, at(200), at(201))
DOUBT = Doubt(1, 11, at(0), at(30), at(90), 90_000, 100, 0)
RIVAL = Doubt(2, 22, at(60), at(61), at(150), 90_000, 100, 0)
WINDOW = Window(LOW, HIGH)


def judged(
    look: NumberScan,
    *others: Doubt,
    doubt: Doubt = DOUBT,
    sample: int = 20,
    empty_for: float | None = 100,
    charged: bool | None = None,
) -> Bind | NotMade | Later:
    now = at(1000)
    since = None if empty_for is None else now - timedelta(seconds=empty_for)
    return judge(doubt, look, others, currency="USD", sample=sample, empty_since=since, charged=charged, now=now)


def test_one_unknown_and_one_orphan_of_its_charge_belong_together() -> None:
    bound = judged(NumberScan(WINDOW, {105: status()}))
    assert isinstance(bound, Bind)
    assert bound.upstream_id == 105


@pytest.mark.parametrize(
    "orphan",
    [
        status(90_010),
        status(89_990),
        status(None),
        status(0),
        status(currency="EUR"),
        status(remains=101),
        None,
    ],
    ids=["dearer", "cheaper", "no charge", "refunded", "currency", "remains", "unknown status"],
)
def test_an_orphan_that_is_not_like_it_is_a_persons(orphan: UpstreamStatus | None) -> None:
    later = judged(NumberScan(WINDOW, {105: orphan}))
    assert isinstance(later, Later)
    assert later.person


@pytest.mark.parametrize("orphan", [status(90_009), status(89_991), status(currency="usd"), status(currency=None)])
def test_prices_may_be_rounded_in_another_way(orphan: UpstreamStatus) -> None:
    assert isinstance(judged(NumberScan(WINDOW, {105: orphan})), Bind)


def test_two_orphans_and_one_unknown_are_a_persons() -> None:
    later = judged(NumberScan(WINDOW, {105: status(), 106: status()}))
    assert isinstance(later, Later)
    assert later.person


def test_what_a_person_gave_up_may_still_have_made_the_orphan() -> None:
    given_up = Doubt(2, 22, at(60), at(61), at(150), 90_000, 100, 0, open=False)
    assert isinstance(judged(NumberScan(WINDOW, {105: status()}), given_up), Later)
    long_before = Doubt(2, 22, at(-999), at(-990), at(-900), 90_000, 100, 0, open=False)
    assert isinstance(judged(NumberScan(WINDOW, {105: status()}), long_before), Bind)


def test_the_moments_of_known_orders_tell_orphans_of_one_charge_apart() -> None:
    between = Neighbour(105, at(100), at(101))
    early = Doubt(1, 11, at(0), at(30), at(90), 90_000, 100, 0)
    late = Doubt(2, 22, at(110), at(111), at(190), 90_000, 100, 0)
    look = NumberScan(WINDOW, {104: status(), 106: status()}, known=[between])
    for doubt, other, number in ((early, late, 104), (late, early, 106)):
        bound = judged(look, other, doubt=doubt)
        assert isinstance(bound, Bind)
        assert bound.upstream_id == number
    unsure = judged(NumberScan(WINDOW, {104: status(), 106: status()}), RIVAL, doubt=early)
    assert isinstance(unsure, Later)
    assert unsure.person


def test_numbers_grow_with_the_moments_of_the_unknowns_that_made_them() -> None:
    """Nothing known lies between the two, but the first had ended before the second was sent."""
    late = Doubt(2, 22, at(110), at(111), at(190), 90_000, 100, 0)
    look = NumberScan(WINDOW, {104: status(), 106: status()})
    assert judged(look, late) == Bind(104, judged(look, late).why)
    assert judged(look, DOUBT, doubt=late) == Bind(106, judged(look, DOUBT, doubt=late).why)
    alone = judged(NumberScan(WINDOW, {104: status()}), late)
    assert isinstance(alone, Later), "either may have made it"
    assert alone.person


def test_orphans_of_others_do_not_keep_a_window_from_being_empty_for_it() -> None:
    other = Doubt(2, 22, at(60), at(61), at(150), 180_000, 100, 0)
    look = NumberScan(WINDOW, {105: status(180_000)})
    assert holds_none(DOUBT, look, "USD")
    assert not holds_none(other, look, "USD")
    assert not holds_none(DOUBT, NumberScan(WINDOW, {}, unclear=1), "USD")
    assert isinstance(judged(look, other), NotMade)
    assert isinstance(judged(look, other, empty_for=None), Later)
    nobodys = judged(look)
    assert isinstance(nobodys, Later)
    assert nobodys.person


def test_a_puzzle_of_too_many_ways_is_a_persons() -> None:
    rivals = [Doubt(n, n, at(n), at(n + 1), at(90 + n), 90_000, 100, 0) for n in range(2, 30)]
    low, high = Neighbour(100, at(-50), at(-40)), Neighbour(200, at(300), at(301))
    look = NumberScan(Window(low, high), {n: status() for n in range(101, 131)})
    later = judged(look, *rivals)
    assert isinstance(later, Later)
    assert later.person
    assert later.why.startswith("too many possible assignments")


def test_an_orphan_where_a_provider_makes_orders_of_its_own_is_a_persons() -> None:
    later = judge(
        DOUBT,
        NumberScan(WINDOW, {105: status()}),
        [],
        currency="USD",
        relayed=True,
        sample=20,
        empty_since=None,
        charged=None,
        now=at(1000),
    )
    assert isinstance(later, Later)
    assert later.person


def test_an_empty_window_proves_it_whoever_else_is_in_doubt() -> None:
    assert isinstance(judged(NumberScan(WINDOW, {}), RIVAL), NotMade)


@pytest.mark.parametrize(
    ("look", "facts", "person"),
    [
        (NumberScan(WINDOW, {}), {"empty_for": None}, False),
        (NumberScan(WINDOW, {}), {"empty_for": SECOND_LOOK.total_seconds() - 1}, False),
        (NumberScan(WINDOW, {}, unclear=1), {}, False),
        (NumberScan(WINDOW, {}, strays=[90]), {}, True),
        (NumberScan(Window(LOW, HIGH, whole=False), {}), {}, True),
        (NumberScan(WINDOW, {}), {"sample": 9}, True),
        (NumberScan(WINDOW, {}), {"charged": True}, True),
        (NumberScan(WINDOW, {105: status()}), {"charged": False}, True),
        (NumberScan(WINDOW, {105: status()}, strays=[120]), {}, True),
        (NumberScan(WINDOW, {105: status()}, unclear=1), {}, False),
        (NumberScan(WINDOW, {}), {"doubt": Doubt(1, 11, at(0), at(30), at(90), 90_000, 100, resends=2)}, True),
    ],
)
def test_every_doubt_about_a_look_leaves_the_order_unknown(
    look: NumberScan, facts: dict[str, object], person: bool
) -> None:
    later = judged(look, **facts)  # type: ignore[arg-type]
    assert isinstance(later, Later)
    assert later.person is person


def test_numbers_grow_where_later_orders_have_higher_ones() -> None:
    orders = [Neighbour(100 + n, at(10 * n), at(10 * n + 1)) for n in range(10)]
    assert numbers_grow(orders)
    assert numbers_grow([])
    at_once = [Neighbour(7, at(0), at(5)), Neighbour(6, at(1), at(5))]
    assert numbers_grow(at_once), "orders that were under way at once may have any"
    two_rows = [*orders, Neighbour(50_000, at(45), at(46))]
    assert not numbers_grow(two_rows)
    assert not numbers_grow([Neighbour(200 - n, at(10 * n), at(10 * n + 1)) for n in range(10)])


SECOND_LOW, SECOND_HIGH = Neighbour(95, at(-90), at(-80)), Neighbour(120, at(300), at(301))
OPENS = DOUBT.ended_at + OPEN_AFTER


def test_a_window_is_between_known_orders_and_a_narrower_one_is_tried_too() -> None:
    early = Neighbour(108, at(40), at(41))
    assert windows_of(DOUBT, [LOW], [early, HIGH], now=OPENS) == [WINDOW, Window(LOW, early, whole=False)]
    falling = windows_of(DOUBT, [LOW], [Neighbour(90, at(200), at(201))], now=OPENS)
    assert isinstance(falling, Later)
    assert falling.person


def test_without_an_order_after_it_a_window_is_open_above_once_a_while_has_passed() -> None:
    soon = windows_of(DOUBT, [SECOND_LOW, LOW], [], now=OPENS - timedelta(seconds=1))
    assert isinstance(soon, Later)
    assert (soon.person, soon.look_by) == (False, OPENS)
    windows = windows_of(DOUBT, [SECOND_LOW, LOW], [], now=OPENS)
    assert not isinstance(windows, Later)
    (window,) = windows
    assert (window.low, window.open, window.whole, window.ours) == (LOW, Side.HIGH, False, (95, 100))
    assert PER_CALL * 2 < window.numbers < MAX_CANDIDATES, "the rest of the calls is for numbers that are not ours"
    assert window.overlaps(at(10**7), at(10**7 + 1)), "whatever is sent later may be in it"
    assert not window.overlaps(at(-999), at(-900))


def test_an_open_window_keeps_to_the_calls_that_a_provider_allows_at_once() -> None:
    for windows in (
        windows_of(DOUBT, [SECOND_LOW, LOW], [], now=OPENS, most_calls=1),
        windows_of(
            DOUBT, [], [Neighbour(500, at(200), at(201)), Neighbour(501, at(300), at(301))], now=OPENS, most_calls=1
        ),
    ):
        assert not isinstance(windows, Later)
        assert 0 < windows[0].numbers < PER_CALL


def test_without_an_order_before_it_a_window_is_open_below() -> None:
    windows = windows_of(DOUBT, [], [HIGH, SECOND_HIGH], now=at(400))
    assert not isinstance(windows, Later)
    (window,) = windows
    assert (window.high, window.open, window.whole, window.ours) == (HIGH, Side.LOW, False, (120, 110))
    assert window.low.upstream_id == 0, "numbers begin at 1"
    assert window.overlaps(at(-(10**8)), at(-(10**8))), "whatever was sent earlier may be in it"


@pytest.mark.parametrize(("before", "after"), [([], []), ([LOW], []), ([], [HIGH])], ids=["none", "low", "high"])
def test_with_fewer_than_two_known_orders_there_is_no_window(before: list[Neighbour], after: list[Neighbour]) -> None:
    later = windows_of(DOUBT, before, after, now=OPENS)
    assert isinstance(later, Later)
    assert "hawker order resolve" in later.text


ABOVE = Window(LOW, Neighbour(400, at(10**8), at(10**8)), whole=False, open=Side.HIGH, known=(95, 100))
BELOW = Window(Neighbour(0, at(-(10**8)), at(-(10**8))), HIGH, whole=False, open=Side.LOW, known=(120, 110))


def test_an_orphan_in_an_open_window_is_bound_and_its_emptiness_proves_nothing() -> None:
    assert judged(NumberScan(ABOVE, {105: status()})) == Bind(105, judged(NumberScan(ABOVE, {105: status()})).why)
    for window in (ABOVE, BELOW):
        later = judged(NumberScan(window, {}), charged=False)
        assert isinstance(later, Later)
        assert later.person


@pytest.mark.parametrize(
    ("look", "others", "charged"),
    [
        (NumberScan(ABOVE, {105: status()}), [], False),
        (NumberScan(ABOVE, {105: status(), 300: status()}), [], None),
        (NumberScan(ABOVE, {105: status(), 300: status(180_000)}), [], None),
        (NumberScan(ABOVE, {105: status()}, strays=[98]), [], None),
        (NumberScan(ABOVE, {105: status()}), [RIVAL], None),
        (NumberScan(ABOVE, {105: status()}), [Doubt(2, 22, at(9000), at(9001), at(9090), 90_000, 100, 0)], None),
        (NumberScan(BELOW, {105: status()}), [], None),
        (NumberScan(BELOW, {105: status()}), [], False),
        (NumberScan(BELOW, {5: status(), 105: status()}), [], True),
        (NumberScan(BELOW, {105: status()}), [Doubt(2, 22, at(-9e6), at(-9e6), at(-9e6), 90_000, 100, 0)], True),
    ],
)
def test_every_doubt_about_an_orphan_in_an_open_window_leaves_it_to_a_person(
    look: NumberScan, others: list[Doubt], charged: bool | None
) -> None:
    later = judged(look, *others, charged=charged)
    assert isinstance(later, Later)
    assert later.person


def test_below_the_first_known_orders_the_balance_has_to_show_the_charge() -> None:
    bound = judged(NumberScan(BELOW, {105: status()}), charged=True)
    assert isinstance(bound, Bind)
    assert bound.upstream_id == 105


# --- reading the answer ----------------------------------------------------------------------------

OURS = '{"charge":"0.09","start_count":"0","status":"Pending","remains":"100","currency":"USD"}'


def body(**rows: str) -> bytes:
    return ("{" + ",".join(f'"{number[1:]}":{row}' for number, row in rows.items()) + "}").encode()


def test_numbers_are_found_absent_or_unclear() -> None:
    answer = body(
        n1=OURS,
        n9=OURS,
        n2=OURS,
        n3='{"error":"Incorrect order ID"}',
        n4='{"error":"Order not found"}',
        n5='{"error":"Please try again later"}',
        n6='"?"',
        n7='{"status":"Active","charge":"0"}',
    )
    presence = read_presence(answer, [2, 3, 4, 5, 6, 7, 8], (1, 9))
    assert not isinstance(presence, Unreadable)
    assert presence.found.keys() == {2, 7}
    assert (presence.found[2] or status(0)).charge_micros == 90_000
    assert presence.found[7] is None
    assert presence.absent == {3, 4, 8}
    assert presence.unclear == {5, 6}


@pytest.mark.parametrize(
    "answer",
    [
        body(n1=OURS, n2='{"error":"Incorrect order ID"}'),
        body(n1=OURS, n9='{"error":"Incorrect order ID"}'),
        b'{"error":"Invalid API key"}',
        b"[]",
        b"<html>",
        b"",
    ],
    ids=["list cut", "ours not known", "key refused", "no object", "html", "empty"],
)
def test_an_answer_that_does_not_know_our_own_orders_counts_for_nothing(answer: bytes) -> None:
    assert isinstance(read_presence(answer, [2, 3], (1, 9)), Unreadable)
