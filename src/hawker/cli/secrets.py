"""`hawker secrets`: another encryption key for the keys of providers."""

import typer

from hawker.cli.changes import actor
from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel, read_settings
from hawker.core.clock import SystemClock

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """One command by now; without this it would lose its name."""


@app.command()
def rotate(*, data_dir: DataDirOption = None) -> None:
    """Encrypt all providers' keys under a new secret, while the panel runs. Cut off, it is simply run again."""
    del data_dir
    with panel():
        from hawker.host.errors import CannotHost
        from hawker.host.secret_file import new_secret, read_secrets, replace_encryption_key
        from hawker.providers.errors import CannotRotate
        from hawker.providers.rotation import rotate as rotate_keys
        from hawker.providers.vault import Keyring

        folder = read_settings().folder

        def renew(ring: Keyring) -> Keyring:
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

        with sentences(CannotRotate, CannotHost):
            done = rotate_keys(renew, actor=actor(), now=SystemClock().now())
        answer({"new_secret": done.fresh, "providers": done.resealed})
