"""docs/lists.md has every list with its sort keys, columns and filters, and no other."""

import re

import pytest
from list_pages import list_section
from pages import page

from hawker.lists.registry import LISTS


@pytest.mark.parametrize("name", LISTS)
def test_every_list_has_its_section(name: str) -> None:
    wanted = list_section(LISTS[name])
    assert f"\n{wanted}" in page("docs/lists.md"), f"docs/lists.md must have:\n{wanted}"


def test_no_section_is_left_of_a_list_that_is_gone() -> None:
    headings = re.findall(r"^## ([a-z_]+)$", page("docs/lists.md"), re.MULTILINE)
    assert headings == list(LISTS)
