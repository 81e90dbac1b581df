"""What an upstream panel's answer to `add` proves, verdict by verdict, and nothing guessed."""

import json
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hawker.protocol.upstream import (
    Accepted,
    Reason,
    Rejected,
    Unknown,
    Verdict,
    read_add,
    read_created,
    read_id,
    read_reason,
)
from yardstick import in_cpu_time


def verdict(http_status: int, text: str) -> Verdict:
    return read_add(http_status, text.encode())


# --- accepted ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "upstream_id"),
    [
        ('{"order":23501}', 23501),
        ('{"order":"151"}', 151),
        ('{"order":" 151 "}', 151),
        ('{"order":"0151"}', 151),
        ('{"status":"success","order":"151"}', 151),
        ('{"order":151,"charge":"0.1","currency":"USD","message":"error: none"}', 151),
        ('{"order":151,"error":null}', 151),
        ('{"order":151,"error":""}', 151),
        ('{"order":151,"error":false}', 151),
        ('\ufeff {"order":151}\r\n', 151),
        ('{"order":999999999999999999}', 10**18 - 1),
    ],
)
def test_http_200_and_a_positive_order_and_no_error_is_accepted(text: str, upstream_id: int) -> None:
    assert verdict(200, text) == Accepted(upstream_id)


# --- rejected ----------------------------------------------------------------------------------------

REASONS = [
    ("Not enough funds on balance", Reason.FUNDS),
    ("not_enough_funds", Reason.FUNDS),
    ("neworder.error.not_enough_funds", Reason.FUNDS),
    ("Insufficient balance", Reason.FUNDS),
    ("Your balance is too low", Reason.FUNDS),
    ("Invalid API key", Reason.KEY),
    ("Incorrect api key", Reason.KEY),
    ("Unauthorized", Reason.KEY),
    ("Your account is suspended", Reason.KEY),
    ("You have active order with this link. Please wait until order being completed.", Reason.ACTIVE_LINK),
    ("neworder.error.link_duplicate", Reason.ACTIVE_LINK),
    ("Too many requests", Reason.BUSY),
    ("Rate limit exceeded", Reason.BUSY),
    ("Service temporarily unavailable", Reason.BUSY),
    ("The panel is under maintenance", Reason.BUSY),
    ("Please try again later", Reason.BUSY),
    ("Quantity less than minimal 50", Reason.OTHER),
    ("Quantity more than maximum 10000", Reason.OTHER),
    ("neworder.error.min_quantity", Reason.OTHER),
    ("neworder.error.link", Reason.OTHER),
    ("error.incorrect_service_id", Reason.OTHER),
    ("Incorrect service ID", Reason.OTHER),
    ("Incorrect link", Reason.OTHER),
    ("Incorrect request", Reason.OTHER),
    ("", Reason.OTHER),
    ("что-то не так", Reason.OTHER),
]


@pytest.mark.parametrize("http_status", [200, 201, 400, 401, 403, 404, 422, 429, 499])
@pytest.mark.parametrize(("text", "reason"), [row for row in REASONS if row[0]])
def test_an_error_without_an_order_is_rejected_for_its_reason(http_status: int, text: str, reason: Reason) -> None:
    assert verdict(http_status, json.dumps({"error": text})) == Rejected(reason, text)


@pytest.mark.parametrize(("text", "reason"), REASONS)
def test_a_reason_is_read_in_any_case(text: str, reason: Reason) -> None:
    assert read_reason(text.upper()) is read_reason(text.lower()) is reason


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ('{"code":7,"text":"no"}', '{"code":7,"text":"no"}'),
        ('["no","really"]', '["no","really"]'),
        ("7", "7"),
        ("true", "true"),
        ('"  two\\nlines\\u0000\\u202e "', "two lines"),
        ('"' + "x" * 5000 + '"', "x" * 255),
    ],
    ids=lambda text: text[:20],
)
def test_an_error_that_is_no_plain_text_is_a_refusal_all_the_same(error: str, text: str) -> None:
    assert verdict(200, f'{{"error":{error}}}') == Rejected(Reason.OTHER, text)


# --- unknown -----------------------------------------------------------------------------------------

HTML = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \r\n",
        HTML,
        "<html>",
        "OK",
        "151",
        '"151"',
        "[151]",
        '[{"order":151}]',
        "null",
        "true",
        "{}",
        '{"order":1',
        '{"order":151}}',
        '{"order":151}{"order":152}',
        "{'order':151}",
        '{"order":null}',
        '{"order":0}',
        '{"order":"0"}',
        '{"order":-5}',
        '{"order":"-5"}',
        '{"order":"+5"}',
        '{"order":1.5}',
        '{"order":"1.5"}',
        '{"order":151.0}',
        '{"order":1e3}',
        '{"order":"1e3"}',
        '{"order":"1_000"}',
        '{"order":"1,000"}',
        '{"order":"١٥١"}',
        '{"order":"0x97"}',
        '{"order":"#151"}',
        '{"order":""}',
        '{"order":true}',
        '{"order":[151]}',
        '{"order":{"id":151}}',
        '{"order":1000000000000000000}',
        '{"order":"1000000000000000000"}',
        '{"order":' + "9" * 5000 + "}",
        '{"Order":151}',
        '{"orders":151}',
        '{"id":151}',
        '{"status":"success"}',
        '{"status":"fail","message":"no"}',
        '{"error":null}',
        '{"error":""}',
        '{"error":false}',
        '{"order":151,"error":"no"}',
        '{"order":null,"error":"no"}',
        '{"order":0,"error":"Not enough funds on balance"}',
        '{"order":"","error":"no"}',
        '{"order":151,"error":{}}',
        '{"order":151,"error":[]}',
        '{"order":151,"error":true}',
        '{"error":[]}',
        '{"error":{}}',
        '{"error":0}',
        "[" * 100_000,
        '{"order":' + "[" * 900 + "]" * 900 + "}",
        '{"order":"' + "1" * 10_000_000 + '"}',
        '{"a":"' + "x" * 10_500_000 + '","order":151}',
    ],
    ids=lambda text: text[:40],
)
@pytest.mark.parametrize("http_status", [200, 400])
def test_an_answer_that_proves_nothing_is_unknown(http_status: int, text: str) -> None:
    found = verdict(http_status, text)
    assert isinstance(found, Unknown)
    assert found.why
    assert not found.pause


@pytest.mark.parametrize(
    "bytes_", [b"\xff\xfe", b'{"order":"\xff"}', b'{"order":1\x00}', b"\x1f\x8b\x08\x00", b"\x00" * 9]
)
def test_bytes_that_are_no_text_are_unknown(bytes_: bytes) -> None:
    assert isinstance(read_add(200, bytes_), Unknown)


@pytest.mark.parametrize("http_status", [500, 502, 503, 504, 520, 524, 599])
@pytest.mark.parametrize("text", ['{"order":151}', '{"error":"no"}', HTML, ""])
def test_a_server_error_is_unknown_whatever_it_says(http_status: int, text: str) -> None:
    assert verdict(http_status, text) == Unknown(f"HTTP {http_status}")


@pytest.mark.parametrize("http_status", [300, 301, 302, 303, 307, 308, 399])
@pytest.mark.parametrize("text", ['{"order":151}', '{"error":"no"}', HTML, ""])
def test_a_redirect_is_unknown_and_pauses_the_provider(http_status: int, text: str) -> None:
    found = verdict(http_status, text)
    assert isinstance(found, Unknown)
    assert found.pause


@pytest.mark.parametrize("http_status", [401, 403, 429])
@pytest.mark.parametrize("text", [HTML, "", "Too many requests", "[]"])
def test_a_gate_that_does_not_speak_json_is_unknown_and_pauses_the_provider(http_status: int, text: str) -> None:
    found = verdict(http_status, text)
    assert isinstance(found, Unknown)
    assert found.pause


@pytest.mark.parametrize("http_status", [404, 405, 418, 451])
def test_another_client_error_that_does_not_speak_json_is_unknown(http_status: int) -> None:
    found = verdict(http_status, HTML)
    assert isinstance(found, Unknown)
    assert not found.pause


@pytest.mark.parametrize("http_status", [0, 100, 199, 201, 202, 204, 299, 400, 404, 429])
def test_an_order_with_another_status_than_200_is_unknown(http_status: int) -> None:
    assert isinstance(verdict(http_status, '{"order":151}'), Unknown)


# --- anything at all ---------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["151", "-1", "0", "+5", "no", "1e3", "١"])
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ANSWERS = st.dictionaries(st.sampled_from(["order", "error", "status", "refill", "message"]), VALUES)
STATUSES = st.sampled_from([200, 200, 200, 201, 302, 400, 401, 403, 429, 500, 502]) | st.integers()


def check(http_status: int, body: bytes) -> None:
    found = read_add(http_status, body)
    if isinstance(found, Accepted):
        answer = json.loads(body.decode("utf-8-sig"))
        assert http_status == 200
        assert answer.get("error") in (None, "", False)
        assert int(answer["order"]) == found.upstream_id > 0
        assert not isinstance(answer["order"], bool | float)
    elif isinstance(found, Rejected):
        answer = json.loads(body.decode("utf-8-sig"))
        assert http_status < 500
        assert answer["error"]
        assert "order" not in answer
        assert 0 < len(found.text) <= 300
        assert found.text.isprintable()


@given(STATUSES, ANSWERS.map(lambda answer: json.dumps(answer).encode()))
@example(200, b'{"order":1,"error":0}')
@example(200, b'{"order":true}')
def test_accepted_is_never_said_without_a_positive_id_http_200_and_no_error(http_status: int, body: bytes) -> None:
    check(http_status, body)


@given(STATUSES, st.binary())
def test_no_bytes_make_the_reader_raise(http_status: int, body: bytes) -> None:
    check(http_status, body)


@given(STATUSES, st.binary(max_size=4), st.integers(min_value=0, max_value=60))
def test_no_damage_to_a_good_answer_makes_the_reader_raise(http_status: int, noise: bytes, at: int) -> None:
    good = b'{"status":"success","order":"151","charge":0.5}'
    check(http_status, good[:at] + noise + good[at + len(noise) :])
    check(http_status, good[:at] + noise)


@pytest.mark.parametrize(
    "unit", ["[", '{"order":', '{"error":[', "1", '"', "é", "<", "\\", "[0],", '{"a":1},'], ids=str
)
@pytest.mark.parametrize("head", ["", "[", '{"error":"', '{"order":'])
def test_ten_megabytes_of_anything_are_read_at_once(head: str, unit: str) -> None:
    body = (head + unit * (10_000_000 // len(unit))).encode()
    started = process_time()
    assert not isinstance(read_add(200, body), Accepted)
    assert in_cpu_time(process_time() - started, 2)


@pytest.mark.parametrize("value", [1.0, True, None, [], {}, "", "-1", 0, -1, 10**18, float("inf"), "٣", b"1"], ids=repr)
def test_what_is_no_positive_whole_number_is_no_id(value: object) -> None:
    assert read_id(value) is None


def test_a_refill_is_read_by_its_own_key() -> None:
    assert read_created(200, b'{"refill":"1"}', id_key="refill") == Accepted(1)
    assert isinstance(read_created(200, b'{"order":1}', id_key="refill"), Unknown)
    assert isinstance(read_created(200, b'{"refill":{"error":"no"}}', id_key="refill"), Unknown)
