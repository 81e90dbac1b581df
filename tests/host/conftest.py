"""Data folders for the tests of the host: real clusters below /tmp, made once and copied."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import start_cluster
from end_of_run import new_folder
from hawker.core.datadir import DataDir
from hawker.host.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose cluster is complete and stopped. Copy it, do not use it."""
    path = tmp_path_factory.mktemp("made") / "panel"
    start_cluster(path).stop()
    return path


@pytest.fixture
def copy_of_made(made: Path) -> Callable[[Path], DataDir]:
    """Puts a data folder with a stopped cluster where it is wanted."""

    def copy(path: Path) -> DataDir:
        subprocess.run(["cp", "-a", "--sparse=always", made, path], check=True)
        return DataDir(path)

    return copy


@pytest.fixture
def own_folder(tmp_path: Path, copy_of_made: Callable[[Path], DataDir]) -> Iterator[DataDir]:
    """A data folder with a complete, stopped cluster, for a test that may spoil it."""
    copied = copy_of_made(tmp_path / "p")
    yield copied
    EmbeddedPostgres(copied).stop()


@pytest.fixture(scope="session")
def shared(made: Path) -> DataDir:
    path = made.with_name("shared")
    subprocess.run(["cp", "-a", made, path], check=True)
    return DataDir(path)


@pytest.fixture
def folder(shared: DataDir) -> Iterator[DataDir]:
    """A data folder with a complete, stopped cluster that other tests have used and will use."""
    yield shared
    EmbeddedPostgres(shared).stop()
    for path in shared.path.iterdir():
        if path.is_file():
            path.unlink()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[DataDir]:
    """A data folder that is not there yet; whatever runs on it at the end is stopped."""
    missing = DataDir(tmp_path / "p")
    yield missing
    EmbeddedPostgres(missing).stop()


@pytest.fixture
def postgres(folder: DataDir) -> EmbeddedPostgres:
    """A started database."""
    started = EmbeddedPostgres(folder)
    started.start()
    return started


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every account may enter (pytest's own is closed to others)."""
    path = new_folder()
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def small_disk(open_place: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a disk of so many megabytes; only root may."""
    mounted = []

    def mount(megabytes: int) -> Path:
        path = open_place / "disk"
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "hawker-test", path])
        if os.geteuid() != 0 or done.returncode != 0:
            pytest.skip("only root may mount a disk")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", path], check=True)
