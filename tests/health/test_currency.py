"""A process whose settings say another currency than the balances: one machine of several without its hawker.toml."""

import asyncio
import os
import subprocess

import msgspec
import pytest

from hawker.core.settings import settings
from hawker.health.endpoints import readyz
from hawker.ledger.models import Account
from panel import Panel
from processes import run_hawker

SAID = "this panel's balances are in USD, its settings say EUR"


def hawker_in_euros(*words: str) -> "subprocess.CompletedProcess[str]":
    return run_hawker(*words, environment={**os.environ, "HAWKER_CURRENCY": "EUR"})


@pytest.mark.parametrize(
    "words",
    [
        ["customer", "add", "a@example.com"],
        ["customer", "add", "a@example.com", "--credit", "5"],
        ["serve", "--port", "0"],
        ["worker"],
    ],
)
def test_it_does_nothing_and_says_why(panel: Panel, words: list[str]) -> None:
    accounts = Account.objects.count()
    done = hawker_in_euros(*words)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"hawker: {SAID}\n")
    assert Account.objects.count() == accounts


def test_the_doctor_names_it(panel: Panel) -> None:
    done = hawker_in_euros("doctor")
    assert done.returncode == 1
    (check,) = (check for check in msgspec.json.decode(done.stdout)["checks"] if check["name"] == "currency")
    assert (check["state"], check["what"]) == ("fail", SAID)


def test_who_found_no_database_at_its_start_is_not_ready_when_there_is_one(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAWKER_CURRENCY", "EUR")
    settings.cache_clear()
    try:
        status, _, body = asyncio.run(readyz({}))
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert status == 503
    assert msgspec.json.decode(body)["reasons"] == ["the balances and the settings have different currencies"]
