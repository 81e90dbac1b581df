"""A real PostgreSQL for tests: the one that panels run on.

@pytest.fixture(scope="session")
def database(tmp_path_factory):
    cluster = start_cluster(tmp_path_factory.mktemp("panel"))
    yield cluster.folder.embedded_url("hawker")
    cluster.stop()
"""

import contextlib
import os
import signal
from pathlib import Path

import psutil

from hawker.core.datadir import DataDir
from hawker.host.postgres import EmbeddedPostgres
from processes import eventually


def start_cluster(path: Path) -> EmbeddedPostgres:
    """Start the embedded database of the data folder `path`, made if need be (0.6 s); stop it with `.stop()`.

    Its address is `.folder.embedded_url("hawker")` for the owner, `("hawker_app")` for the application.
    """
    cluster = EmbeddedPostgres(DataDir(path))
    cluster.start()
    return cluster


def kill_postmaster(cluster: EmbeddedPostgres, *, with_family: bool) -> None:
    """SIGKILL the postmaster; the family too is what the kernel does to a machine that ran out of memory."""
    pid = cluster.pid
    assert pid is not None, "the database runs"
    family = psutil.Process(pid).children() if with_family else []
    os.kill(pid, signal.SIGKILL)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def bring_back(cluster: EmbeddedPostgres) -> None:
    """What `hawker up` does about a postmaster that died: start it again, and wait until it answers."""
    eventually("the database is back", lambda: cluster.ensure_running() and cluster.is_serving(), seconds=60)
    from django.db import connection

    connection.close()
