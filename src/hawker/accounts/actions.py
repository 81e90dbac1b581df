"""The verbs of people and keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from hawker.accounts import queries
from hawker.accounts.errors import BadEmail, CustomerExists, NoSuchCustomer
from hawker.accounts.models import ApiKey, KeyScope, User
from hawker.accounts.rules import digest_of, hint_of, new_key, read_email
from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key allows: the account it acts for, its scope and its limits."""

    key_id: int
    account_id: int
    scope: KeyScope
    allowed_addresses: tuple[str, ...]
    expires_at: datetime | None


def pepper() -> str:
    """The secret under which keys are digested. Raises RuntimeError where the panel has none yet."""
    secret = settings().secret_key
    if secret is None:
        raise RuntimeError("no secret key: start the panel once with `hawker up`, or set HAWKER_SECRET_KEY")
    return secret.get_secret_value()


def add_customer(email: str, *, now: datetime) -> User:
    """A new customer without a password. Raises BadEmail or CustomerExists; then nothing was written.

    The account of the ledger is opened by the caller (orders/customers.py): accounts stand below it.
    """
    address = read_email(email)
    if address is None:
        raise BadEmail(f"{email[:80]!r} is not an e-mail address")
    try:
        with transaction.atomic():
            return User.objects.create(email=address, created_at=now)
    except IntegrityError as error:
        raise CustomerExists(f"there is a customer {address} already") from error


def find_customer(email: str) -> User:
    """The customer with this address. Raises NoSuchCustomer."""
    user = User.objects.filter(email=email.strip().lower(), account__isnull=False).first()
    if user is None:
        raise NoSuchCustomer(f"there is no customer {email.strip()[:80]}")
    return user


def issue_key(user: User, *, now: datetime, label: str = "", scope: KeyScope = KeyScope.ORDER) -> str:
    """A new key for this person. The answer is the only time that it can be seen."""
    key = new_key()
    ApiKey.objects.create(
        user=user, digest=digest_of(key, pepper()), hint=hint_of(key), label=label, scope=scope, created_at=now
    )
    return key


def read_grants(keys: Sequence[str]) -> list[tuple[int, Grant | None]]:
    """What each key allows, in the order asked, each with the access version at which that held.

    None for a key that is unknown, revoked or of a disabled customer. Malformed keys take the same way
    as good ones, so that an answer's time tells nothing. Raises Unavailable.
    """
    secret = pepper()
    digests = [digest_of(key, secret) for key in keys]

    def work(cursor: Cursor) -> tuple[int, dict[bytes, Grant]]:
        # The version first: a key revoked between the two reads then carries the older number, and is
        # looked up again as soon as the newer one is known.
        asked = ask(cursor, queries.READ_VERSION)
        rows = ask(cursor, queries.READ_GRANTS, (list(set(digests)),))
        grants = {bytes(row[0]): Grant(row[1], row[2], KeyScope(row[3]), tuple(row[4]), row[5]) for row in rows}
        return _version(asked), grants

    version, grants = in_transaction(work, pipelined=True)
    return [(version, grants.get(digest)) for digest in digests]


def read_access_version() -> int:
    """The number that changes whenever a key or a customer's standing does. Raises Unavailable."""
    return in_transaction(lambda cursor: _version(ask(cursor, queries.READ_VERSION)))


def _version(asked: Cursor) -> int:
    row = asked.fetchone()
    assert row is not None, "migrations write the one row"
    return int(row[0])
