"""One panel for all tests of a module, because they ask and do not mind each other."""

from collections.abc import Iterator

import pytest
from world import World, build_world

from panel import Panel, forget_rows
from processes import ServeProcess, start_serve
from scripted_upstream import start_scripted_upstream

NO_LIMITS = {"HAWKER_LIMIT_FAILED_KEYS_PER_MINUTE": "0"}
"""These tests send thousands of wrong keys from one address; the limit itself is tested where limits are."""


@pytest.fixture(scope="session")
def patient_server(database: None) -> Iterator[ServeProcess]:
    """A `hawker serve` that never asks anybody to wait."""
    with start_serve(NO_LIMITS) as process:
        yield process


@pytest.fixture(scope="module")
def world(patient_server: ServeProcess) -> Iterator[World]:
    """The panel of cases/README.md; every invariant is checked when the module is over."""
    forget_rows()
    panel = Panel()
    with start_scripted_upstream() as upstream:
        yield build_world(panel, patient_server, upstream)
    panel.assert_verified()
