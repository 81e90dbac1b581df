"""The embedded database: made, started, adopted, and brought back whatever was killed."""

import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from scenes import Scene
from waits import is_gone, until, watch_until_serving

from hawker.core.datadir import DataDir
from hawker.host.cluster import cluster_name
from hawker.host.errors import DatabaseUnusable
from hawker.host.postgres import EmbeddedPostgres
from hawker.host.processes import find_process, list_orphans

SERVING_AGAIN_SECONDS = 15.0
"""The promise is 5 s, and 1 to 2 are what it takes. A machine that others share is given three times the promise: under
five others' tests it once took 5.15.
"""


def ask(folder: DataDir, statement: str, role: str = "hawker") -> list[tuple]:
    with psycopg.connect(folder.embedded_url(role), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_a_first_start_makes_the_database_and_its_two_roles(empty: DataDir) -> None:
    postgres = EmbeddedPostgres(empty)
    assert not postgres.exists
    assert postgres.pid is None
    postgres.start()
    assert postgres.exists
    assert postgres.is_serving()
    assert ask(empty, "SELECT current_user, usesuper FROM pg_user WHERE usename = current_user") == [("hawker", True)]
    assert ask(
        empty,
        "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolname = 'hawker_app'",
    ) == [(True, False, False, False, False, False)]
    assert ask(empty, "SELECT current_user, current_database()", "hawker_app") == [("hawker_app", "hawker")]
    described = ask(
        empty,
        "SELECT r.rolname, pg_encoding_to_char(encoding), datcollate, lower('ÄÖ')"
        " FROM pg_database d JOIN pg_roles r ON r.oid = datdba WHERE datname = 'hawker'",
    )
    assert described == [("hawker", "UTF8", "C", "äö")]


def test_it_is_durable_listens_on_its_socket_only_and_speaks_utc(postgres: EmbeddedPostgres) -> None:
    names = ["fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "data_checksums", "jit", "TimeZone"]
    values = {name: ask(postgres.folder, f"SHOW {name}")[0][0] for name in names}
    assert values == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "",
        "data_checksums": "on",
        "jit": "off",
        "TimeZone": "UTC",
    }
    assert postgres.folder.socket_dir.stat().st_mode & 0o777 == 0o700
    assert postgres.folder.cluster.stat().st_mode & 0o777 == 0o700


def test_an_operators_alter_system_survives_a_restart_but_never_at_the_cost_of_a_promise(own_folder: DataDir) -> None:
    postgres = EmbeddedPostgres(own_folder)
    postgres.start()
    ask(postgres.folder, "ALTER SYSTEM SET shared_buffers = '32MB'")
    ask(postgres.folder, "ALTER SYSTEM SET fsync = off")
    postgres.stop()
    postgres.start()
    assert ask(postgres.folder, "SHOW shared_buffers") == [("32MB",)]
    assert ask(postgres.folder, "SHOW fsync") == [("on",)]


@pytest.mark.quick
def test_what_was_written_is_there_after_a_stop_and_a_start(postgres: EmbeddedPostgres) -> None:
    ask(postgres.folder, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 7 AS number")
    pid = postgres.pid
    postgres.stop()
    assert postgres.pid is None
    assert not postgres.is_serving()
    assert is_gone(pid)
    postgres.stop()
    postgres.start()
    assert ask(postgres.folder, "SELECT number FROM kept") == [(7,)]


def test_the_database_outlives_a_killed_starter_and_is_adopted(folder: DataDir) -> None:
    with Scene("start", path=str(folder.path)) as starter:
        pid = starter.hear()["pid"]
        os.kill(starter.pid, signal.SIGKILL)
        starter.process.wait()
    postgres = EmbeddedPostgres(folder)
    assert postgres.is_serving()
    postgres.start()
    assert postgres.pid == pid
    postgres.stop()
    assert is_gone(pid)


@pytest.mark.parametrize("milliseconds", [30, 200, 450])
def test_a_first_start_killed_at_any_moment_is_healed_by_the_next(empty: DataDir, milliseconds: int) -> None:
    with Scene("start", path=str(empty.path)) as starter:
        until(empty.path.exists)
        time.sleep(milliseconds / 1000)
        os.kill(starter.pid, signal.SIGKILL)
        starter.process.wait()
    postgres = EmbeddedPostgres(empty)
    postgres.start()
    assert postgres.is_serving()
    assert ask(empty, "SELECT 1", "hawker_app") == [(1,)]
    # The killed starter's initdb may have gone on for a moment; the next start clears up after it.
    until(lambda: postgres.start() or not list(empty.path.glob("pg.new-*")))


def test_a_cluster_whose_roles_and_database_are_missing_is_completed(postgres: EmbeddedPostgres) -> None:
    elsewhere = postgres.folder.embedded_url("hawker").replace("/hawker?", "/postgres?")
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        connection.execute("DROP DATABASE hawker")
        connection.execute("ALTER ROLE hawker_app SUPERUSER")
    assert not postgres.is_serving()
    postgres.start()
    assert postgres.is_serving()
    assert ask(postgres.folder, "SELECT rolsuper FROM pg_roles WHERE rolname = 'hawker_app'") == [(False,)]


def test_nothing_acknowledged_is_lost_when_the_postmaster_is_killed_under_a_writer(postgres: EmbeddedPostgres) -> None:
    ask(postgres.folder, "CREATE TABLE written (number bigint PRIMARY KEY)")
    acknowledged: list[int] = []
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            try:
                with psycopg.connect(postgres.folder.embedded_url("hawker"), autocommit=True) as connection:
                    while not stop.is_set():
                        number += 1
                        connection.execute("INSERT INTO written VALUES (%s)", [number])
                        acknowledged.append(number)
            except psycopg.OperationalError:
                time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            before = len(acknowledged)
            until(lambda before=before: len(acknowledged) > before + 50)
            os.kill(postgres.pid, signal.SIGKILL)
            assert watch_until_serving(postgres) < SERVING_AGAIN_SECONDS
    finally:
        stop.set()
        writer.join()
    stored = {number for (number,) in ask(postgres.folder, "SELECT number FROM written")}
    assert set(acknowledged) <= stored
    assert len(acknowledged) > 150


@pytest.mark.parametrize("frozen", [False, True])
def test_a_busy_process_of_the_killed_server_does_not_hold_up_the_new_one(
    postgres: EmbeddedPostgres, frozen: bool
) -> None:
    with closing(psycopg.connect(postgres.folder.embedded_url("hawker"), autocommit=True)) as busy:
        backend = busy.info.backend_pid
        busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
        until(
            lambda: ask(postgres.folder, f"SELECT state FROM pg_stat_activity WHERE pid = {backend}") == [("active",)]
        )
        if frozen:  # It cannot even hear SIGQUIT.
            os.kill(backend, signal.SIGSTOP)
        os.kill(postgres.pid, signal.SIGKILL)
        time.sleep(0.3)
        assert find_process(backend) is not None
        assert watch_until_serving(postgres) < SERVING_AGAIN_SECONDS
        assert is_gone(backend)


def test_a_living_servers_own_processes_are_not_taken_for_orphans(postgres: EmbeddedPostgres) -> None:
    owner = find_process(postgres.pid)
    assert owner is not None
    with closing(psycopg.connect(postgres.folder.embedded_url("hawker"))):
        assert list_orphans(owner.uid, cluster_name(postgres.folder)) == []


def test_a_polite_stop_by_somebody_else_does_not_leave_clients_locked_out(postgres: EmbeddedPostgres) -> None:
    # After SIGTERM a postmaster takes no new client and waits for the old ones, which stay for ever.
    with closing(psycopg.connect(postgres.folder.embedded_url("hawker"))):
        old = postgres.pid
        os.kill(old, signal.SIGTERM)
        until(lambda: not postgres.is_serving())
        assert watch_until_serving(postgres) < SERVING_AGAIN_SECONDS
        assert postgres.pid != old


def test_a_killed_backend_brings_the_server_down_for_a_moment_only(postgres: EmbeddedPostgres) -> None:
    old = postgres.pid
    with closing(psycopg.connect(postgres.folder.embedded_url("hawker"))) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
    assert watch_until_serving(postgres) < SERVING_AGAIN_SECONDS
    assert postgres.pid == old


def test_a_pid_file_whose_number_is_now_another_process_neither_stops_the_start_nor_harms_that_process(
    folder: DataDir,
) -> None:
    for stale in (folder.cluster / "postmaster.pid", folder.socket_dir / ".s.PGSQL.5432.lock"):
        stale.write_text(f"{os.getpid()}\n{folder.cluster}\n1\n5432\n{folder.socket_dir}\n\n 1 1\nready   \n")
    postgres = EmbeddedPostgres(folder)
    assert postgres.pid is None
    postgres.stop()
    postgres.start()
    assert postgres.pid not in (None, os.getpid())
    assert postgres.is_serving()


@pytest.mark.parametrize("rubbish", ["", "x\n"])
def test_a_pid_file_that_a_full_disk_left_without_a_number_does_not_stop_the_start(
    folder: DataDir, rubbish: str
) -> None:
    (folder.cluster / "postmaster.pid").write_text(rubbish)
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    assert postgres.is_serving()


@pytest.mark.skipif(os.geteuid() != 0, reason="the database of an ordinary account needs no way opened")
def test_a_parent_closed_again_does_not_stop_a_restart(postgres: EmbeddedPostgres) -> None:
    postgres.folder.path.parent.chmod(0o700)  # It wipes the access control list's mask.
    os.kill(postgres.pid, signal.SIGKILL)
    assert watch_until_serving(postgres) < SERVING_AGAIN_SECONDS


def test_a_folder_renamed_under_a_running_server_serves_in_its_new_place(own_folder: DataDir) -> None:
    postgres = EmbeddedPostgres(own_folder)
    postgres.start()
    ask(postgres.folder, "CREATE TABLE moved AS SELECT 3 AS number")
    old = postgres.pid
    renamed = DataDir(postgres.folder.path.rename(postgres.folder.path.with_name("q")))
    again = EmbeddedPostgres(renamed)
    again.start()
    try:
        assert ask(renamed, "SELECT number FROM moved") == [(3,)]
        assert is_gone(old)
    finally:
        again.stop()


def test_a_start_can_be_given_up_and_taken_up_again(folder: DataDir) -> None:
    class EnoughWaited(Exception):
        pass

    def give_up() -> None:
        raise EnoughWaited

    postgres = EmbeddedPostgres(folder)
    with pytest.raises(EnoughWaited):
        postgres.start(give_up)
    postgres.stop()
    assert postgres.pid is None
    postgres.start()
    assert postgres.is_serving()


def test_a_server_that_does_not_start_is_a_sentence_with_its_own_reason(own_folder: DataDir) -> None:
    postgres = EmbeddedPostgres(own_folder)
    postgres.start()
    postgres.stop()
    with (postgres.folder.cluster / "postgresql.auto.conf").open("a") as file:
        file.write("shared_buffers = 'plenty'\n")
    said: list[str] = []
    with pytest.raises(DatabaseUnusable, match=r"does not start: .*configuration file.*pg.log"):
        EmbeddedPostgres(postgres.folder, say=said.append).start()
    assert len(said) == 1, "the same reason is said once"


def test_settings_of_the_person_who_starts_do_not_steer_the_server(
    folder: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "6000", "PGDATA": "/nowhere", "PGHOST": "/nowhere", "PGUSER": "nobody"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HAWKER_SECRET_KEY", "not for the server")
    monkeypatch.setenv("TMPDIR", "/nowhere")
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    assert postgres.is_serving()
    assert b"HAWKER" not in Path(f"/proc/{postgres.pid}/environ").read_bytes()


def test_the_server_holds_no_file_of_its_starter(folder: DataDir) -> None:
    with (folder.path / "ours").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        postgres = EmbeddedPostgres(folder)
        postgres.start()
        held = [path.readlink() for path in Path(f"/proc/{postgres.pid}/fd").iterdir()]
        assert folder.path / "ours" not in held
        assert os.getsid(postgres.pid) != os.getsid(0)
