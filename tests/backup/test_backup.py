"""`hawker backup` and `hawker restore`: one snapshot of a panel at work, and a copy that sends nothing twice."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from hawker.backup.archive import new_folder, open_backup
from hawker.backup.errors import CannotBackUp, CannotRestore
from hawker.core.datadir import DataDir
from hawker.core.money import format_micros
from hawker.core.settings import settings
from hawker.host.secret_file import replace_encryption_key
from hawker.ledger.customers import OpenedCustomer
from hawker.orders.models import Work
from panel import Panel
from processes import (
    SandboxProcess,
    ServeProcess,
    eventually,
    hawker,
    panel_environment,
    run_hawker,
    start_up,
)

LINK = "https://example.com/{}?fate=completed"
CHARGE = 90_000


def backup(path: Path) -> Any:
    """What `hawker backup` of this process's panel answers."""
    done = run_hawker("backup", str(path))
    assert done.returncode == 0, done.stderr
    assert "secrets.toml" in done.stderr
    return msgspec.json.decode(done.stdout)


def restore(copy: Path, data_dir: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Bring a backup back into another folder, as somebody who has none of this process's settings."""
    environment = panel_environment() | {f"HAWKER_{name.upper()}": value for name, value in variables.items()}
    return run_hawker("restore", str(copy), "--data-dir", str(data_dir), *words, environment=environment)


def restored(copy: Path, data_dir: Path, *words: str, **variables: str) -> Any:
    done = restore(copy, data_dir, *words, **variables)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


def asked(data_dir: Path, *words: str) -> Any:
    done = hawker(data_dir, *words)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


def count(data_dir: Path, what: str) -> int:
    """How many rows of the panel there are."""
    with psycopg.connect(DataDir(data_dir).embedded_url("hawker")) as connection:
        row = connection.execute(f"SELECT count(*) FROM {what}").fetchone()
    assert row is not None
    return int(row[0])


class Trade:
    """A panel that sells and buys while it is copied; each order has a link of its own."""

    def __init__(self, panel: Panel, server: ServeProcess, sandbox: SandboxProcess) -> None:
        self.panel, self.server, self.sandbox = panel, server, sandbox
        self.provider = panel.provider(sandbox)
        self.service = panel.service(provider=self.provider, refill=True, dripfeed=True, minimum=1)
        self.customer: OpenedCustomer = panel.customer(credit="100.00")
        self._placed = 0

    def place(self, **fields: object) -> int:
        self._placed += 1
        asked = {"service": self.service.id, "link": LINK.format(self._placed), "quantity": 100, **fields}
        reply = self.server.call(self.customer.api_key, "add", **asked)
        order: int = reply.json["order"]
        return order

    def delivered(self) -> int:
        """An order that was delivered two days ago."""
        self.panel.clock.instant = datetime.now(UTC) - timedelta(days=3)
        order: int = self.panel.place(self.customer, self.service, link=LINK.format("delivered"))
        self.panel.clock.advance(seconds=1)
        self.panel.sweep()
        self.sandbox.advance(days=2)
        self.panel.clock.advance(seconds=10)
        self.panel.sweep()
        self.sandbox.advance(days=2)
        return order

    @contextlib.contextmanager
    def busy(self) -> Iterator[list[int]]:
        """Orders come in as long as the block runs; their numbers."""
        stop, placed = threading.Event(), []

        def place() -> None:
            while not stop.is_set():
                placed.append(self.place())

        placing = threading.Thread(target=place)
        placing.start()
        try:
            yield placed
        finally:
            stop.set()
            placing.join()

    def send(self) -> None:
        """What is due goes out, on a machine of any speed."""
        self.panel.clock.pass_by_the_server()
        for _ in range(3):
            self.panel.sweep()
        while Work.objects.filter(kind="dispatch", hold="", tries__gt=0).exists():
            self.panel.clock.advance(seconds=30)
            self.panel.sweep()

    def bought(self) -> Counter[str]:
        """How often each link was bought upstream."""
        return Counter(order["link"] for order in self.sandbox.orders())


@pytest.fixture
def trade(panel: Panel, server: ServeProcess, sandbox: SandboxProcess) -> Trade:
    return Trade(panel, server, sandbox)


@pytest.mark.quick
def test_a_copy_of_a_panel_at_work_sends_nothing_twice(trade: Trade, tmp_path: Path) -> None:
    finished = trade.delivered()
    sent = trade.place()
    trade.send()
    assert trade.server.call(trade.customer.api_key, "refill", order=finished).json["refill"]
    waiting = [trade.place() for _ in range(5)]
    drip = trade.place(quantity=100, runs=3, interval=10)
    with trade.busy() as under_load:
        made = backup(tmp_path / "copy")
    after = [trade.place() for _ in range(3)]
    # The old panel goes on for a while: everything that waited is sent, the drip-feed has its runs.
    trade.send()
    for _ in range(2):
        trade.panel.clock.advance(minutes=11)
        trade.send()
    bought = trade.bought()
    assert len(bought) == 2 + len(waiting) + 1 + len(under_load) + len(after)
    assert len(trade.sandbox.orders()) == len(bought) + 2
    assert len(trade.sandbox.calls("refill")) == 1

    data_dir = tmp_path / "new"
    found = restored(tmp_path / "copy", data_dir)
    assert (found["ok"], found["paused_providers"], found["held_drip_feeds"]) == (True, ["upstream"], [drip])
    assert found["taken_at"] == made["taken_at"]
    in_copy = {row["order"]: row for row in asked(data_dir, "order", "list", "--limit", "10000")}
    assert set(in_copy) <= {sent, finished, drip, *waiting, *under_load}
    assert len(in_copy) == found["unknown_orders"] + 3
    assert found["unknown_refills"] == 1
    assert {in_copy[order]["state"] for order in waiting} == {"unknown"}
    assert in_copy[sent]["state"] != "unknown"

    with start_up(data_dir) as up:
        serve = up.server
        # The key opens with the secrets of the copy, and the balance is that of its moment.
        charged = CHARGE * (len(in_copy) + 2)
        balance = serve.call(trade.customer.api_key, "balance").json["balance"]
        assert balance == format_micros(100_000_000 - charged)
        asked(data_dir, "provider", "resume", "upstream")
        new = serve.call(
            trade.customer.api_key, "add", service=trade.service.id, link=LINK.format("new"), quantity=100
        ).json["order"]
        assert new > max(in_copy) + 1_000_000
        eventually("a new order is sent", lambda: trade.bought()[LINK.format("new")])
        eventually(
            "what is in doubt was left to a person",
            lambda: count(data_dir, "work WHERE hold LIKE 'for a person%'") == found["unknown_orders"],
        )
        assert trade.bought() == bought + Counter([LINK.format("new")])
        assert len(trade.sandbox.calls("refill")) == 1
        # A person finds the one at the provider, and sees that another is not there.
        number = next(row["order"] for row in trade.sandbox.orders() if row["link"] == in_copy[waiting[0]]["link"])
        asked(data_dir, "order", "resolve", str(waiting[0]), "--bind", str(number), "--reason", "their list")
        assert count(data_dir, f"orders WHERE id = {waiting[0]} AND upstream_id = {number}") == 1
        assert asked(data_dir, "order", "release", str(drip), "--reason", "their list")["released"] == [drip]
    assert asked(data_dir, "verify")["ok"]
    (row,) = asked(data_dir, "audit", "list", "--action", "restore")
    assert row["after"] == {
        "taken_at": datetime.fromisoformat(made["taken_at"]).isoformat(),
        "unknown": len(in_copy) - 3,
    }


@pytest.fixture(scope="module")
def copy(database: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of this process's panel, with nobody in it."""
    path = tmp_path_factory.mktemp("copies") / "copy"
    backup(path)
    return path


def edited(copy: Path, to: Path, **changes: object) -> Path:
    """The same backup saying something else of itself, as one who knows the format would write it."""
    shutil.copytree(copy, to)
    told = json.loads((to / "manifest.json").read_text())
    del told["sha256"]
    told |= changes
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    (to / "manifest.json").write_text(json.dumps(told | {"sha256": digest}))
    return to


def test_a_backup_that_is_not_as_it_was_written_is_refused_before_anything_is(copy: Path, tmp_path: Path) -> None:
    def cut(path: Path) -> None:
        os.truncate(path / "database.dump", 1000)

    def flip(path: Path) -> None:
        with (path / "database.dump").open("r+b") as file:
            file.seek(5000)
            byte = file.read(1)
            file.seek(5000)
            file.write(bytes([byte[0] ^ 1]))

    def lie(path: Path) -> None:
        text = (path / "manifest.json").read_text()
        (path / "manifest.json").write_text(text.replace('"currency": "USD"', '"currency": "EUR"'))

    def lose(path: Path) -> None:
        (path / "secrets.toml").unlink()

    for spoil, said in (
        (cut, "has 1000 bytes instead of"),
        (lie, "manifest.json does not match its checksum"),
        (lose, "secrets.toml cannot be read"),
    ):
        spoilt = shutil.copytree(copy, tmp_path / spoil.__name__)
        spoil(spoilt)
        with pytest.raises(CannotRestore, match=said):
            open_backup(spoilt)
    spoilt = shutil.copytree(copy, tmp_path / "flip")
    flip(spoilt)
    told = restore(spoilt, tmp_path / "new")
    assert (told.returncode, told.stdout) == (1, "")
    assert "database.dump does not match its checksum: nothing was changed" in told.stderr
    assert not (tmp_path / "new").exists()


def test_a_backup_of_another_kind_of_panel_is_refused_with_what_to_do(copy: Path, tmp_path: Path) -> None:
    migrations = json.loads((copy / "manifest.json").read_text())["migrations"]
    for changes, said in (
        ({"currency": "EUR"}, "set HAWKER_CURRENCY=EUR"),
        ({"migrations": [*migrations, "orders.9999_later"]}, "made by a newer version of Hawker"),
    ):
        other = edited(copy, tmp_path / next(iter(changes)), **changes)
        told = restore(other, tmp_path / "new")
        assert told.returncode == 1
        assert said in told.stderr
    with pytest.raises(CannotRestore, match="reads format 1: use the version that made it"):
        open_backup(edited(copy, tmp_path / "format", format=2))
    told = restore(copy, tmp_path / "new", secret_key="another secret")
    assert "HAWKER_SECRET_KEY (or hawker.toml) differs from the backup's secret: unset it" in told.stderr
    assert not (tmp_path / "new").exists()
    again = run_hawker("backup", str(copy))
    assert (again.returncode, again.stdout) == (1, "")
    assert "exists already" in again.stderr


def test_a_name_that_cannot_be_looked_at_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for name, why in (("x" * 300, "File name too long"), ("file/backup", "Not a directory")):
        (tmp_path / "file").touch()
        with pytest.raises(CannotBackUp, match=f"cannot be made: {why}"), new_folder(tmp_path / name):
            pass
        assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_two_backups_of_one_name_do_not_write_into_each_other(database: None, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    words = [sys.executable, "-m", "hawker", "backup", str(path)]

    def begun(seconds: int) -> "subprocess.Popen[str]":
        """One that has copied the database, and is to wait for so long before it writes the rest."""
        armed = {"HAWKER_TESTING": "1", "HAWKER_FAILPOINTS": f"backup-dumped=sleep:{seconds}"}
        return subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **armed}
        )

    first = begun(4)
    eventually("the first one has begun", lambda: list(tmp_path.glob("copy.partial/database.dump")))
    # It waits for the second one, however long that takes to start.
    os.kill(first.pid, signal.SIGSTOP)
    second = begun(0)
    _, told = second.communicate(timeout=120)
    os.kill(first.pid, signal.SIGCONT)
    first.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 1)
    assert "another backup to this path is running" in told
    open_backup(path)


def test_a_restore_that_is_killed_leaves_nothing_that_runs_and_the_next_one_puts_it_right(
    copy: Path, tmp_path: Path
) -> None:
    data_dir = tmp_path / "p"
    for point in ("restore-loaded", "restore-placing"):
        killed = restore(copy, data_dir, testing="1", failpoints=f"{point}=kill")
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        told = hawker(data_dir, "up", "--no-worker")
        assert (told.returncode, told.stdout) == (1, "")
        assert "a restore into" in told.stderr
        assert "run `hawker restore` again" in told.stderr
    assert restored(copy, data_dir)["ok"]
    assert not (data_dir / "restoring").exists()
    # A panel is replaced only where that is said, and then lies aside whole.
    secret = (data_dir / "secrets.toml").read_text()
    refused = restore(copy, data_dir)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "holds a panel: name a new folder" in refused.stderr
    aside = Path(restored(copy, data_dir, "--replace")["replaced"])
    assert (aside / "secrets.toml").read_text() == secret
    assert (aside / "pg" / "PG_VERSION").exists()
    assert asked(data_dir, "verify")["ok"]


@pytest.fixture
def elsewhere(database: None) -> Iterator[str]:
    """The address of an empty database beside the panel's."""
    owner = settings().folder.embedded_url("hawker")
    with psycopg.connect(owner, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS restored")
        admin.execute("CREATE DATABASE restored")
        try:
            yield owner.replace("/hawker?", "/restored?")
        finally:
            admin.execute("DROP DATABASE restored WITH (FORCE)")


def test_an_external_database_takes_no_writes_from_a_restore_that_was_killed_until_the_next_one_ends(
    copy: Path, elsewhere: str, tmp_path: Path
) -> None:
    data_dir = tmp_path / "p"
    with psycopg.connect(elsewhere):
        busy = restore(copy, data_dir, database_url=elsewhere)
    assert "1 other connections are open" in busy.stderr
    killed = restore(copy, data_dir, database_url=elsewhere, testing="1", failpoints="restore-finished=kill")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with psycopg.connect(elsewhere) as other, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        other.execute("UPDATE orders SET link = link")
    migrated = run_hawker(
        "migrate", "--data-dir", str(data_dir), environment=panel_environment() | {"HAWKER_DATABASE_URL": elsewhere}
    )
    assert (migrated.returncode, migrated.stdout) == (1, "")
    assert "a restore of this database was interrupted: run `hawker restore` again" in migrated.stderr
    # A rotation since then has left another key there, which opens nothing of the copy.
    replace_encryption_key(DataDir(data_dir), "rotated since", None)
    assert restored(copy, data_dir, database_url=elsewhere)["ok"]
    assert (data_dir / "secrets.toml").read_text() == (copy / "secrets.toml").read_text()
    with psycopg.connect(elsewhere) as other:
        other.execute("UPDATE provider SET name = name")
        assert other.execute("SELECT count(*) FROM restore").fetchone() == (1,)
    refused = restore(copy, data_dir, database_url=elsewhere)
    assert "the database already has tables" in refused.stderr


def test_a_copy_is_brought_back_without_touching_the_database_it_was_made_of(
    panel: Panel, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    provider = panel.provider(sandbox)
    live, made = tmp_path / "live", tmp_path / "copy"
    live.mkdir()
    # The address has a password in it, so it may well be kept where the secrets are.
    address = f'database_url = "{settings().folder.embedded_url("hawker")}"\n'
    (live / "secrets.toml").write_text(f'secret_key = "the pepper of tests"\n{address}')
    asked(live, "backup", str(made))
    assert "database_url" not in (made / "secrets.toml").read_text()
    # As versions before wrote it.
    secrets = (made / "secrets.toml").read_text() + address
    file = {"size_bytes": len(secrets.encode()), "sha256": hashlib.sha256(secrets.encode()).hexdigest()}
    files = json.loads((made / "manifest.json").read_text())["files"] | {"secrets.toml": file}
    older = edited(made, tmp_path / "older", files=files)
    (older / "secrets.toml").write_text(secrets)
    data_dir = tmp_path / "new"
    assert restored(older, data_dir)["paused_providers"] == ["upstream"]
    provider.refresh_from_db()
    assert provider.paused_until is None
    assert "database_url" not in (data_dir / "secrets.toml").read_text()
    assert asked(data_dir, "provider", "show", "upstream")["paused"]


def test_an_external_database_is_held_wherever_its_address_is_kept(copy: Path, elsewhere: str, tmp_path: Path) -> None:
    data_dir = tmp_path / "p"
    data_dir.mkdir()
    (data_dir / "secrets.toml").write_text(f'database_url = "{elsewhere}"\n')
    assert restored(copy, data_dir)["ok"]
    with psycopg.connect(elsewhere) as other:
        assert other.execute("SELECT count(*) FROM restore").fetchone() == (1,)
    assert f'database_url = "{elsewhere}"' in (data_dir / "secrets.toml").read_text()
    assert not (data_dir / "pg").exists()


def test_a_restore_that_is_interrupted_at_its_commit_leaves_no_database_that_can_be_used(
    copy: Path, elsewhere: str, tmp_path: Path
) -> None:
    with psycopg.connect(elsewhere) as slow:
        # The last statements of a copy take minutes where there is much in it; all is sent by then, the COMMIT too.
        slow.execute("CREATE SCHEMA slow")
        slow.execute(
            "CREATE FUNCTION slow.wait() RETURNS event_trigger LANGUAGE plpgsql AS "
            "$$BEGIN IF current_setting('slow.waited', true) IS DISTINCT FROM 'yes' THEN "
            "PERFORM set_config('slow.waited', 'yes', false); PERFORM pg_sleep(6); END IF; END$$"
        )
        slow.execute(
            "CREATE EVENT TRIGGER wait ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION slow.wait()"
        )
    # Tests that a shell runs in its background ignore this signal, and so would what they start.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "hawker"]
    command += ["restore", str(copy), "--data-dir", str(tmp_path / "p")]
    environment = panel_environment() | {"HAWKER_DATABASE_URL": elsewhere}
    connected = "SELECT 1 FROM pg_stat_activity WHERE datname = 'restored'"
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as admin:
        waiting = f"{connected} AND wait_event = 'PgSleep'"
        eventually("it is at its last statements", lambda: admin.execute(waiting).fetchone())
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
        eventually("what loads has come to its end", lambda: not admin.execute(connected).fetchone())
    with psycopg.connect(elsewhere) as other:
        assert other.execute("SELECT to_regclass('public.orders') IS NOT NULL").fetchone() == (True,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            other.execute("UPDATE provider SET name = name")
    assert restored(copy, tmp_path / "p", database_url=elsewhere)["ok"]
