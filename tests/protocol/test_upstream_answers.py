"""Reading statuses, balances and catalogues of other panels, which are loose, hostile or both."""

import json
from fractions import Fraction
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.catalog.rules import read_rate
from hawker.protocol.statuses import OrderStatus
from hawker.protocol.upstream import (
    MAX_ANSWER_BYTES,
    Unreadable,
    UpstreamService,
    UpstreamStatus,
    read_balance,
    read_cost,
    read_count,
    read_services,
    read_statuses,
)
from yardstick import in_cpu_time

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


# --- numbers and amounts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (157, 157),
        ("157", 157),
        (" 157\n", 157),
        ("+5", 5),
        ("-5", -5),
        (-5, -5),
        (157.0, 157),
        ("157.00", 157),
        ("0", 0),
        (10**12 - 1, 10**12 - 1),
    ],
)
def test_a_count_is_read_as_number_or_text(value: object, count: int) -> None:
    assert read_count(value) == count


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "Unknown", "null", "n/a", True, False, 1.5, "1.5", "1e3", "1_000", "1,000", "١٢", "++5", [], [5]),
        *({}, 10**12, "1" + "0" * 15, float("inf"), float("nan"), 1e300, "9" * 100_000),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_no_whole_number_is_no_count(value: object) -> None:
    assert read_count(value) is None


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        ("0.27819", 278_190),
        (0.27819, 278_190),
        ("8", 8_000_000),
        (8, 8_000_000),
        ("0.0000001", 1),
        ("0.0000010", 1),
        ("0.00000100000001", 2),
        (" 1.5 ", 1_500_000),
        (0, 0),
        (1e-7, 1),
    ],
)
def test_a_cost_is_read_exactly_and_rounded_up_to_a_micro(value: object, micros: int) -> None:
    assert read_cost(value) == micros


@given(st.decimals(min_value=0, max_value=10**9, places=12))
def test_a_cost_is_never_understated(value: object) -> None:
    micros = read_cost(f"{value:f}")
    exact = Fraction(f"{value:f}") * 1_000_000
    assert micros is not None
    assert exact <= micros < exact + 1


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "-1", -1, -0.5, True, "1e3", "1,5", "$1", "١", ".5", "5.", "1_0", [], {}, "9" * 13, 10**12),
        *(float("inf"), float("nan"), 1e300),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_no_amount_is_no_cost(value: object) -> None:
    assert read_cost(value) is None


# --- status ------------------------------------------------------------------------------------------

SEED = {"charge": "0.27819", "start_count": "3572", "status": "Partial", "remains": "157", "currency": "USD"}
PARTIAL = UpstreamStatus(OrderStatus.PARTIAL, remains=157, start_count=3572, charge_micros=278_190, currency="USD")


def status_of(row: Any) -> UpstreamStatus | Unreadable:
    """How one order's row in an answer about many is read."""
    found = read_statuses(encoded({"1": row, "2": SEED}), [1, 2])
    assert isinstance(found, dict)
    assert found[2] == PARTIAL
    return found[1]


def test_the_seeds_single_status_is_read() -> None:
    assert read_statuses(encoded(SEED), [1]) == {1: PARTIAL}


def test_the_seeds_many_statuses_are_read_each_by_its_id() -> None:
    many = {"1": SEED, "10": {"error": "Incorrect order ID"}, "100": SEED | {"status": "In progress", "remains": "10"}}
    assert read_statuses(encoded(many), [1, 10, 100]) == {
        1: PARTIAL,
        10: Unreadable("status", "Incorrect order ID", told=True),
        100: UpstreamStatus(OrderStatus.IN_PROGRESS, 10, 3572, 278_190, "USD"),
    }


@pytest.mark.parametrize(
    "loose",
    [
        {"charge": 0.27819},
        {"start_count": 3572},
        {"remains": 157},
        {"remains": "+157"},
        {"remains": 157.0},
        {"status": "partial"},
        {"status": "PARTIAL"},
        {"status": "Partially completed"},
        {"error": None},
        {"error": ""},
        {"error": False},
        {"runs": 3, "orders": [1, 2], "link": "https://example.com", "service": {"id": 1}},
    ],
    ids=str,
)
def test_a_loose_status_reads_the_same(loose: dict[str, object]) -> None:
    assert status_of(SEED | loose) == PARTIAL
    assert read_statuses(encoded(SEED | loose), [1]) == {1: PARTIAL}


@pytest.mark.parametrize("unread", [None, "Unknown", "", "1.5", [], "1e3", True])
def test_what_cannot_be_read_of_a_status_is_left_open(unread: object) -> None:
    loose = {"remains": unread, "start_count": unread, "charge": unread if unread != "1.5" else None}
    assert status_of(SEED | loose) == UpstreamStatus(OrderStatus.PARTIAL, None, None, None, "USD")


def test_what_is_missing_of_a_status_is_left_open() -> None:
    assert status_of({"status": "In Progress"}) == UpstreamStatus(OrderStatus.IN_PROGRESS, None, None, None)


@pytest.mark.parametrize(
    "row",
    [
        SEED | {"status": "Unknown"},
        SEED | {"status": ""},
        SEED | {"status": None},
        SEED | {"status": 3},
        SEED | {"status": ["Partial"]},
        SEED | {"error": "Incorrect order ID"},
        {key: value for key, value in SEED.items() if key != "status"},
        {},
        [],
        "Partial",
        7,
        False,
    ],
    ids=str,
)
def test_a_row_without_a_status_we_know_is_unreadable(row: object) -> None:
    assert isinstance(status_of(row), Unreadable)


def test_an_id_that_was_left_out_is_left_out() -> None:
    assert read_statuses(encoded({"2": SEED, "3": None}), [1, 2, 3]) == {2: PARTIAL}
    assert read_statuses(b"{}", [1, 2]) == {}


def test_one_orders_answer_is_not_taken_for_two() -> None:
    assert read_statuses(encoded(SEED), [1, 2]) == {}


def test_ids_that_were_not_asked_for_are_not_read() -> None:
    assert read_statuses(encoded({"1": SEED, "7": SEED}), [1]) == {1: PARTIAL}


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b"[{}]", b"null", b'"Partial"', b'{"1":', b"\xff", b"[" * 100_000),
        b'{"error":"Invalid API key"}',
    ],
    ids=lambda body: str(body[:20]),
)
def test_an_answer_that_is_no_status_is_unreadable_as_a_whole(body: bytes) -> None:
    for ids in ([1], [1, 2]):
        found = read_statuses(body, ids)
        assert isinstance(found, Unreadable)
        assert found.why


@given(st.binary() | JSON.map(encoded), st.lists(st.integers(min_value=1, max_value=3), min_size=1, unique=True))
def test_no_bytes_make_the_status_reader_raise(body: bytes, ids: list[int]) -> None:
    found = read_statuses(body, ids)
    assert isinstance(found, Unreadable) or set(found) <= set(ids)


@given(st.dictionaries(st.sampled_from([*SEED, "error", "1", "2"]), JSON))
def test_no_row_makes_the_status_reader_raise(row: dict[str, object]) -> None:
    for body in (row, {"1": row}, {"1": row, "2": row}):
        found = read_statuses(encoded(body), [1, 2])
        assert isinstance(found, Unreadable) or set(found) <= {1, 2}
        read_statuses(encoded(body), [1])


# --- balance -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "balance"),
    [
        ({"balance": "100.84292", "currency": "USD"}, (100_842_920, "USD")),
        ({"balance": 100.84292, "currency": "usd"}, (100_842_920, "USD")),
        ({"balance": 100}, (100_000_000, "USD")),
        ({"balance": "-3.5", "currency": "EUR"}, (-3_500_000, "EUR")),
        ({"balance": -3.5, "currency": "EUR"}, (-3_500_000, "EUR")),
        ({"balance": "1,234,567.89", "currency": "INR"}, (1_234_567_890_000, "INR")),
        ({"balance": "1,234.50", "currency": "INR"}, (1_234_500_000, "INR")),
        ({"balance": "1,234,567", "currency": "INR"}, (1_234_567_000_000, "INR")),
        ({"balance": "0", "currency": "USD", "error": "", "status": "success"}, (0, "USD")),
    ],
)
def test_a_balance_is_read(answer: dict[str, object], balance: tuple[int, str]) -> None:
    assert read_balance(200, encoded(answer)) == balance


@pytest.mark.parametrize(
    "answer",
    [
        {"balance": value, "currency": "USD"}
        for value in (None, "", "n/a", True, [], "1e3", "--5", "+5", "100,84", "1,234", "1,2,3", "1.234,50", "$5", "١")
    ]
    + [{"balance": "5", "currency": value} for value in (None, "", "US", "USDT", "$", 5, "U\n", "USD\n", "ÀÉÎ")]
    + [{}, {"error": "Invalid API key"}, {"balance": "5", "error": "no"}, [], [5], "5", None],
    ids=str,
)
def test_what_is_no_certain_balance_is_unreadable(answer: object) -> None:
    assert isinstance(read_balance(200, encoded(answer)), Unreadable)


BALANCES = st.dictionaries(st.sampled_from(["balance", "currency", "error"]), JSON)


@given(st.integers(), st.binary() | (JSON | BALANCES).map(encoded))
def test_no_bytes_make_the_balance_reader_raise(http_status: int, body: bytes) -> None:
    found = read_balance(http_status, body)
    assert isinstance(found, Unreadable) or len(found[1]) == 3


# --- services ----------------------------------------------------------------------------------------

ROW: dict[str, object] = {
    "service": 1,
    "name": "Followers",
    "type": "Default",
    "category": "First Category",
    "rate": "0.90",
    "min": "50",
    "max": "10000",
    "refill": True,
    "cancel": False,
}


def service_of(row: object) -> UpstreamService | Unreadable:
    found = read_services(200, encoded([row]))
    assert isinstance(found, tuple)
    services, skipped = found
    assert len(services) + len(skipped) == 1
    return (services or skipped)[0]


@pytest.mark.parametrize(
    "loose",
    [
        {},
        {"service": "1"},
        {"rate": 0.9},
        {"min": 50, "max": 10000},
        {"min": 50.0, "max": "10000.00"},
        {"type": "default"},
        {"refill": 1, "cancel": 0},
        {"refill": "1", "cancel": "0"},
        {"refill": "true", "cancel": None},
        {"name": " Followers\r\n"},
        {"desc": "<b>best</b>", "average_time": 5, "dripfeed": False},
    ],
    ids=str,
)
def test_a_loose_catalogue_row_reads_the_same(loose: dict[str, object]) -> None:
    service = service_of(ROW | loose)
    assert isinstance(service, UpstreamService)
    assert (service.service, service.name, service.type.name) == (1, "Followers", "Default")
    assert (service.category, service.minimum, service.maximum) == ("First Category", 50, 10_000)
    assert (service.refill, service.cancel, service.dripfeed) == (True, False, False)
    assert read_rate(service.rate) == 90_000_000


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        *(({"service": value}, "no usable service id") for value in (None, 0, -1, "", "x", 1.5, True, [1], 10**300)),
        *(({"type": value}, "unknown type") for value in ("Nonsense", "", None, 7, ["Default"])),
        *(({"rate": value}, "unreadable rate") for value in (None, "", "-1", "1e3", "1,5", "x", True, 10**9, 1 / 3)),
        *(({"rate": value}, "unreadable rate") for value in ([], 1e300)),
        *(({"min": value}, "unreadable min or max") for value in (None, "", "x", -1, 10_001, 1.5, [], 10**12)),
        *(({"max": value}, "unreadable min or max") for value in (None, "", "x", -1, 0, 49, "∞")),
        *(({"name": value}, "no name") for value in (None, "", "   ", "\u202e", [], {})),
    ],
    ids=str,
)
def test_a_row_that_cannot_be_sold_is_skipped_with_its_reason(wrong: dict[str, object], why: str) -> None:
    row = service_of(ROW | wrong)
    assert isinstance(row, Unreadable)
    assert why in row.why
    assert len(row.what) <= 40


@pytest.mark.parametrize("row", [None, 7, "Followers", [], True])
def test_a_row_that_is_no_object_is_skipped(row: object) -> None:
    assert isinstance(service_of(row), Unreadable)


def test_a_service_listed_twice_counts_once() -> None:
    found = read_services(200, encoded([ROW, ROW | {"rate": "0.01", "service": "1"}]))
    assert isinstance(found, tuple)
    assert [service.rate for service in found[0]] == ["0.90"]
    assert found[1] == [Unreadable("1", "listed twice")]


def test_names_are_one_printable_line_of_bounded_length() -> None:
    service = service_of(ROW | {"name": "a\x00b\u202ec\n<b>" + "x" * 1000, "category": "\x07"})
    assert isinstance(service, UpstreamService)
    assert service.name.startswith("a b c <b>xxx")
    assert len(service.name) == 255
    assert service.category == "Other"


def test_a_package_may_have_a_minimum_of_nothing() -> None:
    service = service_of(ROW | {"type": "package", "min": 0, "max": 1})
    assert isinstance(service, UpstreamService)
    assert (service.minimum, service.maximum) == (1, 1)


def test_drip_feed_is_only_for_types_that_have_it() -> None:
    for name in ("dripfeed", "drip_feed"):
        dripped, package = service_of(ROW | {name: 1}), service_of(ROW | {name: True, "type": "Package"})
        assert isinstance(dripped, UpstreamService)
        assert isinstance(package, UpstreamService)
        assert (dripped.dripfeed, package.dripfeed) == (True, False)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"{}", b"null", b"[", b"\xff", b'{"error":"Invalid API key"}'),
        b"[" + b"0," * 100_001 + b"0]",
    ],
    ids=lambda body: str(body[:20]),
)
def test_an_answer_that_is_no_catalogue_is_unreadable_as_a_whole(body: bytes) -> None:
    assert isinstance(read_services(200, body), Unreadable)


@given(st.binary() | st.lists(st.dictionaries(st.sampled_from([*ROW]), JSON) | JSON).map(encoded))
def test_no_bytes_make_the_catalogue_reader_raise(body: bytes) -> None:
    read_services(200, body)


@given(st.dictionaries(st.sampled_from([*ROW, "dripfeed"]), JSON))
def test_no_row_makes_the_catalogue_reader_raise_or_sell_nonsense(wrong: dict[str, object]) -> None:
    service = service_of(ROW | wrong)
    if isinstance(service, UpstreamService):
        assert service.service > 0
        assert 1 <= service.minimum <= service.maximum < 10**12
        assert read_rate(service.rate) >= 0
        assert service.name.isprintable()


@pytest.mark.parametrize("unit", ["[", '{"1":', '{"status":"x"},', '"', "é", "0,", '{"service":1},'], ids=str)
@pytest.mark.parametrize("head", ["", "[", '{"1":{"status":"', '[{"name":"'])
def test_ten_megabytes_of_anything_are_read_at_once(head: str, unit: str) -> None:
    size = MAX_ANSWER_BYTES - 100
    body = (head + unit * (size // len(unit.encode()))).encode()
    for tail in (b"", b'"}', b"{}]"):
        started = process_time()
        read_services(200, body + tail)
        read_statuses(body + tail, [1])
        read_balance(200, body + tail)
        assert in_cpu_time(process_time() - started, 2)
