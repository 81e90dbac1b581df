"""Access control lists: the bytes, the merging, and what the kernel makes of them."""

import os
import pwd
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.host import acl
from hawker.host.access import open_trees, open_way, refused
from hawker.host.account import SystemAccount
from hawker.host.acl import AclEntry

OWNER, USER, GROUP_OWNER, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has other accounts to try as")

lists = st.builds(
    lambda owner, users, group, groups, mask, other: [
        AclEntry(OWNER, owner),
        *(AclEntry(USER, rights, uid) for uid, rights in users.items()),
        AclEntry(GROUP_OWNER, group),
        *(AclEntry(GROUP, rights, gid) for gid, rights in groups.items()),
        AclEntry(MASK, mask),
        AclEntry(OTHER, other),
    ],
    st.integers(0, 7),
    st.dictionaries(st.integers(0, 70_000), st.integers(0, 7), max_size=4),
    st.integers(0, 7),
    st.dictionaries(st.integers(0, 70_000), st.integers(0, 7), max_size=4),
    st.integers(0, 7),
    st.integers(0, 7),
)


def worth(entries: list[AclEntry]) -> dict[tuple[int, int], int]:
    """What each entry really allows, the mask applied."""
    mask = next((entry.permissions for entry in entries if entry.tag == MASK), 7)
    return {
        (entry.tag, entry.id): entry.permissions & (mask if entry.tag in (USER, GROUP_OWNER, GROUP) else 7)
        for entry in entries
        if entry.tag != MASK
    }


@given(lists)
def test_a_list_survives_the_way_through_its_bytes(entries: list[AclEntry]) -> None:
    assert acl.parse(acl.serialise(entries)) == sorted(entries, key=lambda entry: (entry.tag, entry.id))


@given(lists, st.integers(0, 70_000), st.integers(0, 7))
def test_a_right_added_for_one_user_changes_nobody_elses(entries: list[AclEntry], uid: int, rights: int) -> None:
    before, after = worth(entries), worth(acl.with_user(entries, uid, rights))
    mine = (USER, uid)
    assert after.pop(mine) == before.pop(mine, 0) | rights
    assert after == before


def test_mode_bits_become_the_list_that_says_the_same() -> None:
    assert acl.from_mode(0o40754) == [AclEntry(OWNER, 7), AclEntry(GROUP_OWNER, 5), AclEntry(OTHER, 4)]


def test_the_bytes_are_those_of_the_kernel() -> None:
    added = acl.with_user(acl.from_mode(0o700), 999, acl.EXECUTE)
    assert acl.serialise(added) == struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *entry)
        for entry in [(1, 7, 0xFFFFFFFF), (2, 1, 999), (4, 0, 0xFFFFFFFF), (16, 1, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
    )


@pytest.mark.parametrize("value", [b"", b"\2\0\0", b"\3\0\0\0", b"\2\0\0\0\1"])
def test_bytes_that_are_no_list_are_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="not a POSIX access control list"):
        acl.parse(value)


def test_the_kernel_takes_the_list_and_gives_it_back(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    acl.allow(tmp_path, 4711, acl.EXECUTE)
    acl.allow(tmp_path, 4712, acl.READ)
    acl.allow(tmp_path, 4711, acl.READ)
    stored = worth(acl.parse(os.getxattr(tmp_path, acl.ATTRIBUTE)))
    assert stored[USER, 4711] == acl.READ | acl.EXECUTE
    assert stored[USER, 4712] == acl.READ
    assert stored[GROUP_OWNER, 0xFFFFFFFF] == stored[OTHER, 0xFFFFFFFF] == 0


@pytest.fixture
def account() -> SystemAccount:
    entry = pwd.getpwnam("nobody")
    return SystemAccount("nobody", entry.pw_uid, entry.pw_gid)


@pytest.fixture
def no_lists(open_place: Path) -> Iterator[Path]:
    """A file system that keeps no lists."""
    path = open_place / "disk"
    path.mkdir()
    if subprocess.run(["mount", "-t", "ramfs", "hawker-test", path]).returncode:
        pytest.skip("only root may mount a disk")
    yield path
    subprocess.run(["umount", path], check=True)


@as_root
def test_a_way_is_opened_only_where_it_is_closed(open_place: Path, account: SystemAccount) -> None:
    closed, free = open_place / "closed", open_place / "closed" / "free"
    free.mkdir(parents=True)
    closed.chmod(0o700)
    said: list[str] = []
    open_way(account, [free / "target"], open_place / "data", said.append)
    assert refused(account, "-x", [closed, free]) == []
    assert acl.ATTRIBUTE in os.listxattr(closed)
    assert acl.ATTRIBUTE not in os.listxattr(free)
    assert acl.ATTRIBUTE not in os.listxattr(open_place)
    assert said == []


@as_root
def test_without_lists_a_parent_is_opened_to_all_and_said_so_but_never_the_data_folder(
    no_lists: Path, account: SystemAccount
) -> None:
    parent, data = no_lists / "home", no_lists / "home" / "data"
    data.mkdir(parents=True)
    parent.chmod(0o700)
    data.chmod(0o700)
    said: list[str] = []
    open_way(account, [data / "pg"], data, said.append)
    assert refused(account, "-x", [parent, data]) == []
    assert parent.stat().st_mode & 0o777 == 0o701
    assert data.stat().st_mode & 0o777 == 0o710
    assert data.stat().st_gid == account.gid
    assert len(said) == 1
    assert str(parent) in said[0]


@as_root
def test_an_installation_closed_by_umask_becomes_readable(open_place: Path, account: SystemAccount) -> None:
    tree = open_place / "pginstall18"
    for name in ("bin/postgres", "lib/a.so", "share/timezone/Etc/UTC\nline"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.chmod(0o700 if name.startswith("bin") else 0o600)
    for path in [tree, *(path for path in tree.rglob("*") if path.is_dir())]:
        path.chmod(0o700)
    open_trees(account, [tree], open_place / "data", lambda _: None)
    files = [path for path in tree.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert refused(account, "-r", files) == []
    assert refused(account, "-x", [tree / "bin" / "postgres"]) == []
    assert refused(account, "-x", [tree / "lib" / "a.so"]) == [tree / "lib" / "a.so"]
