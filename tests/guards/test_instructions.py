"""An `add` costs as many instructions of the API process as the committed figure says: on a busy machine, too."""

import platform
import shutil

import pytest
from bench.instructions import COMMITTED, SMALL, TOLERANCE, Count, committed, count_instructions, interpreter
from bench.stack import open_stack

WITHOUT_VALGRIND = "valgrind is not installed: tools/get_programs gets it, as root and with a network"
AGAIN = "count again with `python -m bench.instructions --write`, and say in the changelog or the commit why it changed"


@pytest.fixture(scope="module")
def count() -> Count:
    if shutil.which("valgrind") is None:
        pytest.skip(WITHOUT_VALGRIND)
    if platform.machine() != "x86_64":
        pytest.skip(f"callgrind is asked in the machine code of x86_64, this is {platform.machine()}")
    with open_stack(SMALL) as stack:
        return count_instructions(stack)


def test_an_add_costs_what_is_committed(count: Count) -> None:
    before = committed()
    if before is None:
        pytest.skip(f"{COMMITTED.name} has no figure for {interpreter()}")
    assert before * (1 - TOLERANCE) < count.add < before * (1 + TOLERANCE), AGAIN


def test_the_count_sees_one_more_reading_of_the_form(count: Count) -> None:
    assert count.read_twice > count.add * (1 + TOLERANCE)
