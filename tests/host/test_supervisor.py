"""`hawker up` as the parent of trivial children, on a real database."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from scenes import Scene
from waits import is_gone, until

from hawker.core.datadir import DataDir
from hawker.host.lock import COMMAND, try_lock
from hawker.host.postgres import EmbeddedPostgres
from hawker.host.processes import find_process

BEGIN = """
import os, pathlib, signal, socket, sys, time
name, home = os.environ["HAWKER_TEST_CHILD"], pathlib.Path({path!r})
home.joinpath(name + ".pid").write_text(str(os.getpid()))
home.joinpath(name + ".starts").open("a").write("x")
"""
READY = """
home.joinpath(name + ".ready").touch()
"""
IDLE = BEGIN + READY + "time.sleep(600)\n"
STUBBORN = BEGIN + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + "time.sleep(600)\n"
DYING = BEGIN + "sys.exit(3)\n"
ECHO = (
    BEGIN
    + """
listener = socket.socket(fileno={fd})
"""
    + READY
    + """
while True:
    connection, _ = listener.accept()
    connection.sendall(str(os.getpid()).encode())
    connection.close()
"""
)
FINISHING = (
    BEGIN
    + """
import psycopg
from hawker.core.datadir import DataDir
def finish(*_):
    time.sleep(0.5)
    with psycopg.connect(DataDir(home).embedded_url("hawker")) as connection:
        home.joinpath(name + ".finished").write_text(str(connection.execute("SELECT 5").fetchone()[0]))
    sys.exit(0)
signal.signal(signal.SIGTERM, finish)
print("this is for people")
sys.stdout.flush()
"""
    + READY
    + "time.sleep(600)\n"
)


def up(folder: DataDir, *, before: tuple[str, ...] = (), **arguments: Any) -> Scene:
    children = arguments.pop("children", {"idle": IDLE})
    filled = {name: text.replace("{path!r}", repr(str(folder.path))) for name, text in children.items()}
    for left in folder.path.glob("*.ready"):
        left.unlink()
    return Scene("up", before=before, path=str(folder.path), children=filled, **{"port": 0} | arguments)


def child_pid(folder: DataDir, name: str = "idle") -> int:
    return int((folder.path / f"{name}.pid").read_text())


def starts(folder: DataDir, name: str) -> int:
    path = folder.path / f"{name}.starts"
    return len(path.read_text()) if path.exists() else 0


def call(url: str) -> str:
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        return connection.recv(100).decode()


def is_stopped(folder: DataDir) -> bool:
    held = try_lock(folder, COMMAND)
    if held is not None:
        held.release()
    return held is not None and EmbeddedPostgres(folder).pid is None


def test_a_stop_lets_children_finish_on_a_living_database_and_ends_everything(folder: DataDir) -> None:
    with up(folder, children={"web": FINISHING, "worker": FINISHING}) as panel:
        heard = panel.hear()
        assert heard["ready"]
        assert heard["django"] is False, "the supervisor stays light"
        panel.process.terminate()
        code, lines, said = panel.end()
    assert (code, lines) == (0, []), said
    assert "this is for people" in said
    assert [(folder.path / f"{name}.finished").read_text() for name in ("web", "worker")] == ["5", "5"]
    assert is_stopped(folder)
    assert folder.cluster_log.read_text().rstrip().endswith("database system is shut down")
    with pytest.raises(ConnectionRefusedError):
        call(heard["url"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_stop_as_cleanly(folder: DataDir, number: int) -> None:
    with up(folder, children={"web": FINISHING}) as panel:
        panel.hear()
        panel.process.send_signal(number)
        code, _, said = panel.end()
    assert code == 0, said
    assert (folder.path / "web.finished").exists()
    assert is_stopped(folder)


def test_a_second_ctrl_c_ends_what_does_not_finish_and_leaves_the_database_whole(folder: DataDir) -> None:
    with up(folder, children={"web": STUBBORN}) as panel:
        panel.hear()
        pid = child_pid(folder, "web")
        for _ in range(2):  # A wrapper passes on what the terminal has sent already.
            panel.process.send_signal(signal.SIGINT)
        time.sleep(1.2)
        assert panel.process.poll() is None
        assert not is_gone(pid)
        panel.process.send_signal(signal.SIGINT)
        code, _, said = panel.end()
    assert code == 0
    assert "ending web with work in progress" in said
    assert is_gone(pid)
    assert is_stopped(folder)
    assert folder.cluster_log.read_text().rstrip().endswith("database system is shut down")


def test_a_child_that_outlasts_the_grace_is_ended(folder: DataDir) -> None:
    with up(folder, children={"web": STUBBORN}, grace_seconds=0.3) as panel:
        panel.hear()
        panel.process.terminate()
        assert panel.end()[0] == 0
    assert is_stopped(folder)


def test_a_second_up_on_the_folder_is_refused_by_name_and_the_first_goes_on(folder: DataDir) -> None:
    with up(folder) as first:
        url = first.hear()["url"]
        pid, database = child_pid(folder), EmbeddedPostgres(folder).pid
        (folder.path / "idle.ready").rename(folder.path / "kept")
        with up(folder) as second:
            code, lines, said = second.end()
        assert (code, lines) == (2, [])
        assert f"FolderBusy: {folder.path} is in use by the `hawker up` of process {first.pid} at {url}: " in said
        assert child_pid(folder) == pid
        assert EmbeddedPostgres(folder).pid == database
        assert EmbeddedPostgres(folder).is_serving()


@pytest.mark.parametrize(("number", "name"), [(signal.SIGKILL, "SIGKILL"), (40, "signal 40")])
def test_a_crashed_child_is_started_again(folder: DataDir, number: int, name: str) -> None:
    with up(folder, children={"web": IDLE, "worker": IDLE}) as panel:
        panel.hear()
        web, worker = child_pid(folder, "web"), child_pid(folder, "worker")
        os.kill(web, number)
        until(lambda: starts(folder, "web") == 2 and child_pid(folder, "web") != web)
        assert child_pid(folder, "worker") == worker
        panel.process.terminate()
        code, _, said = panel.end()
    assert code == 0
    assert f"web was ended by {name}, starting it again in 1 s" in said


def test_connections_wait_while_the_web_server_is_started_again(folder: DataDir) -> None:
    with up(folder, children={"web": ECHO}) as panel:
        url = panel.hear()["url"]
        first = call(url)
        os.kill(int(first), signal.SIGKILL)
        until(lambda: is_gone(int(first)))
        assert call(url) not in ("", first)


def test_a_child_that_never_comes_up_ends_the_panel_with_a_sentence(folder: DataDir) -> None:
    with up(folder, children={"web": IDLE, "worker": DYING}) as panel:
        code, lines, said = panel.end()
    assert (code, lines) == (2, [])
    assert "ChildKeepsFailing: worker ended 3 times before it was ready" in said
    assert "worker ended with exit code 3, starting it again in 1 s" in said
    assert is_gone(child_pid(folder, "web"))
    assert is_stopped(folder)


def test_migrations_that_fail_end_the_panel_before_any_child_starts(folder: DataDir) -> None:
    with up(folder, fail="the tables could not be made") as panel:
        code, lines, said = panel.end()
    assert (code, lines) == (2, [])
    assert "the tables could not be made" in said
    assert starts(folder, "idle") == 0
    assert is_stopped(folder)


def test_a_killed_up_takes_its_children_along_and_the_next_adopts_the_database(folder: DataDir) -> None:
    with up(folder, children={"web": ECHO, "worker": STUBBORN}) as panel:
        url = panel.hear()["url"]
        children = [child_pid(folder, "web"), child_pid(folder, "worker")]
        database = EmbeddedPostgres(folder).pid
        os.kill(panel.pid, signal.SIGKILL)
        panel.process.wait()
        until(lambda: all(map(is_gone, children)), within_seconds=15)
    assert EmbeddedPostgres(folder).is_serving()
    with up(folder, children={"web": ECHO}, port=int(url.rpartition(":")[2])) as again:
        assert again.hear()["url"] == url
        assert EmbeddedPostgres(folder).pid == database
        again.process.terminate()
        assert again.end()[0] == 0
    assert is_stopped(folder)


def test_the_database_is_back_within_five_seconds_after_its_postmaster_was_killed(folder: DataDir) -> None:
    with up(folder) as panel:
        panel.hear()
        child = child_pid(folder)
        postgres = EmbeddedPostgres(folder)
        for _ in range(2):
            before = postgres.pid
            os.kill(before, signal.SIGKILL)
            until(lambda before=before: postgres.pid not in (None, before) and postgres.is_serving(), within_seconds=15)
        assert child_pid(folder) == child
        panel.process.terminate()
        code, _, said = panel.end()
    assert code == 0
    assert said.count("PostgreSQL stopped unexpectedly; restarting it") == 2


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6])
def test_a_stop_at_any_moment_of_a_first_start_leaves_nothing_running(empty: DataDir, seconds: float) -> None:
    empty.path.mkdir()
    with up(empty) as panel:
        until(empty.lock_file.exists)
        time.sleep(seconds)
        panel.process.terminate()
        code, _, said = panel.end()
    # Before the first handler is set up a signal simply ends the process.
    assert code in (0, -signal.SIGTERM), said
    assert is_stopped(empty)


def test_a_busy_port_is_a_sentence_and_starts_nothing(folder: DataDir) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with up(folder, port=port) as panel:
            code, lines, said = panel.end()
    assert (code, lines) == (2, [])
    assert f"PortUnusable: port {port} on 127.0.0.1 is in use by another program" in said
    assert is_stopped(folder)


def test_children_hold_neither_the_lock_nor_our_stdout(folder: DataDir) -> None:
    with up(folder) as panel:
        panel.hear()
        stdout = Path(f"/proc/{panel.pid}/fd/1").readlink()
        for pid in (child_pid(folder), EmbeddedPostgres(folder).pid):
            held = [path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir()]
            assert folder.lock_file not in held
            assert stdout not in held
        panel.process.terminate()
        panel.end()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a process namespace")
def test_as_the_first_process_of_a_container_it_leaves_no_zombies_and_recovers(folder: DataDir) -> None:
    with up(folder, before=("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")) as panel:
        panel.hear()
        inner = next(int(pid) for pid in Path(f"/proc/{panel.pid}/task/{panel.pid}/children").read_text().split())

        def postmasters() -> list[int]:
            listed = Path(f"/proc/{inner}/task/{inner}/children").read_text().split()
            found = [find_process(int(pid)) for pid in listed]
            return [process.pid for process in found if process and Path(process.argv[0]).name == "postgres"]

        def zombies() -> list[str]:
            done = subprocess.run(["ps", "-o", "pid=,stat=", "--ppid", str(inner)], capture_output=True, text=True)
            return [line for line in done.stdout.splitlines() if "Z" in line]

        (before,) = postmasters()
        os.kill(before, signal.SIGKILL)
        until(lambda: postmasters() not in ([], [before]) and EmbeddedPostgres(folder).is_serving(), within_seconds=15)
        until(lambda: zombies() == [], within_seconds=15)
        os.kill(inner, signal.SIGTERM)
        code, _, said = panel.end()
    assert code == 0, said
    assert is_stopped(folder)
