"""A sandbox with a state folder goes on where it ended, however it ended; and the process that runs it."""

import json
import resource
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from sandbox_peer import KEY, SURE, Peer, running

from hawker.core.money import Money
from hawker.sandbox import SandboxConfig
from hawker.sandbox.journal import FILE_NAME, StateInUse, UnreadableJournal

DRIP = {"service": 1, "link": SURE, "quantity": 100, "runs": 3, "interval": 600}
SUBSCRIPTION = {"service": 12, "username": "ann", "min": 250, "max": 300, "delay": 0, "old_posts": 1, "posts": 3}


def snapshot(peer: Peer):
    """All that a client and a test can see, except what says how often it was looked at."""
    return peer.orders(), peer.balance(), peer.calls(), peer.ask("refill_status", refills="1,2,3")


def test_everything_is_there_again_after_a_restart(tmp_path):
    with running(state_dir=tmp_path, refill_wait_hours=0) as peer:
        for fate in ("completed", "partial", "canceled"):
            done = peer.add(service=1, link=f"https://shop.example/?fate={fate}", quantity=100)
        peer.advance(hours=10)
        peer.ask("refill", orders=",".join(str(row["order"]) for row in peer.orders()))
        drip, subscription = peer.add(**DRIP), peer.add(**SUBSCRIPTION)
        stopped = peer.add(service=1, link=SURE, quantity=10_000)
        peer.advance(hours=1)
        peer.ask("cancel", orders=stopped)
        before = snapshot(peer)

    with running(state_dir=tmp_path, refill_wait_hours=0) as peer:
        assert snapshot(peer) == before
        peer.advance(hours=100)
        assert peer.status(drip)["runs"] == "3"
        assert peer.status(subscription)["status"] == "Completed"
        assert peer.status(stopped)["status"] == "Partial"
        assert peer.status(done)["charge"] == "0.00"
        charged = sum(Money.parse(row["charge"]).micros for row in peer.orders() if row["parent"] is None)
        assert peer.balance() == Money(10_000_000_000 - charged)


def test_what_fell_due_while_it_was_down_is_done_when_it_is_up_again(tmp_path):
    with running(state_dir=tmp_path) as peer:
        peer.add(service=1, link="https://shop.example/?fate=canceled", quantity=100)
        drip = peer.add(**DRIP)
    for _ in range(3):
        with running(state_dir=tmp_path) as peer:
            peer.advance(hours=30)
            assert peer.status(drip)["runs"] == "3"
            assert peer.balance() == Money.parse("9999.73")


def test_ids_are_never_given_twice_not_even_after_a_reset(tmp_path):
    seen = []
    for _ in range(4):
        with running(state_dir=tmp_path, first_order_id=5) as peer:
            seen += [peer.add(service=1, link=SURE, quantity=100) for _ in range(3)]
            peer.set("/sandbox/reset")

    assert seen == list(range(5, 17))


def test_a_last_line_torn_by_a_crash_is_cut_off_and_writing_goes_on(tmp_path):
    with running(state_dir=tmp_path) as peer:
        first = peer.add(service=1, link=SURE, quantity=100)
    journal = tmp_path / FILE_NAME
    with journal.open("ab") as file:
        file.write(b'{"record":"order","id":999')

    with running(state_dir=tmp_path) as peer:
        second = peer.add(service=1, link=SURE, quantity=100)
    with running(state_dir=tmp_path) as peer:
        assert [row["order"] for row in peer.orders()] == [first, second] == [first, first + 1]
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())


def test_a_damaged_line_in_the_middle_is_named_and_nothing_is_overwritten(tmp_path):
    with running(state_dir=tmp_path) as peer:
        peer.add(service=1, link=SURE, quantity=100)
    journal = tmp_path / FILE_NAME
    damaged = b"nonsense\n" + journal.read_bytes()
    journal.write_bytes(damaged)

    with pytest.raises(UnreadableJournal, match=f"{FILE_NAME}, line 1"), running(state_dir=tmp_path):
        pass
    assert journal.read_bytes() == damaged


def test_a_second_sandbox_on_the_same_folder_is_refused_and_the_first_goes_on(tmp_path):
    with running(state_dir=tmp_path) as peer:
        with pytest.raises(StateInUse, match="another sandbox is using"), running(state_dir=tmp_path):
            pass
        assert peer.add(service=1, link=SURE, quantity=100)


def test_a_known_key_keeps_its_balance_and_a_new_one_gets_its_own(tmp_path):
    with running(state_dir=tmp_path) as peer:
        peer.set("/sandbox/balance", key=KEY, balance="7.00")
    keys = {KEY: Money.parse("99"), "new": Money.parse("3")}
    with running(state_dir=tmp_path, keys=keys) as peer:
        assert peer.balance() == Money.parse("7")
        assert peer.balance("new") == Money.parse("3")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"speed": -1}, "the speed must be"),
        ({"speed": float("nan")}, "the speed must be"),
        ({"port": -1}, "there is no port -1"),
        ({"port": 65_536}, "there is no port 65536"),
        ({"keys": {}}, "at least one API key"),
        ({"keys": {"": Money(0)}}, "none may be empty"),
        ({"first_order_id": 0}, "the first order id"),
        ({"cancel_refused": 1.5}, "between 0 and 1"),
        ({"cancel_refused": 0.6, "cancel_ignored": 0.6}, "more than 1"),
        ({"calls_kept": 0}, "at least one call"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        SandboxConfig(**settings)


# --- the process -----------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "hawker.sandbox"]


@contextmanager
def process(*arguments, **options):
    """`python -m hawker.sandbox` and its ready line; killed at the end if it still runs."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    ) as running_process:
        try:
            ready = json.loads(running_process.stdout.readline())
            peer = Peer(ready["url"])
            try:
                yield running_process, peer, ready
            finally:
                peer.close()
        finally:
            running_process.kill()


def test_the_process_says_one_line_answers_and_ends_cleanly_on_sigterm(tmp_path):
    arguments = ["--key", "a=b=12.50", "--speed", "600", "--fault", "html=1", "--state", str(tmp_path), "--seed", "3"]
    with process(*arguments) as (running_process, peer, ready):
        assert ready == {"ready": True, "url": peer.url, "key": "a=b"}
        assert peer.balance("a=b") == Money.parse("12.5")
        assert peer.raw("add", key="a=b", service=1, link=SURE, quantity=100).startswith(b"<!DOCTYPE html>")
        running_process.send_signal(signal.SIGTERM)
        rest, errors = running_process.communicate(timeout=10)

    assert (running_process.returncode, rest, errors) == (0, "", "")


def test_what_it_acknowledged_survives_kill_9_and_the_ids_go_on(tmp_path):
    with process("--state", str(tmp_path), "--key", f"{KEY}=10") as (running_process, peer, _):
        orders = [peer.add(service=1, link=SURE, quantity=100) for _ in range(5)]
        running_process.send_signal(signal.SIGKILL)
        running_process.wait(10)
    with running(state_dir=tmp_path) as peer:
        assert [row["order"] for row in peer.orders()] == orders
        assert len(peer.calls()) == 5
        assert peer.add(service=1, link=SURE, quantity=100) == orders[-1] + 1


def test_a_full_disk_answers_503_and_nothing_acknowledged_is_lost(tmp_path):
    def fill_early():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    with process("--state", str(tmp_path), "--key", f"{KEY}=10", preexec_fn=fill_early) as (_, peer, _ready):
        answers = [
            peer.post({"key": KEY, "action": "add", "service": 1, "link": SURE, "quantity": 50}) for _ in range(20)
        ]
    acknowledged = [answer.json()["order"] for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 503]

    assert 0 < len(acknowledged) == 20 - len(refused)
    assert {answer.text for answer in refused} == {
        '{"error":"Service temporarily unavailable, please try again later"}'
    }
    with running(state_dir=tmp_path) as peer:
        assert set(acknowledged) <= {row["order"] for row in peer.orders()}
        assert peer.add(service=1, link=SURE, quantity=100) > max(acknowledged)


def test_a_supervisor_may_hand_over_the_listening_socket():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        with process("--fd", str(number), pass_fds=[number]) as (_, peer, ready):
            assert peer.address[1] == listener.getsockname()[1]
            assert peer.balance(ready["key"]) == Money.parse("10000")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--fault", "smoke=1"], "there is no fault 'smoke'"),
        (["--key", "abc"], "'abc' is not a key with its balance"),
        (["--key", "abc=-1"], "'-1' is not an amount"),
        (["--speed", "-3"], "the speed must be"),
        (["--mix", "1"], "is not a mix of fates"),
        (["--state", "/dev/null/x"], "/dev/null"),
        (["--host", "203.0.113.1"], "203.0.113.1"),
    ],
)
def test_arguments_that_make_no_sense_end_with_a_sentence_and_exit_code_2(arguments, sentence):
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=10)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("hawker sandbox: ")
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1
