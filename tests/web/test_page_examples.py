"""Every example of the page `/api`, taken from it and run in its language against the running panel."""

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hawker.catalog.models import Service
from hawker.core.settings import settings
from hawker.ledger.customers import OpenedCustomer
from hawker.orders.models import Order
from hawker.protocol.actions import ACTIONS, EXAMPLE_VALUES, Action, example_order
from hawker.protocol.service_types import TYPES, QuantityRule
from hawker.web.examples import examples_of
from panel import Panel
from processes import ServeProcess

COMMANDS = {"curl": "sh", "php": "php", "python": sys.executable, "node": "node"}
SUFFIXES = {"node": ".mjs"}
CODE = re.compile(r'<code data-action="([\w-]+)" data-language="(\w+)">(.*?)</code>', re.DOTALL)
needs = {
    language: pytest.mark.skipif(
        shutil.which(command) is None, reason=f"{command} is missing, and only root may have `make test` install it"
    )
    for language, command in COMMANDS.items()
}
IN_EVERY_LANGUAGE = [pytest.param(language, marks=needs[language]) for language in COMMANDS]


def run(language: str, code: str, folder: Path) -> str:
    """What the program prints, a line end at its end left out."""
    script = folder / f"example{SUFFIXES.get(language, '')}"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run([COMMANDS[language], str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def shown(server: ServeProcess) -> dict[tuple[str, str], str]:
    """The examples of the page, as somebody copies them, by where they stand and by language."""
    text = server.send("GET", path="/api").body.decode()
    return {(where, language): html.unescape(code) for where, language, code in CODE.findall(text)}


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    """Of a panel that sells every type under the number that examples use, with the orders 1, 2 and 3."""
    provider = {"subscription": "local", "post_url": "https://example.com/{username}.xml"}
    for number, kind in enumerate(TYPES, start=1):
        per_post = kind.quantity is QuantityRule.PER_POST
        flags: dict[str, Any] = provider if per_post else {"refill": True, "cancel": True}
        panel.service(id=number, type=kind.name, minimum=1, **flags)
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute("ALTER SEQUENCE orders_id_seq RESTART WITH 1")
    opened, first = panel.customer(), Service.objects.get(id=1)
    for _ in range(3):
        panel.place(opened, first)
    return opened


@pytest.mark.parametrize("language", IN_EVERY_LANGUAGE)
def test_an_example_prints_what_the_panel_answers(
    server: ServeProcess, customer: OpenedCustomer, tmp_path: Path, language: str
) -> None:
    examples = shown(server)
    for action in ACTIONS:
        code = examples[action.slug, language].replace("YOUR_API_KEY", customer.api_key)
        answered = run(language, code, tmp_path)
        if action.name == "add":
            check_order(json.loads(answered), dict(action.example), customer)
        else:
            assert answered.encode() == same_again(server, customer, action), (action.title, language)
            assert "API key" not in answered


def same_again(server: ServeProcess, customer: OpenedCustomer, action: Action) -> bytes:
    return server.call(customer.api_key, action.name, **action.example).body


@needs["curl"]
def test_the_example_of_every_type_places_an_order(
    server: ServeProcess, customer: OpenedCustomer, tmp_path: Path
) -> None:
    examples = shown(server)
    for kind in TYPES:
        code = examples[f"type-{kind.name.lower().replace(' ', '-')}", "curl"]
        answered = run("curl", code.replace("YOUR_API_KEY", customer.api_key), tmp_path)
        check_order(json.loads(answered), example_order(kind), customer)


def check_order(answer: dict[str, int], sent: dict[str, str], customer: OpenedCustomer) -> None:
    assert list(answer) == ["order"], answer
    order = Order.objects.get(id=answer["order"])
    assert order.account_id == customer.account_id
    assert str(order.service_id) == sent["service"]
    assert order.link == sent.get("link", EXAMPLE_VALUES["username"])
    assert (order.extra or {}).items() >= {(name, text) for name, text in sent.items() if name in ("comments", "media")}


@pytest.mark.parametrize("language", IN_EVERY_LANGUAGE)
def test_awkward_texts_survive_in_every_language(
    server: ServeProcess, customer: OpenedCustomer, tmp_path: Path, language: str
) -> None:
    awkward = 'it\'s "quoted" \\ $HOME ${x} `x` é 😀 %41+&=\n<b> # end'
    fields = {"key": customer.api_key, "action": "add", "service": "3", "link": "@awkward", "comments": awkward}
    (code,) = (example.code for example in examples_of(server.api, fields) if example.slug == language)
    order = json.loads(run(language, code, tmp_path))["order"]
    assert Order.objects.get(id=order).extra == {"comments": awkward}
