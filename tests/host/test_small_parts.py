"""The lock's neighbours: secrets, the listening socket, back-off, the log's last word."""

import multiprocessing
import re
import socket
import tomllib
from pathlib import Path

import pytest

from hawker.core.datadir import DataDir
from hawker.host.backoff import Backoff
from hawker.host.errors import FolderUnusable, PortUnusable
from hawker.host.listener import DEFAULT_PORT, listen
from hawker.host.secret_file import ensure_secrets
from hawker.host.serverlog import last_reason, was_ready
from hawker.host.speech import News


def test_the_secret_is_made_once_and_for_our_eyes_only(tmp_path: Path) -> None:
    folder = DataDir(tmp_path)
    ensure_secrets(folder)
    text = folder.secrets_file.read_text()
    secret = tomllib.loads(text)["secret_key"]
    assert len(bytes.fromhex(secret)) == 32
    assert folder.secrets_file.stat().st_mode & 0o777 == 0o600
    ensure_secrets(folder)
    assert folder.secrets_file.read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.toml"]


def test_an_operators_own_secrets_are_left_alone(tmp_path: Path) -> None:
    folder = DataDir(tmp_path)
    folder.secrets_file.write_text('secret_key = "mine"\n')
    ensure_secrets(folder)
    assert folder.secrets_file.read_text() == 'secret_key = "mine"\n'


def make_and_read(path: str) -> str:
    folder = DataDir(Path(path))
    ensure_secrets(folder)
    return folder.secrets_file.read_text()


def test_racing_starters_end_with_one_secret(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        for round_number in range(20):
            path = tmp_path / str(round_number)
            path.mkdir()
            assert len(set(pool.map(make_and_read, [str(path)] * 8, chunksize=1))) == 1
            assert [path.name for path in path.iterdir()] == ["secrets.toml"]


def test_a_folder_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match="cannot be used: No such file"):
        ensure_secrets(DataDir(tmp_path / "missing"))


def test_the_usual_port_is_taken_if_free_and_any_other_if_not() -> None:
    first = listen("127.0.0.1", None)
    second = listen("127.0.0.1", None)
    with first.socket, second.socket:
        assert first.url != second.url
        assert second.url != f"http://127.0.0.1:{DEFAULT_PORT}"
        assert second.socket.getsockname()[1] == int(second.url.rpartition(":")[2])


def test_a_port_asked_for_and_busy_is_a_sentence() -> None:
    held = listen("127.0.0.1", 0)
    with held.socket:
        port = held.socket.getsockname()[1]
        with pytest.raises(PortUnusable, match=f"port {port} on 127.0.0.1 is in use .*--port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "sentence"),
    [
        ("127.0.0.1", 65_536, "there is no port 65536"),
        ("127.0.0.1", -1, "there is no port -1"),
        ("192.0.2.1", 0, "192.0.2.1 is not an address of this machine"),
        ("192.0.2.1", None, "192.0.2.1 is not an address of this machine"),
        ("no.such.host.invalid", 0, "no.such.host.invalid is not an address of this machine"),
    ],
)
def test_an_address_that_cannot_be_is_a_sentence(host: str, port: int | None, sentence: str) -> None:
    with pytest.raises(PortUnusable, match=sentence):
        listen(host, port)


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "127.0.0.1"), ("::", r"\[::1\]"), ("::1", r"\[::1\]"), ("localhost", r"(127.0.0.1|\[::1\])")],
)
def test_the_address_shown_is_one_that_answers(host: str, shown: str) -> None:
    try:
        listener = listen(host, 0)
    except PortUnusable:
        pytest.skip("this machine has no IPv6")
    with listener.socket:
        port = listener.socket.getsockname()[1]
        assert listener.url.endswith(f":{port}")
        where = listener.url.removeprefix("http://").rpartition(":")[0]
        assert re.fullmatch(shown, where)
        with socket.create_connection((where.strip("[]"), port)):
            pass


@pytest.mark.quick
def test_waits_double_up_to_a_limit_and_a_quiet_run_starts_over() -> None:
    backoff = Backoff(first_seconds=1, longest_seconds=30, quiet_seconds=60)
    assert [backoff.failed(0.1) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.failures == 7
    assert backoff.failed(60) == 1
    assert backoff.failed(59) == 2
    backoff.succeeded()
    assert backoff.failed(0) == 1
    for _ in range(5_000):
        backoff.failed(0)


def test_the_servers_last_severe_word_counts_and_only_since_the_launch(tmp_path: Path) -> None:
    log = tmp_path / "pg.log"
    log.write_text("t [1] FATAL:  before\n")
    offset = log.stat().st_size
    assert "ended without a message" in last_reason(log, offset)
    with log.open("a") as file:
        file.write("t [2] FATAL:  first\nt [2] PANIC:  could not write: No space left\nt [2] LOG:  shut down\n")
    assert last_reason(log, offset) == f"could not write: No space left (from {log})"
    log.write_text("sh: 1: postgres: Permission denied\n\n")
    assert last_reason(log, 0) == f"sh: 1: postgres: Permission denied (from {log})"
    log.write_text("t [3] hawker@hawker FATAL:  the database system is starting up\nt [2] LOG:  one more thing\n")
    assert last_reason(log, 0) == f"t [2] LOG:  one more thing (from {log})"
    assert not was_ready(log, 0)
    log.write_text("t [2] LOG:  database system is ready to accept connections\n")
    assert was_ready(log, 0)
    assert not was_ready(log, log.stat().st_size)
    log.unlink()
    assert "without a message" in last_reason(log, 0)


def test_news_are_told_again_and_again_but_not_at_once() -> None:
    said: list[str] = []
    news = News(said.append, "still waiting", every_seconds=0.0)
    news.tell()
    assert said == []
    news.tell()
    news.tell()
    assert said == ["still waiting"] * 2
    patient = News(said.append, "never", every_seconds=60.0)
    for _ in range(3):
        patient.tell()
    assert "never" not in said
