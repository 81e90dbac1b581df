"""Bad values for any field, by what they try; and what each kind of field may answer to one."""

import re

NUL = "a\x00b"

NOTHING = {
    "nothing": "",
    "undefined": "undefined",
    "null": "null",
    "a blank": " ",
    "blanks": " \t\r\n ",
    "a no-break space": "\u00a0",
    "a zero-width space": "\u200b",
}

NUMBERS = {
    "zero": "0",
    "minus one": "-1",
    "plus five": "+5",
    "two signs": "--5",
    "an underscore": "1_000",
    "a group": "1,000",
    "a line end": " 12\n",
    "a tab": "\t12",
    "Arabic digits": "١٢٣",
    "full-width digits": "１２３",
    "a superscript": "²",
    "an exponent": "1e3",
    "a large exponent": "1e1000000",
    "an exponent of Decimal": "1E+1000000",
    "a fraction": "100.5",
    "a whole fraction": "100.0",
    "a comma": "100,5",
    "hexadecimal": "0x10",
    "infinity": "inf",
    "minus infinity": "-Infinity",
    "no number": "nan",
    "more than a signed word": "9223372036854775808",
    "more than a word": "18446744073709551616",
    "thirteen digits": "1000000000000",
    "four hundred digits": "1" + "0" * 400,
    "a hundred thousand digits": "9" * 100_000,
}

TEXTS = {
    "NUL": NUL,
    "a control character": "a\x1bb",
    "delete": "a\x7fb",
    "a lone carriage return": "https://example.com/a\rb",
    "a header": "https://example.com\r\nSet-Cookie: a=b",
    "emoji": "😀👩‍👩‍👧🏳️‍🌈",
    "a right-to-left override": "https://example.com/\u202egpj.exe",
    "an isolate": "\u2066abc\u2069",
    "a combining storm": "e" + "\u0301" * 5_000,
    "a script link": "javascript:alert(document.cookie)",
    "a script link in disguise": "JaVa\tScRiPt:alert(1)",
    "a data link": "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "a file link": "file:///etc/passwd",
    "a link with a user": "https://admin:admin@example.com/",
    "an address of the inside": "http://[::1]/",
    "markup": "<script>alert(1)</script>",
    "an attribute": '"><img src=x onerror=alert(1)>',
    "SQL": "' OR '1'='1' --",
    "more SQL": "1; DROP TABLE orders; --",
    "a union": "1 UNION SELECT digest FROM api_key",
    "a template": "{{7*7}}${7*7}<%= 7*7 %>",
    "a format": "%s%s%n{0.__class__}",
    "a path": "../../../../etc/passwd",
    "a spreadsheet formula": "=cmd|' /C calc'!A0",
    "JSON": '{"a":[1,2,{"b":null}]}',
    "a megabyte": "a" * 1_000_000,
    "a megabyte of blanks": " " * 1_000_000,
    "a megabyte of emoji": "😀" * 80_000,
    "a hundred thousand and one lines": "a\n" * 100_001,
    "a line that is too long": "a" * 2_001,
}

EVERY_TEXT = {**NOTHING, **NUMBERS, **TEXTS}

RAW_BYTES = {
    "bad UTF-8": b"\xff\xfe",
    "an overlong NUL": b"\xc0\x80",
    "a surrogate in UTF-8": b"\xed\xa0\x80",
    "half a character": b"\xf0\x9f\x98",
    "a byte order mark and bad UTF-8": b"\xef\xbb\xbf\xff",
}

JSON_VALUES = {
    "true": "true",
    "false": "false",
    "an empty object": "{}",
    "an object": '{"a":1}',
    "a nested list": "[[1]]",
    "a list of null": "[null]",
    "a list of objects": '[{"$gt":""}]',
    "deep lists": "[" * 5_000 + "]" * 5_000,
    "deep objects": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "a lone surrogate": '"\\ud800"',
    "two wrong surrogates": '"\\udc00\\ud800"',
    "an escaped NUL": '"a\\u0000b"',
    "infinity": "Infinity",
    "no number": "NaN",
    "a number too large": "1e999",
    "a number of five thousand digits": "9" * 5_000,
    "nothing": "",
    "a raw control character": '"a\x01b"',
}
"""Values that only JSON can carry; all of them make the whole request unreadable."""

_HANDLE = re.compile(r"[@#]?[\w.\-]{1,255}")


def is_good_link(text: str) -> bool:
    """Whether one of the texts above is a link in its own right: digits and single words are handles."""
    return bool(_HANDLE.fullmatch(text.strip(" \r\n\t")))


def sent_as_nothing(text: str) -> bool:
    """Whether the protocol takes the value for one that was not sent."""
    return text in ("", "undefined", "null")
