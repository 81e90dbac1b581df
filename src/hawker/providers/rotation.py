"""Another encryption key for providers' keys: all sealed anew in one transaction, also after a kill half way."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hawker.accounts.models import SecretName
from hawker.accounts.rules import check_of
from hawker.accounts.secret_checks import change_check, keep_check, read_checks
from hawker.audit.actions import AuditRecord, record_audit
from hawker.core.actors import Actor
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.providers import queries
from hawker.providers.errors import CannotRotate
from hawker.providers.vault import Keyring, read_keyring


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: whether it made a new secret or ended one that was begun, and how many keys it sealed."""

    fresh: bool
    resealed: int


def rotate(renew: Callable[[Keyring], Keyring], *, actor: Actor, now: datetime) -> Rotation:
    """Seal every provider's key under a new secret, which `renew` makes and keeps before anything is sealed under it.

    Where an earlier rotation was cut off, its secret is taken: nothing is renewed then. Whoever reads keys
    meanwhile finds them under the old secret or the new one, and both are in the keyring. Raises CannotRotate where
    a key cannot be opened (nothing was changed), NotSetUp, Unavailable, and what `renew` raises.
    """

    def work(cursor: Cursor) -> Rotation:
        ask(cursor, queries.LOCK_ROTATION)
        ring = read_keyring()
        rows = ask(cursor, queries.LOCK_SEALED).fetchall()
        opened = {row[0]: ring.unseal(row[2]) for row in rows}
        lost = [str(row[1]) for row in rows if opened[row[0]] is None]
        if lost:
            raise CannotRotate(
                f"the key of {', '.join(lost)} was encrypted with another secret: restore that secret, or set the key "
                "again with `hawker provider set`; nothing was changed"
            )
        fresh = not _is_cut_off(cursor, ring, [row[2] for row in rows])
        if fresh:
            ring = renew(ring)
            failpoint("rotate-after-renewal")
        sealed = [ring.seal(key) for key in opened.values() if key is not None]
        ask(cursor, queries.RESEAL, (list(opened), sealed))
        change_check(cursor, SecretName.ENCRYPTION_KEY, ring.current, now=now)
        facts = {"new_secret": fresh, "providers": len(rows)}
        record_audit(cursor, [AuditRecord(actor, "secrets.rotate", "secrets", "encryption_key", None, facts)], now=now)
        failpoint("rotate-before-commit")
        return Rotation(fresh, len(rows))

    return in_transaction(work)


def _is_cut_off(cursor: Cursor, ring: Keyring, sealed: list[bytes]) -> bool:
    """Whether there is a secret already under which not everything is sealed yet."""
    known = read_checks(cursor).get(SecretName.ENCRYPTION_KEY)
    return not all(map(ring.is_current, sealed)) or (known is not None and known != check_of(ring.current))


def keep_secrets(secret_key: str, *, now: datetime) -> None:
    """Remember by which secrets this database is written, where that is not known. Run by `hawker migrate`.

    An encryption key that does not open what is there is not remembered: it is not the one.
    """

    def work(cursor: Cursor) -> None:
        ring = read_keyring()
        keep_check(cursor, SecretName.SECRET_KEY, secret_key, now=now)
        if all(ring.is_current(row[2]) for row in ask(cursor, queries.LOCK_SEALED)):
            keep_check(cursor, SecretName.ENCRYPTION_KEY, ring.current, now=now)

    in_transaction(work)


@dataclass(frozen=True, slots=True)
class Sealing:
    """How the secrets of this process fit the database: None where nothing is known of that."""

    secret_key_fits: bool | None
    encryption_key_fits: bool | None
    stale: tuple[str, ...]
    """Providers whose key opens, but not under the present encryption key."""
    lost: tuple[str, ...]
    """Providers whose key does not open."""


def examine_sealing(secret_key: str) -> Sealing:
    """Compare the secrets with what this database was written under. Raises NotSetUp or Unavailable."""

    def work(cursor: Cursor) -> Sealing:
        ring, checks = read_keyring(), read_checks(cursor)
        rows = ask(cursor, queries.READ_SEALED).fetchall()
        lost = tuple(row[1] for row in rows if ring.unseal(row[2]) is None)
        stale = tuple(row[1] for row in rows if row[1] not in lost and not ring.is_current(row[2]))
        pepper, encryption = checks.get(SecretName.SECRET_KEY), checks.get(SecretName.ENCRYPTION_KEY)
        return Sealing(
            None if pepper is None else pepper == check_of(secret_key),
            None if encryption is None else encryption == check_of(ring.current),
            stale,
            lost,
        )

    return in_transaction(work)
