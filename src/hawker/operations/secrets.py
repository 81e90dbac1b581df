"""Rotating the secret that providers' keys are encrypted under."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hawker.operations.base import Run, operation, refusing

if TYPE_CHECKING:
    from hawker.providers.vault import Keyring

SUBJECT_ID = "encryption_key"
"""The only secret that rotates."""


@dataclass(frozen=True, slots=True)
class RotateSecrets:
    """There is nothing to choose."""


@dataclass(frozen=True, slots=True)
class SecretsRotated:
    """`new_secret` is false where this ended a rotation that was begun before; `providers` counts encrypted keys."""

    new_secret: bool
    providers: int


@operation("secrets.rotate", subject="secrets", ids=lambda _: (SUBJECT_ID,), step_up=True, audited_by_run=False)
def rotate_secrets(run: Run, _given: RotateSecrets) -> SecretsRotated:
    """Encrypt all providers' keys under a new secret, while the panel runs. Cut off, it is simply run again."""
    # Not in the operation's transaction: the new secret is in a file before anything is encrypted under it.
    from hawker.host.errors import CannotHost
    from hawker.providers.errors import CannotRotate
    from hawker.providers.rotation import rotate

    with refusing(CannotRotate, CannotHost):
        done = rotate(_renew, actor=run.actor, now=run.now)
    return SecretsRotated(done.fresh, done.resealed)


def _renew(ring: "Keyring") -> "Keyring":
    """Write a new secret into secrets.toml, and the one before beside it."""
    from hawker.core.settings import settings
    from hawker.host.secret_file import new_secret, read_secrets, replace_encryption_key
    from hawker.providers.errors import CannotRotate
    from hawker.providers.vault import Keyring

    folder = settings().folder
    held = read_secrets(folder)
    if ring.current != held.get("encryption_key", held.get("secret_key")):
        raise CannotRotate(
            "the secrets of this panel come from its environment or hawker.toml: set encryption_key there to a "
            "new one (openssl rand -hex 32) and former_encryption_key to the one until now, start all "
            "processes again, then run this once more; nothing was changed"
        )
    fresh = Keyring(new_secret(), (ring.current, *ring.others))
    replace_encryption_key(folder, fresh.current, held.get("encryption_key"))
    return fresh
