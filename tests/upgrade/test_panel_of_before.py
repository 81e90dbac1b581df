"""A panel that was filled by the version before the migrations were begun anew is upgraded, and loses nothing.

tests/data/README.md tells what the dump holds and how it was made.
"""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from hawker.core.settings import settings
from hawker.host.binaries import find_programs
from one_process import Call, run_commands
from processes import SandboxProcess, ServeProcess, eventually, start_serve, start_worker

DATA = Path(__file__).parents[1] / "data"
NEVER = "9000-01-01T00:00:00Z"
BALANCE_ACTIONS = {"balance.deposit": "customer.credit", "balance.correction": "customer.credit"}


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    """What the version before said of the panel."""
    said: dict[str, Any] = msgspec.json.decode(gzip.decompress((DATA / "panel_before.json.gz").read_bytes()))
    return said


def new_database(name: str) -> Iterator[str]:
    owner = settings().folder.embedded_url("hawker")
    with psycopg.connect(owner, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    yield owner.replace("/hawker?", f"/{name}?")
    with psycopg.connect(owner, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


def restore(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(gzip.decompress((DATA / "panel_before.sql.gz").read_bytes()))


def migrate(url: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "HAWKER_DATABASE_URL": url}
    command = [sys.executable, "-m", "hawker", "migrate"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


@pytest.fixture(scope="module")
def upgraded(database: None) -> Iterator[str]:
    """The address of the upgraded panel, which every command and process of this module works on."""
    for url in new_database("before"):
        restore(url)
        done = migrate(url)
        assert done.returncode == 0, done.stderr
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HAWKER_DATABASE_URL", url)
            yield url


def answers(*commands: str) -> list[Any]:
    """What each command answers, all of them in one process."""
    done = run_commands([Call(command.split()) for command in commands])
    assert [each.code for each in done] == [0] * len(done), [each.stderr for each in done]
    return [each.answer for each in done]


def check_same(old: Any, new: Any, where: str = "") -> None:
    """`new` says all that `old` says, the same; it may say more. What was due in the year 9000 has no time now."""
    if isinstance(old, Mapping):
        for name, value in old.items():
            expected = BALANCE_ACTIONS.get(value, value) if name == "action" else value
            check_same(expected, new[name], f"{where}.{name}")
    elif isinstance(old, list):
        assert len(old) == len(new), where
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            check_same(one, other, f"{where}[{number}]")
    else:
        assert new == old or (old == NEVER and new is None), where


@pytest.mark.quick
def test_it_reads_as_before(upgraded: str, before: dict[str, Any]) -> None:
    commands = list(before["commands"])
    limited = [f"{c} --limit 1000" if c in ("order list", "refill list", "audit list") else c for c in commands]
    limited = ["alert list --all --limit 1000" if command == "alert list" else command for command in limited]
    *told, verified = answers(*limited, "verify")
    assert verified["ok"], verified
    for command, said in zip(commands, told, strict=True):
        check_same(before["commands"][command], said, command)


def test_what_was_read_back_from_texts_has_become_facts(upgraded: str, before: dict[str, Any]) -> None:
    with psycopg.connect(upgraded) as owner:
        said = dict(owner.execute("SELECT evidence, reason FROM attempt WHERE state = 'rejected'").fetchall())
        held = dict(owner.execute("SELECT hold, hold_kind FROM work WHERE hold <> ''").fetchall())
        origins = set(owner.execute("SELECT origin, parent_id IS NULL, from_parent FROM orders").fetchall())
        operations = set(owner.execute("SELECT kind, operation FROM transfer").fetchall())
        people = owner.execute("SELECT DISTINCT actor_kind, actor_name FROM order_event WHERE actor_kind <> 'system'")
        never = owner.execute("SELECT count(*) FROM work WHERE due_at IS NULL").fetchone()
        actors = set(people.fetchall())
    assert {text.removeprefix("rejected: "): reason for text, reason in said.items()} == {
        "You have active order with this link. Please wait until order being completed.": "active_link",
        "Too many requests, and the one before was rejected: bad link": "busy",
        "Not enough funds on balance": "funds",
        "Please try again later": "busy",
        "The link is not supported": "other",
        "neworder.error.min_quantity": "other",
    }
    assert {text.split(":")[0]: kind for text, kind in held.items()} == {
        "restored": "restored",
        "cost above the charge": "cost_above_charge",
        "for a person": "person",
    }
    assert origins == {("api_key", True, False), ("drip_feed", False, True), ("subscription", False, False)}
    assert operations == {
        ("deposit", "customer.credit"),
        ("correction", "customer.credit"),
        ("charge", "order.add"),
        ("charge", "subscription.order"),
        ("refund", "order.settle"),
        ("delivery", "order.settle"),
    }
    assert actors == {("cli", "root"), ("customer", "")}
    assert never == (4,)


def test_its_schema_is_that_of_a_panel_that_began_with_this_version(upgraded: str) -> None:
    assert schema_of(upgraded) == schema_of(settings().folder.embedded_url("hawker"))


def schema_of(url: str) -> list[str]:
    program = find_programs("pg_dump", 15, None)
    done = subprocess.run([program, "--schema-only", url], capture_output=True, text=True, check=True)
    # The newest releases put a random word at the beginning and the end. A condition that went through a dump once has
    # its casts and parentheses elsewhere, and means the same.
    lines = [line for line in done.stdout.splitlines() if not line.startswith("\\")]
    return [re.sub(r"::text\[\]|::text|::character varying|[()]", "", line) for line in lines]


def test_it_goes_on_working(upgraded: str, before: dict[str, Any], sandbox: SandboxProcess) -> None:
    service = min(row["service"] for row in before["commands"]["service list"] if row["type"] == "Default")
    answers(f"provider set alpha --url {sandbox.url} --key {sandbox.key}", "provider resume alpha")
    sandbox.fund("1000.00")
    with start_serve() as server:
        for name, key in before["keys"].items():
            read_as_before(server, key, before["api"][name])
        refused = server.call(before["read_key_revoked"], "balance")
        assert refused.error == "Invalid API key"
        key = before["keys"]["anna"]
        link = "https://example.com/new?fate=completed"
        number = server.call(key, "add", service=service, link=link, quantity=100).json["order"]
        with start_worker():
            eventually("it is sent", lambda: link in {row["link"] for row in sandbox.orders()})
            sandbox.advance(days=30)
            eventually(
                "it is delivered",
                lambda: server.call(key, "status", order=number).json["status"] == "Completed",
                seconds=60,
            )
    verified, shown = answers("verify", f"order show {number}")
    assert verified["ok"], verified
    assert (shown["origin"], shown["api_key"]) == ("api_key", key_number(before, "anna"))
    assert [each["operation"] for each in shown["transfers"]] == ["order.add", "order.follow"]


def read_as_before(server: ServeProcess, key: str, said: dict[str, Any]) -> None:
    for action in ("balance", "services"):
        assert server.call(key, action).json == said[action], action
    orders = ",".join(said["status"])
    assert server.call(key, "status", orders=orders).json == said["status"]


def key_number(before: dict[str, Any], name: str) -> int:
    keys = before["commands"][f"key list {name}@example.com"]["keys"]
    number: int = min(key["key"] for key in keys)
    return number


def test_one_that_stopped_half_way_through_the_old_migrations_is_refused(database: None) -> None:
    for url in new_database("half"):
        restore(url)
        with psycopg.connect(url) as owner:
            owner.execute("DELETE FROM django_migrations WHERE app = 'orders' AND name = '0016_lean_indexes'")
        done = migrate(url)
        assert done.returncode == 1
        assert "bring it to the last version before" in done.stderr
        with psycopg.connect(url) as owner:
            new = owner.execute("SELECT count(*) FROM django_migrations WHERE name = '0002_facts'").fetchone()
        assert new == (0,)
