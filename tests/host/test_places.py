"""Where a panel's data may lie, who may own it, and one clear sentence for where it may not."""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from scenes import Scene, python_for
from waits import watch_until_serving

from hawker.core.datadir import DataDir
from hawker.host.access import refused
from hawker.host.account import SystemAccount, account_for
from hawker.host.binaries import find_binaries
from hawker.host.errors import DatabaseUnusable, FolderUnusable
from hawker.host.postgres import EmbeddedPostgres

NOBODY = pwd.getpwnam("nobody").pw_uid
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has other accounts to try as")


@pytest.fixture
def nobodys(open_place: Path) -> Path:
    """A folder that belongs to an ordinary account, which can run Python and our packages."""
    nobody = SystemAccount("nobody", NOBODY, NOBODY)
    if python_for(NOBODY) is None or refused(nobody, "-r", [Path(psycopg.__file__)]):
        pytest.skip("the ordinary account cannot reach this Python")
    path = open_place / "home"
    path.mkdir(mode=0o700)
    os.chown(path, NOBODY, NOBODY)
    return path


@pytest.mark.parametrize("name", ["with blanks  and 'quotes\" ", "a,b", "100% #&?=", "long" * 40, "Ж\udcff"])
def test_any_name_of_a_folder_will_do(tmp_path: Path, copy_of_made: Callable[[Path], DataDir], name: str) -> None:
    folder = copy_of_made(tmp_path / name)
    postgres = EmbeddedPostgres(folder)
    try:
        postgres.start()
        with psycopg.connect(folder.embedded_url("hawker_app")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        postgres.stop()
    assert folder.socket_dir.parent == folder.path or not folder.socket_dir.exists()


@as_root
def test_root_lets_the_database_through_closed_folders_and_nobody_else(
    open_place: Path, copy_of_made: Callable[[Path], DataDir]
) -> None:
    home = open_place / "home"
    deep = home / "work"
    deep.mkdir(parents=True)
    home.chmod(0o700)
    deep.chmod(0o750)
    folder = copy_of_made(deep / "p")
    folder.path.chmod(0o700)
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    try:
        assert postgres.is_serving()
        account = account_for(folder)
        # Only what stood in the way was touched, and only for that one account.
        nobody = SystemAccount("nobody", NOBODY, NOBODY)
        assert refused(nobody, "-x", [home]) == [home]
        assert refused(account, "-r", [home, deep, folder.path]) == [home, deep, folder.path]
        assert home.stat().st_mode & 0o007 == deep.stat().st_mode & 0o007 == folder.path.stat().st_mode & 0o007 == 0
        assert refused(account, "-r", [folder.secrets_file]) == [folder.secrets_file]
    finally:
        postgres.stop()


@as_root
def test_root_runs_a_wheel_that_was_installed_below_a_closed_home_for_its_own_eyes_only(
    open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = find_binaries(None, None).folder.parents[1]
    packages = open_place / "root" / "site-packages"
    copied = packages / wheel.name
    copied.mkdir(parents=True)
    for name in ("__init__.py", "pginstall18"):
        subprocess.run(["cp", "-a", wheel / name, copied / name], check=True)
    if (libraries := wheel.with_name(f"{wheel.name}.libs")).exists():
        subprocess.run(["cp", "-a", libraries, packages / libraries.name], check=True)
    subprocess.run(["chmod", "-R", "go-rwx", open_place / "root"], check=True)
    monkeypatch.syspath_prepend(packages)
    folder = DataDir(open_place / "root" / "p")
    postgres = EmbeddedPostgres(folder)
    try:
        postgres.start()
        assert postgres.is_serving()
        assert Path(f"/proc/{postgres.pid}/exe").readlink() == copied / "pginstall18" / "bin" / "postgres"
    finally:
        postgres.stop()
    nobody = SystemAccount("nobody", NOBODY, NOBODY)
    assert refused(nobody, "-x", [open_place / "root", copied]) == [open_place / "root", copied]


@as_root
def test_the_database_of_root_runs_as_a_system_account_that_cannot_log_in(postgres: EmbeddedPostgres) -> None:
    assert pwd.getpwuid(Path(f"/proc/{postgres.pid}").stat().st_uid).pw_name == "hawker"
    assert pwd.getpwnam("hawker").pw_shell.rpartition("/")[2] in ("nologin", "false")


@as_root
def test_an_ordinary_account_runs_the_database_as_itself(nobodys: Path) -> None:
    with Scene("start_and_stop", account=NOBODY, path=str(nobodys / "panel")) as scene:
        code, lines, said = scene.end()
    assert code == 0, said
    assert lines == [{"owner": NOBODY, "answer": [42]}]
    assert {path.stat().st_uid for path in (nobodys / "panel").rglob("*")} == {NOBODY}


@as_root
def test_root_keeps_another_accounts_panel_in_working_order(nobodys: Path) -> None:
    with Scene("start_and_stop", account=NOBODY, path=str(nobodys / "panel")) as scene:
        scene.end()
    with Scene("command", path=str(nobodys / "panel")) as scene:
        assert scene.end()[0] == 0
    owners = {path.stat().st_uid for path in (nobodys / "panel").rglob("*")}
    assert owners == {NOBODY}
    with Scene("command", account=NOBODY, path=str(nobodys / "panel")) as scene:
        assert scene.end()[0] == 0


@as_root
def test_a_folder_of_somebody_else_is_refused_and_its_owner_named(nobodys: Path, open_place: Path) -> None:
    theirs = open_place / "theirs"
    theirs.mkdir(mode=0o755)
    with Scene("start", account=NOBODY, path=str(theirs)) as scene:
        code, _, said = scene.end()
    assert code == 2
    assert f"FolderUnusable: {theirs} belongs to root: run Hawker as that account" in said
    assert list(theirs.iterdir()) == []


@as_root
def test_a_cluster_of_root_is_refused_with_the_command_that_helps(own_folder: DataDir) -> None:
    os.chown(own_folder.cluster, 0, 0)
    with pytest.raises(FolderUnusable, match=r"chown -R hawker: .*/pg"):
        EmbeddedPostgres(own_folder).start()


@as_root
def test_a_full_disk_is_a_sentence_and_leaves_no_half_made_cluster(small_disk: Callable[[int], Path]) -> None:
    folder = DataDir(small_disk(20) / "p")
    with pytest.raises(FolderUnusable, match=r"has \d+ MB left, a new database needs 150 MB"):
        EmbeddedPostgres(folder).start()
    assert not folder.cluster.exists()
    assert not list(folder.path.glob("pg.new-*"))


@as_root
def test_a_disk_that_fills_up_while_the_cluster_is_made_is_a_sentence(
    small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = DataDir(small_disk(20) / "p")
    monkeypatch.setattr("hawker.host.folder._NEEDED_BYTES", 0)
    with pytest.raises(FolderUnusable, match="the disk is full"):
        EmbeddedPostgres(folder).start()
    assert not folder.cluster.exists()
    assert not list(folder.path.glob("pg.new-*"))


@as_root
def test_a_read_only_disk_is_a_sentence(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(20)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(FolderUnusable, match="the file system is read-only"):
        EmbeddedPostgres(DataDir(disk / "p")).start()


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("ab", buffering=0) as file:
        while file.write(bytes(4_096)):
            pass


@as_root
def test_a_full_disk_stops_the_server_and_room_brings_it_back_by_itself(
    small_disk: Callable[[int], Path], copy_of_made: Callable[[Path], DataDir]
) -> None:
    disk = small_disk(120)
    folder = copy_of_made(disk / "p")
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    try:
        with psycopg.connect(folder.embedded_url("hawker"), autocommit=True) as connection:
            connection.execute("CREATE TABLE filled (text text)")
            fill(disk)
            rows = "SELECT repeat(md5(n::text), 9) FROM generate_series(1, 300000) n"
            with pytest.raises(psycopg.Error, match="No space"):
                connection.execute(f"INSERT INTO filled {rows}")
        pid = postgres.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        fill(disk)
        for _ in range(20):  # Whether it comes up or not on a full disk, it must not be given up.
            postgres.ensure_running()
            time.sleep(0.05)
        (disk / "filler").unlink()
        watch_until_serving(postgres)
        with psycopg.connect(folder.embedded_url("hawker")) as connection:
            connection.execute("INSERT INTO filled VALUES ('again')")
    finally:
        postgres.stop()


def test_a_path_through_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderUnusable, match="file"):
        EmbeddedPostgres(DataDir(tmp_path / "file" / "p")).start()


@pytest.mark.parametrize("content", ["PG_VERSION", "something.txt"])
def test_a_folder_that_is_no_cluster_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    folder = DataDir(tmp_path)
    folder.cluster.mkdir()
    if os.geteuid() == 0:
        os.chown(folder.cluster, NOBODY, NOBODY)
    (folder.cluster / content).write_text("eighteen\n")
    with pytest.raises(FolderUnusable, match="is not a PostgreSQL database: move it away"):
        EmbeddedPostgres(folder).start()
    assert (folder.cluster / content).read_text() == "eighteen\n"


def test_a_cluster_of_another_major_version_is_refused_untouched(own_folder: DataDir) -> None:
    before = {path: path.stat().st_mtime_ns for path in own_folder.cluster.rglob("*")}
    (own_folder.cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(DatabaseUnusable, match=r"made by PostgreSQL 9, .*HAWKER_POSTGRES_BIN"):
        EmbeddedPostgres(own_folder).start()
    after = {path: path.stat().st_mtime_ns for path in own_folder.cluster.rglob("*")}
    assert {path for path in after if after[path] != before.get(path)} == {own_folder.cluster / "PG_VERSION"}


def test_a_strange_folder_in_the_place_of_the_socket_is_refused(own_folder: DataDir) -> None:
    own_folder.socket_dir.rmdir()
    own_folder.socket_dir.symlink_to("/tmp")
    with pytest.raises(FolderUnusable, match="is not a folder: move it away"):
        EmbeddedPostgres(own_folder).start()
