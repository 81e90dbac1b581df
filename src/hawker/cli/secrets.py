"""`hawker secrets`: another encryption key for the keys of providers."""

import typer

from hawker.cli.running import Values, runs

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """One command by now; without this it would lose its name."""


@runs(app, "secrets.rotate")
def rotate() -> Values:
    """Encrypt all providers' keys under a new secret, while the panel runs. Cut off, it is simply run again."""
    return {}
