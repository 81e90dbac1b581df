"""Which tests `make quick` runs, and with which folders `make test` begins."""

PURE_FOLDERS = ("protocol", "rules")
"""Their tests start nothing: all of them are quick. In each other folder, the stories marked with `quick` are."""

LONG_FOLDERS = {"model": "its shortest form runs for a minute"}
"""Folders without a quick test, and why."""

FIRST_FOLDERS = ("model", "backup", "cli", "kills", "host", "bank", "faults", "secrets", "health", "subscriptions")
"""Their files take longest. Begun last, they would leave one core idle at the end."""


def place_in_queue(folder: str) -> int:
    """When the tests of this folder begin: lower is earlier."""
    return FIRST_FOLDERS.index(folder) if folder in FIRST_FOLDERS else len(FIRST_FOLDERS)
