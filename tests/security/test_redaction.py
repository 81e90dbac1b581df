"""What may be a secret is taken out of a text, however it is written; what is none stays."""

import json
import subprocess
import sys
import time
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.core.logs import redact
from hawker.core.redaction import GONE, forms_of, redacted, redacted_value, without
from yardstick import in_cpu_time

FRESH = "3f9ac0d1e2b34455667788990011aabbccddeeff00112233445566778899aabb"
"""A key of the look that ours have."""

LEGACY = "Pa$$word & co/42"
"""A key of another panel's make: nothing but the word before it tells that it is one."""


@pytest.mark.parametrize(
    "text",
    [
        "key={}&action=balance",
        "action=balance&key={}",
        "POST /api/v2?key={}&action=add HTTP/1.1",
        "api_key={}",
        "apikey: {}",
        "Authorization: Bearer {}",
        "authorization=Bearer%20{}",
        '{{"key":"{}","action":"balance"}}',
        '{{"key": "{}"',
        '{{\\"key\\":\\"{}\\"}}',
        "{{'key': '{}', 'action': 'balance'}}",
        "{{'key': b'{}'}}",
        "('key', '{}')",
        "Request(action='balance', key='{}', fields={{}})",
        'Content-Disposition: form-data; name="key"\r\n\r\n{}\r\n--x',
        'form-data; name="key"\r\nContent-Type: text/plain\r\n\r\n{}\r\n--x',
        "%7B%22key%22%3A%22{}%22%7D",
        "ValueError: bad key: {}",
        "the key {} is wrong",
        "Invalid API key {}",
        "postgresql://hawker:{}@db.example/hawker",
        "conninfo: host=db password={} dbname=hawker",
        "https://feeds.example/a.xml?access_token={}&x=1",
        "X-Api-Key: {}",
        "Cookie: {}",
        "<b>key</b>={}",
        "key%3D{}%26action%3Dbalance",
    ],
)
def test_a_fresh_key_is_taken_out_wherever_it_stands(text: str) -> None:
    assert FRESH not in redacted(text.format(FRESH))


@pytest.mark.quick
@pytest.mark.parametrize("key", ["hunter2hunter2", "abc-def_ghi.jkl", "panelkey", "0123456789"])
@pytest.mark.parametrize(
    "text",
    [
        "key={}&action=balance",
        '{{"key":"{}","action":"balance"}}',
        "{{'key': '{}', 'action': 'balance'}}",
        "Request(action='balance', key='{}', fields={{}})",
        'name="key"\r\n\r\n{}\r\n--x',
        "Authorization: Bearer {}",
        "postgresql://hawker:{}@db.example/hawker",
        "secret_key = {}",
        "HAWKER_PROVIDER_KEY={}",
        "Bearer {}",
        "key%3D{}%26",
    ],
)
def test_a_key_of_any_look_is_taken_out_by_the_word_before_it(key: str, text: str) -> None:
    assert key not in redacted(text.format(key))


@pytest.mark.parametrize("key", [LEGACY, 'with "quotes" and \\ slashes', "ключ от панели", "x" * 8])
@pytest.mark.parametrize("write", [str, quote, quote_plus, json.dumps, lambda text: urlencode({"link": text})])
def test_a_secret_that_is_known_is_taken_out_in_every_usual_writing(key: str, write: Any) -> None:
    written = write(key)
    shown = without(f"they said {written}, and so on", [key])
    assert key not in shown
    assert written.strip("\"'").removeprefix("link=") not in shown
    assert GONE in shown


def test_what_is_redacted_is_not_redacted_again() -> None:
    for text in ("Invalid API key [redacted]", "key=[redacted]&x=1", '{"key":"[redacted]"}', "Bearer [redacted]"):
        assert redacted(text) == text


def test_what_is_no_secret_stays() -> None:
    for text in (
        "provider out of reach",
        "duplicate key value violates unique constraint",
        "order 23501 of account 1000, service 12",
        "http://127.0.0.1:8000/api/v2?action=status&order=5",
        "hawker.orders.placing.actions.place_orders_of_one_batch_and_nothing_else",
        'File "/usr/lib/python3.11/site-packages/django/db/backends/postgresql/base.py", line 1, in x',
        "2026-11-25T03:00:00.000000Z",
        "No more than 100 IDs are allowed",
    ):
        assert redacted(text) == text


@given(st.text(), st.text(min_size=6, max_size=60))
def test_no_writing_of_a_secret_survives(around: str, secret: str) -> None:
    for form in forms_of(secret):
        assert form not in without(f"{around}{form}{around}", [secret]).replace(GONE, "") or form in around * 2


@given(st.recursive(st.text() | st.binary() | st.integers() | st.none(), st.lists, max_leaves=20))
def test_any_value_can_be_shown(value: Any) -> None:
    json.dumps(redacted_value(value))


def test_containers_are_walked_to_their_ends() -> None:
    class Thing:
        def __repr__(self) -> str:
            return f"Thing(key='{LEGACY[:8]}', token={FRESH})"

    event = {
        "event": "it failed",
        "key": LEGACY,
        "api_key": LEGACY,
        "headers": [(b"authorization", f"Bearer {FRESH}".encode()), ("x-api-key", FRESH)],
        "form": {"key": LEGACY, "nested": {"password": "short", "link": f"https://e.example/?key={FRESH}"}},
        "set": {f"key={FRESH}"},
        "body": f"key={FRESH}".encode(),
        "error": ValueError(f"bad key: {FRESH}", {"key": LEGACY}),
        "thing": Thing(),
        FRESH: "a name",
    }
    shown = str({name: value for name, value in redact(None, "info", dict(event)).items() if name != FRESH})
    for secret in (LEGACY, FRESH, "short"):
        assert secret not in shown
    deep: Any = FRESH
    for _ in range(100):
        deep = {"x": [deep]}
    assert FRESH not in str(redacted_value(deep))


PROLOGUE = f"""
import logging, structlog, threading
from hawker.core.logs import configure_logs
from hawker.core.redaction import know
LEGACY, FRESH = {LEGACY!r}, {FRESH!r}
configure_logs("debug", secrets=("the panel's own pepper",))
know(LEGACY)
log = structlog.get_logger("of its own")
"""


def told_by(program: str) -> str:
    """What a process that logs as a panel's does writes on stderr."""
    done = subprocess.run([sys.executable, "-c", PROLOGUE + program], capture_output=True, text=True, timeout=60)
    assert done.stdout == ""
    return done.stderr


def test_logs_of_our_own_and_of_libraries_show_no_secret() -> None:
    told = told_by(
        r"""
try:
    raise ValueError(f"cannot use {LEGACY} nor key={FRESH}", b"Bearer " + FRESH.encode())
except ValueError:
    log.exception("failed", form={"key": "hunter2hunter2"}, hidden=["only I know"], text="only I know")
    logging.getLogger("library").exception("of %s with %r", LEGACY, {"key": FRESH})
log.info("the panel's own pepper")
logging.warning("%s", "of one line\nand another\x1b[2J\x9b2J\u202egnp.exe\u2028")
"""
    )
    lines = told.split("\n")
    assert (len(lines), lines.pop()) == (5, "")
    events = [json.loads(line) for line in lines]
    assert "and another" in events[3]["event"]
    assert "Traceback" in events[0]["exception"]
    assert "hidden" not in events[0]
    for secret in (LEGACY, FRESH, "hunter2hunter2", "only I know", "the panel's own pepper", "\x9b", "\u202e", "\x1b"):
        assert secret not in told


def test_an_end_nobody_expected_is_told_without_secrets() -> None:
    told = told_by("""
def end():
    raise RuntimeError(f"key={FRESH} {LEGACY} the panel's own pepper" + chr(27) + "]0;owned" + chr(7))
thread = threading.Thread(target=end)
thread.start()
thread.join()
end()
""")
    assert told.count("Traceback") == 2
    for secret in (FRESH, LEGACY, "pepper\x1b", "\x1b", "\x07"):
        assert secret not in told


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a-",
        "key",
        "key=",
        "-key",
        '"key":"',
        "name=key\n",
        "Bearer ",
        "://:",
        "a1",
        "'",
        "\\",
        "x" * 31 + " ",
        "%3D",
    ],
)
def test_any_text_is_read_in_time(unit: str) -> None:
    """A customer's text may end in a log, and nobody waits for that: costs of this process, not of a busy machine."""
    text = unit * (1_000_000 // len(unit))
    spent = time.process_time()
    redacted(text)
    assert in_cpu_time(time.process_time() - spent, 2.0)
