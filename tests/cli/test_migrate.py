"""`hawker migrate` on a panel that serves: it holds no traffic up, and leaves a newer database alone."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from hawker.core.settings import settings
from panel import Panel
from processes import ServeProcess, eventually

NEXT_VERSION = """
import sys
from hawker import django_settings
django_settings.INSTALLED_APPS.append("later")
from hawker.cli.main import main
sys.argv = ["hawker", "migrate", *sys.argv[1:]]
main()
"""
"""The command of a version that has one app and one migration more."""

MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    operations = [migrations.RunSQL("ALTER TABLE account ADD COLUMN later int")]
"""

WAITING = """
    SELECT count(*) FROM pg_locks WHERE relation = 'account'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted
"""


def connect(login: str = "hawker", **options: Any) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(settings().folder.embedded_url(login), **options)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, its answer, and what it told people."""

    code: int
    answer: str
    said: str


class NextVersion:
    """`hawker migrate` of the next version, whose one migration needs the table `account` for itself alone."""

    def __init__(self, folder: Path) -> None:
        migrations = folder / "later" / "migrations"
        migrations.mkdir(parents=True)
        for package in (migrations.parent, migrations):
            (package / "__init__.py").touch()
        (migrations / "0001_initial.py").write_text(MIGRATION)
        self._environment = os.environ | {"PYTHONPATH": str(folder), "HAWKER_DATABASE_ACCESS": "owner"}

    @contextmanager
    def running(self, *words: str) -> "Iterator[subprocess.Popen[str]]":
        """The command, killed with the block where it has not ended."""
        command, pipe = [sys.executable, "-c", NEXT_VERSION, *words], subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=self._environment) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *words: str) -> Ended:
        with self.running(*words) as process:
            answer, said = process.communicate(timeout=120)
        return Ended(process.returncode, answer, said)


def run_ours() -> Ended:
    """The command of this version."""
    words = [sys.executable, "-m", "hawker", "migrate"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def next_version(panel: Panel, tmp_path: Path) -> Iterator[NextVersion]:
    yield NextVersion(tmp_path)
    with connect(autocommit=True) as owner:
        owner.execute("ALTER TABLE account DROP COLUMN IF EXISTS later")
        owner.execute("DELETE FROM django_migrations WHERE app = 'later'")


@pytest.fixture
def backup(panel: Panel) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    """A session that has read the table of accounts and keeps its transaction open, as `pg_dump` does for hours."""
    with connect(application_name="pg_dump") as reading:
        reading.execute("SELECT FROM account")
        yield reading


def test_traffic_goes_on_while_a_change_of_tables_waits_for_a_backup(
    panel: Panel,
    server: ServeProcess,
    next_version: NextVersion,
    backup: "psycopg.Connection[tuple[Any, ...]]",
) -> None:
    customer = panel.customer()
    with next_version.running() as migrating, connect(autocommit=True) as owner:
        eventually("the change waits", lambda: owner.execute(WAITING).fetchone() != (0,))
        seconds = []
        for _ in range(10):
            begun = time.monotonic()
            assert server.call(customer.api_key, "balance").http_status == 200
            seconds.append(time.monotonic() - begun)
        assert max(seconds) < 10, "no longer than one short wait, on however busy a machine"
        assert migrating.poll() is None
        assert migrating.stderr is not None
        said = migrating.stderr.readline()
        assert f"process {backup.info.backend_pid} (pg_dump, user hawker, " in said
        assert "holds the table account; trying again" in said
        backup.commit()
        assert migrating.wait(120) == 0, migrating.stderr.read()
        owner.execute("SELECT later FROM account")


def test_a_change_of_tables_gives_up_and_says_who_holds_them(
    next_version: NextVersion, backup: "psycopg.Connection[tuple[Any, ...]]"
) -> None:
    gave_up = next_version.run("--wait", "0")
    assert (gave_up.code, gave_up.answer) == (1, "")
    assert f"hawker: process {backup.info.backend_pid} (pg_dump, user hawker" in gave_up.said
    assert "Then run `hawker migrate` again" in gave_up.said
    backup.commit()
    assert next_version.run().code == 0


def test_two_machines_may_migrate_at_once(next_version: NextVersion) -> None:
    with next_version.running() as first, next_version.running() as second:
        answers = [(one.communicate(timeout=120)[0], one.returncode) for one in (first, second)]
    assert answers == [('{"ok":true}\n', 0)] * 2


def test_a_version_leaves_a_newer_database_alone_and_goes_on_serving(
    panel: Panel, server: ServeProcess, next_version: NextVersion
) -> None:
    assert next_version.run().code == 0
    with connect(autocommit=True) as owner:
        # A right that this version gives, and the next one has taken.
        owner.execute("REVOKE DELETE ON work FROM hawker_app")
        try:
            ours = run_ours()
            assert ours.code == 0, ours.said
            assert "of a newer version of Hawker (later.0001_initial): nothing was changed" in ours.said
            may = owner.execute("SELECT has_table_privilege('hawker_app', 'work', 'DELETE')").fetchone()
            assert may == (False,)
        finally:
            owner.execute("GRANT DELETE ON work TO hawker_app")
    assert httpx2.get(f"{server.url}/readyz", trust_env=False, timeout=30).status_code == 200
    assert server.call(panel.customer().api_key, "balance").http_status == 200


def test_a_database_of_another_line_of_versions_is_refused(next_version: NextVersion) -> None:
    assert next_version.run().code == 0
    with connect(autocommit=True) as owner:
        gone = owner.execute("DELETE FROM django_migrations WHERE app = 'health' RETURNING app, name, applied")
        rows = gone.fetchall()
        try:
            ours = run_ours()
        finally:
            with owner.cursor() as cursor:
                cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", rows)
    assert (ours.code, ours.answer) == (1, "")
    assert "it has later.0001_initial, and it has not health.0001_initial" in ours.said
