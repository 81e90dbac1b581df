"""What upstreams and customers write is shown on a person's terminal, and never obeyed by it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import saying

from hawker.core.settings import settings
from hawker.core.terminal import one_line, shown, shown_json
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess, hawker

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066\u2028\r\nforged: line\x00\x7f"


@given(st.text())
def test_no_text_moves_the_cursor_or_turns_the_writing_around(text: str) -> None:
    assert not OBEYED.search(shown(text))
    assert "\n" not in one_line(text)
    document = json.dumps({"name": text}, ensure_ascii=False)
    assert not OBEYED.search(shown_json(document))
    assert json.loads(shown_json(document)) == {"name": text}


def test_what_is_harmless_is_left_alone() -> None:
    for text in ("Followers 😀 — größer", "مرحبا", "line\n\tline", ""):
        assert shown(text) == text


def answering(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)


@pytest.fixture
def upstream(panel: Panel, sandbox: SandboxProcess) -> Provider:
    return panel.provider(sandbox, name="acme")


def test_commands_show_what_an_upstream_says_and_names_its_services(panel: Panel, upstream: Provider) -> None:
    row = {"service": 1, "name": HOSTILE, "type": "Default", "category": HOSTILE, "rate": "1", "min": 1, "max": 10}
    rows = [row, {**row, "service": 2, "name": "Fine", "category": "Fine"}, {**row, "service": 3, "type": HOSTILE}]
    said = []
    for value, *words in (
        ({"error": HOSTILE}, "provider", "import", "acme"),
        (rows, "provider", "import", "acme"),
        ({"balance": "1.00", "currency": HOSTILE}, "provider", "set", "acme", "--key", "another-key"),
    ):
        with saying(answering(value)) as url:
            Provider.objects.update(url=url)
            done = hawker(settings().data_dir, *map(str, words))
        said.append(done)
        assert "Traceback" not in done.stderr
        for text in (done.stdout, done.stderr):
            assert not OBEYED.search(text.replace("\n", "")), text
    assert said[0].returncode == 1
    assert "owned" in said[0].stderr
    assert json.loads(said[1].stdout)["imported"] >= 1


def test_a_command_shows_an_order_whatever_was_written_into_it(panel: Panel, upstream: Provider) -> None:
    service = panel.service(type="Custom Comments", provider=upstream, minimum=1)
    order = panel.place(panel.customer(), service, comments="nice\u202e\u2066\nfine")
    assert isinstance(order, int), order
    done = hawker(settings().data_dir, "order", "show", str(order))
    assert done.returncode == 0, done.stderr
    assert not OBEYED.search(done.stdout.replace("\n", ""))
    assert json.loads(done.stdout)
