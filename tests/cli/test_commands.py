"""What commands answer on stdout, what they say on stderr, and that a refusal changes nothing."""

import os
import pty
import subprocess
import sys
from typing import Any

import msgspec
import psycopg
import pytest

from hawker.core.settings import settings
from hawker.ledger.models import Transfer
from hawker.orders.models import WorkKind
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess, hawker, panel_environment

SENTENCE_ONLY = (1, "")


def run(*words: str) -> Any:
    """What a command that succeeds answers."""
    done = hawker(settings().data_dir, *words)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stderr
    return msgspec.json.decode(done.stdout)


def refused(*words: str) -> str:
    """The one sentence of a command that does not."""
    done = hawker(settings().data_dir, *words)
    assert (done.returncode, done.stdout) == SENTENCE_ONLY, (words, done.stdout, done.stderr)
    assert done.stderr.startswith("hawker: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("hawker: ").strip()


def test_a_customer_is_added_and_credited_once_for_each_payment(panel: Panel) -> None:
    added = run("customer", "add", "Reseller@Example.com", "--credit", "100.00")
    assert set(added) == {"customer", "api_key"}
    assert len(added["api_key"]) == 64
    credit = ("customer", "credit", "reseller@example.com", "25.5", "--reason", "bank transfer", "--transaction", "t-1")
    assert run(*credit) == {"customer": "reseller@example.com", "balance": "125.50"}
    assert refused(*credit) == "the transaction 't-1' has been credited before; nothing was changed"
    taken = run("customer", "credit", "--reason", "wrong person", "reseller@example.com", "--", "-25.5")
    assert taken == {"customer": "reseller@example.com", "balance": "100.00"}
    assert Transfer.objects.count() == 3


@pytest.mark.parametrize(
    "words",
    [
        "alert list",
        "audit list",
        "customer disable stranger@example.com",
        "key list nobody@example.com",
        "link list",
        "order list",
        "price group list",
        "provider list",
        "refill list",
        "route list",
        "secrets rotate",
        "service list",
    ],
)
def test_a_command_started_by_itself_answers_as_one_that_is_forked(panel: Panel, words: str) -> None:
    """Most tests fork their commands from a process that has imported them already; people do not."""
    started, forked = (hawker(settings().data_dir, *words.split(), forked=forked) for forked in (False, True))
    assert (started.returncode, started.stdout, started.stderr) == (forked.returncode, forked.stdout, forked.stderr)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["add", "nobody"], "email: 'nobody' is not an e-mail address"),
        (
            ["add", "a@example.com", "--credit", "1.234567"],
            "credit: '1.234567' is not an amount such as 12 or 12.34567",
        ),
        (["credit", "stranger@example.com", "5", "--reason", "x"], "there is no customer stranger@example.com"),
        (["credit", "a@example.com", "5", "--reason", " "], "reason: must have 1 to 500 characters"),
        (
            ["credit", "a@example.com", "5", "--reason", "x", "--transaction", ""],
            "transaction: must have 1 to 128 characters",
        ),
        (
            ["credit", "a@example.com", "5", "--reason", "x", "--transaction", "t" * 129],
            "transaction: must have 1 to 128 characters",
        ),
    ],
)
def test_what_a_customer_cannot_be_given_is_a_sentence(panel: Panel, words: list[str], sentence: str) -> None:
    assert refused("customer", *words) == sentence
    assert not Transfer.objects.exists()


def test_more_than_there_is_cannot_be_taken(panel: Panel) -> None:
    run("customer", "add", "a@example.com", "--credit", "5")
    assert "does not cover that" in refused("customer", "credit", "--reason", "x", "a@example.com", "--", "-5.01")
    assert Transfer.objects.count() == 1


def test_a_provider_is_tried_saved_imported_and_listed(panel: Panel, sandbox: SandboxProcess) -> None:
    sandbox.fund("2512.40")
    own = ("--url", sandbox.url, "--key", sandbox.key, "--allow-private")
    added = run("provider", "add", "acme", *own)
    assert added == {"provider": added["provider"], "name": "acme", "balance": "2512.40", "currency": "USD"}
    assert run("provider", "import", "acme", "--category", "Flyers") == {"imported": 17, "updated": 0, "skipped": []}
    assert run("provider", "import", "acme", "--category", "flyers", "--markup", "50") == {
        "imported": 0,
        "updated": 17,
        "skipped": [],
    }
    (listed,) = run("provider", "list")
    assert (listed["name"], listed["url"], listed["services"]) == ("acme", sandbox.url, 17)
    assert sandbox.key not in msgspec.json.encode(listed).decode()
    assert refused("provider", "add", "acme", *own) == "a provider called 'acme' already exists"
    assert refused("provider", "import", "acme", "--category", "Flyer") == (
        "acme has no services in Flyer, so nothing was imported"
    )


@pytest.mark.parametrize(
    ("url", "words", "sentence"),
    [
        (
            "http://panel.example/api/v2",
            [],
            "url: the address must begin with https:// (every call contains the key)",
        ),
        ("https://127.0.0.1/api/v2", [], "url: 127.0.0.1 leads to 127.0.0.1, which is not a public address"),
        ("https://127.0.0.1:1/api/v2", ["--allow-private"], "no connection to 127.0.0.1: "),
        ("SANDBOX/api/v2", ["--allow-private"], "acme did not answer with a balance, so nothing was saved: Invalid AP"),
        ("SANDBOX/healthz", ["--allow-private"], "acme did not answer with a balance, so nothing was saved: "),
        ("SANDBOX/api/v2", ["--allow-private", "--exchange-rate", "0"], "exchange rate: 0 would make everything free"),
    ],
)
def test_a_wrong_address_or_key_is_a_sentence_and_nothing_is_saved(
    panel: Panel, sandbox: SandboxProcess, url: str, words: list[str], sentence: str
) -> None:
    words = ["--url", url.replace("SANDBOX", sandbox.base), "--key", "wrong", *words]
    assert refused("provider", "add", "acme", *words).startswith(sentence)
    assert not Provider.objects.exists()


def test_orders_are_shown_with_all_that_happened_to_them(panel: Panel, sandbox: SandboxProcess) -> None:
    customer, provider = panel.customer(), panel.provider(sandbox)
    accepted, doubtful, waiting = (
        panel.place(customer, panel.service(provider=provider), link=f"https://example.com/{n}") for n in range(3)
    )
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute("UPDATE work SET due_at = now() + '1 day' WHERE order_id <> %s", [accepted])
        panel.sweep(WorkKind.DISPATCH)
        sandbox.faults("empty=1")
        owner.execute("UPDATE work SET due_at = now() - '1 hour'::interval WHERE order_id = %s", [doubtful])
    panel.sweep(WorkKind.DISPATCH)
    shown = run("order", "show", str(accepted))
    assert (shown["order"], shown["state"], shown["status"], shown["charge"]) == (
        accepted,
        "submitted",
        "Pending",
        "0.09",
    )
    assert [row["kind"] for row in shown["transfers"]] == ["charge"]
    assert [(row["state"], row["http_status"]) for row in shown["attempts"]] == [("accepted", 200)]
    assert [row["to"] for row in shown["events"]] == ["sending", "submitted"]
    assert sandbox.key not in msgspec.json.encode(shown).decode()
    assert [row["order"] for row in run("order", "list")] == [waiting, doubtful, accepted]
    (unknown,) = run("order", "list", "--state", "unknown")
    assert (unknown["order"], unknown["status"]) == (doubtful, "Pending")
    assert refused("order", "show", "999999") == "there is no order 999999"
    assert refused("order", "list", "--state", "lost").startswith("there is no state 'lost'; there are: queued, ")


def test_verify_names_every_breach_and_ends_with_1(panel: Panel) -> None:
    customer = panel.customer(credit="5.00")
    assert run("verify")["ok"]
    change = "UPDATE account SET balance_micros = balance_micros + %s WHERE id = %s"
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(change, [1_000_000, customer.account_id])
        done = hawker(settings().data_dir, "verify")
        owner.execute(change, [-1_000_000, customer.account_id])
    report = msgspec.json.decode(done.stdout)
    assert (done.returncode, report["ok"]) == (1, False)
    what = f"account {customer.account_id}: balance 6000000, transfers sum to 5000000"
    assert {"invariant": "I3", "what": what} in report["breaches"]
    assert f"hawker: I3: {what}\n" in done.stderr


def test_long_work_shows_where_it_is_on_a_terminal_and_there_only(panel: Panel) -> None:
    """Nothing of it reaches the answer, and nothing is left of it on the screen."""
    assert hawker(settings().data_dir, "verify").stderr == ""
    master, terminal = pty.openpty()
    words = [sys.executable, "-m", "hawker", "verify", "--data-dir", str(settings().data_dir)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=terminal, env=panel_environment()) as process:
        os.close(terminal)
        seen = b""
        try:
            while piece := os.read(master, 4096):
                seen += piece
        except OSError:
            pass  # Linux says so when the last writer has closed a terminal.
        os.close(master)
        assert process.stdout is not None
        assert msgspec.json.decode(process.stdout.read())["ok"]
    assert b"checking I3: a balance is the sum of its transfers" in seen
    assert seen.endswith(b"\r\x1b[K")


@pytest.mark.parametrize(
    "words",
    [
        ["order", "show", "x"],
        ["customer", "credit"],
        *([*verb, "--reason", "x", str(2**63)] for verb in (["order", "complete"], ["order", "release"])),
        ["order", "start", str(2**63)],
        ["refill", "resolve", "--completed", "--reason", "x", str(2**63)],
    ],
)
def test_wrong_words_end_with_2(words: list[str]) -> None:
    done = hawker(settings().data_dir, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [["customer", "add", "a\udcff@example.com"], ["service", "list", "--category", "\udcff"]]
)
def test_bytes_that_are_no_text_end_with_2_and_a_sentence(panel: Panel, words: list[str]) -> None:
    done = hawker(settings().data_dir, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"hawker: word {len(words)} of the command is no text in UTF-8\n"


def test_an_answer_is_utf_8_whatever_the_locale(panel: Panel) -> None:
    command = [sys.executable, "-m", "hawker", "price", "group", "add", "Größte", "5"]
    done = subprocess.run(command, capture_output=True, timeout=60, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert msgspec.json.decode(done.stdout)["name"] == "Größte"
