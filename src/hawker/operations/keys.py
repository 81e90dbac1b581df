"""What staff do with the API keys of customers: add, import, rotate and revoke them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from hawker.core.instants import read_future, read_span
from hawker.operations.base import Run, operation, refusing
from hawker.operations.errors import BadInput
from hawker.operations.inputs import MAX_NUMBER, Email

if TYPE_CHECKING:
    from hawker.accounts.actions import IssuedKey
    from hawker.accounts.models import ApiKey

KeyNumber: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_NUMBER, description="The key's number.")]
Label: TypeAlias = Annotated[str, Meta(max_length=80, description="What the key is for; only people read it.")]
KeyScopeName: TypeAlias = Annotated[
    Literal["order", "read"], Meta(description="`order` for everything, `read` to look only.")
]
Addresses: TypeAlias = Annotated[
    tuple[str, ...], Meta(description="Addresses or networks the key may be used from; anywhere where none is named.")
]
Expires: TypeAlias = Annotated[
    str, Meta(max_length=64, description="When it ends: 2027-01-31, 2027-01-31T12:00Z, or in 90d, 12h, 30m.")
]
"""Kept as it is written: `90d` is the same input when the operation is repeated with its id a minute later."""


@dataclass(frozen=True, slots=True)
class AddKey:
    email: Email
    label: Label = ""
    scope: KeyScopeName = "order"
    addresses: Addresses = ()
    expires: Expires | None = None


@dataclass(frozen=True, slots=True)
class ImportKey:
    email: Email
    key: Annotated[str, Meta(description="The key as its owner's programs have it.")] = field(repr=False)
    label: Label = ""
    scope: KeyScopeName = "order"
    addresses: Addresses = ()
    expires: Expires | None = None


@dataclass(frozen=True, slots=True)
class KeyAdded:
    """`api_key` cannot be seen again."""

    key: int
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyImported:
    """A key that was brought along is known to whoever brought it: it is not shown again."""

    key: int


@operation("key.add", subject="key", secret_fields=("api_key",))
def add_key(run: Run, given: AddKey) -> KeyAdded:
    """Add a key to a customer, which is shown this once."""
    issued = _issue(run, given)
    return KeyAdded(issued.key_id, issued.key)


@operation("key.import", subject="key")
def import_key(run: Run, given: ImportKey) -> KeyImported:
    """Let a key of another panel work here, so that its owner's programs need no change."""
    from hawker.accounts.rules import why_not_a_key

    wrong = why_not_a_key(given.key)
    if wrong:
        raise BadInput("key", wrong)
    return KeyImported(_issue(run, given, key=given.key).key_id)


@dataclass(frozen=True, slots=True)
class RevokeKey:
    key: KeyNumber


@dataclass(frozen=True, slots=True)
class DescribedKey:
    """A key as lists show it; of the key itself only the end."""

    key: int
    state: str
    ends_with: str
    label: str
    scope: str
    addresses: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: int | None
    last_used_at: datetime | None
    last_address: str | None


@operation("key.revoke", subject="key", ids=lambda given: (given.key,), many="key")
def revoke_key(run: Run, given: RevokeKey) -> DescribedKey:
    """End a key. Within a second no process lets it in."""
    from hawker.accounts import actions
    from hawker.accounts.errors import NoSuchKey

    with refusing(NoSuchKey):
        run.watch(given.key, lambda: _facts(actions.find_key(given.key), run.now))
        revoked = actions.revoke_key(given.key, now=run.now)
    return describe_key(revoked, run.now)


@dataclass(frozen=True, slots=True)
class RotateKey:
    key: KeyNumber
    overlap: Annotated[
        str, Meta(max_length=64, description="How long the old key goes on working: 24h, 30m, 7d, or 0m.")
    ] = "24h"


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """`key` is the new one's number. `api_key` cannot be seen again."""

    key: int
    api_key: str = field(repr=False)
    replaces: int
    old_key_ends_at: datetime


@operation("key.rotate", subject="key", ids=lambda given: (given.key,), secret_fields=("api_key",))
def rotate_key(run: Run, given: RotateKey) -> KeyRotated:
    """Put a new key in the place of an old one. The new key is shown this once."""
    from hawker.accounts import actions
    from hawker.accounts.errors import KeyIsOver, NoSuchKey

    span = read_span(given.overlap)
    if span is None:
        raise BadInput("overlap", f"must be a number of minutes, hours or days such as 24h, not {given.overlap!r}")
    with refusing(NoSuchKey, KeyIsOver):
        run.watch(given.key, lambda: _facts(actions.find_key(given.key), run.now))
        new = actions.rotate_key(given.key, overlap=span, now=run.now)
    return KeyRotated(new.key_id, new.key, given.key, new.old_ends_at)


def describe_key(key: "ApiKey", now: datetime) -> DescribedKey:
    """A key as people see it."""
    return DescribedKey(
        key=key.id,
        state="revoked" if key.revoked_at is not None else "active" if key.is_live(now) else "expired",
        ends_with=key.hint,
        label=key.label,
        scope=key.scope,
        addresses=key.allowed_addresses,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        replaced_by=key.replaced_by_id,
        last_used_at=key.last_used_at,
        last_address=key.last_address,
    )


def _issue(run: Run, given: AddKey | ImportKey, *, key: str | None = None) -> "IssuedKey":
    from hawker.accounts.actions import find_customer, find_key, issue_key
    from hawker.accounts.errors import BadKey, KeyInUse, NoSuchCustomer
    from hawker.accounts.models import KeyScope
    from hawker.core.addresses import BadAddress, read_network

    expires_at = None if given.expires is None else read_future(given.expires, run.now)
    # An empty one comes from a script whose variable is unset: it must not make a key that never ends.
    if given.expires is not None and expires_at is None:
        raise BadInput("expires", f"must be a date, an instant or a time from now such as 90d, not {given.expires!r}")
    try:
        networks = [read_network(text) for text in given.addresses]
    except BadAddress as error:
        raise BadInput("addresses", str(error)) from error
    with refusing(NoSuchCustomer, BadKey, KeyInUse):
        user = find_customer(given.email)
        issued = issue_key(
            user,
            now=run.now,
            label=given.label,
            scope=KeyScope(given.scope),
            networks=networks,
            expires_at=expires_at,
            key=key,
        )
    run.note(issued.key_id, after={"customer": user.email, **_facts(find_key(issued.key_id), run.now)})
    return issued


def _facts(key: "ApiKey", now: datetime) -> Mapping[str, Any]:
    """What the audit log tells of a key: nothing of the key itself, and no news of its use."""
    described = describe_key(key, now)
    told = ("state", "label", "scope", "addresses", "created_at", "expires_at", "revoked_at", "replaced_by")
    return {name: getattr(described, name) for name in told}
