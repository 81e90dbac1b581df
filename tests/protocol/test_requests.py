"""One request in its four bodies: what is certain is read alike from all, what is not is refused."""

import json
from collections.abc import Callable
from contextlib import suppress
from time import process_time
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.protocol.errors import IncorrectRequest
from hawker.protocol.request import MAX_FIELDS, Request, read_request
from yardstick import in_cpu_time

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=BOUNDARY"


def asked(
    body: bytes = b"", *, content_type: str = FORM, query: bytes = b"", method: str = "POST", **headers: str
) -> Request:
    return read_request(method=method, content_type=content_type, query=query, body=body, **headers)


def refused(body: bytes = b"", **rest: object) -> None:
    with pytest.raises(IncorrectRequest):
        asked(body, **rest)  # type: ignore[arg-type]


def multipart(*pairs: tuple[str, str]) -> bytes:
    parts = (f'--BOUNDARY\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs)
    return ("".join(parts) + "--BOUNDARY--\r\n").encode()


Sender = Callable[..., Request]


def send_form(**fields: str) -> Request:
    return asked(urlencode(fields).encode())


def send_multipart(**fields: str) -> Request:
    return asked(multipart(*fields.items()), content_type=MULTIPART)


def send_json(**fields: str) -> Request:
    return asked(json.dumps(fields, ensure_ascii=False).encode(), content_type="application/json; charset=utf-8")


def send_escaped_json(**fields: str) -> Request:
    return asked(json.dumps(fields).encode(), content_type="application/vnd.api+json")


def send_query(**fields: str) -> Request:
    return asked(query=urlencode(fields).encode())


def send_get(**fields: str) -> Request:
    return asked(query=urlencode(fields).encode(), method="GET", content_type="")


EVERY_BODY = pytest.mark.parametrize(
    "send", [send_form, send_multipart, send_json, send_escaped_json, send_query, send_get], ids=lambda f: f.__name__
)
TEXTS = ["plain", "a b", "a+b&c=d%20", "é 😀 العربية", "one\r\ntwo\nthree", "\u202e\u2028", "'; DROP TABLE orders;--"]


@EVERY_BODY
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_request_reads_the_same_in_every_body(send: Sender, text: str) -> None:
    request = send(key="secret", action="add", comments=text)
    assert (request.key, request.action, request.fields) == ("secret", "add", {"comments": text})
    assert request.reads_only is (send is send_get)


@EVERY_BODY
@pytest.mark.parametrize("absent", ["", "undefined", "null"])
def test_empty_undefined_and_null_count_as_not_sent(send: Sender, absent: str) -> None:
    request = send(key="secret", action="add", runs=absent, interval=absent)
    assert request.fields == {}
    assert send(key=absent, action=absent) == Request("", "", {}, reads_only=send is send_get)


@EVERY_BODY
@pytest.mark.parametrize("text", ["Undefined", "NULL", " ", "0", "undefined "])
def test_nothing_else_counts_as_not_sent(send: Sender, text: str) -> None:
    assert send(runs=text).fields == {"runs": text}


@EVERY_BODY
def test_a_nul_is_refused(send: Sender) -> None:
    with pytest.raises(IncorrectRequest):
        send(key="secret", comments="a\0b")


@EVERY_BODY
def test_too_many_fields_are_refused(send: Sender) -> None:
    assert len(send(**{f"field{n}": "x" for n in range(MAX_FIELDS)}).fields) == MAX_FIELDS
    with pytest.raises(IncorrectRequest):
        send(**{f"field{n}": "x" for n in range(MAX_FIELDS + 1)})


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "post", ""])
def test_other_methods_are_refused(method: str) -> None:
    refused(b"key=secret", method=method)


def test_a_get_has_no_body() -> None:
    assert asked(b"key=secret", query=b"action=balance", method="GET") == Request("balance", "", {}, reads_only=True)


def test_a_link_that_a_get_did_not_escape_reaches_to_the_end() -> None:
    """Chat-bot scripts paste the link behind the rest, and its own query with it."""
    link = "https://example.com/watch?v=a+b%20c&t=5&quantity=9#x"
    for before in ("", "key=secret&quantity=100&"):
        request = asked(query=f"{before}link={link}".encode(), method="GET")
        assert request.fields["link"] == link
        assert request.fields.get("quantity") == ("100" if before else None)
    assert asked(query=f"link={link}".encode()).fields["quantity"] == "9#x", "a POST escapes"


def test_a_link_that_a_get_escaped_is_a_parameter_like_any() -> None:
    query = b"link=https%3A%2F%2Fexample.com%2F%3Fa%3D1%26b%3D2&quantity=100"
    assert asked(query=query, method="GET").fields == {"link": "https://example.com/?a=1&b=2", "quantity": "100"}
    assert asked(query=b"link=@name&quantity=100", method="GET").fields == {"link": "@name", "quantity": "100"}
    refused(query=b"link=https://example.com/\xff", method="GET")


def test_query_and_body_are_one_request() -> None:
    assert asked(b"action=add", query=b"key=secret&service=1") == Request("add", "secret", {"service": "1"}, False)


# --- duplicates --------------------------------------------------------------------------------------

DUPLICATES: list[dict[str, object]] = [
    {"body": b"quantity=1&quantity=2"},
    {"query": b"quantity=1&quantity=2"},
    {"body": b"quantity=1", "query": b"quantity=2"},
    {"body": b"quantity=1&qu%61ntity=2"},
    {"body": multipart(("quantity", "1"), ("quantity", "2")), "content_type": MULTIPART},
    {"body": multipart(("quantity", "1")), "query": b"quantity=2", "content_type": MULTIPART},
    {"body": b'{"quantity":1,"quantity":2}', "content_type": "application/json"},
    {"body": b'{"quantity":1,"qu\\u0061ntity":2}', "content_type": "application/json"},
    {"body": b'{"quantity":1}', "query": b"quantity=2", "content_type": "application/json"},
    {"body": b"key=a&key=b"},
    {"body": b"action=add&action=balance"},
]


@pytest.mark.parametrize("sent", DUPLICATES, ids=str)
def test_a_scalar_sent_twice_with_different_values_is_refused(sent: dict[str, object]) -> None:
    refused(**sent)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sent",
    [
        {"body": b"quantity=1&quantity=1"},
        {"body": b"quantity=1", "query": b"quantity=1"},
        {"body": b"quantity=&quantity=1&quantity=undefined"},
        {"body": multipart(("quantity", "1"), ("quantity", "1")), "content_type": MULTIPART},
        {"body": b'{"quantity":1,"quantity":1}', "content_type": "application/json"},
        {"body": b'{"quantity":"1","quantity":null}', "content_type": "application/json"},
    ],
    ids=str,
)
def test_a_scalar_sent_twice_alike_counts_once(sent: dict[str, object]) -> None:
    assert asked(**sent).fields == {"quantity": "1"}  # type: ignore[arg-type]


# --- headers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Bearer secret", "bearer secret", "BEARER  secret "])
def test_a_bearer_stands_in_for_the_key(header: str) -> None:
    assert asked(b"action=balance", authorization=header).key == "secret"


@pytest.mark.parametrize("header", ["", "secret", "Basic c2VjcmV0", "Bearer", "Bearersecret"])
def test_another_authorization_is_no_key(header: str) -> None:
    assert asked(b"action=balance", authorization=header).key == ""


def test_a_key_that_was_sent_goes_before_the_bearer() -> None:
    assert asked(b"key=sent", authorization="Bearer other").key == "sent"


def test_the_idempotency_key_is_a_request_id() -> None:
    assert asked(idempotency="r-1").fields == {"request_id": "r-1"}
    assert asked(b"request_id=r-2", idempotency="r-1").fields == {"request_id": "r-2"}


# --- form and query ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"a=%zz", {"a": "%zz"}),
        (b"a=%", {"a": "%"}),
        (b"a=%4", {"a": "%4"}),
        (b"a=100%25", {"a": "100%"}),
        (b"a=%2525", {"a": "%25"}),
        (b"a=b=c", {"a": "b=c"}),
        (b"=b", {"": "b"}),
        (b"a", {}),
        (b"&&&", {}),
        (b"&a=1&", {"a": "1"}),
        (b"%61=1", {"a": "1"}),
        (b"a+b=1", {"a b": "1"}),
        (b"a%5B%5D=1", {"a[]": "1"}),
        (b"a=%F0%9F%98%80", {"a": "😀"}),
        (b"a=\xf0\x9f\x98\x80", {"a": "😀"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
    ],
    ids=str,
)
def test_percent_garbage_stays_as_it_is(body: bytes, fields: dict[str, str]) -> None:
    assert asked(body).fields == fields
    assert asked(query=body).fields == fields


@pytest.mark.parametrize("bytes_", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe9", b"\xf8\x88\x80\x80\x80"], ids=str)
def test_bytes_that_are_no_utf_8_are_refused(bytes_: bytes) -> None:
    escaped = quote_plus(bytes_).encode()
    for body in (b"a=" + bytes_, b"a=" + escaped, escaped + b"=a", bytes_ + b"=a"):
        refused(body)
        refused(query=body)
    refused(multipart(("a", "VALUE")).replace(b"VALUE", bytes_), content_type=MULTIPART)
    refused(multipart(("NAME", "a")).replace(b"NAME", bytes_), content_type=MULTIPART)
    refused(b'{"a":"' + bytes_ + b'"}', content_type="application/json")


def test_a_json_body_without_a_content_type_is_json() -> None:
    for content_type in ("", "text/plain;charset=UTF-8"):
        assert asked(b'{"key":"secret"}', content_type=content_type).key == "secret"


def test_a_form_without_a_content_type_is_a_form() -> None:
    assert asked(b"key=secret", content_type="").key == "secret"


# --- JSON --------------------------------------------------------------------------------------------


def send_as_json(text: str) -> Request:
    return asked(text.encode(), content_type="application/json")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100", "100"),
        ('"100"', "100"),
        ("100.0", "100"),
        ("1e3", "1000"),
        ("100.5", "100.5"),
        ("-1", "-1"),
        ("-0", "0"),
        ("0.1", "0.1"),
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551616", "18446744073709551616"),
        ('"\\ud83d\\ude00"', "😀"),
    ],
)
def test_a_json_number_is_its_digits(value: str, text: str) -> None:
    assert send_as_json(f'{{"quantity":{value}}}').fields == {"quantity": text}


def test_a_json_null_counts_as_not_sent() -> None:
    assert send_as_json('{"runs":null,"interval":null}').fields == {}


def test_a_json_list_is_a_list_parameter() -> None:
    assert send_as_json('{"orders":[1,"2",3]}').fields == {"orders": "1,2,3"}
    assert send_as_json('{"refills":[1,2]}').fields == {"refills": "1,2"}
    assert send_as_json('{"comments":["one","two"]}').fields == {"comments": "one\ntwo"}
    assert send_as_json('{"orders":[]}').fields == {}


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_json_boolean_is_no_number_and_no_text(value: str) -> None:
    """`{"quantity":true}` must not order one."""
    with pytest.raises(IncorrectRequest):
        send_as_json(f'{{"quantity":{value}}}')
    with pytest.raises(IncorrectRequest):
        send_as_json(f'{{"orders":[1,{value}]}}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[]",
        "[1]",
        '"text"',
        "1",
        "null",
        "true",
        '{"a":}',
        '{"a":1,}',
        "{'a':1}",
        '{"a":1}{"a":1}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":1e999}',
        '{"a":' + "1" * 5000 + "}",
        '{"a":{}}',
        '{"a":{"b":1}}',
        '{"a":[[1]]}',
        '{"a":[{"b":1}]}',
        '{"a":[null]}',
        '{"a":"\\ud800"}',
        '{"a":"\\ud800\\ud800"}',
        '{"a":"\\udc00"}',
        '{"\\ud800":"a"}',
        '{"a":"\\u0000"}',
        '{"a":"\x01"}',
        "{" + '"a":{' * 100_000,
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
        "\ufeff{}",
    ],
    ids=lambda text: ascii(text[:30]),
)
def test_json_that_is_no_flat_object_is_refused(text: str) -> None:
    if text.strip():
        with pytest.raises(IncorrectRequest):
            send_as_json(text)
    else:
        assert send_as_json("").fields == {}


# --- multipart ---------------------------------------------------------------------------------------

ONE_PART = multipart(("key", "secret"))


@pytest.mark.parametrize(
    "content_type",
    [
        MULTIPART,
        'multipart/form-data; boundary="BOUNDARY"',
        "Multipart/Form-Data; charset=utf-8; Boundary=BOUNDARY",
    ],
)
def test_the_boundary_is_found_however_it_is_written(content_type: str) -> None:
    assert asked(ONE_PART, content_type=content_type).key == "secret"


def test_an_uploaded_file_is_read_as_text() -> None:
    body = ONE_PART.replace(b'name="key"', b'name="key"; filename="key.txt"\r\nContent-Type: text/plain')
    assert asked(body, content_type=MULTIPART).key == "secret"


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=OTHER",
        "multipart/form-data; boundary=" + "B" * 5000,
        "multipart/form-data; boundary=B\xff",
        'multipart/form-data; boundary="a\rb"',
        "multipart/form-data;" + " ;" * 10_000,
    ],
    ids=lambda text: ascii(text[:50]),
)
def test_a_body_that_does_not_fit_its_boundary_is_refused(content_type: str) -> None:
    refused(ONE_PART, content_type=content_type)


@pytest.mark.parametrize("end", range(1, len(ONE_PART) - 2))
def test_a_multipart_body_cut_anywhere_is_refused(end: int) -> None:
    refused(ONE_PART[:end], content_type=MULTIPART)


@pytest.mark.parametrize(
    "body",
    [
        ONE_PART.replace(b"\r\n", b"\n"),
        ONE_PART.replace(b'; name="key"', b""),
        ONE_PART.replace(b"form-data", b"attachment"),
        ONE_PART.replace(b"Content-Disposition", b"X-Other"),
        ONE_PART.replace(b"Content-Disposition", b"A: b\r\n" * 100 + b"Content-Disposition"),
        ONE_PART.replace(b"Content-Disposition", b"A: " + b"b" * 100_000 + b"\r\nContent-Disposition"),
        b"\r\n" * 500_000,
    ],
    ids=lambda body: ascii(body[:60]),
)
def test_a_broken_part_is_refused(body: bytes) -> None:
    refused(body, content_type=MULTIPART)


def test_a_large_part_stays_in_memory() -> None:
    """No temporary file: the reader runs on the event loop, and an unclosed file is a warning, so an error here."""
    comments = "x" * 1_000_000
    assert asked(multipart(("comments", comments)), content_type=MULTIPART).fields == {"comments": comments}


# --- anything at all ---------------------------------------------------------------------------------

CONTENT_TYPES = st.sampled_from([FORM, MULTIPART, "application/json", "", "text/plain"]) | st.text()


@given(content_type=CONTENT_TYPES, query=st.binary(), body=st.binary())
def test_no_bytes_raise_anything_but_a_refusal(content_type: str, query: bytes, body: bytes) -> None:
    try:
        request = asked(body, content_type=content_type, query=query)
    except IncorrectRequest:
        return
    assert "\0" not in "".join([request.key, request.action, *request.fields.values()])


SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=5), NESTED, max_size=3))
def test_no_json_raises_anything_but_a_refusal(values: dict[str, object]) -> None:
    try:
        request = asked(json.dumps(values).encode(), content_type="application/json")
    except IncorrectRequest:
        return
    assert all(isinstance(text, str) for text in request.fields.values())


@pytest.mark.parametrize("content_type", [FORM, MULTIPART, "application/json"])
@pytest.mark.parametrize(
    "unit",
    [b"%", b"+", b"&", b"=", b"a=1&", b"%00", b"%F0%9F%98%80", b"\xff", b"\r\n--BOUNDARY", b"\r\n--", b"--BOUNDARY\r\n",
     b"[", b'{"a":', b'"', b'{"a":1,', b"1", b"\\u0000"],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(
    "head", [b"", b"a=", b"--BOUNDARY\r\nContent-Disposition: form-data; name=a\r\n\r\n", b'{"a":"']
)
def test_a_megabyte_of_anything_is_read_or_refused_at_once(content_type: str, unit: bytes, head: bytes) -> None:
    body = head + unit * (1_048_576 // len(unit))
    started = process_time()
    with suppress(IncorrectRequest):
        asked(body, content_type=content_type)
    assert in_cpu_time(process_time() - started, 2)
