"""What all tests stand on: a real PostgreSQL per test process, real servers on free ports, no outside sockets."""

import os
from collections.abc import Iterator

import pytest
from pytest_socket import socket_allow_hosts

from end_of_run import new_run, watch

# Before any import of hawker.core.settings: this process is a panel of its own.
_HOME = new_run()
_PANEL = _HOME / "panel"
os.environ["HAWKER_DATA_DIR"] = str(_PANEL)
os.environ["HAWKER_SECRET_KEY"] = "the pepper of tests"
os.environ["HAWKER_POLL_MIN_SECONDS"] = "0.05"
os.environ["DJANGO_SETTINGS_MODULE"] = "hawker.django_settings"

import django  # noqa: E402

django.setup()

from cluster import start_cluster  # noqa: E402
from hawker.host.postgres import EmbeddedPostgres  # noqa: E402
from panel import Panel, forget_rows, let_go_of_panel  # noqa: E402
from processes import SandboxProcess, ServeProcess, run_hawker, start_sandbox, start_serve  # noqa: E402
from selection import PURE_FOLDERS, place_in_queue  # noqa: E402
from warm_hawker import stop_forking  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # pytest keeps all sessions of an account in one folder, and each that starts closes it to every other account:
    # to the one that runs another session's databases, too. So each session has a place of its own.
    if config.option.basetemp is None:
        config.option.basetemp = str(_HOME / "t")
    watch(config.option.basetemp)


def pytest_unconfigure() -> None:
    stop_forking()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name in PURE_FOLDERS:
            item.add_marker(pytest.mark.quick)
    items.sort(key=lambda item: place_in_queue(item.path.parent.name))


@pytest.fixture(autouse=True)
def _no_outside_sockets() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[EmbeddedPostgres]:
    """The PostgreSQL of this process."""
    running = start_cluster(_PANEL)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def database(cluster: EmbeddedPostgres) -> Iterator[None]:
    """This process's database, migrated; tests use it through `panel`."""
    migrated = run_hawker("migrate")
    assert migrated.returncode == 0, migrated.stderr
    yield
    let_go_of_panel()
    from django.db import connection

    connection.close()


@pytest.fixture
def panel(database: None) -> Iterator[Panel]:
    """An empty panel to fill by factories; every invariant is checked when the test is over."""
    forget_rows()
    fresh = Panel()
    yield fresh
    fresh.assert_verified()


@pytest.fixture(scope="session")
def _serve_process(database: None) -> Iterator[ServeProcess]:
    # The tests of one process share an address: the wrong keys of one must not shut the next one out.
    with start_serve({"HAWKER_LIMIT_FAILED_KEYS_PER_MINUTE": "0"}) as process:
        yield process


@pytest.fixture
def server(panel: Panel, _serve_process: ServeProcess) -> ServeProcess:
    """A real `hawker serve` over this test's panel."""
    return _serve_process


@pytest.fixture(scope="session")
def _sandbox_process() -> Iterator[SandboxProcess]:
    with start_sandbox() as process:
        yield process


@pytest.fixture
def sandbox(_sandbox_process: SandboxProcess) -> SandboxProcess:
    """A real upstream panel without orders, calls or faults."""
    _sandbox_process.reset()
    return _sandbox_process
