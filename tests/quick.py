"""What `make quick` runs: all tests of the folders below, and in each other folder the stories marked with `quick`."""

PURE_FOLDERS = ("protocol", "rules")
"""Their tests start nothing."""

LONG_FOLDERS = {"model": "its shortest form runs for a minute"}
"""Folders without a quick test, and why."""
