"""The verbs of people and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from hawker.accounts import queries
from hawker.accounts.errors import BadEmail, BadKey, CustomerExists, KeyInUse, KeyIsOver, NoSuchCustomer, NoSuchKey
from hawker.accounts.models import ApiKey, KeyScope, User
from hawker.accounts.rules import MAX_ADDRESSES, MAX_LIVE_KEYS, digest_of, hint_of, new_key, read_email, why_not_a_key
from hawker.core.addresses import Address, Network, caller_of, is_within, read_network, write_network
from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.limits.actions import FailedKeys, Shown
from hawker.limits.rules import Standing


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key allows: the account it acts for, its scope and its limits."""

    key_id: int
    account_id: int
    scope: KeyScope
    networks: tuple[Network, ...]
    """Where the key may be used from; anywhere when empty."""
    expires_at: datetime | None

    def admits(self, address: Address | None, now: datetime) -> bool:
        """Whether the key may be used from there and then."""
        if self.networks and (address is None or not is_within(address, self.networks)):
            return False
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class KeyAsk:
    """A key as somebody showed it, and from where."""

    key: str
    address: Address | None
    known: bool = False
    """Whether this very use of the key was good a moment ago: such a caller is not shut out for the
    failures of others at the same address."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """What became of a key that was looked up, and the access version at which that held."""

    version: int
    grant: Grant | None
    shut_out: Standing | None = None
    """Set where the caller has shown too many wrong keys: there is no grant then, whatever the key is."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key. `key` cannot be seen again."""

    key_id: int
    key: str


@dataclass(frozen=True, slots=True)
class RotatedKey:
    """A new key in the place of an old one. `key` cannot be seen again."""

    key_id: int
    key: str
    old_ends_at: datetime


def pepper() -> str:
    """The secret under which keys are digested. Raises NotSetUp where the panel has none yet."""
    return settings().require_secret()


# --- people -----------------------------------------------------------------------------------------


def add_customer(email: str, *, now: datetime) -> User:
    """A new customer without a password. Raises BadEmail or CustomerExists; then nothing was written.

    The account of the ledger is opened by the caller (ledger/customers.py): accounts stand below it.
    """
    address = read_email(email)
    if address is None:
        raise BadEmail(f"{email[:80]!r} is not an e-mail address")
    try:
        with transaction.atomic():
            return User.objects.create(email=address, created_at=now)
    except IntegrityError as error:
        raise CustomerExists(f"a customer {address} already exists") from error


def find_customer(email: str) -> User:
    """The customer with this address. Raises NoSuchCustomer."""
    user = User.objects.filter(email=email.strip().lower(), account__isnull=False).first()
    if user is None:
        raise NoSuchCustomer(f"there is no customer {email.strip()[:80]}")
    return user


def set_customer_active(email: str, *, active: bool) -> User:
    """Let a customer in, or keep them out: within a second none of their keys passes, in any process.

    Orders that were placed go on. Doing it twice is no matter. Raises NoSuchCustomer.
    """
    user = find_customer(email)
    if user.is_active != active:
        user.is_active = active
        user.save(update_fields=["is_active"])
    return user


# --- keys: the owner's side -------------------------------------------------------------------------


def issue_key(
    user: User,
    *,
    now: datetime,
    label: str = "",
    scope: KeyScope = KeyScope.ORDER,
    networks: Sequence[Network] = (),
    expires_at: datetime | None = None,
    key: str | None = None,
) -> IssuedKey:
    """A new key for this person, or the given `key` brought from another panel.

    `networks` are where it may be used from: anywhere when empty. Raises BadKey where a rule of
    accounts/rules.py is broken, KeyInUse where the given key has been somebody's before.
    """
    wrong = "" if key is None else why_not_a_key(key)
    if not wrong and len(label) > 80:
        wrong = "a label has at most 80 characters"
    if not wrong and len(networks) > MAX_ADDRESSES:
        wrong = f"a key takes at most {MAX_ADDRESSES} addresses and networks"
    if not wrong and expires_at is not None and expires_at <= now:
        wrong = "the key's expiry is in the past"
    if wrong:
        raise BadKey(wrong)
    with transaction.atomic():
        # Keys of one person are added one by one, or two at a time would both find room for the last.
        User.objects.select_for_update(no_key=True).get(id=user.id)
        if ApiKey.objects.live(now).filter(user=user).count() >= MAX_LIVE_KEYS:
            raise BadKey(f"there are {MAX_LIVE_KEYS} keys already: revoke one first")
        secret = new_key() if key is None else key
        return IssuedKey(
            _write_key(user, secret, now, label=label, scope=scope, networks=networks, expires_at=expires_at).id, secret
        )


def _write_key(
    user: User,
    key: str,
    now: datetime,
    *,
    label: str,
    scope: KeyScope,
    networks: Sequence[Network],
    expires_at: datetime | None,
) -> ApiKey:
    try:
        with transaction.atomic():
            return ApiKey.objects.create(
                user=user,
                digest=digest_of(key, pepper()),
                hint=hint_of(key),
                label=label,
                scope=scope,
                allowed_addresses=[write_network(network) for network in networks],
                created_at=now,
                expires_at=expires_at,
            )
    except IntegrityError as error:
        raise KeyInUse("this key is or was in use: a used or revoked key cannot be imported again") from error


def list_keys(user: User) -> list[ApiKey]:
    """All keys this person ever had, newest first."""
    return list(ApiKey.objects.filter(user=user).order_by("-id"))


def find_key(key_id: int) -> ApiKey:
    """The key of this number. Raises NoSuchKey."""
    key = ApiKey.objects.filter(id=key_id).first()
    if key is None:
        raise NoSuchKey(f"there is no key {key_id}")
    return key


def revoke_key(key_id: int, *, now: datetime) -> ApiKey:
    """End a key: within a second it passes in no process. Doing it twice is no matter. Raises NoSuchKey."""
    with transaction.atomic():
        key = _access_key(key_id)
        if key.revoked_at is None:
            key.revoked_at = now
            key.save(update_fields=["revoked_at"])
    return key


def rotate_key(key_id: int, *, overlap: timedelta, now: datetime) -> RotatedKey:
    """A new key like this one, which goes on working for `overlap` (and no longer than it would have).

    Raises NoSuchKey; KeyIsOver where the key has ended or was rotated before, so that a second click
    makes no second key.
    """
    with transaction.atomic():
        old = _access_key(key_id)
        if old.replaced_by_id is not None:
            raise KeyIsOver(f"the key {key_id} was rotated already: key {old.replaced_by_id} replaces it")
        if not old.is_live(now):
            raise KeyIsOver(f"the key {key_id} has ended: add another one")
        secret = new_key()
        networks = [read_network(text) for text in old.allowed_addresses]
        scope = KeyScope(old.scope)
        new = _write_key(
            old.user, secret, now, label=old.label, scope=scope, networks=networks, expires_at=old.expires_at
        )
        ends_at = now + overlap
        old.replaced_by = new
        old.expires_at = ends_at if old.expires_at is None else min(ends_at, old.expires_at)
        old.save(update_fields=["replaced_by", "expires_at"])
    return RotatedKey(new.id, secret, old.expires_at)


def _access_key(key_id: int) -> ApiKey:
    """The key, locked to the end of the transaction. Raises NoSuchKey."""
    key = ApiKey.objects.select_for_update(no_key=True, of=("self",)).select_related("user").filter(id=key_id).first()
    if key is None:
        raise NoSuchKey(f"there is no key {key_id}")
    return key


# --- keys: the front door's side --------------------------------------------------------------------


def read_grants(asks: Sequence[KeyAsk], *, now: datetime) -> list[LookUp]:
    """What each key allows from where it was shown, in the order asked.

    No grant for a key that is unknown, revoked, expired, of a disabled customer, or not for this
    address: all go the same way, malformed ones too, so that an answer's time tells nothing. Each of
    them counts as a failure of its address, and an address with too many is shut out. Raises Unavailable.
    """
    secret = pepper()
    digests = [digest_of(asked.key, secret) for asked in asks]
    callers = [caller_of(asked.address) if asked.address is not None else None for asked in asks]

    def work(cursor: Cursor) -> list[LookUp]:
        # The version first: a key revoked between the two reads then carries the older number, and is
        # looked up again as soon as the newer one is known.
        asked_version = ask(cursor, queries.READ_VERSION)
        rows = ask(cursor, queries.READ_GRANTS, (list(set(digests)),))
        failed = FailedKeys(cursor, callers)
        version = _version(asked_version)
        grants = {bytes(row[0]): _grant(*row[1:]) for row in rows}
        found = [
            grant if (grant := grants.get(digest)) is not None and grant.admits(asked.address, now) else None
            for asked, digest in zip(asks, digests, strict=True)
        ]
        shown = [
            Shown(caller, failed=grant is None, exempt=asked.known)
            for asked, caller, grant in zip(asks, callers, found, strict=True)
        ]
        return [
            LookUp(version, grant if standing is None else None, standing)
            for grant, standing in zip(found, failed.turn_away(shown), strict=True)
        ]

    return in_transaction(work, pipelined=True)


def _grant(key_id: int, account_id: int, scope: str, addresses: Sequence[str], expires_at: datetime | None) -> Grant:
    return Grant(key_id, account_id, KeyScope(scope), tuple(read_network(text) for text in addresses), expires_at)


def read_access_version() -> int:
    """The number that changes whenever a key or a customer's standing does. Raises Unavailable."""
    return in_transaction(lambda cursor: _version(ask(cursor, queries.READ_VERSION)))


def note_key_uses(uses: Mapping[int, tuple[datetime, Address | None]]) -> None:
    """Write when, and from where, these keys were last used; older news than what is written is dropped.

    Raises Unavailable.
    """
    ids = list(uses)
    instants = [uses[key_id][0] for key_id in ids]
    addresses = [None if (address := uses[key_id][1]) is None else str(address) for key_id in ids]
    in_transaction(lambda cursor: ask(cursor, queries.NOTE_USES, (ids, instants, addresses)))


def _version(asked: Cursor) -> int:
    row = asked.fetchone()
    assert row is not None, "migrations write the one row"
    return int(row[0])
