"""What a worker says of a database that goes away and comes back."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest
from procrastinate.exceptions import ConnectorException

from cluster import start_cluster
from end_of_run import new_folder
from hawker.host.postgres import EmbeddedPostgres
from hawker.worker.outage import Outage
from processes import ended, eventually, panel_environment, run_hawker


@pytest.fixture
def cluster() -> Iterator[EmbeddedPostgres]:
    """A panel's database of its own, to be stopped and started."""
    cluster = start_cluster(new_folder() / "p")
    yield cluster
    cluster.stop()


def test_an_outage_is_one_line_and_its_end_another(cluster: EmbeddedPostgres, tmp_path: Path) -> None:
    folder = cluster.folder
    environment = panel_environment() | {"HAWKER_DATA_DIR": str(folder.path), "HAWKER_SECRET_KEY": "of this test"}
    hawker = [sys.executable, "-m", "hawker"]
    assert run_hawker("migrate", environment=environment).returncode == 0
    log = tmp_path / "log"

    def said(event: str) -> list[dict[str, object]]:
        lines = [msgspec.json.decode(line) for line in log.read_text().splitlines()]
        return [line for line in lines if event in line["event"]]

    def pulses() -> bool:
        with psycopg.connect(folder.embedded_url("hawker")) as connection:
            row = connection.execute("SELECT count(*) FROM procrastinate_workers").fetchone()
        return row is not None and row[0] > 0

    with log.open("w") as file:
        worker = subprocess.Popen([*hawker, "worker"], env=environment, stderr=file)
        with ended(worker):
            eventually("the worker works", pulses)
            for outage in (1, 2):
                cluster.stop()
                eventually("it says that the database is away", lambda n=outage: len(said("is unavailable")) == n)
                cluster.start()
                eventually("it says that it is back", lambda n=outage: len(said("is back")) == n, seconds=60)
    lines = [line["event"] for line in said("") if line["level"] != "info"]
    assert lines == ["the database is unavailable: waiting for it", "the database is back"] * 2


@pytest.mark.parametrize(("cause", "told"), [(psycopg.OperationalError("gone"), False), (ValueError("a bug"), True)])
def test_a_job_that_an_outage_cut_off_is_told_by_the_outage_alone(cause: Exception, *, told: bool) -> None:
    error = ConnectorException()
    error.__cause__ = cause
    words = "Task exception was never retrieved"
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, words, None, (type(error), error, None))
    assert Outage().filter(record) is told
