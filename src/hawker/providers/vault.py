"""Provider keys at rest: encrypted under the panel's secret, shown to nobody."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from hawker.accounts.actions import pepper
from hawker.providers.errors import BadProvider


def _cipher() -> MultiFernet:
    derived = hashlib.sha256(b"hawker provider keys\x00" + pepper().encode()).digest()
    return MultiFernet([Fernet(base64.urlsafe_b64encode(derived))])


def seal(key: str) -> bytes:
    """The encrypted form of a provider's key."""
    return _cipher().encrypt(key.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """The key. Raises BadProvider where the panel's secret is not the one it was sealed under."""
    try:
        return _cipher().decrypt(bytes(sealed)).decode()
    except InvalidToken as error:
        raise BadProvider("the provider's key was sealed under another secret key: enter it again") from error
