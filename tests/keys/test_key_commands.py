"""`hawker key` and `hawker customer disable`: what the operator says holds at the door."""

import subprocess
from typing import Any

import msgspec
import pytest
from callers import ask

from hawker.accounts.models import ApiKey, User
from hawker.ledger.customers import OpenedCustomer
from panel import Panel
from processes import ServeProcess, eventually, run_hawker

LEGACY = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    panel.service(id=1)
    return panel.customer(credit="1.00")


def run(*words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """The command with these words over this process's panel, with its secret."""
    return run_hawker(*words, given=given)


def say(*words: str, given: str = "") -> Any:
    done = run(*words, given=given)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


@pytest.mark.quick
def test_the_life_of_a_key(server: ServeProcess, customer: OpenedCustomer) -> None:
    email = User.objects.get(id=customer.user_id).email
    limits = ("--scope", "read", "--address", "127.0.0.1", "--address", "2001:db8::/32", "--expires", "90d")
    added = say("key", "add", email.upper(), "--label", "shop", *limits)
    assert ask(server, added["api_key"]).status == 200
    answer = ask(server, added["api_key"], "add", service=1, link="https://example.com", quantity=50)
    assert answer.body == b'{"error":"Invalid API key"}'

    rotated = say("key", "rotate", str(added["key"]), "--overlap", "7d")
    assert rotated["replaces"] == added["key"]
    assert all(b"balance" in ask(server, key).body for key in (added["api_key"], rotated["api_key"]))

    listed = say("key", "list", email)
    assert (listed["customer"], listed["active"]) == (email, True)
    new, old, first = listed["keys"]
    assert (new["key"], old["key"]) == (rotated["key"], added["key"])
    assert (old["label"], old["scope"], old["addresses"]) == ("shop", "read", ["127.0.0.1", "2001:db8::/32"])
    assert (old["replaced_by"], old["ends_with"]) == (rotated["key"], added["api_key"][-4:])
    assert old["expires_at"] == rotated["old_key_ends_at"] < new["expires_at"]
    assert {key["state"] for key in listed["keys"]} == {"active"}
    assert first["ends_with"] == customer.api_key[-4:]
    assert not any(key in str(listed) for key in (added["api_key"], rotated["api_key"], customer.api_key))

    revoked = say("key", "revoke", str(rotated["key"]))
    assert (revoked["key"], revoked["state"]) == (rotated["key"], "revoked")
    eventually("refused", lambda: b"Invalid" in ask(server, rotated["api_key"]).body)


def test_a_customer_is_kept_out_and_let_in(server: ServeProcess, customer: OpenedCustomer) -> None:
    email = User.objects.get(id=customer.user_id).email
    assert ask(server, customer.api_key).json["balance"] == "1.00"
    assert say("customer", "disable", email) == {"customer": email, "active": False}
    eventually("refused", lambda: b"Invalid" in ask(server, customer.api_key).body)
    assert say("customer", "enable", email) == {"customer": email, "active": True}
    eventually("let in", lambda: b"balance" in ask(server, customer.api_key).body)


def test_a_key_is_brought_along_and_never_shown(server: ServeProcess, customer: OpenedCustomer, tmp_path: Any) -> None:
    email = User.objects.get(id=customer.user_id).email
    done = run("key", "import", email, given=f"{LEGACY}\n")
    assert done.returncode == 0
    assert LEGACY not in done.stdout + done.stderr
    assert ask(server, LEGACY).json["balance"] == "1.00"
    (tmp_path / "key").write_text(LEGACY)
    again = run("key", "import", email, "--key-file", str(tmp_path / "key"))
    assert (again.returncode, again.stdout) == (1, "")
    assert "in use" in again.stderr
    assert LEGACY not in again.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("add", "nobody@example.com"), "there is no customer"),
        (("add", "EMAIL", "--address", "192.0.2.7/24"), "host bits"),
        (("add", "EMAIL", "--address", "example.com"), "neither an address nor a network"),
        (("add", "EMAIL", "--scope", "all"), "scope: must be order or read"),
        (("add", "EMAIL", "--expires", "2020-01-31"), "expiry is in the past"),
        (("add", "EMAIL", "--expires", "soon"), "expires: must be a date"),
        (("add", "EMAIL", "--expires", ""), "expires: must be a date"),
        (("add", "EMAIL", "--label", "l" * 81), "80 characters"),
        (("rotate", "999999999"), "there is no key"),
        (("rotate", "1", "--overlap", "a while"), "overlap: must be a number of"),
        (("import", "EMAIL", "--key-file", "/nowhere/key"), "cannot be read"),
        (("import", "EMAIL"), "8 to 512 characters"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(customer: OpenedCustomer, words: tuple[str, ...], why: str) -> None:
    email = User.objects.get(id=customer.user_id).email
    done = run("key", *(email if word == "EMAIL" else word for word in words))
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
    assert done.stderr.startswith("hawker: ")
    assert ApiKey.objects.count() == 1
