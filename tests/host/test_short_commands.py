"""The database for the length of one command."""

import os
import signal
from pathlib import Path

import pytest
from scenes import Scene
from waits import is_gone, until

from hawker.core.datadir import DataDir
from hawker.core.settings import Settings
from hawker.host.errors import NeverStarted
from hawker.host.lock import COMMAND, try_lock
from hawker.host.panel_database import database
from hawker.host.postgres import EmbeddedPostgres


def test_an_external_database_is_left_to_those_who_run_it(tmp_path: Path) -> None:
    folder = DataDir(tmp_path / "p")
    with database(folder, Settings(data_dir=folder.path, database_url="postgresql://elsewhere/db")):
        pass
    assert not folder.path.exists()


def test_a_folder_without_a_panel_is_a_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    folder = DataDir(tmp_path / "p")
    refusal = pytest.raises(NeverStarted, match="has no panel: start one with `hawker up`")
    with refusal, database(folder, Settings(data_dir=folder.path)):
        pass
    assert not folder.path.exists()


def test_a_command_may_make_the_database_and_stops_what_it_started(empty: DataDir) -> None:
    postgres = EmbeddedPostgres(empty)
    with database(empty, Settings(data_dir=empty.path), create=True):
        assert postgres.is_serving()
        assert empty.secrets_file.exists()
    assert postgres.pid is None
    with database(empty, Settings(data_dir=empty.path)):
        assert postgres.is_serving()
    assert postgres.pid is None


def test_a_command_that_fails_stops_the_database_too(folder: DataDir) -> None:
    with pytest.raises(ZeroDivisionError), database(folder, Settings(data_dir=folder.path)):
        raise ZeroDivisionError
    assert EmbeddedPostgres(folder).pid is None


def test_a_database_that_serves_already_is_used_and_left_running(postgres: EmbeddedPostgres) -> None:
    pid = postgres.pid
    with database(postgres.folder, Settings(data_dir=postgres.folder.path)):
        assert postgres.pid == pid
    assert postgres.is_serving()
    assert postgres.pid == pid


def test_of_overlapping_commands_the_last_to_leave_stops_the_database(folder: DataDir, tmp_path: Path) -> None:
    ends = [tmp_path / "first", tmp_path / "second"]
    first, second = (Scene("command", path=str(folder.path), until=str(end)) for end in ends)
    with first, second:
        assert first.hear()["pid"] == second.hear()["pid"]
        ends[0].touch()
        assert first.end()[0] == 0
        assert EmbeddedPostgres(folder).is_serving()
        ends[1].touch()
        code, lines, said = second.end()
    assert (code, lines) == (0, [{"done": True}]), said
    assert EmbeddedPostgres(folder).pid is None


def test_commands_that_race_to_make_the_database_end_with_one(empty: DataDir) -> None:
    scenes = [Scene("command", path=str(empty.path), create=True) for _ in range(5)]
    for scene in scenes:
        with scene:
            code, lines, said = scene.end()
            assert code == 0, said
            assert lines[-1] == {"done": True}
    assert EmbeddedPostgres(empty).pid is None
    assert not list(empty.path.glob("pg.new-*"))


def test_what_a_killed_command_left_running_the_next_one_stops(folder: DataDir) -> None:
    with Scene("command", path=str(folder.path), until="/nowhere") as scene:
        pid = scene.hear()["pid"]
        os.kill(scene.pid, signal.SIGKILL)
        scene.process.wait()
    assert EmbeddedPostgres(folder).pid == pid
    with database(folder, Settings(data_dir=folder.path)):
        assert EmbeddedPostgres(folder).pid == pid
    assert is_gone(pid)


def test_a_command_waits_for_the_up_that_is_just_starting(folder: DataDir) -> None:
    held = try_lock(folder, "up")
    assert held is not None
    with Scene("command", path=str(folder.path)) as scene:
        until(folder.users_file.exists)
        postgres = EmbeddedPostgres(folder)
        postgres.start()
        assert scene.end()[0] == 0
    assert postgres.is_serving()
    held.release()


def test_a_panel_started_meanwhile_takes_the_database_over(folder: DataDir, tmp_path: Path) -> None:
    end = tmp_path / "end"
    with Scene("command", path=str(folder.path), until=str(end)) as command:
        pid = command.hear()["pid"]
        with Scene("up", path=str(folder.path), children={}) as up:
            assert up.hear()["ready"]
            end.touch()
            assert command.end()[0] == 0
            assert EmbeddedPostgres(folder).pid == pid
            assert EmbeddedPostgres(folder).is_serving()
            up.process.terminate()
            assert up.end()[0] == 0
    assert is_gone(pid)


def test_a_lock_dies_with_its_process_and_its_text_means_nothing(folder: DataDir) -> None:
    folder.lock_file.write_text("up 1 http://127.0.0.1:8000\n")
    held = try_lock(folder, COMMAND)
    assert held is not None
    assert folder.lock_file.read_text() == f"command {os.getpid()}\n"
    assert not os.get_inheritable(held._descriptor)
    assert try_lock(folder, COMMAND) is None
    held.release()
    assert folder.lock_file.read_text() == ""
