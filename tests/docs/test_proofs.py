"""docs/api-v2.md: every rule of the API has a test, and every test that is named there exists."""

import re

import pytest
from pages import REPOSITORY, TEST, names_in, page, rows, section

from hawker.protocol.actions import ACTIONS
from hawker.protocol.errors import TEXTS
from hawker.protocol.service_types import TYPES

TEXT = page("docs/api-v2.md")
SEED = page("tests/wire/seed-api.txt")


def proof_cell(row: str) -> str:
    return row.split("|")[-2]


def cases_of(row: str) -> list[str]:
    """The titles of golden cases that a row names."""
    return [text for text in re.findall(r"`([^`]+)`", proof_cell(row)) if not text.startswith("tests/")]


def titles() -> set[str]:
    """The titles of all golden cases."""
    files = (REPOSITORY / "tests" / "wire" / "cases").glob("*.txt")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return set(re.findall(r"^=== (.*)$", text, re.MULTILINE))


def first_cells(heading: str) -> list[str]:
    return [row.split("|")[1].strip().strip("`") for row in rows(section(TEXT, heading))]


def test_every_test_that_is_named_exists() -> None:
    named = TEST.findall(TEXT)
    assert len(named) > 50
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


@pytest.mark.parametrize("row", rows(TEXT), ids=lambda row: row[:60])
def test_every_rule_has_a_proof_and_its_cases_exist(row: str) -> None:
    assert row.count("|") == 3
    assert TEST.search(proof_cell(row)) or cases_of(row)
    assert [title for title in cases_of(row) if title not in titles()] == []


def test_every_section_of_the_seed_is_proven() -> None:
    sections = re.findall(r"^(.+)\nParameters \|", SEED, re.MULTILINE)
    shown = [title for title in sections if not title.endswith("|")]
    assert len(shown) == 10
    assert set(shown) <= set(first_cells("## Actions"))


def test_every_parameter_of_the_seed_is_in_the_tables() -> None:
    named = set(re.findall(r"^([a-z_]+)(?: \(optional\))? \|$", SEED, re.MULTILINE)) - {"key", "action"}
    known = {param.name for action in ACTIONS for param in action.params}
    known |= {param.name for kind in TYPES for param in kind.params}
    assert {"link", "old_posts", "refills"} <= named <= known | {action.name for action in ACTIONS}


def test_every_action_type_and_error_is_proven() -> None:
    assert {action.title for action in ACTIONS} - set(first_cells("## Actions")) == {"Own orders"}
    assert any(cell.startswith("Own orders") for cell in first_cells("## Actions"))
    assert {kind.name for kind in TYPES} <= set(first_cells("## Service types"))
    assert set(TEXTS.values()) <= set(first_cells("## Errors"))
