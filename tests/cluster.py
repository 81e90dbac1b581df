"""A real PostgreSQL for tests: the one that panels run on.

@pytest.fixture(scope="session")
def database(tmp_path_factory):
    cluster = start_cluster(tmp_path_factory.mktemp("panel"))
    yield cluster.folder.embedded_url("hawker")
    cluster.stop()
"""

from pathlib import Path

from hawker.core.datadir import DataDir
from hawker.host.postgres import EmbeddedPostgres


def start_cluster(path: Path) -> EmbeddedPostgres:
    """Start the embedded database of the data folder `path`, made if need be (0.6 s); stop it with `.stop()`.

    Its address is `.folder.embedded_url("hawker")` for the owner, `("hawker_app")` for the application.
    """
    cluster = EmbeddedPostgres(DataDir(path))
    cluster.start()
    return cluster
