"""A list gives exactly what is filtered, in its order, page by page, and to each person only what is theirs."""

import itertools
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from trade import Trade

from hawker.accounts.models import User
from hawker.core.settings import settings
from hawker.lists.declaration import FilterType
from hawker.lists.errors import BadCursor, BadFilter, BadSort, NoSuchList
from hawker.lists.filters import Filters, Span, read_filters
from hawker.lists.reading import columns_of, count, own, read_page, stream
from hawker.lists.registry import LISTS
from hawker.lists.statements import ask_list, count_statement, page_statement
from hawker.orders import StaffDelivery, record_deliveries, release_orders
from hawker.orders.models import State
from panel import Panel
from people import TEST


def found(**texts: str) -> list[int]:
    """The orders that these filters leave, each way to read them agreeing with the others."""
    filters = read_filters("orders", texts)
    page = [row.key for row in read_page("orders", filters).rows]
    assert [row.key for row in stream("orders", filters)] == page
    assert (count("orders", filters).number, count("orders", filters).is_exact) == (len(page), True)
    return page


def email_of(user_id: int) -> str:
    return User.objects.get(id=user_id).email


@pytest.mark.quick
def test_orders_are_found_by_their_state_wherever_it_is_kept(trade: Trade) -> None:
    assert found() == trade.newest_first
    assert found(state="submitted") == [trade.submitted]
    assert found(state="unknown") == found(unknown="yes") == found(unknown="") == [trade.unknown]
    assert found(state="canceled") == [trade.canceled]
    assert found(state="queued") == [trade.others, trade.for_staff, trade.queued]
    assert found(state="completed") == found(state="active") == found(state="expired") == []
    now = trade.panel.clock.now()
    record_deliveries([StaffDelivery(trade.for_staff, State.IN_PROGRESS, "begun")], actor=TEST, now=now)
    assert found(state="in_progress") == [trade.for_staff]
    record_deliveries([StaffDelivery(trade.for_staff, State.PARTIAL, "half", 40)], actor=TEST, now=now)
    assert found(state="partial") == [trade.for_staff]


def test_orders_are_found_by_whom_they_are_of_and_what_they_are_for(trade: Trade) -> None:
    stranger = email_of(trade.stranger.user_id)
    assert found(customer=stranger.upper()) == [trade.others]
    assert found(account=str(trade.stranger.account_id)) == [trade.others]
    assert found(service=str(trade.staffed.id)) == [trade.for_staff]
    assert found(link="https://example.com/unknown") == [trade.unknown]
    assert found(link="https://example.com/unknow") == []
    assert found(order=str(trade.queued)) == [trade.queued]
    upstream = trade.panel.order(trade.submitted)["upstream_order"]
    assert found(upstream_order=str(upstream)) == [trade.submitted]
    assert found(provider="acme") == [trade.others, trade.queued, trade.unknown, trade.submitted]
    assert found(provider="acme", state="unknown") == [trade.unknown]
    assert found(provider="acme", state="queued", customer=stranger) == [trade.others]


def test_orders_are_found_by_time_and_pace(trade: Trade) -> None:
    day = trade.panel.clock.now().date()
    assert found(created=f"{day - timedelta(days=1)}..{day + timedelta(days=1)}") == trade.newest_first
    assert found(created="2020-01") == found(created="..2020-01-01") == []
    assert found(slow="") == []
    filters = read_filters("orders", {"slow": "24"})
    later = trade.panel.clock.now() + timedelta(hours=25)
    assert [row.key for row in read_page("orders", filters, now=later).rows] == [trade.submitted]


def test_held_orders_and_those_sold_at_a_loss_are_found(trade: Trade) -> None:
    panel = trade.panel
    dear = panel.service(provider=trade.provider, rate="0.90", cost_rate="0.91", upstream_service=2)
    held = panel.place(trade.customer, dear)
    panel.clock.pass_by_the_server()
    panel.sweep()
    assert found(held="yes") == found(at_a_loss="yes") == [held]
    assert held not in found(at_a_loss="no")
    release_orders([held], at_a_loss=True, actor=TEST, reason="a test", now=panel.clock.now())
    assert (found(held="yes"), found(at_a_loss="yes")) == ([], [held])


def test_pages_follow_each_other_while_rows_are_added(trade: Trade) -> None:
    seen: list[int] = []
    position = None
    while True:
        page = read_page("orders", after=position, limit=2)
        seen += [row.key for row in page.rows]
        trade.panel.place(trade.stranger, trade.service)
        position = page.next
        if position is None:
            break
    assert seen == trade.newest_first


def test_a_list_is_sorted_both_ways_and_a_position_keeps_the_order(trade: Trade) -> None:
    oldest = read_page("orders", sort="-order", limit=2)
    rest = read_page("orders", after=oldest.next)
    assert [row.key for row in [*oldest.rows, *rest.rows]] == trade.newest_first[::-1]
    by_time = read_page("orders", sort="created", limit=3)
    assert [row.key for row in [*by_time.rows, *read_page("orders", after=by_time.next).rows]] == trade.newest_first
    with pytest.raises(BadCursor):
        read_page("orders", sort="order", after=oldest.next)
    with pytest.raises(BadSort, match="orders cannot be sorted by 'charge'; there are: order, created"):
        read_page("orders", sort="charge")


def test_a_search_that_finds_little_says_how_far_it_came_and_goes_on(trade: Trade) -> None:
    filters = read_filters("orders", {"state": "rejected"})
    first = read_page("orders", filters, window=4)
    assert (list(first.rows), first.next is not None) == ([], True)
    assert first.bounded_since is not None
    last = read_page("orders", filters, window=4, after=first.next)
    assert (list(last.rows), last.next, last.bounded_since) == ([], None, None)


@pytest.mark.parametrize("wrong", ["", "x", "AAAA", "é", "\0"])
def test_a_position_that_was_not_given_is_refused(panel: Panel, wrong: str) -> None:
    with pytest.raises(BadCursor, match="is no position in the list of orders"):
        read_page("orders", after=wrong)


def test_a_position_cannot_be_changed_or_used_for_another_list(trade: Trade) -> None:
    position = read_page("orders", limit=1).next
    assert position is not None
    for place in range(len(position)):
        other = "A" if position[place] != "A" else "B"
        changed = f"{position[:place]}{other}{position[place + 1 :]}"
        try:
            assert read_page("orders", after=changed) == read_page("orders", after=position), "unused bits at the end"
        except BadCursor:
            continue
    with pytest.raises(BadCursor):
        read_page("attempts", after=position)


@pytest.mark.parametrize(
    ("name", "texts", "sentence"),
    [
        ("orders", {"colour": "red"}, "there is no filter 'colour' of orders; there are: order, state, unknown, "),
        ("orders", {"state": "lost"}, "there is no state 'lost'; there are: queued, sending, "),
        ("orders", {"service": "-1"}, "service is a whole number, not '-1'"),
        ("orders", {"service": "9223372036854775808"}, "service is a whole number, not '9223372036854775808'"),
        ("orders", {"held": "maybe"}, "held is yes or no, not 'maybe'"),
        ("orders", {"created": "yesterday"}, "created is a time back such as 7d, a day, a month, or two with .. betw"),
        ("orders", {"created": ".."}, "created is a time back such as 7d, a day, a month, or two with .. between "),
        ("orders", {"customer": "nobody@example.com"}, "there is no customer 'nobody@example.com'"),
        ("orders", {"provider": ""}, "there is no provider ''"),
        ("orders", {"link": ""}, "link needs a value: The link, exactly as it was ordered."),
        ("orders", {"link": "a\0b"}, "link is a text of at most 2000 characters"),
    ],
)
def test_a_wrong_filter_is_one_sentence(panel: Panel, name: str, texts: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadFilter) as error:
        read_filters(name, texts)
    assert str(error.value).startswith(sentence)


def test_an_account_sees_its_own_rows_without_what_is_ours(trade: Trade) -> None:
    scope = own(trade.stranger.account_id)
    for name, declaration in LISTS.items():
        if declaration.own:
            numbers = {row.key for row in stream(name, scope=scope)}
            everything = {row.key for row in stream(name)}
            assert numbers < everything or not everything, name
            hidden = {"provider", "customer", "expected_cost", "upstream_order", "evidence", "worker", "hold"}
            assert not hidden & {column.name for column in columns_of(name, scope=scope)}, name
        else:
            with pytest.raises(NoSuchList):
                read_page(name, scope=scope)
    (row,) = read_page("orders", scope=scope).rows
    assert row.key == trade.others
    assert "charge" in row.values
    for theirs in ({"account": str(trade.customer.account_id)}, {"provider": "acme"}, {"held": "yes"}):
        with pytest.raises(BadFilter):
            read_page("orders", read_filters("orders", theirs), scope=scope)


def test_a_statement_goes_entry_by_entry_to_a_balance_of_nothing(trade: Trade) -> None:
    rows = list(stream("transfers", scope=own(trade.customer.account_id)))
    assert [row.values["entry"] for row in rows] == list(range(len(rows), 0, -1))
    for newer, older in itertools.pairwise(rows):
        assert newer.values["balance"] == older.values["balance"] + newer.values["amount"]
    assert rows[-1].values["balance"] == rows[-1].values["amount"]
    assert rows[0].values["balance"] == trade.panel.balance(trade.customer)


def test_a_count_stops_at_ten_thousand(panel: Panel) -> None:
    panel.customer()
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute(
            "INSERT INTO alert (kind, subject_kind, subject_id, text, opened_at, seen_at, times, closed_at, closed_by)"
            " SELECT 'breaker_open', 'provider', n::text, '', now(), now(), 1, CASE WHEN n > 9999 THEN now() END, ''"
            " FROM generate_series(0, 10000) n"
        )
    assert str(count("alerts")) == "10,000+"
    assert str(count("alerts", read_filters("alerts", {"open": "yes"}))) == "10,000"
    assert str(count("customers")) == "1"


def test_what_an_account_reads_looks_through_no_rows_of_others() -> None:
    for declaration in LISTS.values():
        if not declaration.own or not declaration.walks:
            continue
        filters = Filters(declaration.name, {declaration.own: 7})
        asked = [filters]
        for each in declaration.filters:
            if each.own and each.name not in ("order", "parent"):
                day = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
                value = day if each.type is FilterType.SPAN else each.choices[0] if each.choices else 1
                asked.append(Filters(declaration.name, {**filters.values, each.name: value}))
        for question in (ask_list(declaration, each, columns=(), own=True) for each in asked):
            assert question.walk is not None, (declaration.name, question.conditions)
            assert declaration.own in question.walk.when, (declaration.name, question.walk.name)


def test_an_account_that_looks_for_a_link_of_others_learns_nothing_of_them(trade: Trade) -> None:
    scope = own(trade.stranger.account_id)
    filters = read_filters("orders", {"link": "https://example.com/unknown"})
    page = read_page("orders", filters, scope=scope, window=1)
    (own_order,) = read_page("orders", scope=scope).rows
    assert (page.rows, page.bounded_since) == ([], own_order.values["created_at"])
    with pytest.raises(BadSort):
        read_page("orders", scope=scope, sort="created")


def test_no_value_gets_into_the_text_of_a_statement() -> None:
    """Texts differ by what is asked for, never by what somebody wrote: values travel as parameters."""
    for declaration in LISTS.values():
        for each in declaration.filters:
            spans = [Span(datetime(year, 1, 1, tzinfo=UTC), datetime(year, 1, 2, tzinfo=UTC)) for year in (2025, 2026)]
            values = spans if each.type is FilterType.SPAN else ["it's; DROP TABLE orders --", "%(x)s {y}"]
            if each.type in (FilterType.CHOICE, FilterType.FLAG):
                continue  # one of a few constants, which choose a condition
            texts = set()
            for value in values:
                question = ask_list(declaration, Filters(declaration.name, {each.name: value}), columns=())
                texts.add((page_statement(question, after=True), count_statement(question)))
            assert len(texts) == 1, (declaration.name, each.name)
