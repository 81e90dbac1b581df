"""A panel on somebody else's PostgreSQL, and what is said where that cannot be."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import psycopg
import pytest
from django.db import connection

from cluster import start_cluster
from end_of_run import new_folder
from processes import eventually, panel_environment, run_hawker, start_up
from yardstick import in_time


@pytest.fixture(scope="module")
def somebody_elses() -> Iterator[str]:
    """A server with two logins of its own: `maker` may make roles, `plain` may not; the address without a login."""
    # Not below pytest's folder, which each session that starts beside this one closes to all accounts but its own.
    place = new_folder()
    cluster = start_cluster(place / "server")
    with psycopg.connect(cluster.folder.embedded_url("hawker"), autocommit=True) as admin:
        for statement in (
            "DROP ROLE hawker_app",
            "CREATE ROLE maker LOGIN CREATEROLE",
            "CREATE ROLE plain LOGIN",
            "CREATE DATABASE made OWNER maker",
            "CREATE DATABASE plain OWNER plain",
            "CREATE DATABASE empty OWNER plain",
        ):
            admin.execute(statement)
    yield cluster.folder.embedded_url("{login}").replace("/hawker?", "/{name}?")
    cluster.stop()
    shutil.rmtree(place)


def run(data_dir: Path, words: Sequence[str], **variables: str) -> "subprocess.CompletedProcess[str]":
    """A command with these HAWKER_* variables and no others."""
    environment = panel_environment() | {f"HAWKER_{name.upper()}": value for name, value in variables.items()}
    return run_hawker(*words, "--data-dir", str(data_dir), environment=environment)


def test_a_panel_runs_on_it_as_a_role_that_owns_nothing(somebody_elses: str, tmp_path: Path) -> None:
    url = somebody_elses.format(login="maker", name="made")
    environment = {"HAWKER_DATABASE_URL": url, "HAWKER_POLL_MIN_SECONDS": "0.3"}
    with start_up(tmp_path / "p", "--demo", environment=environment) as up:
        assert up.ready["database_url"] == url
        assert not (tmp_path / "p" / "pg").exists()
        service = next(row["service"] for row in up.call("services").json if row["type"] == "Default")
        order = up.call("add", service=service, link="https://example.com/?fate=completed", quantity=200).json["order"]
        eventually("the order is delivered", lambda: up.call("status", order=order).json["status"] == "Completed")
        with psycopg.connect(url) as connection:
            roles = connection.execute("SELECT DISTINCT usename, application_name FROM pg_stat_activity").fetchall()
            assert ("maker", "hawker") in roles
            owned = "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE rolname = 'hawker_app'"
            assert connection.execute(owned).fetchone() == (0,)
            connection.execute("SET ROLE hawker_app")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("UPDATE transfer SET amount_micros = 1")
    verified = run(tmp_path / "p", ["verify"], database_url=url)
    assert (verified.returncode, msgspec.json.decode(verified.stdout)["ok"]) == (0, True), verified.stderr


def test_a_login_that_may_not_make_the_role_is_told_what_to_do_and_can_do_without(
    somebody_elses: str, tmp_path: Path
) -> None:
    url = somebody_elses.format(login="plain", name="plain")
    # A role that is not there, whatever the test before has made.
    told = run(tmp_path, ["migrate"], database_url=url, database_role="somebody_app")
    assert (told.returncode, told.stdout) == (1, "")
    assert "CREATE ROLE somebody_app NOLOGIN; GRANT somebody_app TO the login" in told.stderr
    assert "Traceback" not in told.stderr
    done = run(tmp_path, ["migrate"], database_url=url, database_role="")
    assert done.returncode == 0, done.stderr
    added = run(tmp_path, ["customer", "add", "a@example.com", "--credit", "5"], database_url=url, database_role="")
    assert added.returncode == 0, added.stderr
    assert (tmp_path / "secrets.toml").stat().st_mode & 0o777 == 0o600
    elsewhere = tmp_path / "another machine"
    told = run(elsewhere, ["customer", "add", "b@example.com"], database_url=url, database_role="")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("hawker: there is no secret key yet: "), told.stderr
    assert not elsewhere.exists()


def test_a_service_without_the_secret_does_not_start(tmp_path: Path) -> None:
    for words in (["serve", "--port", "0"], ["worker"]):
        told = run(tmp_path, words, database_url="postgresql://a@127.0.0.1:1/b")
        assert (told.returncode, told.stdout) == (1, ""), told.stderr
        assert told.stderr.startswith("hawker: there is no secret key yet: "), told.stderr
    assert not (tmp_path / "secrets.toml").exists()


@pytest.mark.parametrize("words", [["verify"], ["order", "list"]])
def test_a_database_that_was_never_migrated_is_a_sentence(
    somebody_elses: str, tmp_path: Path, words: list[str]
) -> None:
    url = somebody_elses.format(login="plain", name="empty")
    told = run(tmp_path, words, database_url=url, database_role="")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == "hawker: the database is not that of this version: run `hawker migrate`\n"


@pytest.mark.parametrize("words", [["migrate"], ["provider", "list"], ["up", "--port", "0"]])
def test_a_server_that_is_not_there_is_a_sentence(tmp_path: Path, words: list[str]) -> None:
    told = run(tmp_path, words, database_url="postgresql://a@127.0.0.1:1/b")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("hawker: the database cannot be asked now: connection failed"), told.stderr
    assert told.stderr.count("\n") == len(["up's own sentence" for word in words if word == "up"]) + 1


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"database_url": "nonsense"}, "setting database_url: Value error, not a connection string such as "),
        ({"database_url": ""}, "setting database_url: Value error, not a connection string such as "),
        ({"secret_key": ""}, "setting secret_key: "),
        ({"currency": "usd"}, "setting currency: "),
        ({"secret_key_file": "/no/such/file"}, "what HAWKER_SECRET_KEY_FILE names cannot be read: No such file"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_sentence(tmp_path: Path, variables: dict[str, str], sentence: str) -> None:
    told = run(tmp_path, ["verify"], **variables)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith(f"hawker: {sentence}"), told.stderr
    assert told.stderr.count("\n") == 1


def test_settings_are_found_in_the_order_that_the_page_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hawker.core.settings import Settings, UnreadableSettings

    for name in [name for name in os.environ if name.startswith("HAWKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HAWKER_DATA_DIR", str(tmp_path))
    assert Settings().currency == "USD"
    (tmp_path / "secrets.toml").write_text('currency = "AAA"\n')
    assert Settings().currency == "AAA"
    (tmp_path / "hawker.toml").write_text('currency = "BBB"\n')
    assert Settings().currency == "BBB"
    (tmp_path / "file").write_text("CCC\n")
    monkeypatch.setenv("HAWKER_CURRENCY_FILE", str(tmp_path / "file"))
    assert Settings().currency == "CCC"
    monkeypatch.setenv("HAWKER_CURRENCY", "DDD")
    assert Settings().currency == "DDD"
    (tmp_path / "hawker.toml").write_text('curency = "BBB"\n')
    with pytest.raises(UnreadableSettings, match="no such setting: curency"):
        Settings()


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        url = f"postgresql://maker@127.0.0.1:{silent.getsockname()[1]}/made"
        verified = run(tmp_path / "p", ["verify"], database_url=url)
    assert verified.returncode != 0
    assert "timeout" in verified.stderr
    assert in_time(time.monotonic() - began, 30)


def test_a_server_that_falls_silent_is_given_up_on_by_the_system() -> None:
    """Only a network that drops what it is sent could show it; what a socket is told is shown instead."""
    assert {"tcp_user_timeout", "keepalives_idle", "keepalives_count"} <= connection.get_connection_params().keys()
