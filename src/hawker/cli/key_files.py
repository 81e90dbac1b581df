"""Keys that people hand to commands: from a file or stdin, because arguments stand in everybody's list of processes."""

import os
import sys
from pathlib import Path

from hawker.cli.output import fail

KEY_FILE_HELP = "File that holds the key and nothing else; `-` for stdin. Never an argument: see `ps`."
_MAX_KEY_FILE = 4096


def read_key_file(key_file: str) -> str:
    """The key in the file, or on stdin where that is `-`. Ends the command where it cannot be read."""
    try:
        if key_file == "-":
            data = sys.stdin.buffer.read(_MAX_KEY_FILE + 1)
        else:
            with Path(key_file).open("rb") as file:
                data = file.read(_MAX_KEY_FILE + 1)
        return data[:_MAX_KEY_FILE].decode().strip()
    except OSError as error:
        fail(f"the key cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        # The error itself tells of the bytes.
        fail("the key cannot be read: it is no text in UTF-8")


def read_provider_key(key: str, key_file: str, *, from_environment: bool) -> str:
    """Our key at a provider as it was given, in one of three ways; empty where it was not."""
    if key and key_file:
        fail("say either --key or --key-file")
    if key_file:
        return read_key_file(key_file)
    return key or (os.environ.get("HAWKER_PROVIDER_KEY", "") if from_environment else "")
