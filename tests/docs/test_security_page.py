"""docs/security.md: every promise names the code that keeps it and a test that proves it, and both exist."""

import re

import pytest
from pages import REPOSITORY, TEST, names_in, page, rows

TEXT = page("docs/security.md")
CODE = re.compile(r"`([a-z_/]+\.py)`")


@pytest.mark.parametrize("row", rows(TEXT), ids=lambda row: row[:60])
def test_every_promise_has_code_and_a_proof(row: str) -> None:
    promise, where, proof = row.strip("|").split("|")
    assert promise.strip()
    named = CODE.findall(where)
    assert named
    assert [path for path in named if not (REPOSITORY / "src" / "hawker" / path).is_file()] == []
    proofs = TEST.findall(proof)
    assert proofs
    assert [f"{path}::{name}" for path, name in proofs if name not in names_in(path)] == []


def test_the_page_says_how_to_report() -> None:
    assert "SECURITY.md" in TEXT
    assert "docs/security.md" in page("SECURITY.md")
    assert len(rows(TEXT)) >= 8
