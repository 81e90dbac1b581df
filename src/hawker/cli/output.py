"""How every command speaks: one JSON document on stdout, sentences on stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec
import typer

from hawker.core.terminal import one_line, shown, shown_json

FAILED = 1
MAX_REASON = 400


def answer(value: Any) -> None:
    """Print the command's answer as one line of JSON."""
    # Names of services come from upstream, links from customers: a terminal must not obey them.
    sys.stdout.write(shown_json(msgspec.json.encode(value).decode()) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell a person something, beside the answer."""
    progress_done()
    sys.stderr.write(f"{shown(text)}\n")
    sys.stderr.flush()


def fail(text: str) -> NoReturn:
    """End with a sentence and exit code 1. It is one line: an upstream whose words it repeats adds none of its own."""
    say(one_line(f"hawker: {text}"))
    raise typer.Exit(FAILED)


@contextmanager
def sentences(*expected: type[Exception]) -> Iterator[None]:
    """Turn the expected errors of a command into their sentence and exit code 1; others surface as bugs."""
    try:
        yield
    except expected as error:
        fail(str(error))


def read_reason(text: str) -> str:
    """The reason that a person gives, or the end of the command with a sentence."""
    reason = text.strip()
    if not reason or len(reason) > MAX_REASON or "\0" in reason:
        fail(f"say why with --reason (at most {MAX_REASON} characters)")
    return reason


def progress(text: str) -> None:
    """Show where a long command is, where a person is watching."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{one_line(text)}")
        sys.stderr.flush()


def progress_done() -> None:
    """Clear the line of `progress`."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
