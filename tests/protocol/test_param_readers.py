"""Parameters are read by their kind: what is not certain is refused with the parameter's own text."""

from datetime import date
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.core.errors import Refusal
from hawker.protocol.errors import TooManyIds, text_of
from hawker.protocol.params import (
    MAX_LINE,
    MAX_LINES,
    MAX_LINK,
    MAX_TEXT,
    Param,
    ParamKind,
    read_date,
    read_ids,
    read_link,
    read_whole,
    write_date,
)
from yardstick import in_cpu_time

NOT_NUMBERS = [
    "",
    "abc",
    "+5",
    "-1",
    "1_000",
    "1,000",
    "1 000",
    "12\n",
    "\t12",
    "\u00a012",
    "1.0",
    "100.5",
    "1e3",
    "0x10",
    "0b1",
    "²",
    "١٢",
    "１２",
    "৪২",
    "inf",
    "nan",
    "1" * 13,
    "1" + "0" * 400,
    "9223372036854775808000",
    "5\x00",
]


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("100", 100), ("  7 ", 7), ("007", 7), ("9" * 12, 10**12 - 1)])
def test_a_whole_number_is_up_to_twelve_ascii_digits(text: str, number: int) -> None:
    assert read_whole(text) == number


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_anything_else_is_no_whole_number(text: str) -> None:
    assert read_whole(text) is None


@given(st.text())
def test_no_text_makes_the_number_reader_raise(text: str) -> None:
    number = read_whole(text)
    assert number is None or str(number) == text.strip(" ").lstrip("0") or number == 0


@pytest.mark.parametrize(
    "link",
    [
        "https://example.com",
        "http://example.com/page",
        "HTTPS://EXAMPLE.COM/Page",
        "https://example.com:8443/a?b=c&d=e#f",
        "https://example.com/@name",
        "https://example.com?x=user:pass@host",
        "https://example.com/straße/😀",
        "https://пример.рф/путь",
        "https://example.com/a'b(c),d;e~f*g!h",
        "example.com/page",
        "m.example.co.uk:80/x",
        "@some.name-1",
        "#hashtag",
        "name_with_words",
        "12345",
        "-aB3_dEf9hI",
        "имя",
        "https://e.com/" + "a" * (MAX_LINK - 14),
    ],
)
def test_addresses_and_handles_are_links(link: str) -> None:
    assert read_link(link) == link


def test_blanks_around_a_link_are_forgiven() -> None:
    assert read_link("  https://example.com/a\r\n") == "https://example.com/a"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "javascript://example.com/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://example.com",
        "mailto:a@example.com",
        "//example.com/a",
        "/etc/passwd",
        "../../etc/passwd",
        "https://",
        "https:///path",
        "https:/example.com",
        "https:example.com",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com@evil.com/",
        "https://example.com:123456/",
        "https://example.com:x/",
        "http://[::1]/",
        "https://exam ple.com/",
        "https://example.com/a b",
        "https://example.com/a\nb",
        "https://example.com/a\r\nSet-Cookie: x",
        "https://example.com/\x00",
        "https://example.com/\x7f",
        "https://example.com/\x85",
        "https://example.com/\u00a0",
        "https://example.com/\u2028",
        "https://example.com/\u202egpj.exe",
        "https://example.com/\u2066x",
        "https://example.com/\u200b",
        "https://example.com/\ufeffx",
        'https://example.com/"onclick=',
        "https://example.com/<script>",
        "https://example.com/`id`",
        "https://example.com\\@evil.com/",
        "' OR 1=1 --",
        "1'; DROP TABLE orders;--",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "@",
        "#",
        "@@name",
        "-",
        "...",
        "@name/path",
        "https://e.com/" + "a" * (MAX_LINK - 13),
        "a" * 256,
        "a" * 1_000_000,
    ],
    ids=lambda text: ascii(text[:40]),
)
def test_what_is_neither_address_nor_handle_is_refused(text: str) -> None:
    assert read_link(text) is None


@given(st.text() | st.from_regex(r"(https?|javascript|data):.*", fullmatch=True))
def test_an_accepted_link_can_be_shown_and_sent(text: str) -> None:
    link = read_link(text)
    if link is not None:
        assert not set(link) & set(' \r\n\t\0"<>\\`|{}^')
        assert ":" not in link.split("/")[0] or link.lower().startswith(("http://", "https://")) or link[-1].isdigit()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("31/12/2027", date(2027, 12, 31)),
        ("1/2/2027", date(2027, 2, 1)),
        (" 29/02/2028 ", date(2028, 2, 29)),
    ],
)
def test_a_date_is_day_month_year(text: str, day: date) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "31/02/2027",
        "29/02/2027",
        "31/4/2027",
        "0/1/2027",
        "1/0/2027",
        "12/31/2027",
        "1/1/0000",
        "1/1/27",
        "2027-12-31",
        "31.12.2027",
        "31/12/20270",
        "1/1/2027\n",
        "١/١/٢٠٢٧",
        "tomorrow",
        "1" * 100_000,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_is_no_day_of_the_calendar_is_no_date(text: str) -> None:
    assert read_date(text) is None


@given(st.dates())
def test_a_written_date_reads_back(day: date) -> None:
    assert read_date(write_date(day)) == day


def test_ids_keep_their_order_and_are_taken_once() -> None:
    assert read_ids("3, 1 ,2,3,, 1,") == ["3", "1", "2"]


def test_what_is_no_number_stays_among_the_ids() -> None:
    assert read_ids("1,x,-5,1e3") == ["1", "x", "-5", "1e3"]


@pytest.mark.parametrize("count", [1, 99, 100])
def test_up_to_a_hundred_ids_are_read(count: int) -> None:
    assert len(read_ids(",".join(map(str, range(count))))) == count


@pytest.mark.parametrize("count", [101, 400, 401, 100_000])
def test_more_than_a_hundred_ids_are_refused_whole(count: int) -> None:
    with pytest.raises(TooManyIds):
        read_ids(",".join(map(str, range(count))))


def test_a_hundred_ids_asked_twice_each_are_a_hundred() -> None:
    assert len(read_ids(",".join([*map(str, range(100))] * 2))) == 100


REFUSALS = {
    ParamKind.SERVICE: "Incorrect service ID",
    ParamKind.LINK: "Incorrect field",
    ParamKind.QUANTITY: "Incorrect quantity",
    ParamKind.COUNT: "Incorrect field",
    ParamKind.CHOICE: "Incorrect field",
    ParamKind.TEXT: "Incorrect field",
    ParamKind.NAME: "Incorrect field",
    ParamKind.LINES: "Incorrect field",
    ParamKind.DATE: "Incorrect field",
    ParamKind.ID: "Incorrect order ID",
}
"""By kind; a list of ids is no such kind: whatever is asked for in it is answered for itself."""


def test_every_kind_of_one_value_is_held_to_the_rules_below() -> None:
    assert set(REFUSALS) == set(ParamKind) - {ParamKind.IDS}


def test_a_list_of_ids_is_refused_only_where_it_is_empty_or_too_long() -> None:
    orders = Param("orders", ParamKind.IDS, "")
    assert orders.read(" 1,x , 1") == ("1", "x")
    assert refusal_of(orders, " , ") == "Incorrect order ID"
    assert refusal_of(Param("refills", ParamKind.IDS, ""), "") == "Refill not found"
    assert refusal_of(orders, "1," * 500_000) == "No more than 100 IDs are allowed"


def param(kind: ParamKind, **rules: object) -> Param:
    return Param("field", kind, "", **rules)  # type: ignore[arg-type]


def outcome_of(which: Param, text: str) -> str:
    """The refusal's text, or "read"."""
    try:
        which.read(text)
    except Refusal as refusal:
        return text_of(refusal)
    return "read"


def refusal_of(which: Param, text: str) -> str:
    with pytest.raises(Refusal) as caught:
        which.read(text)
    return text_of(caught.value)


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("text", ["", "   ", "\x00", "a\x00b", "a\x1bb"], ids=ascii)
def test_every_kind_refuses_nothing_and_control_characters_with_its_own_text(kind: ParamKind, text: str) -> None:
    assert refusal_of(param(kind, choices=(1, 2)), text) == REFUSALS[kind]


@pytest.mark.parametrize("kind", REFUSALS)
@given(text=st.text())
def test_no_text_makes_a_parameter_raise_anything_but_its_refusal(kind: ParamKind, text: str) -> None:
    assert outcome_of(param(kind, choices=(1, 2), minimum=1, maximum=10), text) in ("read", REFUSALS[kind])


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize(
    "unit", ["1", "a", " ", "a ", ",", "\n", "a\n", "\r\n", "a.", "@", "https://a.", "%", "😀", "\u202e"], ids=ascii
)
def test_a_megabyte_is_read_or_refused_at_once(kind: ParamKind, unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    started = process_time()
    assert outcome_of(param(kind, choices=(1,)), text) in ("read", REFUSALS[kind])
    assert in_cpu_time(process_time() - started, 2)


@pytest.mark.parametrize(("text", "fits"), [("0", False), ("1", True), ("10", True), ("11", False)])
def test_a_count_stays_within_its_bounds(text: str, fits: bool) -> None:
    which = param(ParamKind.COUNT, minimum=1, maximum=10)
    if fits:
        assert which.read(text) == int(text)
    else:
        assert refusal_of(which, text) == "Incorrect field"


def test_a_choice_is_one_of_its_choices() -> None:
    which = param(ParamKind.CHOICE, choices=(0, 5, 10))
    assert [which.read(text) for text in ("0", "5", "10")] == [0, 5, 10]
    assert refusal_of(which, "7") == "Incorrect field"


def test_a_text_is_one_line_without_blanks_around_it() -> None:
    assert param(ParamKind.TEXT).read("  José 😀 العربية  ") == "José 😀 العربية"
    for text in ("a\nb", "a\rb", "a" * (MAX_TEXT + 1)):
        assert refusal_of(param(ParamKind.TEXT), text) == "Incorrect field"


def test_lines_end_in_either_way_and_blank_ones_do_not_count() -> None:
    which = param(ParamKind.LINES, max_length=MAX_LINE)
    assert which.read("\r\none\r\n\r\n two 😀\n   \nthree\tthree\n\n") == ("one", "two 😀", "three\tthree")


@pytest.mark.parametrize("text", ["one\u2028still one", "one\u0085still one", "one\u2029still one"], ids=ascii)
def test_only_the_two_line_ends_of_the_seed_separate_lines(text: str) -> None:
    assert param(ParamKind.LINES).read(text) == (text,)


def test_a_line_end_that_panels_may_read_either_way_is_refused() -> None:
    """A lone carriage return: one line to us, two to some upstream, which would then charge us for two."""
    assert refusal_of(param(ParamKind.LINES), "one\rtwo") == "Incorrect field"


def test_lists_are_limited_in_lines_and_in_length() -> None:
    which = param(ParamKind.LINES, max_length=5)
    longest = which.read("\n".join(["a"] * MAX_LINES))
    assert isinstance(longest, tuple)
    assert len(longest) == MAX_LINES
    assert refusal_of(which, "\n".join(["a"] * (MAX_LINES + 1))) == "Incorrect field"
    assert refusal_of(which, "short\nlonger") == "Incorrect field"
