"""The table of the seventeen types: which parameters each reads, which it refuses, what it forwards."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.core.errors import Refusal
from hawker.protocol.errors import text_of
from hawker.protocol.form import add_form
from hawker.protocol.params import ParamKind, Value
from hawker.protocol.service_types import (
    MAX_RUNS,
    SUBSCRIPTION_DELAYS,
    TYPES,
    QuantityRule,
    ServiceType,
    find_type,
    read_order_form,
)

LINK = "https://example.com/page"
LINKED = {"link": LINK}
COUNTED = {"link": LINK, "quantity": "100"}


@dataclass(frozen=True)
class Row:
    """One service type of docs/api.md: what is required, what may be added, and what comes of it."""

    name: str
    required: dict[str, str]
    quantity: int | None
    optional: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Value] = field(default_factory=dict)
    """What is forwarded beside link and quantity when the required parameters are sent."""


TWO_LINES = "one\r\n\r\ntwo\n"
TWO = ("one", "two")

ROWS = [
    Row("Default", COUNTED, 100, {"runs": "3", "interval": "60"}),
    Row("Package", LINKED, 1),
    Row("Custom Comments", LINKED | {"comments": TWO_LINES}, 2, extra={"comments": TWO}),
    Row("Custom Comments Package", LINKED | {"comments": TWO_LINES}, 1, extra={"comments": TWO}),
    Row("Mentions", COUNTED | {"usernames": TWO_LINES}, 100, extra={"usernames": TWO}),
    Row(
        "Mentions with Hashtags",
        COUNTED | {"usernames": TWO_LINES, "hashtags": "#a"},
        100,
        extra={"usernames": TWO, "hashtags": ("#a",)},
    ),
    Row("Mentions Custom List", LINKED | {"usernames": TWO_LINES}, 2, extra={"usernames": TWO}),
    Row("Mentions Hashtag", COUNTED | {"hashtag": "#a"}, 100, extra={"hashtag": "#a"}),
    Row("Mentions User Followers", COUNTED | {"username": "name"}, 100, extra={"username": "name"}),
    Row("Mentions Media Likers", COUNTED | {"media": LINK}, 100, extra={"media": LINK}),
    Row("Comment Likes", COUNTED | {"username": "name"}, 100, extra={"username": "name"}),
    Row(
        "Comment Replies",
        LINKED | {"username": "name", "comments": TWO_LINES},
        2,
        extra={"username": "name", "comments": TWO},
    ),
    Row("Poll", COUNTED | {"answer_number": "2"}, 100, extra={"answer_number": "2"}),
    Row("Invites from Groups", COUNTED | {"groups": TWO_LINES}, 100, extra={"groups": TWO}),
    Row("SEO", COUNTED | {"keywords": TWO_LINES}, 100, extra={"keywords": TWO}),
    Row(
        "Web Traffic",
        COUNTED,
        100,
        {
            "runs": "3",
            "interval": "60",
            "country": "US",
            "device": "5",
            "type_of_traffic": "1",
            "google_keyword": "word",
            "referring_url": LINK,
        },
    ),
    Row(
        "Subscriptions",
        {"username": "name", "min": "10", "max": "20", "delay": "5"},
        None,
        {"posts": "3", "old_posts": "2", "expiry": "31/12/2027"},
        extra={"username": "name", "min": 10, "max": 20, "delay": 5},
    ),
]
BY_NAME = {row.name: row for row in ROWS}
EVERY_TYPE = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def type_of(name: str) -> ServiceType:
    found = find_type(name)
    assert found is not None
    return found


def refusal_of(name: str, fields: dict[str, str]) -> str:
    with pytest.raises(Refusal) as caught:
        read_order_form(type_of(name), fields)
    return text_of(caught.value)


def refusal_for(parameter: str) -> str:
    """The text that names this parameter."""
    return f"Incorrect {parameter}"


def test_there_are_the_seventeen_types_of_the_table() -> None:
    assert [service_type.name for service_type in TYPES] == [row.name for row in ROWS]


@EVERY_TYPE
def test_a_type_has_the_parameters_of_the_table_and_no_others(row: Row) -> None:
    params = type_of(row.name).params
    assert {param.name for param in params if param.required} == set(row.required)
    assert {param.name for param in params if not param.required} == set(row.optional)


@EVERY_TYPE
def test_only_types_with_runs_are_dripped(row: Row) -> None:
    assert type_of(row.name).drip_feed == ("runs" in row.optional)


@EVERY_TYPE
def test_the_required_parameters_make_an_order(row: Row) -> None:
    form = read_order_form(type_of(row.name), row.required)
    assert (form.link, form.quantity) == (row.required.get("link", ""), row.quantity)
    assert (form.runs, form.interval_minutes) == (None, None)
    assert form.extra == row.extra


@EVERY_TYPE
def test_the_optional_parameters_are_read_too(row: Row) -> None:
    form = read_order_form(type_of(row.name), row.required | row.optional)
    dripped = (3, 60) if "runs" in row.optional else (None, None)
    assert (form.runs, form.interval_minutes) == dripped
    assert set(form.extra) == (set(row.required) | set(row.optional)) - {"link", "quantity", "runs", "interval"}


@EVERY_TYPE
def test_every_required_parameter_is_missed_by_its_name(row: Row) -> None:
    for name in row.required:
        left = {kept: text for kept, text in row.required.items() if kept != name}
        assert refusal_of(row.name, left) == refusal_for(name)


@EVERY_TYPE
def test_every_parameter_is_refused_by_its_name(row: Row) -> None:
    for name in {**row.required, **row.optional}:
        assert refusal_of(row.name, row.required | row.optional | {name: "\x01"}) == refusal_for(name)


@EVERY_TYPE
def test_parameters_of_other_types_are_ignored(row: Row) -> None:
    own = {param.name for param in type_of(row.name).params}
    foreign = {param.name: "\x01" for service_type in TYPES for param in service_type.params if param.name not in own}
    assert read_order_form(type_of(row.name), row.required | foreign) == read_order_form(
        type_of(row.name), row.required
    )


@EVERY_TYPE
@given(data=st.data())
def test_no_text_in_any_parameter_raises_anything_but_a_refusal(row: Row, data: st.DataObject) -> None:
    fields = {param.name: data.draw(st.none() | st.text()) for param in type_of(row.name).params}
    with suppress(Refusal):
        read_order_form(type_of(row.name), {name: text for name, text in fields.items() if text is not None})


@EVERY_TYPE
def test_the_call_upstream_carries_the_parameters_under_the_same_names(row: Row) -> None:
    wire = {"username": "name", "usernames": "one\ntwo", "comments": "one\ntwo", "hashtags": "#a"}
    extra = {name: wire.get(name, text) for name, text in row.required.items() if name not in ("link", "quantity")}
    fields = add_form(upstream_service=7, type_name=row.name, link=LINK, quantity=row.quantity or 0, extra=extra)
    assert fields == {"action": "add", "service": "7"} | row.required | extra


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("default", "Default"),
        ("DEFAULT", "Default"),
        ("custom_comments", "Custom Comments"),
        ("Custom-Comments", "Custom Comments"),
        ("mentions with hashtags", "Mentions with Hashtags"),
        ("seo", "SEO"),
        ("web traffic", "Web Traffic"),
        ("invites_from_groups", "Invites from Groups"),
    ],
)
def test_type_names_are_matched_as_catalogues_write_them(given_name: str, name: str) -> None:
    assert type_of(given_name).name == name


@pytest.mark.parametrize("name", ["", "Unknown", "Defaults", "None", "\x00"])
def test_an_unknown_type_is_none(name: str) -> None:
    assert find_type(name) is None


# --- the rules between parameters ------------------------------------------------------------------

DRIPPED = pytest.mark.parametrize("name", ["Default", "Web Traffic"])


@DRIPPED
def test_runs_and_interval_come_together(name: str) -> None:
    assert refusal_of(name, COUNTED | {"runs": "3"}) == "Incorrect interval"
    assert refusal_of(name, COUNTED | {"interval": "60"}) == "Incorrect runs"


@DRIPPED
@pytest.mark.parametrize("parameter", ["runs", "interval"])
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "999999999999", str(2**63), "1" + "0" * 400, "x"], ids=ascii)
def test_runs_and_interval_are_counted_from_one_within_bounds(name: str, parameter: str, text: str) -> None:
    fields = COUNTED | {"runs": "2", "interval": "2"} | {parameter: text}
    assert refusal_of(name, fields) == refusal_for(parameter)


def test_the_most_runs_are_allowed() -> None:
    assert read_order_form(type_of("Default"), COUNTED | {"runs": str(MAX_RUNS), "interval": "1"}).runs == MAX_RUNS


def test_traffic_from_a_search_needs_its_keyword() -> None:
    assert refusal_of("Web Traffic", COUNTED | {"type_of_traffic": "1"}) == "Incorrect google_keyword"


def test_traffic_from_a_referrer_needs_its_address() -> None:
    assert refusal_of("Web Traffic", COUNTED | {"type_of_traffic": "2"}) == "Incorrect referring_url"


def test_direct_traffic_needs_neither() -> None:
    assert read_order_form(type_of("Web Traffic"), COUNTED | {"type_of_traffic": "3"}).extra == {"type_of_traffic": 3}


@pytest.mark.parametrize(("parameter", "choices"), [("device", range(1, 6)), ("type_of_traffic", range(1, 4))])
def test_traffic_has_its_choices(parameter: str, choices: range) -> None:
    filled = COUNTED | {"google_keyword": "word", "referring_url": LINK}
    for choice in choices:
        assert read_order_form(type_of("Web Traffic"), filled | {parameter: str(choice)}).extra[parameter] == choice
    for wrong in (choices.start - 1, choices.stop):
        assert refusal_of("Web Traffic", filled | {parameter: str(wrong)}) == refusal_for(parameter)


SUBSCRIBED = BY_NAME["Subscriptions"].required


def test_a_subscription_has_the_delays_of_the_seed() -> None:
    seed = "0, 5, 10, 15, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 360, 420, 480, 540, 600"
    assert [*map(int, seed.split(","))] == list(SUBSCRIPTION_DELAYS)
    for delay in range(700):
        fields = SUBSCRIBED | {"delay": str(delay)}
        if delay in SUBSCRIPTION_DELAYS:
            assert read_order_form(type_of("Subscriptions"), fields).extra["delay"] == delay
        else:
            assert refusal_of("Subscriptions", fields) == "Incorrect delay"


def test_a_subscriptions_max_is_not_under_its_min() -> None:
    assert refusal_of("Subscriptions", SUBSCRIBED | {"min": "21"}) == "Incorrect max"
    assert read_order_form(type_of("Subscriptions"), SUBSCRIBED | {"min": "20"}).extra["min"] == 20


def test_a_subscription_expires_on_a_day() -> None:
    form = read_order_form(type_of("Subscriptions"), SUBSCRIBED | {"expiry": "31/12/2027"})
    assert form.extra["expiry"] == date(2027, 12, 31)
    assert refusal_of("Subscriptions", SUBSCRIBED | {"expiry": "31/02/2027"}) == "Incorrect expiry"


@pytest.mark.parametrize("count", [1, 2, 999, 100_000])
@pytest.mark.parametrize(
    ("name", "parameter"),
    [("Custom Comments", "comments"), ("Mentions Custom List", "usernames"), ("Comment Replies", "comments")],
)
def test_a_counted_lists_quantity_is_its_lines(name: str, parameter: str, count: int) -> None:
    fields = BY_NAME[name].required | {parameter: "\n".join(["line"] * count)}
    assert read_order_form(type_of(name), fields).quantity == count


def test_a_hundred_thousand_and_one_lines_are_too_many() -> None:
    for service_type in TYPES:
        for param in service_type.params:
            if param.kind is ParamKind.LINES:
                fields = BY_NAME[service_type.name].required | {param.name: "a\n" * 100_001}
                assert refusal_of(service_type.name, fields) == refusal_for(param.name)


def test_a_given_quantity_beside_a_counted_list_changes_nothing() -> None:
    for row, quantity in product(ROWS, ("1", "x")):
        if type_of(row.name).quantity is not QuantityRule.GIVEN:
            form = read_order_form(type_of(row.name), row.required | {"quantity": quantity})
            assert form.quantity == row.quantity
