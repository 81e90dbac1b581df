"""`hawker up --demo` as a stranger runs it: one line when ready, orders delivered, and what kills do to it."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import psutil
import psycopg
import pytest

from plain_http import http_get
from processes import Reply, UpProcess, eventually, hawker, panel_environment, start_up
from yardstick import in_time

QUICK = {"HAWKER_POLL_MIN_SECONDS": "0.3"}


class Kept:
    """One panel for all stories of this file, in this order; each leaves it running or ready to start."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._stack = ExitStack()
        self._up: UpProcess | None = None

    def running(self) -> UpProcess:
        if self._up is None or self._up.process.poll() is not None:
            self.stop()
            self._up = self._stack.enter_context(start_up(self.data_dir, "--demo", environment=QUICK))
        return self._up

    def stop(self) -> None:
        self._stack.close()
        self._up = None


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    panel = Kept(tmp_path_factory.mktemp("up") / "panel")
    yield panel
    panel.stop()


@pytest.fixture
def up(kept: Kept) -> UpProcess:
    """The panel as it runs; the next story finds it running."""
    return kept.running()


@pytest.fixture
def data_dir(kept: Kept) -> Path:
    """The folder of the panel, which runs where the test asks for `up` too."""
    return kept.data_dir


@pytest.fixture
def stopped(kept: Kept) -> Path:
    """The folder of the panel, which does not run; it is made where there is none yet."""
    if not kept.data_dir.exists():
        kept.running()
    kept.stop()
    return kept.data_dir


def services_of(up: UpProcess) -> dict[str, int]:
    """A service to order of each type."""
    return {row["type"]: row["service"] for row in reversed(up.call("services").json) if int(row["min"]) <= 100}


def status_of(up: UpProcess, order: int) -> str:
    status: str = up.call("status", order=order).json["status"]
    return status


def verified(data_dir: Path) -> bool:
    """`hawker verify` is clean; fails with what it says otherwise."""
    check = hawker(data_dir, "verify")
    assert check.returncode == 0, check.stdout + check.stderr
    return bool(msgspec.json.decode(check.stdout)["ok"])


def test_the_three_types_reach_their_three_ends_to_the_cent(up: UpProcess, data_dir: Path) -> None:
    assert set(up.ready) == {"ready", "url", "api", "database_url", "demo"}
    with psycopg.connect(up.ready["database_url"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("hawker_app",)
    services = services_of(up)
    before = up.call("balance").json["balance"]
    link = "https://example.com/page?fate="
    orders = {
        "Completed": up.call("add", service=services["Package"], link=f"{link}completed"),
        "Partial": up.call("add", service=services["Default"], link=f"{link}partial&remains=40", quantity=100),
        "Canceled": up.call(
            "add", service=services["Custom Comments"], link=f"{link}canceled", comments="\n".join(["a good read"] * 10)
        ),
    }
    ids = {status: reply.json["order"] for status, reply in orders.items()}
    for status, order in ids.items():
        eventually(f"order {order} is {status}", lambda s=status, o=order: status_of(up, o) == s)
    shown = up.call("status", orders=",".join(map(str, ids.values()))).json
    rates = {row["service"]: row["rate"] for row in up.call("services").json}
    package, partial, canceled = (shown[str(ids[status])] for status in ("Completed", "Partial", "Canceled"))
    assert float(package["charge"]) == float(rates[services["Package"]])
    assert partial["remains"] == "40"
    assert canceled["charge"] == "0.00"
    spent = sum(micros(row["charge"]) for row in (package, partial, canceled))
    assert micros(before) - micros(up.call("balance").json["balance"]) == spent
    assert verified(data_dir)


def micros(text: str) -> int:
    whole, _, rest = text.partition(".")
    return int(whole) * 1_000_000 + int(rest.ljust(6, "0"))


def test_an_order_reaches_the_upstream_within_two_seconds(up: UpProcess) -> None:
    service = services_of(up)["Default"]
    for _ in range(3):
        order = up.call("add", service=service, link="https://example.com/quick", quantity=100).json["order"]
        placed = time.monotonic()
        eventually("the order is accepted upstream", lambda o=order: accepted(up, o))
        assert in_time(time.monotonic() - placed, 2)
        time.sleep(1.5)


def test_the_first_run_of_a_drip_feed_is_sent_as_soon_as_an_order_is(up: UpProcess) -> None:
    row = next(row for row in up.call("services").json if row["dripfeed"] and int(row["min"]) <= 100)
    fields = {"service": row["service"], "link": "https://example.com/drip", "quantity": 100, "runs": 3, "interval": 5}
    order = up.call("add", **fields).json["order"]
    (run,) = eventually("a run is started", lambda: up.call("status", order=order).json["orders"], seconds=3)
    eventually("the run is accepted upstream", lambda: accepted(up, int(run)), seconds=3)
    assert up.call("status", order=order).json["runs"] == "1"
    assert up.call("cancel", order=order).json == [{"order": order, "cancel": 1}]
    assert int(up.call("status", order=order).json["remains"]) >= 200


def accepted(up: UpProcess, order: int) -> bool:
    with psycopg.connect(up.ready["database_url"]) as connection:
        query = "SELECT 1 FROM attempt WHERE order_id = %s AND state = 'accepted'"
        return connection.execute(query, [order]).fetchone() is not None


def test_a_subscription_orders_for_what_the_demo_posts(up: UpProcess) -> None:
    offered = [row for row in up.call("services").json if row["name"].endswith(", for each new post")]
    asked = {"username": "anna", "min": 100, "max": 120, "delay": 0, "old_posts": 1}
    order = up.call("add", service=offered[0]["service"], **asked).json["order"]

    def made() -> list[str]:
        found: list[str] = up.call("status", order=order).json["orders"]
        return found

    (child,) = eventually("the newest post is ordered for", made)
    eventually("it is sent", lambda: status_of(up, int(child)) != "Pending")
    assert up.call("cancel", orders=order).json == [{"order": order, "cancel": 1}]
    assert status_of(up, order) == "Canceled"


def test_a_killed_worker_loses_nothing_and_sends_nothing_twice(up: UpProcess, data_dir: Path) -> None:
    service = services_of(up)["Default"]
    orders = []
    for n in range(60):
        link = f"https://example.com/kill/{n}"
        orders.append(up.call("add", service=service, link=link, quantity=100).json["order"])
        if n in (20, 40):
            killed = up.child("worker").pid
            os.kill(killed, signal.SIGKILL)
            # Another one: for a moment the killed one still looks as if it ran.
            eventually("another worker is there", partial(runs_another, up, "worker", killed))
    sandbox = up.ready["demo"]["sandbox"].removesuffix("/api/v2")
    eventually(
        "every order has left the queue",
        lambda: (
            {status_of(up, order) for order in orders} <= {"Completed", "Partial", "Canceled"}
            or unknown_or_final(up, orders)
        ),
        seconds=60,
    )
    links = [row["link"] for row in received(sandbox) if "/kill/" in row["link"]]
    assert len(links) == len(set(links)), "an order was sent twice"
    assert verified(data_dir)


def unknown_or_final(up: UpProcess, orders: list[int]) -> bool:
    """Whether each order is delivered, or waits as an unknown for reconciliation (what a kill may leave)."""
    with psycopg.connect(up.ready["database_url"]) as connection:
        query = "SELECT count(*) FROM orders WHERE id = ANY(%s) AND state <> ALL(%s)"
        # A send that the kill cut off stays `sending` until its lease ends, and is `unknown` after.
        ends = ["sending", "unknown", "completed", "partial", "canceled"]
        return connection.execute(query, [orders, ends]).fetchone() == (0,)


def received(sandbox: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = http_get(f"{sandbox}/sandbox/orders", params={"limit": 100_000}).json()["orders"]
    return rows


def running(up: UpProcess, word: str) -> bool:
    try:
        return alive(up.child(word).pid)
    except AssertionError:
        return False


def runs_another(up: UpProcess, word: str, before: int) -> bool:
    try:
        return up.child(word).pid != before
    except AssertionError:
        return False


def test_a_killed_postmaster_is_back_within_five_seconds_with_all_that_was_answered(
    up: UpProcess, data_dir: Path
) -> None:
    service = services_of(up)["Default"]
    answered: list[int] = []
    refused: list[Reply] = []
    stop = threading.Event()

    def order() -> None:
        while not stop.is_set():
            reply = up.call("add", service=service, link="https://example.com/pg", quantity=50)
            if "order" in reply.json:
                answered.append(reply.json["order"])
            else:
                refused.append(reply)

    threads = [threading.Thread(target=order) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually("orders are placed", lambda: len(answered) > 3)
    before = up.postmaster()
    os.kill(before, signal.SIGKILL)
    killed = time.monotonic()

    def is_back() -> bool:
        # Backends of the killed one go on for a moment: only what answers under the next one tells that it is back.
        with contextlib.suppress(psycopg.OperationalError, OSError, IndexError):
            psycopg.connect(up.ready["database_url"]).close()
            return up.postmaster() != before and up.call("balance").http_status == 200
        return False

    eventually("the panel serves again", is_back, seconds=60)
    assert in_time(time.monotonic() - killed, 15)
    time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join()
    assert {(reply.http_status, reply.error) for reply in refused} <= {
        (503, "Service temporarily unavailable, please try again later"),
        (200, "Not enough funds on balance"),
    }
    with psycopg.connect(up.ready["database_url"]) as connection:
        row = connection.execute("SELECT count(*) FROM orders WHERE id = ANY(%s)", [answered]).fetchone()
    assert row == (len(answered),)
    assert answered
    assert verified(data_dir)


def test_a_second_up_on_the_same_folder_is_refused_by_name(up: UpProcess, data_dir: Path) -> None:
    second = hawker(data_dir, "up", "--port", "0")
    assert second.returncode == 1
    assert second.stdout == ""
    assert str(up.process.pid) in second.stderr


def test_a_killed_up_takes_its_children_along_and_the_next_one_adopts_the_database(stopped: Path) -> None:
    with start_up(stopped, "--demo", environment=QUICK) as first:
        children = psutil.Process(first.process.pid).children()
        postmaster = first.postmaster()
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        psutil.wait_procs(children, timeout=10)
        assert not any(alive(child.pid) for child in children)
        assert alive(postmaster)
    with start_up(stopped, "--demo", environment=QUICK) as second:
        assert second.postmaster() == postmaster
        assert second.ready["demo"] == first.ready["demo"], "the demo's key and upstream stay"
        assert second.call("balance").http_status == 200
    assert not alive(postmaster), "a clean stop ends the database too"


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent to look does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_stop_lets_answers_in_flight_finish(stopped: Path) -> None:
    with start_up(stopped, "--demo", environment=QUICK) as up:
        replies: list[Reply] = []
        lost: list[str] = []

        def ask() -> None:
            import httpx2

            while not up.process.poll():
                try:
                    replies.append(up.call("balance"))
                except httpx2.ConnectError:
                    return
                except httpx2.TransportError as error:
                    lost.append(repr(error))
                    return

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        eventually("all of them are asking", lambda: len(replies) > len(threads))
        up.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(timeout=30)
        assert up.process.wait(timeout=30) == 0
        assert {reply.http_status for reply in replies} == {200}
        assert lost == []


def test_short_commands_start_the_database_for_themselves(stopped: Path) -> None:
    added = hawker(stopped, "customer", "add", "person@example.com", "--credit", "12.34567")
    assert added.returncode == 0, added.stderr
    assert set(msgspec.json.decode(added.stdout)) == {"customer", "api_key"}
    assert verified(stopped)
    assert not (stopped / "pg" / "postmaster.pid").exists()


def test_a_folder_without_a_panel_is_said_to_be_one(tmp_path: Path) -> None:
    answer = hawker(tmp_path / "nothing", "verify")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "has no panel: start one with `hawker up`" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_environment_names_the_folder_too(stopped: Path) -> None:
    import subprocess
    import sys

    answer = subprocess.run(
        [sys.executable, "-m", "hawker", "order", "list", "--limit", "1"],
        capture_output=True,
        text=True,
        env={**panel_environment(), "HAWKER_DATA_DIR": str(stopped)},
    )
    assert answer.returncode == 0, answer.stderr
    assert len(msgspec.json.decode(answer.stdout)) == 1
