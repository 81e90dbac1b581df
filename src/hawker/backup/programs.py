"""PostgreSQL's own programs for copies: which, with what environment, and what they said when they failed."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psycopg
from psycopg.pq import Conninfo

from hawker.core.failpoints import failpoint
from hawker.core.restore_mark import writing
from hawker.host.binaries import find_programs

_CHUNK = 1 << 20
_FIRST_WITH_TRANSACTION_TIMEOUT = 17


class ProgramFailed(Exception):
    """One of PostgreSQL's programs ended with an error; the message is what it said last."""


def server_major(url: str) -> int:
    """The major version of the server at `url`. Raises psycopg.Error."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        return connection.info.server_version // 10_000


def dump(url: str, *, major: int, postgres_bin: Path | None) -> Iterator[bytes]:
    """All tables of a database in one snapshot, as `pg_dump -Fc` writes it, while others go on writing.

    Owners and rights are left out: those of a panel are given by its migrations. Raises ProgramFailed, also after
    bytes were given.
    """
    words = ["--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--lock-wait-timeout=60s"]
    with _running(_program("pg_dump", major, postgres_bin), words, url, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while chunk := process.stdout.read(_CHUNK):
            yield chunk


def load(url: str, file: Path, *, major: int, postgres_bin: Path | None, before: Sequence[str]) -> Iterator[int]:
    """Bring a dump back in one transaction that begins with the statements `before`; all of it or nothing.

    Gives the bytes of SQL that were sent so far. Raises ProgramFailed.
    """
    reader, writer = _program("pg_restore", major, postgres_bin), _program("psql", major, postgres_bin)
    script = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", "--file=-"]
    unpack = ["--file=-", "--no-owner", "--no-privileges", str(file)]
    with _running(writer, script, url, stdin=subprocess.PIPE) as psql:
        assert psql.stdin is not None
        sent = 0
        # Not psql's own --single-transaction: that commits whatever it got when its input ends, also where we were
        # killed half-way. Only we know when all of it was sent.
        psql.stdin.write("".join(f"{statement};\n" for statement in ("BEGIN", *before)).encode())
        with _running(reader, unpack, None, stdout=subprocess.PIPE) as unpacked:
            assert unpacked.stdout is not None
            while chunk := unpacked.stdout.read(_CHUNK):
                if not sent and major < _FIRST_WITH_TRANSACTION_TIMEOUT:
                    # pg_restore of 17 and later says this to every server; an older one would refuse the whole.
                    chunk = chunk.replace(b"SET transaction_timeout = 0;\n", b"", 1)
                psql.stdin.write(chunk)
                sent += len(chunk)
                yield sent
        failpoint("restore-loaded")
        psql.stdin.write(b"COMMIT;\n")
        psql.stdin.flush()


def _program(name: str, major: int, postgres_bin: Path | None) -> str:
    return str(find_programs(name, major, postgres_bin))


@contextmanager
def _running(
    program: str, words: Sequence[str], url: str | None, *, stdin: int = subprocess.DEVNULL, stdout: int | None = None
) -> "Iterator[subprocess.Popen[bytes]]":
    """The program while the block runs; its end is waited for, and anything but success is ProgramFailed."""
    with tempfile.TemporaryFile() as errors:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - of an installation the operator trusts
            [program, *words], stdin=stdin, stdout=stdout, stderr=errors, env=_environment(url)
        )
        try:
            yield process
            if process.stdin is not None:
                process.stdin.close()
        except BaseException as error:
            # Of a pipe that broke, the one that was to read it has ended by itself, with something to say.
            if process.stdin is None or not isinstance(error, BrokenPipeError):
                process.kill()
                raise
        finally:
            for pipe in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()
            code = process.wait()
        if code:
            raise ProgramFailed(_said(program, errors))


def _said(program: str, errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").splitlines()
    named = [line for line in lines if "ERROR" in line or "error:" in line or "FATAL" in line] or lines[-1:]
    return f"{Path(program).name}: {named[0] if named else 'ended without a message'}"


def _environment(url: str | None) -> dict[str, str]:
    """Where to connect, told in libpq's variables: others may read a command line, and a password may be in it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "HAWKER_"))}
    environment["LC_ALL"] = "C"
    if url is None:
        return environment
    for option in Conninfo.parse(writing(url).encode()):
        if option.val is not None and option.envvar is not None:
            environment[option.envvar.decode()] = option.val.decode()
    return environment
