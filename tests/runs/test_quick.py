"""`make quick` tells something of every feature."""

import re
from pathlib import Path

import pytest

from selection import LONG_FOLDERS, PURE_FOLDERS

TESTS = Path(__file__).parents[1]
FOLDERS = sorted({path.parent.relative_to(TESTS).as_posix() for path in TESTS.glob("*/**/test_*.py")})


@pytest.mark.quick
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_of_tests_has_a_quick_one_or_a_reason(folder: str) -> None:
    marked = any(
        re.search(r"^(@|pytestmark = )pytest\.mark\.quick$", path.read_text(), re.MULTILINE)
        for path in (TESTS / folder).glob("test_*.py")
    )
    assert marked != (folder in PURE_FOLDERS or folder in LONG_FOLDERS), f"mark a story of tests/{folder} as quick"
