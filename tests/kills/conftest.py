"""Two servers whose processes may be killed, over this process's database, which may be killed as well."""

from collections.abc import Iterator

import pytest
from servers import Slot


@pytest.fixture(scope="module")
def slots(database: None) -> Iterator[list[Slot]]:
    started = [Slot(), Slot()]
    yield started
    for slot in started:
        slot.close()
