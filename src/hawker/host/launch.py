"""Starting a postmaster that belongs to nobody: it outlives us and is no child that we must wait for."""

import contextlib
import os
import subprocess
from pathlib import Path

from hawker.core.datadir import DataDir
from hawker.host.account import SystemAccount
from hawker.host.binaries import Binaries
from hawker.host.cluster import server_words
from hawker.host.folder import open_private
from hawker.host.processes import read_pid_file

_START = '"$@" </dev/null >&2 & echo $!'
"""The shell answers with the number and leaves at once; all of the server's words go to the log."""


def launch(folder: DataDir, binaries: Binaries, account: SystemAccount) -> tuple[int, int]:
    """Start `postgres` on the cluster; returns its process number and where its words in the log begin (bytes).

    The caller has seen that no postmaster of this folder lives, and holds the folder's lock. Whether the
    server will come up is not known yet. Raises CannotHost, OSError or subprocess.SubprocessError.
    """
    for pid_file in (folder.cluster / "postmaster.pid", folder.socket_dir / ".s.PGSQL.5432.lock"):
        _remove_stale(pid_file)
    log = open_private(folder, folder.cluster_log, os.O_WRONLY | os.O_APPEND)
    try:
        offset = os.fstat(log).st_size
        done = subprocess.run(  # noqa: S603 - a fixed script; the words are its arguments
            ["/bin/sh", "-c", _START, "sh", binaries.program("postgres"), *server_words(folder)],
            stdout=subprocess.PIPE,
            stderr=log,
            check=True,
            # Neither a Ctrl-C at the terminal nor its closing shall reach the server.
            start_new_session=True,
            **account.spawn_options(),
        )
    finally:
        os.close(log)
    return int(done.stdout), offset


def _remove_stale(pid_file: Path) -> None:
    """Remove a pid file that would keep PostgreSQL from starting though no postmaster of this folder lives.

    Its number is held by some other process or a zombie, or a full disk has left it without one. Of a dead
    number it is left alone, PostgreSQL reads more from it. Should the old server be alive after all, its
    shared memory still keeps the new one from starting.
    """
    lines = read_pid_file(pid_file)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if lines:
            os.kill(int(lines[0]), 0)
        pid_file.unlink(missing_ok=True)
