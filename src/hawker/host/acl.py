"""POSIX access control lists as the kernel stores them: give one account a right that mode bits cannot.

The value of the extended attribute `system.posix_acl_access` is a little-endian u32 version (2),
then one entry of u16 tag, u16 permissions (r=4, w=2, x=1) and u32 id each, ordered by tag and id
(linux/posix_acl_xattr.h). Own code of forty lines, because the setfacl program is on few machines.
"""

import errno
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ATTRIBUTE = "system.posix_acl_access"
READ, EXECUTE = 4, 1

_VERSION = 2
_NO_ID = 0xFFFFFFFF
_OWNER, _USER, _GROUP_OWNER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_LIMITED_BY_MASK = frozenset({_USER, _GROUP_OWNER, _GROUP})


class AclEntry(NamedTuple):
    """One line of a list; the id counts for named users and groups only."""

    tag: int
    permissions: int
    id: int = _NO_ID


def parse(value: bytes) -> list[AclEntry]:
    """The entries of a stored list. ValueError if these are not the bytes of one."""
    if len(value) < 4 or len(value) % 8 != 4 or struct.unpack_from("<I", value)[0] != _VERSION:
        raise ValueError("not a POSIX access control list of version 2")
    return [AclEntry(*fields) for fields in struct.iter_unpack("<HHI", value[4:])]


def serialise(entries: Iterable[AclEntry]) -> bytes:
    """The bytes to store; the kernel refuses a list that is out of order."""
    ordered = sorted(entries, key=lambda entry: (entry.tag, entry.id))
    return struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in ordered)


def from_mode(mode: int) -> list[AclEntry]:
    """The list that says the same as these mode bits."""
    return [AclEntry(_OWNER, mode >> 6 & 7), AclEntry(_GROUP_OWNER, mode >> 3 & 7), AclEntry(_OTHER, mode & 7)]


def with_user(entries: Iterable[AclEntry], uid: int, permissions: int) -> list[AclEntry]:
    """The same list with `permissions` added for one user, and no wider for anybody else.

    The mask limits every named entry and the owning group. Widening it for our user would
    wake rights of others that it had put to sleep, so those are cut to what they were worth.
    """
    old = list(entries)
    mask = next((entry.permissions for entry in old if entry.tag == _MASK), 7)
    kept = [
        entry._replace(permissions=entry.permissions & mask) if entry.tag in _LIMITED_BY_MASK else entry
        for entry in old
        if entry.tag != _MASK
    ]
    mine = next((entry for entry in kept if (entry.tag, entry.id) == (_USER, uid)), AclEntry(_USER, 0, uid))
    new = [entry for entry in kept if entry != mine] + [mine._replace(permissions=mine.permissions | permissions)]
    limit = 0
    for entry in new:
        limit |= entry.permissions if entry.tag in _LIMITED_BY_MASK else 0
    return [*new, AclEntry(_MASK, limit)]


def allow(path: Path, uid: int, permissions: int) -> None:
    """Add `permissions` on `path` for one user. OSError where the file system keeps no lists."""
    try:
        entries = parse(os.getxattr(path, ATTRIBUTE))
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        entries = from_mode(path.stat().st_mode)
    os.setxattr(path, ATTRIBUTE, serialise(with_user(entries, uid, permissions)))
