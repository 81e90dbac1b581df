"""Two servers whose processes may be killed, over this process's database, which may be killed as well."""

from collections.abc import Iterator

import pytest
from servers import Slot


@pytest.fixture(scope="session")
def slots(database: None) -> Iterator[list[Slot]]:
    """Both serve again when a test is over; whoever kills one starts it again."""
    started = [Slot(), Slot()]
    yield started
    for slot in started:
        slot.close()
