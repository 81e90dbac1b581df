"""Provider keys at rest: encrypted under the panel's encryption key, shown to nobody.

The keyring is read by itself and read again when it does not open something: after a rotation every process, however
long it has been running, finds the new secret in secrets.toml the first time that it needs it.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from hawker.core.redaction import know
from hawker.core.settings import Settings
from hawker.providers.errors import BadProvider


@dataclass(frozen=True, slots=True)
class Keyring:
    """The secret that seals, and those that may still open."""

    current: str = field(repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)

    def seal(self, key: str) -> bytes:
        """The encrypted form of a provider's key."""
        return _cipher(self.current).encrypt(key.encode())

    def unseal(self, sealed: bytes | memoryview) -> str | None:
        """The key, or None where no secret opens it."""
        try:
            return (
                MultiFernet([_cipher(secret) for secret in (self.current, *self.others)])
                .decrypt(bytes(sealed))
                .decode()
            )
        except InvalidToken:
            return None

    def is_current(self, sealed: bytes | memoryview) -> bool:
        """Whether the present secret alone opens it."""
        return Keyring(self.current).unseal(sealed) is not None


def read_keyring() -> Keyring:
    """The secrets as the environment and the files of the data folder have them now. Raises NotSetUp."""
    chosen = Settings()  # type: ignore[call-arg]  # pydantic fills the fields from the sources
    pepper = chosen.require_secret()
    named = [secret.get_secret_value() for secret in (chosen.encryption_key, chosen.former_encryption_key) if secret]
    for secret in named:
        know(secret)
    current, *others = [*named, pepper] if chosen.encryption_key else [pepper, *named]
    return Keyring(current, tuple(others))


def seal(key: str) -> bytes:
    """The encrypted form of a provider's key, under the secret that counts at this moment. Raises NotSetUp.

    Called in the transaction that writes it, after `queries.LOCK_SEALING`: a rotation waits for it, or it for that.
    """
    return read_keyring().seal(key)


def unseal(sealed: bytes | memoryview) -> str:
    """The key. Raises BadProvider where no secret of the panel opens it; NotSetUp."""
    key = _known_keyring().unseal(sealed)
    if key is None:
        _known_keyring.cache_clear()
        key = _known_keyring().unseal(sealed)
    if key is None:
        raise BadProvider(
            "the provider's key was encrypted with another secret: restore that secret, or set the key again"
        )
    return key


@cache
def _known_keyring() -> Keyring:
    return read_keyring()


@cache
def _cipher(secret: str) -> Fernet:
    derived = hashlib.sha256(b"hawker provider keys\x00" + secret.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(derived))
