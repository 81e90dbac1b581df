"""The programs that a run needs beside Python: wrk, pgbench, the comparator's server."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.errors import CannotBench
from hawker.host.binaries import find_binaries

REPOSITORY = Path(__file__).resolve().parent.parent
SITE = REPOSITORY / ".cache" / "bench" / "site"


def find_wrk() -> str:
    """wrk, from the system's packages where it is missing and root may fetch it. Raises CannotBench."""
    found = shutil.which("wrk")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing wrk from the system's packages", file=sys.stderr)
        _apt("update", "-qq")
        _apt("install", "-y", "-qq", "--no-install-recommends", "wrk")
        found = shutil.which("wrk")
    if found is None:
        raise CannotBench("the load generator wrk is missing: install the system's package `wrk`, then run this again")
    return found


def _apt(*words: str) -> None:
    """Without questions; what could not be done shows when wrk is still missing."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", *words], env=env, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def find_pgbench() -> str:
    """pgbench of the PostgreSQL that the panel runs on, else the system's. Raises CannotBench."""
    beside = Path(find_binaries(None, None).program("pgbench"))
    found = str(beside) if beside.exists() else shutil.which("pgbench")
    if found is None:
        raise CannotBench("pgbench is missing: install the system's package `postgresql-contrib`, then run this again")
    return found


def ensure_site() -> Path:
    """The folder with what requirements.txt pins, filled when that file has changed. Raises CannotBench."""
    wanted = REPOSITORY / "bench" / "requirements.txt"
    stamp = SITE / "requirements.txt"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return SITE
    shutil.rmtree(SITE, ignore_errors=True)
    SITE.mkdir(parents=True)
    words = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(SITE), "-r", str(wanted)]
    if subprocess.run([sys.executable, "-m", "pip", *words], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
        raise CannotBench(
            "the comparator's server could not be installed: `pip install gunicorn` must be possible once"
        )
    shutil.copy(wanted, stamp)
    return SITE


def find_valgrind() -> str:
    """valgrind of the system. Raises CannotBench."""
    found = shutil.which("valgrind")
    if found is None:
        raise CannotBench("valgrind is missing: install the system's package `valgrind`, then run this again")
    return found
